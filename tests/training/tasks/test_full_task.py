"""Training of the full network: targets, losses, weights in and out. Pictures are small; the network is whole."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.helpers.paths import ROOT
from tracker.errors import ModelError
from tracker.models.export import export_in_child
from tracker.models.pdparams import load_pdparams
from training.tasks import full_task
from training.tasks.full_task import CLASSIFIER, FullTask

CONFIG = ROOT / "config" / "jde_darknet53_30e_1088x608.yml"
SIZE = (96, 160)
IDENTITIES = 5

# anchor 0 of strides 32, 16 and 8 at row and column (2, 2), (3, 4) and (7, 13); the first is larger than the picture
LARGE = [0, -128, 128, 256]
MEDIUM = [48, 0, 80, 96]
SMALL = [100, 44, 108, 68]


@dataclass(frozen=True)
class Batch:
    """Those parts of a batch of training/data/batches.py that this task reads."""

    images: np.ndarray
    boxes: list
    identities: list
    ignored: list


def make_batch(*people, size=SIZE):
    """One random picture for each list of (box, identity or None for ignored)."""
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (len(people), size[0] // 16, size[1] // 16, 3), np.uint8)
    return Batch(
        images=images.repeat(16, 1).repeat(16, 2),
        boxes=[np.array([box for box, _ in one], np.float32).reshape(-1, 4) for one in people],
        identities=[np.array([-1 if who is None else who for _, who in one], np.int64) for one in people],
        ignored=[np.array([who is None for _, who in one], bool) for one in people],
    )


pytestmark = [pytest.mark.usefixtures("dynamic_mode"), pytest.mark.slow]


def exported(task):
    return task.export_state({name: value.numpy() for name, value in task.layer.state_dict().items()})


TWO = make_batch([(LARGE, 0), (MEDIUM, 1), (SMALL, 2)], [(MEDIUM, 3), (SMALL, -1)])


@pytest.fixture(scope="module")
def shared_task(dynamic_mode):
    paddle.seed(7)
    return FullTask(CONFIG, {}, IDENTITIES)


@pytest.fixture
def task(shared_task):
    """The one network, without the gradients of the test before."""
    shared_task.network.clear_gradients(set_to_zero=False)
    return shared_task


def trained(task):
    return {name: value for name, value in task.network.named_parameters() if not value.stop_gradient}


def numbers(losses):
    return {name: float(value) for name, value in losses.items()}


def test_targets_of_people(task):
    targets = task.targets(TWO)
    for level, (stride, cell) in enumerate([(32, (2, 2)), (16, (3, 4)), (8, (7, 13))]):
        confidence, delta, identity = (targets[f"{kind}{level}"] for kind in ("tconf", "tbox", "tide"))
        assert confidence.shape == (2, 4, SIZE[0] // stride, SIZE[1] // stride)
        assert delta.shape == (*confidence.shape, 4) and identity.shape == (*confidence.shape, 1)
        assert confidence[(0, 0, *cell)] == 1 and identity[(0, 0, *cell)] == level
        for place in np.argwhere(confidence[0] == 1):
            width, height = task._anchors[level][place[0]]
            dx, dy, dw, dh = delta[(0, *place)]
            x, y = place[2] * stride + dx * width, place[1] * stride + dy * height
            half = np.exp([dw, dh]) * [width, height] / 2
            box = [LARGE, MEDIUM, SMALL][int(identity[(0, *place)].item())]
            np.testing.assert_allclose([x - half[0], y - half[1], x + half[0], y + half[1]], box, atol=1e-3)
        assert (identity[confidence != 1] == -1).all()
    assert (targets["tconf0"][1] == 0).all()
    assert targets["tconf2"][1, 0, 7, 13] == 1 and targets["tide2"][1, 0, 7, 13] == -1


def test_no_background_in_ignored_boxes(task):
    person = ([8, 0, 40, 96], 4)
    region = ([64, 0, 200, 150], None)  # the right 96 columns, and beyond the borders
    with_region = task.targets(make_batch([person, region]))
    without = task.targets(make_batch([person]))
    for level, stride in enumerate((32, 16, 8)):
        ours, plain = with_region[f"tconf{level}"][0], without[f"tconf{level}"][0]
        assert (ours[plain != 0] == plain[plain != 0]).all()
        changed = ours != plain
        assert (ours[changed] == -1).all()
        columns = np.arange(SIZE[1] // stride) * stride
        left_edge = columns - np.array(task._anchors[level])[:, :1] / 2
        right_edge = columns + np.array(task._anchors[level])[:, :1] / 2
        inside = np.broadcast_to((left_edge >= 64)[:, None], ours.shape) & (plain == 0)
        outside = np.broadcast_to((right_edge <= 64)[:, None], ours.shape)
        assert changed[inside].all() and not changed[outside].any()
        np.testing.assert_array_equal(with_region[f"tbox{level}"], without[f"tbox{level}"])
        np.testing.assert_array_equal(with_region[f"tide{level}"], without[f"tide{level}"])
    assert (with_region["tconf2"] == -1).sum() > (without["tconf2"] == -1).sum() + 100
    # most of the widest anchor lies beyond the border; what is seen of it lies in the region
    assert (with_region["tconf0"][0, 3, :, 4] == -1).all()


def test_an_ignored_box_is_no_person(task):
    targets = task.targets(make_batch([(MEDIUM, None), (SMALL, None)]))
    assert all((targets[f"tconf{level}"] < 1).all() for level in range(3))
    assert targets["tconf1"][0, 0, 3, 4] == -1 and targets["tconf2"][0, 0, 7, 13] == -1


def test_a_person_in_an_ignored_region_is_still_learnt(task):
    people = task.targets(make_batch([(MEDIUM, 1), ([-500, -500, 700, 700], None)]))
    assert people["tconf1"][0, 0, 3, 4] == 1 and people["tide1"][0, 0, 3, 4] == 1
    assert not any((people[f"tconf{level}"] == 0).any() for level in range(3))


def test_only_part_of_an_anchor_in_a_box():
    anchors = np.array([[16, 16]], np.float32)  # around (32, 32): from 24 to 40
    for right, expected in ((31, False), (32, False), (33, True)):
        found = full_task._inside(np.array([[0, 0, right, 96]], np.float32), anchors, 8, SIZE)
        assert found[0, 4, 4] == expected
    # two boxes do not add up
    halves = np.array([[24, 24, 30, 40], [34, 24, 40, 40]], np.float32)
    assert not full_task._inside(halves, anchors, 8, SIZE)[0, 4, 4]


def test_the_network_sees_rgb_from_0_to_1(task):
    seen = []
    hook = task.network.detector.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]["image"]))
    task.losses(TWO)
    hook.remove()
    expected = TWO.images[..., ::-1].transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(seen[0].numpy(), expected, atol=1e-6)


def test_every_trained_parameter_gets_a_gradient(task):
    frozen = {name: value for name, value in task.network.named_parameters() if value.stop_gradient}
    before = {name: value.numpy() for name, value in frozen.items()}
    assert sum(name.endswith(("norm._mean", "norm._variance")) for name in frozen) == 2 * 72
    task.losses(TWO)["total"].backward()
    parameters = trained(task)
    assert not any("norm" in name or "phony" in name for name in parameters)
    without = [name for name, value in parameters.items() if value.grad is None or not value.grad.abs().sum() > 0]
    assert without == []
    assert all(np.isfinite(value.grad.numpy()).all() for value in parameters.values())
    assert [name for name, value in frozen.items() if (value.numpy() != before[name]).any()] == []


def test_unknown_identities_count_for_boxes_only(task):
    known = numbers(task.losses(TWO))
    losses = task.losses(make_batch(*[[(box, -1) for box in one.tolist()] for one in TWO.boxes]))
    losses["total"].backward()
    unknown = numbers(losses)
    assert (unknown["box"], unknown["confidence"]) == pytest.approx((known["box"], known["confidence"]))
    assert unknown["identity"] == 0 < known["identity"]
    parameters = trained(task)
    assert parameters["reid.classifier.weight"].grad is None
    assert parameters["detector.yolo_head.yolo_output.1.weight"].grad.abs().sum() > 0


@pytest.mark.parametrize("people", [[[], []], [[(SMALL, None)], []]], ids=["nobody", "ignored"])
def test_a_batch_without_people(task, people):
    losses = task.losses(make_batch(*people, size=(64, 224)))
    losses["total"].backward()
    found = numbers(losses)
    assert np.isfinite(list(found.values())).all()
    assert found["box"] == found["identity"] == 0 < found["confidence"]
    gradients = [value.grad for value in trained(task).values() if value.grad is not None]
    assert len(gradients) > 70 and all(np.isfinite(value.numpy()).all() for value in gradients)


def test_one_image_of_several_without_people_and_everything_ignored(task):
    everywhere = ([-500, -500, 700, 700], None)
    found = numbers(task.losses(make_batch([(SMALL, 0)], [])))
    assert np.isfinite(list(found.values())).all() and found["box"] > 0
    losses = task.losses(make_batch([everywhere]))
    losses["total"].backward()
    assert numbers(losses)["confidence"] == 0 and np.isfinite(float(losses["total"]))


def test_parameter_groups(task):
    groups = task.parameter_groups()
    grouped = [parameter for group in groups for parameter in group["params"]]
    parameters = trained(task)
    assert {id(value) for value in grouped} == {id(value) for value in parameters.values()}
    assert len(grouped) == len(parameters)
    chosen = {id(value): group for group in groups for value in group["params"]}

    def settings(name):
        group = chosen[id(parameters[name])]
        return group["learning_rate"], group.get("weight_decay", "decays")

    assert settings("detector.backbone.conv0.conv.weight") == (0.1, "decays")
    assert settings("detector.neck.yolo_block.0.tip.conv.weight") == (1, "decays")
    assert settings("detector.yolo_head.yolo_output.0.bias") == (1, 0)
    assert settings("reid.cls.0.loss_param") == (1, 0)
    assert settings("reid.classifier.weight") == (1, "decays")
    assert settings("reid.classifier.bias") == (2, 0)  # as ppdet has it


def test_exported_arrays_are_what_inference_needs(task):
    from tracker.models.networks.darknet53 import needed_parameters

    arrays = exported(task)
    assert {name: array.shape for name, array in arrays.items()} == needed_parameters(task.network)
    assert all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in arrays.values())
    assert not any("classifier" in name for name in arrays)


def disturb(task):
    state = task.network.state_dict()
    with paddle.no_grad():
        for name in (CLASSIFIER[0], "reid.cls.0.loss_param", "detector.yolo_head.yolo_output.0.weight"):
            state[name].set_value(state[name] * 2 + 0.5)


def test_saved_weights_give_the_same_losses(task, tmp_path):
    path = tmp_path / "weights.pdparams"
    paddle.save(task.network.state_dict(), str(path))
    before = numbers(task.losses(TWO))
    disturb(task)
    assert numbers(task.losses(TWO))["total"] != pytest.approx(before["total"], rel=1e-3)
    task.load(path)
    path.unlink()
    assert numbers(task.losses(TWO)) == pytest.approx(before, rel=1e-5)


@pytest.fixture
def load(task, monkeypatch):
    """Loads arrays into the task as from a file, without the seconds that 300 MB take."""

    def load(arrays):
        monkeypatch.setattr(full_task, "load_pdparams", lambda path: dict(arrays))
        task.load(Path("weights.pdparams"))

    return load


def test_weights_of_another_number_of_identities(task, load):
    """The classifier stays as it is; all else is loaded."""
    before = numbers(task.losses(TWO))
    arrays = {name: value.numpy() for name, value in task.network.state_dict().items()}
    others = {CLASSIFIER[0]: np.ones((512, IDENTITIES + 2), np.float32), CLASSIFIER[1]: np.ones(IDENTITIES + 2)}
    disturb(task)
    classifier = task.network.reid.classifier.weight.numpy()
    load({**arrays, **others})
    np.testing.assert_array_equal(task.network.reid.classifier.weight.numpy(), classifier)
    after = numbers(task.losses(TWO))
    assert (after["box"], after["confidence"]) == pytest.approx((before["box"], before["confidence"]), rel=1e-5)
    load(arrays)
    assert numbers(task.losses(TWO)) == pytest.approx(before, rel=1e-5)


def test_weights_of_inference_lack_only_what_training_adds(task, load):
    arrays = exported(task)
    before = numbers(task.losses(TWO))
    load(arrays)
    assert numbers(task.losses(TWO)) == pytest.approx(before, rel=1e-5)
    broken = {name: value for name, value in arrays.items() if name != "reid.identify_output.1.bias"}
    with pytest.raises(ModelError) as caught:
        load({**broken, "surprise": np.zeros(3, np.float32)})
    assert all(word in str(caught.value) for word in ("weights.pdparams", "reid.identify_output.1.bias", "surprise"))


@pytest.mark.parametrize("identities", [0, 1, 2])
@pytest.mark.slow
def test_few_identities(identities):
    task = FullTask(CONFIG, {}, identities)
    people = [(MEDIUM, identities - 1), (SMALL, 0 if identities else -1)]
    losses = task.losses(make_batch(people))
    losses["total"].backward()
    assert np.isfinite(list(numbers(losses).values())).all()
    if identities == 2:
        assert task.network.reid.classifier.weight.grad.abs().sum() > 0


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [True, False])
def test_losses_fall_on_two_pictures(freeze):
    paddle.seed(7)
    task = FullTask(CONFIG, {"freeze_statistics": freeze, "backbone_factor": 1.0}, IDENTITIES)
    clip = paddle.nn.ClipGradByGlobalNorm(10.0)
    optimizer = paddle.optimizer.Adam(1e-4, parameters=task.parameter_groups(), grad_clip=clip)
    seen = []
    for _ in range(16):
        losses = task.losses(TWO)
        losses["total"].backward()
        optimizer.step()
        optimizer.clear_grad()
        seen.append(numbers(losses))
    for name, part in {"total": 0.8, "box": 0.8, "confidence": 0.8, "identity": 0.95}.items():
        assert seen[-1][name] < part * seen[0][name], [losses[name] for losses in seen]


@pytest.mark.slow
def test_the_exported_network_computes_what_was_trained(task, tmp_path):
    from tracker.detection.backends.network import to_floats
    from tracker.detection.backends.paddle_network import PaddleNetwork
    from tracker.models.networks.darknet53 import FullJDE
    from tracker.settings.model import ModelConfig

    weights, folder = tmp_path / "trained.pdparams", tmp_path / "folder"
    paddle.save(exported(task), str(weights))
    assert set(load_pdparams(weights)) == set(exported(task))
    export_in_child(CONFIG, weights, folder)
    weights.unlink()
    config = ModelConfig.load(folder)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 608, 1088, 3), np.uint8)
    outputs = PaddleNetwork(folder, config).run(pixels)
    task.network.train()
    with paddle.no_grad():
        maps = FullJDE(task.network)(paddle.to_tensor(to_floats(pixels, config.letterbox.scale)))
    for ours, theirs in zip(outputs, maps, strict=True):
        expected = theirs.numpy()
        assert np.abs(ours - expected).max() < 1e-4 * np.abs(expected).max()
