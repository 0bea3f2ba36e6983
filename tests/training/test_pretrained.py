"""Weights to begin with: read from a folded network, made trainable, with what the network computes unchanged."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from tests.helpers.training_setups import TINY, tiny_config
from tracker.errors import ModelError
from tracker.models.networks.compact import CompactJDE
from training.pretrained import normalise, read_weights, start_from
from training.tasks.compact_task import CompactTask

pytestmark = pytest.mark.usefixtures("dynamic_mode")


def blocks(layer):
    return [part for part in layer.sublayers() if hasattr(part, "c") and isinstance(part.n, nn.BatchNorm2D)]


def folded_weights(network, seed=0):
    """Of the detector, as PyTorch files have them: no BatchNorm, biases instead.

    Filters of one layer differ in size by two orders of magnitude, which the next layer makes good.
    """
    random, arrays = np.random.default_rng(seed), {}
    for name, parameter in network.det.named_parameters():
        layer = name.rpartition(".")[0]
        if name.endswith(".c.weight"):
            value = random.normal(size=parameter.shape) / np.sqrt(np.prod(parameter.shape[1:]) / 2)
            size = 10 ** random.uniform(-1.5, 0.5, (parameter.shape[0], 1, 1, 1))
            arrays[f"det.{layer}.weight"] = (value * size).astype(np.float32)
            arrays[f"det.{layer}.bias"] = (random.normal(size=parameter.shape[0]) * size[:, 0, 0, 0]).astype(np.float32)
        elif is_output(layer):
            arrays[f"det.{name}"] = random.normal(size=parameter.shape).astype(np.float32)
    arrays["det.backbone.stem.c.weight"] /= 64  # pixels are large numbers
    return arrays


def is_output(layer):
    return layer.startswith("heads.") and layer.endswith(".2")


def pictures(count=2, size=(64, 96), seed=0):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 2, size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    return list(images.repeat(8, 2).repeat(8, 3))


def to_tensor(image):
    return paddle.to_tensor(image.transpose(0, 3, 1, 2).astype(np.float32))


@pytest.fixture
def network():
    paddle.seed(1)
    made = CompactJDE(**TINY)
    made.eval()
    return made


@pytest.fixture
def folded(network, tmp_path):
    path = tmp_path / "folded.npz"
    np.savez(path, **folded_weights(network))
    return path


def detections(network, image):
    network.eval()
    with paddle.no_grad():
        return [value.numpy() for value in network.det(to_tensor(image))]


def test_normalise_changes_no_output(network, folded):
    start_from(network, read_weights(folded, network))
    images, other = pictures(3), pictures(1, seed=9)[0]
    before = detections(network, other)
    weights = {name: value.numpy() for name, value in network.det.named_parameters()}
    normalise(network.det, [to_tensor(image) for image in images])
    changed = [name for name, value in network.det.named_parameters() if (value.numpy() != weights[name]).any()]
    assert len(changed) > 0.9 * len([name for name in weights if not is_output(name.rpartition(".")[0])])
    for expected, found in zip(before, detections(network, other)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * max(1, np.abs(expected).max()))


def test_normalise_gives_batchnorm_something_to_do(network, folded):
    """On what was measured, the normalised outputs of all convolutions have mean 0 and variance 1; so training goes on
    where the folded weights were when it normalises by the batch."""
    start_from(network, read_weights(folded, network))
    images = pictures(3)
    normalise(network.det, [to_tensor(image) for image in images])
    seen = {id(block.c): [] for block in blocks(network.det)}
    hooks = [
        block.c.register_forward_post_hook(lambda layer, _, output: seen[id(layer)].append(output.numpy()))
        for block in blocks(network.det)
    ]
    for image in images:
        detections(network, image)
    for hook in hooks:
        hook.remove()
    for block in blocks(network.det):
        values = np.concatenate([x.swapaxes(0, 1).reshape(x.shape[1], -1) for x in seen[id(block.c)]], axis=1)
        mean, deviation = block.n._mean.numpy(), np.sqrt(block.n._variance.numpy() + block.n._epsilon)
        normal = (values - mean[:, None]) / deviation[:, None]
        alive = values.std(axis=1) > 0.1
        assert np.abs(normal.mean(axis=1)).max() < 1e-2
        np.testing.assert_allclose(normal.std(axis=1)[alive], 1, atol=1e-2)
        length = np.linalg.norm(block.c.weight.numpy().reshape(len(mean), -1), axis=1)
        np.testing.assert_allclose(length, np.sqrt(2), rtol=1e-4)
    everything = np.concatenate(images)
    before = detections(network, everything)
    network.train()
    for expected, found in zip(before, network.det(to_tensor(everything))):
        np.testing.assert_allclose(found.numpy(), expected, atol=0.02 * np.abs(expected).max())


def test_a_filter_of_zeros_does_no_harm(network, folded):
    arrays = read_weights(folded, network)
    arrays["det.backbone.stem.c.weight"][0] = 0
    start_from(network, arrays)
    image = pictures(1)[0]
    before = detections(network, image)
    normalise(network.det, [to_tensor(image)])
    for expected, found in zip(before, detections(network, image)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * max(1, np.abs(expected).max()))


def test_a_folded_file_fills_the_whole_detector(network, folded):
    left = start_from(network, read_weights(folded, network))
    assert left and not [name for name in left if name.startswith("det.")]
    arrays = folded_weights(network)
    weight, bias = (paddle.to_tensor(arrays[f"det.backbone.stem.c.{part}"]) for part in ("weight", "bias"))
    image = paddle.to_tensor(np.random.default_rng(0).normal(size=(1, 3, 9, 8)).astype(np.float32) * 100)
    by_hand = F.relu6(F.conv2d(image, weight, bias, stride=2, padding=1)).numpy()
    assert by_hand.min() < by_hand.max()
    np.testing.assert_allclose(network.det.backbone.stem(image).numpy(), by_hand, atol=1e-4)


def test_weights_that_fit_in_part(network):
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    given = {
        "head.out.weight": state["head.out.weight"] + 1,
        "head.out.bias": np.ones(99, np.float32),
        "elsewhere": np.ones(2),
    }
    left = start_from(network, given)
    assert set(left) == set(state) - {"head.out.weight"}
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), state[name] + (name == "head.out.weight"))


def test_weights_of_another_network_are_refused(network):
    other = {"backbone.weight": np.ones((3, 3), np.float32), "head.out.bias": np.ones(99, np.float32)}
    with pytest.raises(ModelError, match="none of 2 weights fits"):
        start_from(network, other)


@pytest.mark.parametrize("name", ["cut.npz", "missing.npz", "text.npz", "missing.pdparams", "text.pdparams"])
def test_files_that_are_no_weights_are_refused(network, folded, tmp_path, name):
    path = tmp_path / name
    if name.startswith("cut"):
        path.write_bytes(folded.read_bytes()[:3000])
    elif name.startswith("text"):
        path.write_text("no weights")
    with pytest.raises(ModelError) as caught:
        read_weights(path, network)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_task_starts_from_either_kind_of_file(tmp_path, folded, caplog):
    caplog.set_level("INFO")
    task = CompactTask(tiny_config(tmp_path), {}, identities=3)
    left = task.load(folded, pictures())
    state = task.network.state_dict()
    assert left and not [name for name in left if name.startswith("det.")]
    assert f"{len(state) - len(left)} parameters from {folded}, {len(left)} with random weights" in caplog.text
    lengths = np.linalg.norm(task.network.det.backbone.stem.c.weight.flatten(1).numpy(), axis=1)
    np.testing.assert_allclose(lengths, np.sqrt(2), rtol=1e-4)

    path = tmp_path / "model.pdparams"
    paddle.save(dict(state), str(path))
    other = CompactTask(tiny_config(tmp_path), {}, identities=3)
    assert other.load(path, pictures()) == []
    for name, value in other.network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), state[name].numpy(), err_msg=name)
