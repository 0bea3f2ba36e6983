"""The PyTorch network against the PaddlePaddle one: the same names, and the same outputs from the same weights."""

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from tests.helpers.paths import ROOT
from tracker.errors import ModelError
from training.pytorch.conversion import from_torch, to_torch

SMALL = {"width": 0.25, "inner": list(range(8, 25)), "neck": 12, "grid": [20, 10], "head": [6, 8, 10], "dimension": 9}
NAMES = st.sampled_from(["det.stem.n._mean", "det.stem.n._variance", "det.stem.c.weight", "head.out.weight", "bias"])


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(NAMES, array_shapes(min_dims=1, max_dims=4, max_side=3)))
def test_there_and_back_changes_nothing(shapes):
    arrays = {name: np.random.default_rng(0).normal(size=shape) for name, shape in shapes.items()}
    converted = to_torch(arrays)
    assert not any(name.endswith(("_mean", "_variance")) and "running" not in name for name in converted)
    back = from_torch({**converted, "det.stem.n.num_batches_tracked": np.array(3)})
    assert set(back) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(back[name], value)


def random_weights(network):
    """Set weights and statistics of a Paddle network at random, so that signals neither die nor explode."""
    random = np.random.default_rng(5)
    for name, value in network.state_dict().items():
        shape = tuple(value.shape)
        if name.endswith("_variance") or name.endswith("n.weight"):
            new = random.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            new = random.normal(scale=np.sqrt(2 / np.prod(shape[1:])), size=shape)
        else:
            new = random.normal(scale=0.3, size=shape)
        value.set_value((new / (100 if name.endswith(("stem.c.weight", "first.c.weight")) else 1)).astype(np.float32))
    network.eval()


@pytest.fixture(params=[("full", "full"), ("separable", "none")], ids=lambda names: "-".join(names))
def both(request, tmp_path, dynamic_mode):
    """The Paddle network with random weights, and the PyTorch one with the same."""
    pytest.importorskip("torch")
    from tracker.models.networks import compact
    from training.pytorch.networks import build, load

    config = tmp_path / "small.yml"
    config.write_text(yaml.safe_dump({"CompactJDE": {**SMALL, "refinements": list(request.param)}}))
    ours, _ = compact.build(config)
    random_weights(ours)
    theirs = build(config).eval()
    assert load(theirs, {name: value.numpy() for name, value in ours.state_dict().items()}) == []
    return ours, theirs


def test_both_give_the_same(both):
    """In 64 bits: in 32, random layers behind each other make a difference of 1e-3 of that in the last bit."""
    import paddle
    import torch

    ours, theirs = (network.to(dtype=kind) for network, kind in zip(both, ("float64", torch.float64)))
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 96, 160)).astype(np.float64)
    with paddle.no_grad(), torch.no_grad():
        for found, expected in zip(theirs.det(torch.from_numpy(image)), ours.det(paddle.to_tensor(image))):
            assert np.abs(expected.numpy()).max() > 0.1
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=1e-5)
        crops = image[:, :, :20, :10].copy()
        expected = ours.head.identity_features(paddle.to_tensor(crops.reshape(2, -1))).numpy()
        np.testing.assert_allclose(theirs.head(torch.from_numpy(crops)).numpy(), expected, rtol=0, atol=1e-5)


def test_weights_come_back_as_they_were(both):
    from training.pytorch.networks import arrays_of

    ours, theirs = both
    back = arrays_of(theirs.state_dict())
    state = ours.state_dict()
    assert set(back) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(back[name], value.numpy(), err_msg=name)


def test_the_sizes_of_the_bundled_configuration(dynamic_mode):
    pytest.importorskip("torch")
    from tracker.models.networks import compact
    from training.pytorch.networks import arrays_of, build

    config = ROOT / "config" / "jde_compact.yml"
    ours = {name: tuple(value.shape) for name, value in compact.build(config)[0].state_dict().items()}
    assert {name: value.shape for name, value in arrays_of(build(config).state_dict()).items()} == ours


def test_normalise_changes_no_output(both):
    import torch

    from training.pytorch.networks import Convolution, normalise

    _, network = both
    image = torch.randint(0, 256, (3, 3, 64, 96), generator=torch.Generator().manual_seed(1)).float()
    with torch.no_grad():
        before = network.det(image)
        normalise(network.det, network.det.backbone, image)
        for found, expected in zip(network.det(image), before):
            np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, float(expected.abs().max())))
        blocks = [block for block in network.det.backbone.modules() if isinstance(block, Convolution)]
        for block in blocks:
            np.testing.assert_allclose(block.c.weight.flatten(1).norm(dim=1), 2**0.5, rtol=1e-4)
        kept = network.det.backbone(image)
        for found, expected in zip(network.train().det.backbone(image), kept):
            np.testing.assert_allclose(found, expected, atol=0.02 * float(expected.abs().max()))


def test_configurations_that_are_none(tmp_path):
    pytest.importorskip("torch")
    from training.pytorch.networks import build

    path = tmp_path / "other.yml"
    path.write_text("CompactJDE: {breadth: 3}")
    for config in (path, tmp_path / "missing.yml"):
        with pytest.raises(ModelError, match=config.name):
            build(config)
