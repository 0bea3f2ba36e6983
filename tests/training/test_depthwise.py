"""Depthwise convolutions by OpenCV against those of Paddle."""

import numpy as np
import paddle
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paddle import nn

from training import depthwise
from training.depthwise import DepthwiseConv2D, use_opencv

pytestmark = pytest.mark.usefixtures("dynamic_mode")


def both(x, channels, kernel, stride, seed=0):
    """Output, gradient of the input and of the weight, by Paddle and by OpenCV."""
    random = np.random.default_rng(seed)
    shape = {"stride": stride, "padding": kernel // 2, "groups": channels, "bias_attr": False}
    plain = nn.Conv2D(channels, channels, kernel, **shape)
    plain.weight.set_value(random.normal(size=plain.weight.shape).astype(np.float32))
    ours = DepthwiseConv2D(channels, channels, kernel, **shape)
    ours.weight.set_value(plain.weight.numpy())
    results, upstream = [], None
    for layer in (plain, ours):
        value = paddle.to_tensor(x, stop_gradient=False)
        y = layer(value)
        if upstream is None:
            upstream = paddle.to_tensor(random.normal(size=y.shape).astype(np.float32))
        y.backward(upstream)
        results.append((y.numpy(), value.grad.numpy(), layer.weight.grad.numpy()))
    return results


@settings(max_examples=40, deadline=None)
@given(
    images=st.integers(1, 3),
    channels=st.integers(2, 7),
    height=st.integers(1, 19),
    width=st.integers(1, 19),
    kernel=st.sampled_from([3, 5]),
    stride=st.sampled_from([1, 2]),
    cache=st.sampled_from([1, 300, 100_000]),
)
@example(images=1, channels=2, height=300, width=400, kernel=5, stride=1, cache=depthwise.CACHE)  # beyond it
@example(images=2, channels=3, height=1, width=1, kernel=5, stride=2, cache=1)
def test_equals_the_convolution_of_paddle(images, channels, height, width, kernel, stride, cache):
    x = np.random.default_rng(width).normal(size=(images, channels, height, width)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depthwise, "CACHE", cache)
        expected, found = both(x, channels, kernel, stride)
    for name, a, b in zip(("output", "gradient of the input", "gradient of the weight"), expected, found):
        assert a.shape == b.shape and b.dtype == np.float32, name
        np.testing.assert_allclose(b, a, atol=1e-5 * max(1, np.abs(a).max()), rtol=0, err_msg=name)


def test_an_input_that_is_a_view_and_a_gradient_that_is_broadcast():
    """Neither lies in memory row by row; the gradient of a sum is one number everywhere."""
    x = paddle.to_tensor(np.random.default_rng(1).normal(size=(2, 9, 8, 3)).astype(np.float32), stop_gradient=False)
    weights = []
    for kind in (nn.Conv2D, DepthwiseConv2D):
        layer = kind(3, 3, 3, padding=1, groups=3, bias_attr=False)
        layer.weight.set_value(np.arange(27, dtype=np.float32).reshape(3, 1, 3, 3))
        x.clear_gradient()
        layer(x.transpose([0, 3, 1, 2])).sum().backward()
        weights.append((layer.weight.grad.numpy(), x.grad.numpy()))
    for expected, found in zip(*weights):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_an_input_without_gradient():
    """As of a part that is frozen, or of a picture."""
    x = np.random.default_rng(3).normal(size=(2, 3, 6, 5)).astype(np.float32)
    gradients = []
    for kind in (nn.Conv2D, DepthwiseConv2D):
        layer = kind(3, 3, 3, stride=2, padding=1, groups=3, bias_attr=False)
        layer.weight.set_value(np.ones((3, 1, 3, 3), np.float32))
        image = paddle.to_tensor(x)
        layer(image).square().sum().backward()
        assert image.grad is None
        gradients.append(layer.weight.grad.numpy())
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)


class Several(nn.Layer):
    def __init__(self):
        super().__init__()
        depth = {"groups": 4, "bias_attr": False}
        self.plain = nn.Conv2D(4, 4, 3, padding=1, bias_attr=False)
        self.grouped = nn.Conv2D(4, 4, 3, padding=1, groups=2, bias_attr=False)
        self.depthwise = nn.Conv2D(4, 4, 5, stride=2, padding=2, **depth)
        self.inner = nn.Sequential(nn.Conv2D(4, 4, 3, padding=1, **depth), nn.BatchNorm2D(4))
        self.single = nn.Conv2D(1, 1, 3, padding=1, bias_attr=False)
        self.biased = nn.Conv2D(4, 4, 3, padding=1, groups=4)
        self.pointwise = nn.Conv2D(4, 4, 1, **depth)
        self.unpadded = nn.Conv2D(4, 4, 3, **depth)
        self.wide = nn.Conv2D(4, 8, 3, padding=1, **depth)
        self.oblong = nn.Conv2D(4, 4, (3, 5), padding=(1, 2), **depth)
        self.dilated = nn.Conv2D(4, 4, 3, padding=1, dilation=2, **depth)
        self.mirrored = nn.Conv2D(4, 4, 3, padding=1, padding_mode="reflect", **depth)


def test_only_layers_that_it_can_stand_for_are_replaced():
    network = Several()
    before = {name: (parameter.name, parameter.numpy()) for name, parameter in network.named_parameters()}
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(1, 4, 9, 8)).astype(np.float32))
    network.eval()
    outputs = {name: layer(x).numpy() for name, layer in network.named_children() if name != "single"}
    assert use_opencv(network) == 2
    assert {name for name, layer in network.named_sublayers() if isinstance(layer, DepthwiseConv2D)} == {
        "depthwise",
        "inner.0",
    }
    after = dict(network.named_parameters())
    assert list(after) == list(before)
    for name, (own_name, value) in before.items():
        assert after[name].name == own_name
        np.testing.assert_array_equal(after[name].numpy(), value)
    for name, expected in outputs.items():
        np.testing.assert_allclose(getattr(network, name)(x).numpy(), expected, atol=1e-5, err_msg=name)
    assert use_opencv(network) == 0


def test_a_parameter_set_later_is_used():
    """As by the loading of weights after the replacement."""
    network = nn.Sequential(nn.Conv2D(2, 2, 3, padding=1, groups=2, bias_attr=False))
    use_opencv(network)
    kernel = np.zeros((2, 1, 3, 3), np.float32)
    kernel[:, 0, 1, 1] = 3, 5
    network.set_state_dict({"0.weight": kernel})
    found = network(paddle.ones([1, 2, 4, 4])).numpy()
    assert (found[0, 0] == 3).all() and (found[0, 1] == 5).all()
