"""The backend of ONNX Runtime and the conversion of graphs, against the other backends."""

import sys

import numpy as np
import pytest

from tests.helpers.fake_models import assert_same_maps, pixels, rows
from tests.helpers.videos import write_video
from tracker.detection.backends.network import BackendError
from tracker.detection.backends.onnxruntime_network import PROVIDERS, OnnxRuntimeNetwork
from tracker.detection.backends.paddle_network import PaddleNetwork
from tracker.errors import ModelError, OptionError
from tracker.models.locate import COMPACT
from tracker.models.onnx_graphs import conversion
from tracker.predictor import Predictor
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def config():
    return ModelConfig.load(COMPACT)


@pytest.fixture(scope="module")
def network(config):
    return OnnxRuntimeNetwork(COMPACT, config)


def test_both_graphs_give_what_paddle_gives(network, config):
    paddle = PaddleNetwork(COMPACT, config)
    assert network.description == "onnxruntime fp32"
    for seed in range(2):
        assert_same_maps(network.run(pixels(seed)), paddle.run(pixels(seed)))
        people = [rows(seed, 3 + seed)]
        assert np.allclose(network.embed(people), paddle.embed(people), atol=1e-4)


def test_the_same_weights_run_at_another_size(config):
    small = config.with_input_size((320, 192))
    image = pixels(0)[:, :192, :320]
    maps = OnnxRuntimeNetwork(COMPACT, small).run(np.ascontiguousarray(image))
    assert [found.shape[2:] for found in maps] == [(192 // s, 320 // s) for s in (32, 16, 8)]


def test_a_video_is_tracked_alike(tmp_path, clip_frames):
    video = write_video(tmp_path / "street.mp4", clip_frames[:5], rate=10)
    texts = {}
    for backend in ("onnxruntime", "paddle"):
        Predictor("compact", backend=backend, precision="fp32").mot_predict(video, tmp_path / backend, False)
        texts[backend] = (tmp_path / backend / "mot_results" / "street.txt").read_text()
    found, expected = (np.loadtxt(text.splitlines(), delimiter=",") for text in texts.values())
    assert found.shape == expected.shape and len(found) > 10
    assert np.allclose(found, expected, atol=0.02)


def test_a_device_that_the_build_lacks_is_told(config, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDERS["cpu"]])
    with pytest.raises(BackendError, match=r"^device cuda needs .* pip install onnxruntime-gpu$"):
        OnnxRuntimeNetwork(COMPACT, config, RuntimeOptions(device="cuda"))


def test_a_device_that_does_not_work_is_told(config, monkeypatch):
    """ONNX Runtime itself goes on with the processor."""
    monkeypatch.setitem(PROVIDERS, "cuda", "AzureExecutionProvider")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))

    class OnTheProcessor:
        def __init__(self, *_, **__): ...

        def get_providers(self):
            return [PROVIDERS["cpu"]]

    monkeypatch.setattr(onnxruntime, "InferenceSession", OnTheProcessor)
    with pytest.raises(BackendError, match="cannot use device cuda here"):
        OnnxRuntimeNetwork(COMPACT, config, RuntimeOptions(device="cuda"))


def test_without_the_packages_one_sentence_says_what_to_install(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendError, match=r"needs the package onnxruntime.* pip install 'onnxruntime"):
        OnnxRuntimeNetwork(COMPACT, config)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"conversion to ONNX needs the package onnx,.* pip install onnx$"):
        conversion.convert(COMPACT / "model.pdmodel", COMPACT / "model.pdiparams")


def test_an_operator_without_a_conversion_is_named(monkeypatch):
    known = {name: convert for name, convert in conversion.CONVERTERS.items() if name != "relu6"}
    monkeypatch.setattr(conversion, "CONVERTERS", known)
    with pytest.raises(ModelError, match=r"model\.pdmodel has the operator 'relu6', which is not converted to ONNX"):
        conversion.convert(COMPACT / "model.pdmodel", COMPACT / "model.pdiparams")
