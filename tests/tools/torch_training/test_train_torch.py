"""The command that trains in PyTorch: without torch, with wrong options, and a short run up to an inference folder."""

import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tests.helpers.training.packed_sets import write_small
from tools.torch_training import train_torch

SCRIPTS = ROOT / "tools" / "torch_training"


def refused(capsys, *arguments):
    assert train_torch.main([*map(str, arguments)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message


def test_pytorch_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    message = refused(capsys, tmp_path / "set.npz", "--output", tmp_path / "output")
    assert "PyTorch is not installed: pip install" in message
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("name", ["compose_pictures", "pack_training", "train_torch"])
def test_the_scripts_run_from_any_folder(tmp_path, name):
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "--output" in done.stdout


def test_training_needs_no_paddle():
    """The machine with the GPU has nothing but PyTorch and OpenCV."""
    pytest.importorskip("torch")
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('paddle', 'av', 'openvino', 'scipy', 'lap')))\n"
        "import tools.torch_training.train_torch, training.pytorch.run, training.pytorch.networks"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


@pytest.mark.parametrize(
    ("option", "value"), [("--minutes", "0"), ("--steps", "0"), ("--batch", "-2"), ("--rate", "nan"), ("--seed", "-1")]
)
def test_wrong_options(tmp_path, capsys, option, value):
    pytest.importorskip("torch")
    message = refused(capsys, tmp_path / "set.npz", "--output", tmp_path / "output", option, value)
    assert option.strip("-") in message


@pytest.mark.slow
def test_a_run_ends_in_an_inference_folder(tmp_path, dynamic_mode):
    pytest.importorskip("torch")
    from tracker.models.export import export_in_child
    from training.pytorch.networks import arrays_of, build

    config = ROOT / "config" / "jde_compact.yml"
    arrays = arrays_of(build(config).state_dict())
    np.savez(tmp_path / "start.npz", **{f"average/network.{name}": value for name, value in arrays.items()})
    write_small(tmp_path / "set.npz")
    command = [sys.executable, str(SCRIPTS / "train_torch.py"), str(tmp_path / "set.npz"), "--device", "cpu"]
    command += ["--output", str(tmp_path / "output"), "--weights", str(tmp_path / "start.npz"), "--part", "all"]
    subprocess.run([*command, "--steps", "2", "--batch", "1", "--people", "4"], check=True, timeout=600)
    export_in_child(config, tmp_path / "output" / "weights.npz", tmp_path / "model")
    assert (tmp_path / "model" / "model.pdmodel").is_file() and (tmp_path / "model" / "infer_cfg.yml").is_file()
