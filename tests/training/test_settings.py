"""Training configurations: what is read, what is refused and how the learning rate goes."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.helpers.paths import ROOT
from tracker.errors import OptionError
from training.settings import DataSettings, load_settings
from training.tasks.compact_task import CompactSettings
from training.tasks.full_task import FullSettings
from training.trainer import Schedule

CONFIGS = sorted((ROOT / "config").glob("train_*.yml"))
FRAMES = [{"kind": "jde", "path": "a.train"}]
LEAST = {"model": "jde_compact.yml", "data": {"frames": FRAMES}, "schedule": {"steps": 10}}


def write(folder, values):
    path = folder / "train.yml"
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def test_the_configurations_of_this_project_load():
    assert [path.name for path in CONFIGS] == ["train_compact.yml", "train_darknet53.yml"]
    for path, task in zip(CONFIGS, (CompactSettings, FullSettings)):
        settings = load_settings(path)
        task.checked(dict(settings.task))
        assert (path.parent / settings.model).is_file()
        assert settings.schedule.warmup < settings.schedule.steps
        assert settings.data.sequences()


def test_values_and_defaults(tmp_path):
    settings = load_settings(write(tmp_path, LEAST))
    assert settings.model == "jde_compact.yml" and settings.pretrain_weights is None
    assert settings.schedule == Schedule(10) and settings.batch == 4
    assert settings.teachers.boxes is None and settings.augment.mosaic == 0.4


def test_values_from_the_command_line(tmp_path):
    changes = [
        "schedule.steps=20",
        "schedule.learning_rate=5e-4",  # for YAML 1.1 a number has a point
        "augment.scale=[0.9, 1.1]",
        "teachers.boxes=some=thing.onnx",
        "data.validation=[x, y]",
        "pretrain_weights=null",
        "task.box=3",
        "batch=2",
        "batch=3",
    ]
    settings = load_settings(write(tmp_path, LEAST), changes)
    assert (settings.schedule.steps, settings.schedule.learning_rate, settings.batch) == (20, 5e-4, 3)
    assert settings.augment.scale == [0.9, 1.1] and settings.teachers.boxes == "some=thing.onnx"
    assert settings.data.sequences() == [Path("x"), Path("y")]
    assert settings.pretrain_weights is None and settings.task == {"box": 3}


def test_paths_are_relative_to_the_root():
    crops = [{"kind": "identities", "path": "/far/away"}]
    frames = [{"kind": "jde", "path": "a.train", "root": "images", "weight": 3}, {"kind": "yolo", "path": "b"}]
    data = DataSettings(frames, crops, ["walk"], root="/data")
    assert data.entries("frames") == [
        ({"kind": "jde", "path": "/data/a.train", "root": "/data/images"}, 3.0),
        ({"kind": "yolo", "path": "/data/b"}, 1.0),
    ]
    assert data.entries("crops") == [({"kind": "identities", "path": "/far/away"}, 1.0)]
    assert data.sequences() == [Path("/data/walk")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs=5", "unknown setting epochs; known are model, data, schedule"),
        ("schedule.epochs=5", "unknown setting schedule.epochs; known are steps, learning_rate"),
        ("teachers.box=a.onnx", "unknown setting teachers.box; known are boxes"),
        ("optimizer.beta=0.9", "unknown setting optimizer; known are"),
        ("batch.size=3", None),  # a number where a group would be
        ("steps", "must look like schedule.steps=100, not 'steps'"),
        ("=5", "not '=5'"),
        ("schedule..steps=5", "not 'schedule..steps=5'"),
        ("schedule.=5", "not 'schedule.=5'"),
        ("sizes=[[", "the value of 'sizes=[[' cannot be read"),
        ("model.name=x", "model.name cannot be set: model is no group"),
        ("schedule=fast", "schedule must be a mapping of names to values, not 'fast'"),
        ("task=null", "task must be a mapping of names to values, not None"),
        ("teachers=[a]", "teachers must be a mapping of names to values, not ['a']"),
        ("sizes=[[100, 64]]", "multiples of 32, not [100, 64]"),
        ("sizes=[[64]]", "multiples of 32, not [64]"),
        ("sizes=[[64, 0]]", "multiples of 32, not [64, 0]"),
        ("sizes=[64, 96]", "multiples of 32, not 64"),
        ("sizes=64", "multiples of 32, not 64"),
        ("sizes=[]", "multiples of 32, not []"),
        ("sizes=null", "multiples of 32, not None"),
        ("batch=0", "batch must be a whole number of at least 1, not 0"),
        ("batch=2.5", "batch must be a whole number of at least 1, not 2.5"),
        ("seed=-1", "seed must be a whole number of at least 0, not -1"),
        ("seed=one", "seed must be a whole number of at least 0, not 'one'"),
        ("model=5", "must be names of files, not 5"),
        ("pretrain_weights=[a]", "must be names of files, not ['a']"),
        ("schedule.steps=0", "schedule.steps must be a whole number of at least 1, not 0"),
        ("schedule.steps=many", "schedule.steps must be a whole number of at least 1, not 'many'"),
        ("schedule.learning_rate=0", "schedule.learning_rate must be a positive number, got 0"),
        ("schedule.learning_rate=1e-3x", "schedule.learning_rate must be a positive number, got '1e-3x'"),
        ("schedule.final=2", "schedule.final must be a number from 0 to 1, not 2"),
        ("schedule.warmup=-5", "schedule.warmup must be a number of at least 0, not -5"),
        ("augment.mosaic=2", "augment.mosaic must be a number from 0 to 1, not 2"),
        ("teachers.sure=high", "teachers.sure must be a number from 0 to 1, not 'high'"),
        ("teachers.embeddings=5", "teachers.embeddings must be the name of a file, not 5"),
        ("data.frames=[]", "data.frames must name at least one dataset"),
        ("data.frames=a.train", "data.frames must be a list, not 'a.train'"),
        ("data.frames=[a.train]", "must be a mapping with kind and path, not 'a.train'"),
        ("data.frames=[{kind: jde, path: a, weight: -1}]", "weight of a dataset must be a number of at least 0"),
        ("data.frames=[{kind: jde, path: a, weight: 0}]", "data.frames has no dataset with a weight above 0"),
        ("data.crops=null", "data.crops must be a list, not None"),
        ("data.validation=[5]", "must be of paths, not 5"),
        ("data.root=5", "must be of paths, not 5"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    if message is None:
        message = "batch.size cannot be set: batch is no group of settings"
    with pytest.raises(OptionError) as caught:
        load_settings(write(tmp_path, {**LEAST, "batch": 4}), [change])
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "must be a mapping"),
        ("", "must be a mapping"),
        ("a: [1", "cannot read"),
        ("model: jde_compact.yml\ndata: {frames: [{kind: jde, path: a}]}\n", "not complete"),
        ("model: jde_compact.yml\nschedule: {steps: 5}\ndata: {crops: []}\n", "data is not complete"),
    ],
)
def test_files_that_are_no_configuration(tmp_path, text, message):
    with pytest.raises(OptionError) as caught:
        load_settings(write(tmp_path, text))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.yml", tmp_path, tmp_path / "binary.yml"):
        with pytest.raises(OptionError, match="cannot read") as caught:
            load_settings(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", [CompactSettings, FullSettings])
@pytest.mark.parametrize("values", [{"nonsense": 1}, {"freeze_statistics": 1}])
def test_settings_of_a_task_that_are_refused(kind, values):
    with pytest.raises(OptionError, match=next(iter(values))):
        kind.checked(values)


def test_numbers_of_the_compact_task_that_are_refused():
    for value in (-1, "1", None, True, math.nan, math.inf):
        with pytest.raises(OptionError, match=r"task\.box must be a number of at least 0"):
            CompactSettings.checked({"box": value})
    assert CompactSettings.checked({"detector_factor": 0, "freeze_statistics": False}).box == 5
    with pytest.raises(OptionError, match=r"task\.detector_factor and task\.appearance_factor are both 0"):
        CompactSettings.checked({"detector_factor": 0, "appearance_factor": 0})


def test_the_learning_rate_rises_in_a_line_and_falls_along_a_cosine():
    schedule = Schedule(steps=1000, learning_rate=0.4, warmup=100, final=0.05)
    assert [schedule.rate(step) for step in (0, 49, 99)] == pytest.approx([0.004, 0.2, 0.4])
    assert schedule.rate(100) == pytest.approx(0.4)
    assert schedule.rate(550) == pytest.approx(0.4 * (0.05 + 0.95 / 2))
    assert schedule.rate(1000) == pytest.approx(0.4 * 0.05)
    assert schedule.rate(999) == pytest.approx(0.4 * 0.05, rel=1e-3)
    rates = [schedule.rate(step) for step in range(100, 1000)]
    assert (np.diff(rates) < 0).all()
    assert schedule.rate(325) - schedule.rate(775) == pytest.approx(0.4 * 0.95 * math.cos(math.pi / 4))


def test_learning_rates_of_short_runs_are_positive():
    for warmup, steps in ((0, 1), (0, 5), (5, 5), (10, 3), (1, 4)):
        schedule = Schedule(steps=steps, learning_rate=1, warmup=warmup)
        assert all(0 < schedule.rate(step) <= 1 for step in range(steps))
