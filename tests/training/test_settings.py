"""Training configurations: what is read, what is refused and how the learning rate goes."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.helpers.paths import ROOT
from tracker.errors import OptionError
from tracker.settings.checks import from_mapping
from training.settings import AugmentSettings, DataSettings, Schedule, TeacherSettings, load_settings
from training.tasks.compact_task import CompactSettings
from training.tasks.full_task import FullSettings

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
        from_mapping(task, settings.task, "task")
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
    assert settings.augment.scale == (0.9, 1.1) and settings.teachers.boxes == "some=thing.onnx"
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


@pytest.mark.parametrize("change", ["steps", "=5", "schedule..steps=5", "schedule.=5", "sizes=[["])
def test_changes_that_are_not_name_and_value_are_refused(tmp_path, change):
    with pytest.raises(OptionError, match=re.escape(repr(change))):
        load_settings(write(tmp_path, LEAST), [change])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("epochs=5", ["unknown setting epochs", "model, data, schedule"]),
        ("schedule.epochs=5", ["unknown setting schedule.epochs", "steps, learning_rate"]),
        ("teachers.box=a.onnx", ["unknown setting teachers.box", "boxes"]),
        ("batch.size=3", ["batch.size", "batch is not a group"]),
        ("schedule=fast", ["schedule", "'fast'"]),
        ("task=null", ["task", "None"]),
        ("teachers=[a]", ["teachers", "['a']"]),
        ("sizes=[[100, 64]]", ["sizes", "multiples of 32", "[100, 64]"]),
        ("sizes=[[64]]", ["sizes", "[64]"]),
        ("sizes=[[64, 0]]", ["sizes", "[64, 0]"]),
        ("sizes=[64, 96]", ["sizes", "64"]),
        ("sizes=[]", ["sizes", "[]"]),
        ("sizes=null", ["sizes", "None"]),
        ("batch=0", ["batch", "0"]),
        ("seed=-1", ["seed", "-1"]),
        ("model=5", ["model", "5"]),
        ("pretrain_weights=[a]", ["pretrain_weights", "['a']"]),
        ("schedule.steps=many", ["schedule.steps", "'many'"]),
        ("schedule.learning_rate=0", ["schedule.learning_rate", "0"]),
        ("schedule.learning_rate=1e-3x", ["schedule.learning_rate", "'1e-3x'"]),
        ("schedule.final=2", ["schedule.final", "from 0 to 1", "2"]),
        ("schedule.warmup=-5", ["schedule.warmup", "-5"]),
        ("augment.mosaic=2", ["augment.mosaic", "from 0 to 1", "2"]),
        ("augment.scale=[0.5, 1, 1.6]", ["augment.scale", "2 values", "[0.5, 1, 1.6]"]),
        ("teachers.sure=high", ["teachers.sure", "'high'"]),
        ("teachers.embeddings=5", ["teachers.embeddings", "5"]),
        ("data.frames=[]", ["data.frames", "at least 1 dataset"]),
        ("data.frames=a.train", ["data.frames", "'a.train'"]),
        ("data.frames=[a.train]", ["data.frames", "kind and path", "'a.train'"]),
        ("data.frames=[{kind: jde, path: a, weight: -1}]", ["weight", "data.frames", "-1"]),
        ("data.frames=[{kind: jde, path: a, weight: 0}]", ["data.frames", "weight above 0"]),
        ("data.crops=null", ["data.crops", "None"]),
        ("data.validation=[5]", ["data.validation", "5"]),
        ("data.root=5", ["data.root", "5"]),
    ],
)
def test_mistakes_are_named(tmp_path, change, words):
    with pytest.raises(OptionError) as caught:
        load_settings(write(tmp_path, {**LEAST, "batch": 4}), [change])
    message = str(caught.value)
    assert [word for word in words if word not in message] == [] and "\n" not in message, message


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("model: jde_compact.yml\ndata: {frames: [{kind: jde, path: a}]}\n", "schedule"),
        ("model: jde_compact.yml\nschedule: {steps: 5}\ndata: {crops: []}\n", "data.frames"),
    ],
)
def test_what_has_no_default_must_be_given(tmp_path, text, missing):
    with pytest.raises(OptionError, match=f"{missing} is missing"):
        load_settings(write(tmp_path, text))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (AugmentSettings, "mosaic", -0.1),
        (AugmentSettings, "flip", "often"),
        (AugmentSettings, "rotation", math.nan),
        (AugmentSettings, "rotation", math.inf),
        (AugmentSettings, "hue", True),
        (AugmentSettings, "color", None),
        (AugmentSettings, "scale", 1),
        (AugmentSettings, "scale", [0, 1]),
        (AugmentSettings, "scale", [1.6, 0.5]),
        (AugmentSettings, "scale", [0.5, 1, 1.6]),
        (AugmentSettings, "pasted_height", ["36", 320]),
        (AugmentSettings, "reference", [0, 1088]),
        (AugmentSettings, "pasted", 0),
        (AugmentSettings, "pasted", 2.5),
        (TeacherSettings, "boxes", 5),
        (TeacherSettings, "boxes", ["a.onnx", 5]),
        (TeacherSettings, "tiles", 0),
        (TeacherSettings, "complete", "yes"),
        (TeacherSettings, "sure", -1),
        (TeacherSettings, "doubtful", "0.2"),
        (CompactSettings, "box", -1),
        (CompactSettings, "box", "1"),
        (CompactSettings, "freeze_statistics", 1),
        (FullSettings, "backbone_factor", -1),
        (FullSettings, "freeze_statistics", None),
    ],
)
def test_values_that_are_refused(kind, name, value):
    with pytest.raises(OptionError, match=rf"\.{name}\b"):
        kind(**{name: value})


def test_ranges_as_yaml_gives_them():
    AugmentSettings(scale=[0.7, 1.4], reference=[1088, 608], pasted_height=[40, 40], mosaic=0, flip=1, rotation=0)


def test_a_task_that_trains_nothing_is_refused():
    assert CompactSettings(detector_factor=0, freeze_statistics=False).box == 5
    with pytest.raises(OptionError, match="nothing would be trained"):
        CompactSettings(detector_factor=0, appearance_factor=0)


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
