"""A model run at other sizes than its own, by every backend and precision: the same weights, the same people."""

import importlib.util

import cv2
import numpy as np
import pytest

from tests.helpers.fake_models import assert_same_maps
from tracker.boxes import box_iou
from tracker.detection.backends.choice import load_network
from tracker.detection.backends.openvino_network import openvino_core
from tracker.detection.detector import Model
from tracker.errors import OptionError
from tracker.models.locate import COMPACT
from tracker.predictor import Predictor
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions

SIZES = [(640, 352), (1920, 1088), (352, 640)]
WAYS = [("paddle", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8")]
CAPABILITY = {"bf16": "BF16", "int8": "INT8"}


def runtime(backend, precision, size=None):
    if backend == "openvino":
        if importlib.util.find_spec("openvino") is None:
            pytest.skip("openvino is not installed")
        wanted = CAPABILITY.get(precision)
        if wanted and wanted not in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            pytest.skip(f"this processor has no {precision}")
    return RuntimeOptions(backend, precision, input_size=size)


def people(detections):
    return detections.boxes[detections.scores > 0.6]


@pytest.mark.parametrize(("backend", "precision"), WAYS)
def test_the_same_people_are_found_at_every_size(backend, precision, clip_frames):
    """In a picture whose people are large enough for all of them; upright inputs show them smaller."""
    image = clip_frames[0][100:, 250:700]
    usual = people(Model(COMPACT, runtime(backend, precision)).detector()(image))
    assert len(usual) >= 3
    for size in SIZES:
        model = Model(COMPACT, runtime(backend, precision, size))
        detector = model.detector()
        assert (model.config.letterbox.width, model.config.letterbox.height) == size
        assert detector.preprocess(image).pixels.shape == (1, size[1], size[0], 3)
        found = detector(image)
        overlap = box_iou(usual, people(found))
        assert (overlap.max(axis=1) > 0.7).mean() >= 0.75, (size, overlap)
        assert np.allclose(np.linalg.norm(found.embeddings, axis=1), 1, atol=1e-5)


def test_backends_give_the_same_maps_at_every_size(clip_frames):
    for size in SIZES:
        pixels = cv2.resize(clip_frames[0], size)[None]
        paddle, openvino = (
            load_network(COMPACT, ModelConfig.load(COMPACT).with_input_size(size), runtime(backend, "fp32")).run(pixels)
            for backend in ("paddle", "openvino")
        )
        assert_same_maps(paddle, openvino)
        assert [array.shape[2:] for array in paddle] == [(size[1] // s, size[0] // s) for s in (32, 16, 8)]


def test_sides_are_multiples_of_the_coarsest_stride():
    config = ModelConfig.load(COMPACT)
    assert config.with_input_size(None) is config
    assert config.with_input_size((1088, 608)) == config
    changed = config.with_input_size((64, 32)).letterbox
    assert (changed.width, changed.height, changed.pad_value) == (64, 32, config.letterbox.pad_value)
    for size, near in [((1000, 600), "992x608"), ((1920, 1080), "1920x1088"), ((1, 32), "32x32")]:
        with pytest.raises(OptionError, match=f"multiples of 32 for model jde_compact, not .*: take {near}$"):
            config.with_input_size(size)


def test_predictors_take_the_size(clip_frames, tmp_path):
    def text(name, **arguments):
        predictor = Predictor("compact", precision="fp32", **arguments)
        with predictor.stream_mode(tmp_path / name, visualization=False) as stream:
            stream.predict(clip_frames[:4])
        return (tmp_path / name / "mot_results" / "stream.txt").read_text()

    usual = text("usual")
    assert text("auto", input_size="auto") == text("own", input_size="1088x608") == usual
    smaller = text("smaller", input_size=[640, 352])
    assert smaller and smaller != usual
    with pytest.raises(OptionError, match="take 640x352"):
        text("odd", input_size="640x360")


def test_another_size_is_another_model_to_a_predictor(clip_frames):
    predictor = Predictor("compact", backend="auto", precision="fp32")
    for size in ("auto", "640x352"):
        predictor.change_model("compact", None, "auto", "fp32", size)
        with predictor.stream_mode(None) as stream:
            stream.predict(clip_frames[0])
        (loaded,) = predictor._loaded.values()
        assert loaded.config.letterbox.width == (1088 if size == "auto" else 640)
