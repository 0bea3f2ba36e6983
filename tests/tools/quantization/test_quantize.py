"""Making an int8 model: the command, the agreement it asks for, and files that come all or not at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.helpers.fake_models import rows
from tests.helpers.paths import CLIP, ROOT
from tools import quantize
from tools.quantization.agreement import Agreement
from tracker.detection.backends.openvino_network import OpenVINONetwork
from tracker.detection.letterbox import Letterbox
from tracker.errors import OutputError
from tracker.models import int8
from tracker.models.locate import COMPACT
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions

MODEL_FILES = ("model.pdmodel", "model.pdiparams", "embed.pdmodel", "embed.pdiparams", "infer_cfg.yml")


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(COMPACT, tmp_path / "model", ignore=shutil.ignore_patterns(*int8.FILES))


@pytest.fixture
def staged(tmp_path):
    folder = tmp_path / "staged"
    folder.mkdir()
    for name in int8.FILES:
        (folder / name).write_text(f"new {name}")
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_come_beside_the_model_or_with_a_copy_of_it(staged, copy, tmp_path):
    before = contents(copy)
    output = quantize.install(staged, copy, tmp_path / "output")
    assert output == tmp_path / "output" and contents(copy) == before
    assert contents(output) == before | contents(staged)
    assert quantize.install(staged, copy, None) == copy
    assert contents(copy) == before | contents(staged)


@pytest.mark.parametrize("fails", [0, 1, 2])
@pytest.mark.parametrize("to_output", [True, False])
def test_what_fails_half_way_leaves_all_as_it_was(staged, copy, tmp_path, monkeypatch, fails, to_output):
    for name in int8.FILES:
        (copy / name).write_text(f"old {name}")
    before, output = contents(copy), tmp_path / "output" if to_output else None
    real, calls = shutil.copyfile, []

    def copyfile(source, target, **options):
        if Path(source).parent == staged:
            calls.append(source)
            if len(calls) > fails:
                Path(target).write_text("hal")
                raise OSError(28, "No space left on device")
        return real(source, target, **options)

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
        quantize.install(staged, copy, output)
    assert contents(copy) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "staged"]


@pytest.fixture
def stand_in(monkeypatch):
    """Runs the tool without nncf: fp32 in place of int8."""
    pytest.importorskip("openvino")
    monkeypatch.setattr(quantize, "need_packages", lambda: {"nncf": "0", "openvino": "0"})
    calls = []

    def quantise(model, items, kept, to_input=None):
        calls.append(([to_input(item) if to_input else item for item in items], kept))
        return model

    monkeypatch.setattr(quantize, "quantise", quantise)
    return calls


def run(*words):
    return quantize.main([str(word) for word in words])


def test_a_run(stand_in, copy, tmp_path, capsys):
    output = tmp_path / "new" / "output"
    words = ("--frames", CLIP, "--count", 4, "--check_count", 2, "--output", output, "--keep_float", "first_last")
    assert run("--model", copy, *words) == 0
    (images, kept), (rows, kept_of_rows) = stand_in
    config = ModelConfig.load(COMPACT)
    assert [image.shape for image in images] == [(1, 3, config.letterbox.height, config.letterbox.width)] * 4
    length = 3 * config.embedding.grid[0] * config.embedding.grid[1]
    assert len(rows) == 4 and all(len(people["rows_0"]) > 2 and people["rows_0"].shape[1] == length for people in rows)
    assert len(kept) == 4 and len(kept_of_rows) == 2
    assert sorted(contents(copy)) == sorted(MODEL_FILES)
    assert sorted(contents(output)) == sorted((*MODEL_FILES, *int8.FILES))
    int8.check(output)
    record = yaml.safe_load((output / int8.RECORD).read_text())
    assert (record["frames"], record["nncf"]) == (4, "0")
    assert record["float_layers"] == {"model": kept, "embed": kept_of_rows}
    assert record["agreement"]["f1"] == 1 and record["agreement"]["images"] == 2
    printed = capsys.readouterr().out
    assert "F1 1.000 (precision 1.000, recall 1.000), IoU 1.000, cosine of embeddings 1.000\n" in printed
    assert printed.endswith(f"int8 is in {output}\n")
    assert (
        OpenVINONetwork(output, ModelConfig.load(output), RuntimeOptions(precision="int8")).description
        == "openvino int8"
    )


def test_too_little_agreement_changes_nothing(stand_in, copy, tmp_path, monkeypatch, capsys):
    words = ("--model", copy, "--frames", CLIP, "--count", 2, "--check_count", 1)
    before = contents(copy)
    image = np.zeros((20, 20, 3), np.uint8)
    monkeypatch.setattr(quantize, "read_frames", lambda *_: [image] * 3)
    monkeypatch.setattr(quantize, "OpenVINONetwork", lambda *_: None)  # seconds each
    monkeypatch.setattr(quantize, "embedding_inputs", lambda *_: [])
    nan = float("nan")
    cases = [
        (0.89, 0.99, None, "F1 0.890"),
        (0.99, 0.89, None, "cosine of embeddings 0.890"),
        (nan, nan, 0, "F1 nan"),
        (0.91, 0.91, None, None),
        (0.5, 0.5, 0.4, None),
    ]
    for f1, cosine, limit, reason in cases:
        result = Agreement(1, 100, 100, 0, 1, cosine, 1, 1)
        monkeypatch.setattr(Agreement, "f1", f1)
        monkeypatch.setattr(quantize, "compare", lambda *_, result=result: result)
        assert run(*words, *([] if limit is None else ["--least_agreement", limit])) == (1 if reason else 0)
        if reason:
            line = capsys.readouterr().err.splitlines()[-1]
            assert line.startswith(f"error: int8 agrees too little with fp32, {reason} where")
            assert contents(copy) == before
        else:
            int8.check(copy)


def test_mistakes_are_told_in_one_line_before_the_work(stand_in, copy, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((20, 20, 3), np.uint8))
    frames = ("--frames", CLIP)
    cases = [
        (("--model", copy, *frames, "--count", 0), "count must be a whole number of at least 1, not 0"),
        (("--model", copy, *frames, "--check_count", -1), "check_count must be a whole number of at least 1, not -1"),
        (("--model", copy, *frames, "--least_agreement", 1.5), "least_agreement must be a number from 0 to 1, not 1.5"),
        (("--model", copy, *frames, "--keep_float", "conv7"), "no layer of the name or type 'conv7'"),
        (("--model", tmp_path / "none", *frames), "there is no model"),
        (("--model", copy, "--frames", tmp_path / "none.mp4"), "does not exist: check the path"),
        (("--model", copy, "--frames", tmp_path / "one.png"), "one frame is too few"),
        (("--model", copy, *frames, "--output", copy), f"{copy} is there already: name a folder to make"),
        (("--model", copy, *frames, "--output", tmp_path / "file"), "is there already: name a folder to make"),
        (
            ("--model", copy, *frames, "--output", tmp_path / "file" / "new"),
            "file cannot be written to (File exists): give another",
        ),
        (("--model", copy, *frames, "--output", "/proc/new"), "): give another --output"),
    ]
    for words, message in cases:
        assert run(*words) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and message in line
    assert not stand_in and sorted(contents(copy)) == sorted(MODEL_FILES)


def test_frames_without_people_are_refused(stand_in, copy, tmp_path, capsys):
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((60, 80, 3), 114, np.uint8))
    before = contents(copy)
    assert run("--model", copy, "--frames", tmp_path / "*.png", "--count", 4, "--check_count", 1) == 1
    assert "finds nobody in 4 frames" in capsys.readouterr().err
    assert not stand_in and contents(copy) == before


def test_a_model_that_cannot_be_written_beside_is_told(copy, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(quantize.tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match="give --output for a copy"):
        quantize.check_target(copy, None)


@pytest.mark.parametrize("missing", ["nncf", "openvino.runtime"])
def test_without_the_packages_the_command_that_brings_them_is_told(missing, copy, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    assert run("--model", copy, "--frames", CLIP) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and line.endswith("pip install -r requirements-quantize.txt")


def test_it_runs_without_paddle():
    script = "import sys, tools.quantize; print({'openvino', 'paddle', 'nncf'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stdout + done.stderr


@pytest.mark.slow
def test_quantisation_from_end_to_end(copy, clip_frames):
    pytest.importorskip("nncf")
    # its own frames: what matters is that int8 is near fp32 on frames like those it was calibrated with
    assert run("--model", copy, "--frames", CLIP, "--count", 12, "--check_count", 4, "--least_agreement", 0.95) == 0
    record = yaml.safe_load((copy / int8.RECORD).read_text())
    assert record["agreement"]["cosine"] > 0.98
    for program, _ in int8.GRAPHS.values():
        text = (copy / program).read_text()
        assert text.count('type="FakeQuantize"') > 5 and 'element_type="i8"' in text
    config = ModelConfig.load(copy)
    pixels = Letterbox(config.letterbox)(clip_frames[0])[0]
    exact, found = (
        OpenVINONetwork(copy, config, RuntimeOptions(precision=precision)) for precision in ("fp32", "int8")
    )
    for ours, theirs in zip(found.run(pixels), exact.run(pixels), strict=True):
        assert 0.95 < np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] < 1
    people = rows(0, 5) * 255
    assert 0.95 < np.corrcoef(found.embed([people]).ravel(), exact.embed([people]).ravel())[0, 1] < 1
