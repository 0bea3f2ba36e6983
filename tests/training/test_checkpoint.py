"""Checkpoints: whole or not at all, and a run that is resumed goes on as if it had never stopped."""

import contextlib
import resource

import numpy as np
import paddle
import pytest

from tests.helpers.training_setups import Crops, Frames, tiny_config
from tracker.errors import ModelError, OutputError
from tracker.models.npz import load_npz
from training.checkpoint import MovingAverage, restore, save_arrays, save_parameters
from training.data.batches import BatchStream
from training.settings import AugmentSettings, Schedule
from training.tasks.compact_task import CompactTask
from training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("dynamic_mode")

STEPS = 6
SCHEDULE = {"learning_rate": 1e-3, "warmup": 2, "average": 0.7, "log_every": 0, "save_every": 0}


@contextlib.contextmanager
def files_limited_to(size):
    """A disk without room for more: longer files cannot be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_arrays_come_back(tmp_path):
    arrays = {"a/b.c": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(3), "flags": np.array([True])}
    path = tmp_path / "new" / "checkpoint.npz"
    save_arrays(path, arrays)
    found = load_npz(path)
    assert list(found) == list(arrays)
    for name, value in arrays.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize("limit", [0, 1000, 300_000])
def test_a_full_disk_leaves_the_file_before_whole(tmp_path, limit):
    path = tmp_path / "checkpoint.npz"
    save_arrays(path, {"a": np.ones(3)})
    before = path.read_bytes()
    with files_limited_to(limit), pytest.raises(OutputError) as caught:
        save_arrays(path, {"a": np.zeros(100_000), "b": np.zeros(1000)})
    assert str(path) in str(caught.value) and "is kept" in str(caught.value) and "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file/checkpoint"):
        save_arrays(tmp_path / "file" / "checkpoint.npz", {"a": np.ones(3)})
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(OutputError, match=r"folder\.npz"):
        save_arrays(tmp_path / "folder.npz", {"a": np.ones(3)})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.npz"]


def test_parameters_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "model.pdparams").mkdir()
    with pytest.raises(OutputError, match=r"cannot save .*model\.pdparams"):
        save_parameters({"a": np.ones(3, np.float32)}, tmp_path / "model.pdparams")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pdparams"]
    monkeypatch.setattr(paddle, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match="No space left"):
        save_parameters({"a": np.ones(3, np.float32)}, tmp_path / "other.pdparams")


@pytest.fixture(scope="module")
def stream():
    augment = AugmentSettings(reference=(96, 128), pasted_height=(20, 50))
    return BatchStream([(Frames(), 1.0)], [(Crops(), 1.0)], augment, [[64, 96], [96, 64]], 2, seed=1)


def new_trainer(folder, stream, seed=0, steps=STEPS, **schedule):
    """With fresh weights, which depend on the seed."""
    paddle.seed(seed)
    (folder / "out").mkdir(exist_ok=True)
    task = CompactTask(tiny_config(folder), {"freeze_statistics": False}, stream.identities, stream.teacher_dimension)
    task.fit_teacher(np.random.default_rng(0).normal(size=(20, stream.teacher_dimension)))
    return Trainer(task, Schedule(steps, **{**SCHEDULE, **schedule}), folder / "out")


def state(trainer):
    """All numbers of a run by names that do not depend on what was made before in this process."""
    names = {parameter.name: name for name, parameter in trainer.task.layer.named_parameters()}
    found = {f"task {name}": value.numpy() for name, value in trainer.task.layer.state_dict().items()}
    found |= {f"average {name}": value for name, value in trainer.average.arrays().items()}
    for key, value in trainer.optimizer.state_dict().items():
        if isinstance(value, paddle.Tensor):
            parameter = max((name for name in names if key.startswith(f"{name}_")), key=len)
            found[f"optimizer {names[parameter]} {key.removeprefix(parameter)}"] = value.numpy()
    return found


class Numbers:
    """A task whose every step is the same to the last bit: each number for itself, times a drawn one."""

    def __init__(self):
        self.layer = paddle.nn.Linear(3, 4)
        self.random, self.seeds = None, []

    def parameter_groups(self):
        return [
            {"params": [self.layer.weight], "learning_rate": 0.5},
            {"params": [self.layer.bias], "learning_rate": 1.0, "weight_decay": 0.0},
        ]

    def seed(self, numbers):
        self.random = np.random.default_rng(numbers)
        self.seeds.append(numbers)

    def losses(self, batch):
        drawn = paddle.to_tensor(self.random.normal(size=(3, 4)).astype(np.float32))
        return {"total": (self.layer.weight * drawn + batch.images[0] * 0.01 * self.layer.bias).square().sum()}


class Pictures:
    def __init__(self, step):
        self.images = [float(step)]


def pictures(start, stop):
    return map(Pictures, range(start, stop))


@pytest.mark.parametrize("stop", [0, 1, 5, 12])
def test_a_resumed_run_ends_as_one_that_never_stopped(tmp_path, stop):
    runs = []
    for name, last in (("whole", 12), ("parts", stop), ("parts", 12)):
        paddle.seed(0 if len(runs) < 2 else 99)
        trainer = Trainer(Numbers(), Schedule(12, **{**SCHEDULE, "learning_rate": 0.1, "warmup": 3}), tmp_path / name)
        trainer.resume()
        trainer.run(lambda start, end, last=last: pictures(start, min(end, last)))
        runs.append(state(trainer))
    whole, stopped, resumed = runs
    assert whole.keys() == resumed.keys() and any(name.endswith("bias _moment2_0") for name in whole)
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
    assert stop == 12 or (stopped["task weight"] != whole["task weight"]).all()


def test_a_resumed_run_of_the_compact_network(tmp_path, stream):
    """Paddle's sums depend on where in memory numbers lie, by as much as rounding, and Adam makes small gradients
    large: what is compared is the way that all numbers together went."""
    runs, start, restored = [], None, None
    for name, last in (("whole", STEPS), ("parts", STEPS // 2), ("parts", STEPS)):
        (tmp_path / name).mkdir(exist_ok=True)
        trainer = new_trainer(tmp_path / name, stream, seed=0 if len(runs) < 2 else 99)
        start = start or state(trainer)
        if len(runs) == 2:
            trainer.resume()
            restored = state(trainer)
        trainer.run(lambda begin, end, last=last: stream.batches(begin, min(end, last)))
        runs.append(state(trainer))
    whole, stopped, resumed = runs
    moments = {name for name in stopped if "moment" in name}
    assert len(moments) == 2 * sum(not p.stop_gradient for p in trainer.task.layer.parameters())
    for name in stopped.keys() - moments:  # moments that were loaded are held back until the first step
        if not name.startswith("optimizer"):
            np.testing.assert_array_equal(restored[name], stopped[name], err_msg=name)
    for part in ("task ", "average "):
        names = [name for name in start if name.startswith(part) and not name.endswith(("_mean", "_variance"))]
        way, difference = (
            sum(((a[name] - b[name]) ** 2).sum() for name in names) for a, b in ((whole, start), (whole, resumed))
        )
        assert difference < 0.01 * way, part


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    trainer = Trainer(Numbers(), Schedule(3, **SCHEDULE), tmp_path)
    trainer.run(pictures)
    before = load_npz(trainer.checkpoint)
    for steps in (3, 2):
        again = Trainer(Numbers(), Schedule(steps, **SCHEDULE), tmp_path)
        again.resume()
        again.run(pictures)
        assert again.step == 3
        after = load_npz(trainer.checkpoint)
        assert after.keys() == before.keys()
        assert all((after[name] == value).all() for name, value in before.items())


def test_a_run_outlives_a_checkpoint_that_cannot_be_written(tmp_path, caplog):
    trainer = Trainer(Numbers(), Schedule(3, **{**SCHEDULE, "save_every": 1}), tmp_path)

    def room_at_the_end(start, stop):
        with files_limited_to(300):
            yield from pictures(start, stop)

    trainer.run(room_at_the_end)
    warnings = [record.message for record in caplog.records if "training goes on" in record.message]
    assert len(warnings) == 2 and str(trainer.checkpoint) in warnings[0]
    assert int(load_npz(trainer.checkpoint)["step"]) == 3


def test_progress_checkpoints_and_validations_come_in_time(tmp_path, caplog):
    caplog.set_level("INFO")
    seen = []
    every = {"save_every": 2, "log_every": 2, "validate_every": 2}
    trainer = Trainer(Numbers(), Schedule(5, **{**SCHEDULE, **every}), tmp_path)
    trainer._validate = lambda arrays, step: seen.append((step, sorted(arrays)))
    save, saved = trainer.save, []
    set_rate, rates = trainer.optimizer.set_lr, []
    trainer.optimizer.set_lr = lambda rate: (rates.append(rate), set_rate(rate))
    trainer.save = lambda: (saved.append(trainer.step), save())
    trainer.run(pictures)
    assert saved == [2, 4, 5]
    assert rates == [trainer.schedule.rate(step) for step in range(5)]
    assert trainer.task.seeds == [[step, 0] for step in range(5)]
    assert [step for step, _ in seen] == [2, 4] and seen[0][1] == sorted(trainer.task.layer.state_dict())
    lines = [record.message for record in caplog.records if record.message.startswith("step ")]
    assert [line.split()[1] for line in lines] == ["2/5", "4/5", "5/5"]
    assert "  total " in lines[0] and " images/s  " in lines[0]
    assert lines[-1].endswith("ETA 0:00:00")


def test_checkpoints_of_other_runs_are_refused(tmp_path, stream):
    trainer = new_trainer(tmp_path, stream)
    trainer.save()
    path = trainer.checkpoint
    optimizer = trainer.optimizer
    larger = tiny_config(tmp_path, dimension=12)
    for task in (CompactTask(larger, {}, 8, 4), CompactTask(tiny_config(tmp_path), {}, 9, 4)):
        before = {name: value.numpy() for name, value in task.state_dict().items()}
        with pytest.raises(ModelError, match="another network or other data") as caught:
            restore(path, task, MovingAverage(task, 0.9), optimizer)
        assert str(path) in str(caught.value) and "--output" in str(caught.value)
        for name, value in task.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), before[name])


@pytest.mark.parametrize("change", ["more", "less", "foreign", "no step"])
def test_checkpoints_with_other_names_are_refused(tmp_path, stream, change):
    trainer = new_trainer(tmp_path, stream)
    trainer.save()
    arrays = load_npz(trainer.checkpoint)
    if change == "more":
        arrays["task/network.more"] = np.ones(3)
    elif change == "less":
        del arrays["average/classifier.weight"]
    elif change == "no step":
        del arrays["step"]
    else:
        arrays = {"det/stem.weight": np.ones(3), "plain": np.ones(2)}
    save_arrays(trainer.checkpoint, arrays)
    with pytest.raises(ModelError, match="another network or other data"):
        trainer.resume()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("step", value) for value in (np.array("x"), np.array([1, 2]), np.array(-5), np.array(np.nan), 2**62)),
        *(("average_steps", value) for value in (np.array(np.nan), np.zeros((0, 0), np.int64))),
        *(("task/classifier.weight", kind) for kind in ("nan", "text", "complex", "int")),
        ("optimizer/", np.zeros(1, np.float32)),
        ("more", np.zeros(1, np.float32)),
        ("optimizer/elsewhere/moment1_0", np.zeros(1, np.float32)),
        ("optimizer/classifier.weight/moment1_0", np.zeros(7, np.float32)),
        ("optimizer/classifier.weight/moment1_0", "nan"),
        ("optimizer/classifier.weight/velocity_0", "zeros"),
    ],
)
def test_checkpoints_with_absurd_numbers_are_refused_whole(tmp_path, stream, name, value):
    trainer = new_trainer(tmp_path, stream)
    trainer.save()
    arrays = load_npz(trainer.checkpoint)
    shape = arrays["task/classifier.weight"].shape
    if isinstance(value, str):
        made = {"nan": np.float32(np.nan), "text": "x", "complex": 1j, "int": 1, "zeros": np.float32(0)}
        value = np.full(shape, made[value])
    save_arrays(trainer.checkpoint, {**arrays, name: value})
    other = new_trainer(tmp_path, stream)
    before = {key: tensor.numpy().copy() for key, tensor in other.task.state_dict().items()}
    with pytest.raises(ModelError, match="give another --output") as caught:
        other.resume()
    assert "\n" not in str(caught.value)
    for key, tensor in other.task.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[key])


@pytest.mark.parametrize("part", [0, 0.3, 0.9, 0.999])
def test_a_file_that_ends_early_is_refused(tmp_path, part):
    path = tmp_path / "checkpoint.npz"
    save_arrays(path, {"a": np.random.default_rng(0).normal(size=10_000), "b": np.ones(10)})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ModelError, match="is no whole") as caught:
        load_npz(path)
    assert str(path) in str(caught.value)


def test_files_of_another_kind_are_refused(tmp_path):
    np.save(tmp_path / "array.npy", np.ones(3))
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    damaged = tmp_path / "damaged.npz"
    save_arrays(damaged, {"a": np.zeros(10_000)})
    data = bytearray(damaged.read_bytes())
    data[5000] ^= 255
    damaged.write_bytes(data)
    for name in ("array.npy", "objects.npz", "damaged.npz", "missing.npz", "."):
        with pytest.raises(ModelError, match="is no whole"):
            load_npz(tmp_path / name)


def test_the_moving_average_by_hand():
    layer = paddle.nn.Linear(2, 1)
    layer.weight.set_value(np.zeros((2, 1), np.float32))
    average, expected = MovingAverage(layer, 0.6), 0.0
    for step in range(1, 30):
        layer.weight.set_value(np.full((2, 1), step, np.float32))
        average.update()
        weight = 1 - min(0.6, (1 + step) / (10 + step))
        expected += weight * (step - expected)
        assert average.arrays()["weight"].ravel() == pytest.approx([expected] * 2, rel=1e-5)
    assert (layer.weight.numpy() == 29).all()
    average.reset()
    assert (average.arrays()["weight"] == 29).all() and average.steps == 0
