"""The choice among backends: by name, by what is installed, and what a run says about it."""

import importlib.machinery
import importlib.util
import logging
import re
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker.detection.backends.choice import choose_backends, open_network
from tracker.detection.backends.network import BackendError
from tracker.detection.backends.openvino_network import OpenVINONetwork
from tracker.detection.backends.paddle_network import PaddleNetwork
from tracker.detection.detector import Model
from tracker.errors import ModelError, OptionError
from tracker.models import int8
from tracker.models.locate import COMPACT
from tracker.predictor import Predictor
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


@pytest.fixture(scope="module")
def config():
    return ModelConfig.load(COMPACT)


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(COMPACT, tmp_path / "copy", ignore=shutil.ignore_patterns(*int8.FILES))


@pytest.fixture(params=[True, False], ids=["installed", "missing"])
def installed(request, monkeypatch):
    """With packages of the other backends, as far as one can tell without importing them, and with Paddle alone."""
    for name in ("openvino", "onnxruntime"):
        stand_in = types.ModuleType(name)
        stand_in.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, stand_in if request.param else None)
    return request.param


@pytest.mark.parametrize(
    ("choice", "tried", "tried_without"),
    [
        (("auto", "auto", False), ("openvino", "paddle", "onnxruntime"), ("paddle",)),
        (("auto", "fp32", False), ("openvino", "paddle", "onnxruntime"), ("paddle",)),
        (("auto", "auto", True), ("paddle", "onnxruntime"), ("paddle",)),
        (("auto", "auto", False, None, False, None, "cpu"), ("openvino", "paddle", "onnxruntime"), ("paddle",)),
        (("auto", "auto", False, None, False, None, "cuda"), ("paddle", "onnxruntime"), ("paddle",)),
        (("paddle", "auto", False), ("paddle",), ("paddle",)),
        (("paddle", "fp32", True), ("paddle",), ("paddle",)),
        (("openvino", "auto", False), ("openvino",), None),
        (("openvino", "fp32", False), ("openvino",), None),
        (("openvino", "bf16", False), ("openvino",), None),
        (("auto", "bf16", False), ("openvino",), None),
        (("openvino", "int8", False), ("openvino",), None),
        (("auto", "int8", False), ("openvino",), None),
    ],
)
def test_auto_takes_the_fastest_that_is_installed(installed, choice, tried, tried_without):
    if installed or tried_without:
        assert choose_backends(RuntimeOptions(*choice)) == (tried if installed else tried_without)
        return
    with pytest.raises(ModelError) as caught:
        choose_backends(RuntimeOptions(*choice))
    assert str(caught.value) == (
        "backend openvino needs the package openvino, which is not installed: "
        f"pip install '{OpenVINONetwork.requirement}'"
    )


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (("onnx", "auto", False), "backend must be one of auto, openvino, paddle, onnxruntime, not 'onnx'"),
        ((None, "auto", False), "backend must be"),
        (("auto", "int4", False), "precision must be one of auto, fp32, bf16, int8, not 'int4'"),
        ((["paddle"], "auto", False), "backend must be"),
        (("paddle", "bf16", False), "precision bf16 needs backend openvino without use_gpu"),
        (("auto", "bf16", True), "precision bf16 needs backend openvino without use_gpu"),
        (("paddle", "int8", False), "precision int8 needs backend openvino without use_gpu"),
        (("auto", "int8", True), "precision int8 needs backend openvino without use_gpu"),
        (("openvino", "auto", True), "backend openvino runs on the processor: leave use_gpu off"),
        (
            ("openvino", "auto", False, None, False, None, "coreml"),
            "backend openvino runs on the processor: leave device coreml off, or take backend onnxruntime",
        ),
        (
            ("paddle", "auto", False, None, False, None, "tensorrt"),
            "backend paddle runs on cpu and cuda: leave device tensorrt off, or take backend onnxruntime",
        ),
        (("auto", "auto", True, None, False, None, "cpu"), "device cpu and use_gpu disagree"),
    ],
)
def test_choices_that_are_none_are_refused_before_anything_is_loaded(installed, choice, message, tmp_path):
    with pytest.raises(OptionError, match=re.escape(message)) as caught:
        open_network(tmp_path / "nothing", None, RuntimeOptions(*choice))
    assert "\n" not in str(caught.value)


def test_without_the_package_auto_is_paddle(config, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "openvino", None)
    model = Model(COMPACT)
    assert model.backend == "paddle fp32" and not caplog.records
    with pytest.raises(ModelError, match=r"cannot be imported .*: pip install 'openvino"):
        OpenVINONetwork(COMPACT, config)


def test_the_message_names_the_bounds_of_the_requirements():
    assert OpenVINONetwork.requirement in [
        line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()
    ]


def test_no_backend_is_imported_before_it_is_asked_for():
    modules = "tracker.detection.detector, tracker.pipeline.track, tracker.detection.backends.choice"
    script = f"import sys, {modules}; print({{'openvino', 'paddle'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stdout + done.stderr


def failing(error):
    def fail(self, folder, *_):
        raise error(f"{folder / 'model.pdmodel'} fails: no creator for swosh")

    return fail


def test_where_openvino_does_not_work_paddle_takes_its_place(config, installed, monkeypatch, caplog):
    monkeypatch.setattr(OpenVINONetwork, "__init__", failing(BackendError))
    with caplog.at_level(logging.WARNING):
        assert open_network(COMPACT, config).description == "paddle fp32"
    messages = [record.getMessage() for record in caplog.records]
    if not installed:
        assert messages == []
        return
    (message,) = messages
    assert message.endswith("no creator for swosh; using backend paddle instead") and "\n" not in message
    for runtime in (RuntimeOptions(backend="openvino"), RuntimeOptions(precision="bf16")):
        with pytest.raises(ModelError, match="swosh"):
            open_network(COMPACT, config, runtime)


def test_a_model_that_openvino_refuses_goes_to_no_other_backend(config, monkeypatch, caplog):
    monkeypatch.setattr(OpenVINONetwork, "__init__", failing(ModelError))
    monkeypatch.setattr(PaddleNetwork, "__init__", lambda *_: pytest.fail("Paddle was tried"))
    with pytest.raises(ModelError, match="swosh"):
        open_network(COMPACT, config)
    assert not caplog.records


@pytest.mark.parametrize("backend", ["auto", "paddle", pytest.param("openvino", marks=needs_openvino)])
@pytest.mark.parametrize("name", ["model.pdmodel", "model.pdiparams", "embed.pdmodel", "embed.pdiparams"])
def test_a_missing_file_is_named(copy, config, backend, name, caplog):
    (copy / name).unlink()
    with pytest.raises(ModelError, match=f"no model folder: {name} is missing"):
        open_network(copy, config, RuntimeOptions(backend=backend))
    assert not caplog.records


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory, clip_frames):
    return write_video(tmp_path_factory.mktemp("clip") / "street.mp4", clip_frames[:10], rate=10)


@pytest.mark.parametrize("backend", ["paddle", pytest.param("openvino", marks=needs_openvino)])
def test_the_result_and_the_progress_line_say_what_runs(module, short_clip, tmp_path, monkeypatch, capsys, backend):
    monkeypatch.setattr(module, "_loaded", {})
    monkeypatch.setattr(module, "backend", backend)
    result = module.mot_predict(short_clip, tmp_path, visualization=False, progress=True)
    runs = {"paddle": "paddle fp32", "openvino": "openvino int8"}[backend]
    assert result.backend == runs and f"model jde_compact, {runs}\n" in str(result)
    assert f"street ({runs})" in capsys.readouterr().err


@pytest.mark.parametrize(("backend", "forms"), [("paddle", 1), pytest.param("openvino", 2, marks=needs_openvino)])
def test_videos_and_streams_share_a_model_where_it_runs_alike(
    module, short_clip, clip_frames, tmp_path, monkeypatch, backend, forms
):
    monkeypatch.setattr(module, "_loaded", {})
    monkeypatch.setattr(module, "backend", backend)
    result = module.mot_predict(short_clip, tmp_path / "video", visualization=False)
    with module.stream_mode(tmp_path / "stream", visualization=False, frame_rate=10) as stream:
        frames = stream.predict(clip_frames[:10])
    assert len(module._loaded) == forms
    assert [len(frame.ids) for frame in frames] == [len(frame.ids) for frame in result]


@needs_openvino
def test_both_backends_give_the_same_tracks(module, short_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_loaded", {})
    for name in ("backend", "precision"):  # the command sets them; this brings them back
        monkeypatch.setattr(module, name, getattr(module, name))
    tracks = {}
    for backend in ("paddle", "openvino"):
        words = ["--video_stream", short_clip, "--model", "compact", "--visualization", "no", "--precision", "fp32"]
        tracks[backend] = list(
            module.run_cmd([*map(str, words), "--backend", backend, "--output_dir", str(tmp_path / backend)])
        )
        assert next(iter(module._loaded.values())).backend == f"{backend} fp32", (
            "another backend takes the place of the loaded one"
        )
    assert sum(map(len, tracks["paddle"])) > 20
    for ours, theirs in zip(tracks["openvino"], tracks["paddle"], strict=True):
        np.testing.assert_array_equal(ours.ids, theirs.ids)
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=0.05)
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=2e-4)


def test_a_wrong_backend_is_told_before_the_source_is_opened(module, tmp_path, monkeypatch):
    from importlib import import_module

    errors = import_module(f"{module.name}.tracker.errors")
    monkeypatch.setattr(module, "backend", "onnx")
    with pytest.raises(errors.OptionError, match=r"backend must be one of auto, .* not 'onnx'"):
        module.mot_predict(tmp_path / "missing.mp4", tmp_path)
    monkeypatch.setattr(module, "backend", "openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(errors.ModelError, match="not installed: pip install 'openvino"):
        module.stream_mode(tmp_path)


def test_a_new_backend_is_a_class_and_an_entry(clip_frames, monkeypatch):
    """A stand-in for another runtime: chosen by its name, tried by ``auto`` after the faster ones."""
    from tracker.detection.backends import choice

    class Toy(PaddleNetwork):
        package, requirement, precisions, devices = "numpy", "numpy", ("fp32",), ("cpu",)

        def __init__(self, folder, config, runtime=None):
            super().__init__(folder, config)
            self.description = "toy fp32"

    monkeypatch.setitem(choice.BACKENDS, "toy", Toy)
    predictor = Predictor("compact", backend="toy")
    with predictor.stream_mode(None, frame_rate=10) as stream:
        assert len(stream.predict(clip_frames[:2])[1]) >= 3
    assert stream.result().backend == "toy fp32"
    assert choose_backends(RuntimeOptions())[-1] == "toy"
    with pytest.raises(OptionError, match="backend toy runs on the processor: leave use_gpu off"):
        choose_backends(RuntimeOptions("toy", use_gpu=True))
    monkeypatch.setattr(Toy, "package", "no_such_package")
    with pytest.raises(ModelError, match="needs the package no_such_package, which is not installed"):
        choose_backends(RuntimeOptions("toy"))
