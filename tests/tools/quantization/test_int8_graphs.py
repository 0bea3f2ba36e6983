"""The graphs in int8: their calibration data, and the range of their pixels."""

import dataclasses

import numpy as np
import pytest

from tests.helpers.fake_models import FakeNetwork
from tools.quantization.int8_graphs import embedding_inputs, keep_pixels
from tracker.detection.backends.openvino_network import openvino_core
from tracker.models.locate import COMPACT
from tracker.settings.model import ModelConfig

openvino = pytest.importorskip("openvino")
operations = pytest.importorskip("openvino.opset13")


def test_rows_of_every_group_are_handed_out(clip_frames):
    """As of the full model: a group for each stride, and nobody at one of them."""
    config = ModelConfig.load(COMPACT)
    network = FakeNetwork(config, 3)
    strides = tuple(level.stride for level in config.levels)
    embedding = dataclasses.replace(config.embedding, read="cell", strides=strides)
    network.config = dataclasses.replace(config, embedding=embedding)
    groups = [operations.parameter([-1, 4], openvino.Type.f32) for _ in range(3)]
    for group, number in zip(groups, (2, 0, 1)):
        group.output(0).get_tensor().set_names({f"rows_{number}"})
    model = openvino.Model([operations.concat(groups, 0)], groups)
    inputs = embedding_inputs(network, clip_frames[:2], model)
    assert [[*rows] for rows in inputs] == [["rows_0", "rows_1", "rows_2"]] * 2
    assert [[rows[name].shape for name in rows] for rows in inputs] == [[(1, 4), (1, 4), (3, 4)]] * 2


def test_every_pixel_keeps_its_level():
    image = operations.parameter([1, 3, 16, 32], openvino.Type.f32)
    first = operations.fake_quantize(image, *(np.float32(bound) for bound in (0.1, 0.9, 0.1, 0.9)), 256)
    second = operations.fake_quantize(first, *(np.float32(bound) for bound in (0, 0.5, 0, 0.5)), 256)
    model = openvino.Model([first, second], [image])
    scale = 1 / 255
    pixels = np.arange(256, dtype=np.float32).repeat(6).reshape(1, 3, 16, 32)
    before, _ = compiled(model)(pixels * scale).values()
    assert len(np.unique(before)) < 256
    keep_pixels(model, scale)
    after, later = compiled(model)(pixels * scale).values()
    np.testing.assert_allclose(after, pixels * scale, atol=1e-6)
    assert later.max() == 0.5, "what comes later keeps the range of the frames"


def compiled(model):
    # not in bf16, which OpenVINO takes where the processor has it: its numbers are fewer than the pixels' levels
    return openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
