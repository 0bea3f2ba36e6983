"""A backbone read from an OpenVINO model against that model, and the bundled one against the model it came from."""

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tracker.errors import ModelError

# by stride, what narrowing may have left of the variance of a map; the last one has six cells on so small a picture
LEFT_BY_NARROWING = {8: 0.2, 16: 0.3, 32: 0.8}


class Graph:
    """An OpenVINO model of a MobileNetV2 with random weights in 16 bits, and other convolutions beside it."""

    def __init__(self, width, scale=0.004):
        from openvino import Model
        from openvino import opset13 as ops

        self.ops, self.random = ops, np.random.default_rng(3)
        image = ops.parameter([1, 3, 40, 56], np.float32)
        maps = self._backbone(ops.multiply(image, np.float32(scale)) if scale else image, width)
        self.model = Model([*maps, self._convolution(maps[0], 5, 1, 1, 1, clamp=False)], [image], "backbone")

    def _number(self, *shape):
        ops = self.ops
        values = self.random.normal(size=shape, scale=0.5 / np.sqrt(np.prod(shape[1:]))).astype(np.float16)
        return ops.convert(ops.constant(values), "f32")

    def _convolution(self, x, channels, kernel, stride, groups, clamp=True):
        ops, inputs, side = self.ops, x.get_output_shape(0)[1], kernel // 2
        place = ([stride, stride], [side, side], [side, side], [1, 1])
        if groups == 1:
            x = ops.convolution(x, self._number(channels, inputs, kernel, kernel), *place)
        else:
            x = ops.group_convolution(x, self._number(groups, 1, 1, kernel, kernel), *place)
        bias = self._number(1, channels, 1, 1)
        x = ops.add(bias, x) if groups == 1 else ops.add(x, bias)  # either order
        return ops.clamp(x, 0.0, 6.0) if clamp else x

    def _backbone(self, x, width):
        from tracker.models.mobilenet_sizes import OUTPUTS, STAGES, STEM, scaled

        x = self._convolution(x, scaled(STEM, width), 3, 2, 1)
        maps = []
        for index, (expansion, channels, blocks, stride) in enumerate(STAGES):
            for block in range(blocks):
                inputs = x.get_output_shape(0)[1]
                inner = inputs * expansion
                y = self._convolution(x, inner, 1, 1, 1)
                y = self._convolution(y, inner, 3, 1 if block else stride, inner)
                y = self._convolution(y, scaled(channels, width), 1, 1, 1, clamp=False)
                x = self.ops.add(x, y) if block else y
            if index in OUTPUTS:
                maps.append(x)
        return maps


@pytest.fixture(scope="module")
def graph():
    return Graph(0.25)


@pytest.fixture(scope="module")
def file(graph, tmp_path_factory):
    import openvino

    path = tmp_path_factory.mktemp("graph") / "detector.xml"
    openvino.save_model(graph.model, path, compress_to_fp16=False)
    return path


def load(backbone, arrays):
    import paddle

    from training.pretrained import unfold_biases

    values = unfold_biases(arrays, set(backbone.state_dict()))
    assert values.keys() == backbone.state_dict().keys()
    backbone.set_state_dict({name: paddle.to_tensor(value) for name, value in values.items()})
    backbone.eval()


def test_a_backbone_computes_what_the_model_does(graph, file, dynamic_mode):
    import paddle

    from tracker.detection.backends.openvino_network import openvino_core
    from tracker.models.networks.mobilenet import MobileNetV2
    from training.openvino_weights import read_backbone

    backbone = MobileNetV2(0.25)
    load(backbone, read_backbone(file, backbone))
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 40, 56)).astype(np.float32)
    compiled = openvino_core().compile_model(graph.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = list(compiled([image]).values())[:3]
    with paddle.no_grad():
        found = backbone(paddle.to_tensor(image))
    for ours, theirs in zip(found, expected):
        assert ours.shape == list(theirs.shape) and np.ptp(theirs) > 0.01
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)


def test_another_network_is_refused_in_one_line(file, tmp_path, dynamic_mode):
    from tracker.models.networks.mobilenet import MobileNetV2
    from training.openvino_weights import read_backbone

    (tmp_path / "page.xml").write_text("<html>not here</html>")
    for path, part in ((file, "no convolution [16, 3, 3, 3]"), (tmp_path / "page.xml", "cannot be read by OpenVINO")):
        with pytest.raises(ModelError) as caught:
            read_backbone(path, MobileNetV2(0.5))
        assert part in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_bundled_backbone_says_what_the_detector_says_that_it_was_narrowed_from(dynamic_mode):
    """Maps of a part of a picture, computed by OpenVINO from person-vehicle-bike-detection-2003."""
    import paddle

    from tracker.models.networks.compact import build
    from tracker.models.pdparams import load_pdparams

    prefix = "det.backbone."
    arrays = load_pdparams(ROOT / "weights" / "jde_compact.pdparams")
    backbone = build(ROOT / "config" / "jde_compact.yml")[0].det.backbone
    backbone.set_state_dict(
        {name.removeprefix(prefix): paddle.to_tensor(v) for name, v in arrays.items() if name.startswith(prefix)}
    )
    backbone.eval()
    stored = np.load(ROOT / "tests" / "data" / "backbone_2003.npz")
    with paddle.no_grad():
        found = backbone(paddle.to_tensor(stored["image"].transpose(2, 0, 1)[None].astype(np.float32)))
    for stride, ours in zip((8, 16, 32), found):
        theirs = stored[f"stride_{stride}"]
        assert np.square(ours[0].numpy() - theirs).mean() < LEFT_BY_NARROWING[stride] * theirs.var()
