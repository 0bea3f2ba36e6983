"""Whole runs on drawn images by tools/train.py, and mistakes that end in one line."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml

from tests.helpers.paths import ROOT
from tools import train
from tracker.detection.detector import Model
from tracker.errors import ModelError, OptionError, OutputError
from tracker.models.npz import load_npz
from training import run
from training.settings import load_settings
from training.smoke import SIZE, draw_dataset, smoke_settings

COMPACT, FULL = (ROOT / "config" / f"train_{name}.yml" for name in ("compact", "darknet53"))


def run_tool(*arguments):
    """The finished process; its exit code, its output."""
    environment = {name: value for name, value in os.environ.items() if name != "FLAGS_enable_pir_api"}
    command = [sys.executable, str(ROOT / "tools" / "train.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)


def assert_smoke(config, output, *arguments):
    """A run of four steps, stopped and resumed in the middle, that was validated and exported."""
    done = run_tool("-c", config, "--smoke", "--output", output, *arguments)
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "Traceback" not in log and "cannot be validated" not in log and "training goes on" not in log, log
    assert "step 2/2" in log and "resumed after step 2" in log and "step 3/4" in log and "step 4/4" in log, log
    assert log.count("step 1/") == 1, "the second part goes on from the first"
    scores = log.partition("validation after step 4:")[2]
    assert "DRAWN: MOTA " in scores and "overall: MOTA " in scores, log
    assert {"checkpoint.npz", "model.pdparams", "model"} <= {path.name for path in output.iterdir()}
    assert not [path.name for path in output.iterdir() if "part" in path.name or path.name.startswith("validation")]
    checkpoint = load_npz(output / "checkpoint.npz")
    assert (int(checkpoint["step"]), int(checkpoint["average_steps"])) == (4, 4)
    assert all(np.isfinite(value).all() for value in checkpoint.values())
    found = Model(output / "model").detector({"score": 0.0})(np.full((120, 160, 3), 99, np.uint8))
    assert found.boxes.shape == (len(found), 4) and len(found) > 0
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=1), 1, atol=1e-4)


@pytest.mark.slow
def test_the_compact_network_from_drawn_pictures_to_a_model(tmp_path):
    assert_smoke(COMPACT, tmp_path / "output")


@pytest.mark.slow
def test_the_full_network_from_drawn_pictures_to_a_model(tmp_path):
    assert_smoke(FULL, tmp_path / "output")


@pytest.mark.slow
def test_two_processes_train_together(tmp_path):
    assert_smoke(COMPACT, tmp_path / "output", "--processes", 2)


@pytest.mark.slow
def test_a_mistake_that_several_processes_meet_costs_a_line(tmp_path):
    draw_dataset(tmp_path / "data")
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "checkpoint.npz").write_bytes(b"of something else")
    config = configuration(tmp_path / "data")
    done = run_tool("-c", config, "--output", tmp_path / "output", "--processes", 2)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ") and "checkpoint.npz" in last


def configuration(folder, **changes):
    values = {
        "model": "jde_compact.yml",
        "data": {"frames": [{"kind": "jde", "path": "drawn.train"}], "root": str(folder)},
        "schedule": {"steps": 2},
        **changes,
    }
    path = folder / "train.yml"
    path.write_text(yaml.safe_dump(values))
    return path


def refused(capsys, *arguments):
    """The line that a mistake costs."""
    assert train.main([str(argument) for argument in arguments]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1, message
    return message


def test_mistakes_of_the_command_line(tmp_path, capsys):
    output = ["--output", tmp_path / "out"]
    config = configuration(tmp_path)
    for arguments, part in (
        (["-c", config], "--output FOLDER is needed"),
        (["-c", tmp_path / "none.yml", *output], "cannot read"),
        (["-c", config, *output], "drawn.train"),
        (["-c", config, *output, "--set", "schedule.step=5"], "unknown setting schedule.step"),
        (["-c", config, *output, "--processes", "0"], "processes must be"),
        (["-c", config, *output, "--set", "data.frames=[{kind: yolo, path: gone}]"], "gone"),
        (["-c", config, *output, "--set", "data.frames=[{kind: film, path: a}]"], "'film'"),
    ):
        assert part in refused(capsys, *arguments)
    assert not (tmp_path / "out").exists()


def test_a_missing_folder_of_data_in_a_process_of_its_own(tmp_path):
    done = run_tool("-c", configuration(tmp_path), "--output", tmp_path / "out")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "Warning" not in line and "warnings.warn" not in line]
    assert lines == [next(line for line in lines if line.startswith("error: ") and "drawn.train" in line)], done.stderr


@pytest.fixture
def drawn(tmp_path):
    draw_dataset(tmp_path)
    return tmp_path


def test_mistakes_of_a_configuration(drawn, capsys, monkeypatch, dynamic_mode):
    for module, name in ((run, "prepare_process"), (run.paddle.distributed, "init_parallel_env")):
        monkeypatch.setattr(module, name, lambda *_, **__: None)  # what they change is of the whole process
    output = ["--output", drawn / "out"]
    weights = drawn / "weights.npz"
    np.savez(weights, elsewhere=np.ones(3))
    small = ["--set", "sizes=[[64, 64]]", "--set", "batch=1"]
    for changes, part in (
        ({"model": "no_such.yml"}, "no_such.yml"),
        ({"model": "tracker.yml"}, "tracker.yml"),
        ({"task": {"speed": 1}}, "task.speed"),
        ({"pretrain_weights": str(weights)}, "none of 1 weights fits"),
        ({"pretrain_weights": str(drawn / "gone.npz")}, "gone.npz"),
        ({"teachers": {"boxes": str(drawn / "gone.onnx")}}, "there is no network"),
    ):
        assert part in refused(capsys, "-c", configuration(drawn, **changes), *output, *small)
    (drawn / "other.yml").write_text("architecture: YOLO\n")
    message = refused(capsys, "-c", configuration(drawn, model=str(drawn / "other.yml")), *output)
    assert "'YOLO'" in message and "CompactJDE, JDE" in message


def test_a_gpu_where_there_is_none(drawn, capsys, monkeypatch):
    monkeypatch.setattr(run.paddle.device.cuda, "device_count", lambda: 0)
    arguments = ["-c", configuration(drawn), "--output", drawn / "out", "--use_gpu"]
    assert "use_gpu needs" in refused(capsys, *arguments)


def test_drawn_pictures_are_labelled_as_drawn(tmp_path):
    settings = smoke_settings(load_settings(FULL), tmp_path)
    data = run.open_data(settings, tmp_path / "teachers", 1)
    assert [len(data.frames), len(data.crops)] == [1, 1]
    (frames, _), (crops, _) = data.frames[0], data.crops[0]
    assert frames.identities == 6 == crops.identities
    shirts = {}
    for index in range(len(frames)):
        sample, _ = frames[index]
        assert sample.image.shape == (*SIZE, 3) and len(sample.boxes) == 3 and not sample.ignored.any()
        for (left, top, right, bottom), identity in zip(sample.boxes, sample.identities):
            shirt = sample.image[int(0.6 * top + 0.4 * bottom), int((left + right) / 2)]
            shirts.setdefault(int(identity), []).append(shirt.astype(int))
    assert set(shirts) == set(range(6))
    for seen in shirts.values():
        assert np.ptp(seen, axis=0).max() < 60, "the same person wears the same"
    assert settings.task == {**load_settings(FULL).task, "freeze_statistics": False}
    assert settings.teachers.boxes is None and settings.pretrain_weights is None
    assert cv2.imread(str(settings.data.sequences()[0] / "img1" / "000001.jpg")).shape == (*SIZE, 3)


class NoTask:
    def export_state(self, state):
        return state


@pytest.mark.parametrize("failure", [ModelError("it broke"), OutputError("no room"), OSError("no room")])
def test_a_validation_that_fails_ends_no_run(tmp_path, monkeypatch, caplog, failure):
    def fail(*_):
        raise failure

    monkeypatch.setattr(run, "export_in_child" if isinstance(failure, ModelError) else "save_parameters", fail)
    run.log_validation(NoTask(), load_settings(COMPACT), tmp_path, {}, 7)
    assert f"step 7 cannot be validated: {failure}" in caplog.text
    run.log_validation(NoTask(), load_settings(COMPACT), tmp_path / "gone", {}, 8)
    assert "step 8 cannot be validated" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_an_unexpected_error_in_the_validating_process_ends_no_run(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(run, "save_parameters", lambda *_: None)
    monkeypatch.setattr(run, "export_in_child", lambda *_: None)
    monkeypatch.setattr(run.validation, "validate", divmod)  # does not take a folder and sequences
    run.log_validation(NoTask(), load_settings(COMPACT), tmp_path, {}, 7)
    assert "step 7 cannot be validated" in caplog.text and "TypeError" in caplog.text


def test_names_of_model_configurations(tmp_path, monkeypatch):
    settings = load_settings(COMPACT)
    assert run.model_config(settings) == ROOT / "config" / "jde_compact.yml"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jde_compact.yml").write_text("")
    assert run.model_config(settings).resolve() == tmp_path / "jde_compact.yml"
    with pytest.raises(OptionError, match=r"jde_compact\.yml"):
        run.make_task(settings, None)
