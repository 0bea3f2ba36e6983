"""OpenVINO beside Paddle: the same maps and embeddings from one folder, and what it refuses."""

import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaml

from tests.helpers.fake_models import SIZE, assert_same_maps, pixels, rows
from tests.helpers.paths import ROOT
from tracker.detection.backends import openvino_network
from tracker.detection.backends.choice import open_network
from tracker.detection.backends.openvino_network import OpenVINONetwork
from tracker.detection.letterbox import Letterbox
from tracker.errors import ModelError, OptionError
from tracker.models import int8
from tracker.models.locate import COMPACT
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions

openvino = pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def config():
    return ModelConfig.load(COMPACT)


@pytest.fixture(scope="module")
def paddle_network(config):
    return open_network(COMPACT, config, RuntimeOptions(backend="paddle"))


@pytest.fixture(scope="module")
def network(config):
    return open_network(COMPACT, config, RuntimeOptions(backend="openvino", precision="fp32"))


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(COMPACT, tmp_path / "copy", ignore=shutil.ignore_patterns(*int8.FILES))


@pytest.fixture
def int8_copy(copy):
    """A model with files as in int8; the numbers in them are fp32's, for quantisation needs other packages."""
    for graph, (program, _) in int8.GRAPHS.items():
        model = openvino_network.openvino_core().read_model(copy / f"{graph}.pdmodel", copy / f"{graph}.pdiparams")
        if graph == "model":
            model.reshape([1, 3, *SIZE])
        openvino.save_model(model, copy / program, compress_to_fp16=False)
    int8.write_record(copy, {"frames": 1})
    return copy


def test_a_signal_after_models_came_and_went_is_only_a_signal():
    """Ctrl-C once a model was changed for another; in a process of its own, for it died of that."""
    program = f"""
        import gc, signal
        from pathlib import Path
        from tracker.detection.detector import Model
        from tracker.settings.runtime import RuntimeOptions
        models = [Model(Path({str(COMPACT)!r}), RuntimeOptions("openvino")) for _ in range(2)]
        while models:
            del models[0]
            gc.collect()
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            print("interrupted")
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "interrupted\n"), found.stderr


def test_both_backends_give_the_same_maps(network, paddle_network, config, clip_frames):
    assert (network.description, paddle_network.description) == ("openvino fp32", "paddle fp32")
    letterbox = Letterbox(config.letterbox)
    for picture in (pixels(0), letterbox(clip_frames[0])[0], letterbox(clip_frames[20][::2, ::3])[0]):
        assert_same_maps(network.run(picture), paddle_network.run(picture))


def test_pixels_are_scaled_as_the_configuration_says(copy, network):
    path = copy / "infer_cfg.yml"
    values = yaml.safe_load(path.read_text())
    values["input"]["scale"] = 1 / 255
    path.write_text(yaml.safe_dump(values))
    config = ModelConfig.load(copy)
    found = OpenVINONetwork(copy, config).run(pixels(0))
    assert_same_maps(found, open_network(copy, config, RuntimeOptions(backend="paddle")).run(pixels(0)))
    assert np.abs(found[-1] - network.run(pixels(0))[-1]).max() > 0.1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8, 9, 100])
def test_both_backends_give_the_same_embeddings(network, paddle_network, count):
    found, expected = network.embed([rows(count, count)]), paddle_network.embed([rows(count, count)])
    assert found.shape == (count, 128)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # every other row of a longer array: its memory has gaps
    np.testing.assert_allclose(network.embed([rows(1, 20)[::2]]), paddle_network.embed([rows(1, 20)])[::2], atol=1e-4)


def test_outputs_are_the_callers_own(network):
    first = network.run(pixels(1))
    kept = [array.copy() for array in first]
    network.run(pixels(2))
    (embeddings,) = network._forward("embed", [rows(1, 4)])
    copied = embeddings.copy()
    network._forward("embed", [rows(2, 4)])
    for array, before in zip([*first, embeddings], [*kept, copied]):
        np.testing.assert_array_equal(array, before)


def test_the_input_may_change_afterwards(network):
    picture = pixels(1)
    expected = network.run(picture.copy())
    network.run(picture)
    picture[:] = 0
    assert_same_maps(network.run(pixels(1)), expected, tolerance=1e-9)


def test_threads_may_share_a_network(network):
    inputs = [(pixels(seed), rows(seed, seed + 1)) for seed in range(4)]

    def outputs(pair):
        return [*network.run(pair[0]), network.embed([pair[1]])]

    alone = [outputs(pair) for pair in inputs]
    with ThreadPoolExecutor(4) as pool:
        for expected, found in zip(alone, pool.map(outputs, inputs)):
            assert_same_maps(found, expected, tolerance=1e-5)


def test_settings_reach_openvino(config, monkeypatch):
    seen = {}

    class Core(openvino.Core):
        def compile_model(self, model, device, settings):
            compiled = super().compile_model(model, device, settings)
            names = ("INFERENCE_NUM_THREADS", "INFERENCE_PRECISION_HINT", "ENABLE_CPU_PINNING", "PERFORMANCE_HINT")
            name = "embed" if model.inputs[0].any_name == "rows_0" else "model"
            seen[name] = [device, *(compiled.get_property(name) for name in names)]
            seen[f"{name} sizes"] = model.inputs[0].partial_shape.is_static
            return compiled

    monkeypatch.setattr("tracker.detection.backends.openvino_network.openvino_core", Core)
    OpenVINONetwork(COMPACT, config, RuntimeOptions(precision="fp32", threads=1))
    for graph in ("model", "embed"):
        device, threads, precision, pinned, hint = seen[graph]
        assert (device, threads, pinned, str(hint).rpartition(".")[2]) == ("CPU", 1, False, "LATENCY")
        assert precision == openvino.Type.f32
    assert seen["model sizes"] and not seen["embed sizes"]


def test_bf16_is_near_where_the_processor_has_it(config, network, monkeypatch):
    if "BF16" in openvino_network.openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        rough = open_network(COMPACT, config, RuntimeOptions(precision="bf16"))
        assert rough.description == "openvino bf16"
        found, exact = rough.run(pixels(0)), network.run(pixels(0))
        for ours, theirs in zip(found, exact):
            error = np.abs(ours - theirs).mean() / np.abs(theirs).mean()
            assert 1e-4 < error < 0.1
        np.testing.assert_array_equal(rough.embed([rows(0, 5)]), network.embed([rows(0, 5)]))

    class Core(openvino.Core):
        def get_property(self, *_):
            return ["FP32"]

    monkeypatch.setattr("tracker.detection.backends.openvino_network.openvino_core", Core)
    with pytest.raises(OptionError, match="bf16 needs a processor with AVX-512 BF16 or AMX: take precision fp32"):
        open_network(COMPACT, config, RuntimeOptions(backend="openvino", precision="bf16"))


def test_rows_and_images_the_graph_does_not_take_are_model_errors(network):
    for call in (
        lambda: network.embed([np.zeros((2, 17), np.float32)]),
        lambda: network.embed([rows(0, 1), rows(0, 1)]),
        lambda: network.run(np.zeros((1, *SIZE, 5), np.uint8)),
    ):
        with pytest.raises(ModelError, match=r"jde_compact fails: .*export the model again") as caught:
            call()
        assert "\n" not in str(caught.value) and "Exception from" not in str(caught.value)
    assert np.isfinite(network.run(pixels(0))[0]).all(), "it goes on working"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.pdmodel", lambda data: b"<html>not found</html>" * 10),
        ("model.pdmodel", lambda data: b""),
        ("model.pdmodel", lambda data: data[: len(data) // 2]),
        ("model.pdmodel", lambda data: data.replace(b"relu6", b"relu9")),  # an operator that nobody knows
        ("model.pdiparams", lambda data: data[:1000]),
        ("embed.pdmodel", lambda data: b"<html>not found</html>"),
    ],
)
def test_files_that_it_cannot_read_are_refused_in_one_line(copy, config, name, change):
    (copy / name).write_bytes(change((copy / name).read_bytes()))
    with pytest.raises(ModelError) as caught:
        OpenVINONetwork(copy, config)
    message = str(caught.value)
    assert message.startswith((f"{copy / name} is damaged", f"{copy / name} is refused"))
    assert "\n" not in message and "Exception from" not in message


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([(8, 1), (16, 1), (32, 1)], r"a map of shape .* at stride 8 where infer_cfg\.yml needs"),
        ([(32, 4), (16, 4), (8, 4)], r"a map of shape .* at stride 32 where infer_cfg\.yml needs"),
        ([(32, 1), (16, 1), (8, 1), (4, 1)], r"gives 3 maps where infer_cfg\.yml needs 4"),
    ],
)
def test_a_graph_of_another_network_is_refused_when_it_is_opened(copy, levels, message):
    path = copy / "infer_cfg.yml"
    levels = [{"stride": stride, "anchors": [[stride, stride]] * count} for stride, count in levels]
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "levels": levels}))
    with pytest.raises(ModelError, match=f"{message}.*: export the model again"):
        OpenVINONetwork(copy, ModelConfig.load(copy))


@pytest.fixture
def capabilities(monkeypatch):
    """Sets what OpenVINO says that the processor is made for."""

    core = openvino_network.openvino_core()

    def choose(*names):
        class Core:
            def get_property(self, *_):
                return [*names]

            def __getattr__(self, name):
                return getattr(core, name)

        monkeypatch.setattr("tracker.detection.backends.openvino_network.openvino_core", Core)

    return choose


def test_int8_takes_the_place_of_both_graphs(int8_copy, config, network, capabilities):
    capabilities("FP32", "INT8")
    found = open_network(int8_copy, config, RuntimeOptions(precision="int8"))
    assert found.description == "openvino int8"
    assert_same_maps(found.run(pixels(0)), network.run(pixels(0)), tolerance=1e-5)
    np.testing.assert_array_equal(found.embed([rows(0, 5)]), network.embed([rows(0, 5)]))


def test_rows_are_embedded_in_int8_too(int8_copy, config, network, capabilities):
    capabilities("FP32", "INT8")
    program = int8_copy / int8.GRAPHS["embed"][0]
    model = openvino_network.openvino_core().read_model(COMPACT / "embed.pdmodel", COMPACT / "embed.pdiparams")
    (result,) = model.get_results()
    half = openvino.opset13.multiply(result.input_value(0), np.float32(0.5))
    openvino.save_model(openvino.Model([half], model.get_parameters()), program, compress_to_fp16=False)
    int8.write_record(int8_copy, {})
    exact = network.embed([rows(0, 5)])
    np.testing.assert_allclose(
        OpenVINONetwork(int8_copy, config, RuntimeOptions(precision="int8")).embed([rows(0, 5)]), exact / 2, rtol=1e-5
    )
    np.testing.assert_array_equal(
        OpenVINONetwork(int8_copy, config, RuntimeOptions(precision="fp32")).embed([rows(0, 5)]), exact
    )


def test_the_graph_in_int8_is_the_one_that_runs(int8_copy, config, network):
    """The order of its outputs is its own: one that is not that of the configuration is noticed."""
    model = openvino_network.openvino_core().read_model(COMPACT / "model.pdmodel", COMPACT / "model.pdiparams")
    model.reshape([1, 3, *SIZE])
    *others, last = [result.input_value(0) for result in model.get_results()]
    for values, error in (([last, *others], "a map of shape"), (others, "gives 2 maps")):
        other = openvino.Model(values, model.get_parameters())
        openvino.save_model(other, int8_copy / int8.GRAPHS["model"][0], compress_to_fp16=False)
        int8.write_record(int8_copy, {})
        with pytest.raises(ModelError, match=error):
            OpenVINONetwork(int8_copy, config, RuntimeOptions(precision="int8"))


def test_auto_is_int8_where_there_is_one_and_the_processor_has_it(copy, int8_copy, config, capabilities, caplog):
    capabilities("FP32", "INT8")
    assert open_network(COMPACT, config).description == "openvino int8", "the bundled model has one"
    assert open_network(int8_copy, config).description == "openvino int8"
    capabilities("FP32")
    assert open_network(int8_copy, config).description == "openvino fp32"
    assert not caplog.records
    with pytest.raises(
        OptionError, match="int8 needs a processor with instructions for 8-bit integers: take precision"
    ):
        open_network(int8_copy, config, RuntimeOptions(backend="openvino", precision="int8"))


def change_last_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def remake(name):
    """Changes a file and states the new digest of it."""

    def change(folder):
        (folder / name).write_bytes(b"<html>not found</html>")
        int8.write_record(folder, {})

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(
            (lambda folder, name=name: (folder / name).unlink(), rf"has no int8 model \({name} is missing\): make it")
            for name in int8.FILES
        ),
        (lambda folder: (folder / "model_int8.xml").write_text(""), "model_int8.xml is damaged: quantise again"),
        (lambda folder: (folder / "model_int8.bin").write_bytes(b"1"), "model_int8.bin is damaged: quantise again"),
        (lambda folder: (folder / "int8.yml").write_text("1"), "int8.yml is damaged: quantise again"),
        (lambda folder: (folder / "int8.yml").write_bytes(b"\xff"), "int8.yml is damaged: quantise again"),
        (
            lambda folder: change_last_byte(folder / "model.pdiparams"),
            "model.pdiparams is not the one that the int8 model was made from: quantise again",
        ),
        (
            lambda folder: change_last_byte(folder / "embed.pdiparams"),
            "embed.pdiparams is not the one that the int8 model was made from: quantise again",
        ),
        (remake("embed_int8.xml"), r"embed_int8.xml is damaged or no OpenVINO graph: .*; make it again"),
        (remake("model_int8.xml"), r"model_int8.xml is damaged or no OpenVINO graph: .*; make it again"),
    ],
)
def test_an_int8_model_that_cannot_be_used(int8_copy, config, change, message, capabilities, caplog):
    capabilities("FP32", "INT8")
    change(int8_copy)
    with pytest.raises(ModelError, match=message) as caught:
        open_network(int8_copy, config, RuntimeOptions(backend="auto", precision="int8"))
    assert "\n" not in str(caught.value)
    if "make it again" not in message:
        assert str(caught.value).endswith(f"with python tools/quantize.py --model {int8_copy} --frames VIDEO")
    assert not caplog.records

    assert open_network(int8_copy, config).description == "openvino fp32"
    (record,) = caplog.records
    assert record.getMessage() == f"{caught.value}; using precision fp32 instead"
