"""Models in the formats of other programs: they give what the module gives."""

import numpy as np
import pytest

from tests.helpers.fake_models import assert_same_maps, pixels, rows
from tools import export_model
from tools.exporting import formats
from tracker.detection.backends.paddle_network import PaddleNetwork
from tracker.models.locate import COMPACT, verified
from tracker.settings.model import ModelConfig

SIZE = (320, 192)


def export(capsys, *words):
    code = export_model.main([str(word) for word in words])
    return code, capsys.readouterr()


@pytest.fixture(scope="module")
def expected():
    config = ModelConfig.load(COMPACT).with_input_size(SIZE)
    network = PaddleNetwork(COMPACT, config)
    image = np.ascontiguousarray(pixels(0)[:, : SIZE[1], : SIZE[0]])
    return image, network.run(image), rows(0, 3), network.embed([rows(0, 3)])


def as_input(image):
    return np.ascontiguousarray(image.transpose(0, 3, 1, 2), np.float32)


def test_onnx(tmp_path, capsys, monkeypatch, expected):
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(export_model, "FRAMES", 1)
    output = tmp_path / "out"
    code, told = export(capsys, "--model", "compact", "--to", "onnx", "--output", output, "--input_size", "320x192")
    assert code == 0 and "1 frames in ONNX Runtime and in Paddle" in told.out
    assert sorted(path.name for path in verified(output).iterdir()) == ["embed.onnx", "infer_cfg.yml", "model.onnx"]
    assert (ModelConfig.load(output).letterbox.width, ModelConfig.load(output).letterbox.height) == SIZE
    image, maps, people, embeddings = expected
    found = onnxruntime.InferenceSession(output / "model.onnx").run(None, {"image": as_input(image)})
    assert_same_maps(found, maps)
    (found,) = onnxruntime.InferenceSession(output / "embed.onnx").run(None, {"rows_0": people})
    assert np.allclose(found, embeddings, atol=1e-4 * np.abs(embeddings).max())


def test_openvino(tmp_path, capsys, expected):
    openvino = pytest.importorskip("openvino")
    output = tmp_path / "out"
    code, _ = export(capsys, "--model", COMPACT, "--to", "openvino", "--output", output, "--input_size", "320x192")
    assert code == 0 and len(ModelConfig.load(output).levels) == 3
    image, maps, people, embeddings = expected
    core, exact = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    found = core.compile_model(output / "model.xml", "CPU", exact)(as_input(image))
    assert_same_maps([found[number] for number in range(3)], maps)
    (found,) = core.compile_model(output / "embed.xml", "CPU", exact)(people).values()
    assert np.allclose(found, embeddings, atol=1e-4 * np.abs(embeddings).max())


def test_paddle(tmp_path, capsys, expected):
    output = tmp_path / "deep" / "out"
    code, _ = export(capsys, "--model", "compact", "--to", "paddle", "--output", output, "--input_size", "320x192")
    assert code == 0
    assert_same_maps(PaddleNetwork(output, ModelConfig.load(output)).run(expected[0]), expected[1], 1e-6)


def test_what_is_wrong_is_told_in_one_line_and_nothing_is_left(tmp_path, capsys):
    (tmp_path / "there").mkdir()
    good = ["--model", "compact", "--to", "paddle", "--output", tmp_path / "out"]
    for words, message in (
        ([*good, "--weights", "w"], "give -c CONFIG and --weights FILE, or --model MODEL and --to FORMAT"),
        (good[2:], "give -c CONFIG and"),
        ([*good, "--input_size", "100x100"], "multiples of 32"),
        ([*good[:-1], tmp_path / "there"], "there exists: choose a new folder"),
        (["--model", tmp_path / "none", *good[2:]], "there is no model"),
    ):
        code, told = export(capsys, *words)
        assert code == 1 and message in told.err and told.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_conversion_that_differs_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(formats, "greatest_difference", lambda *_: 0.01)
    code, told = export(capsys, "--model", "compact", "--to", "onnx", "--output", tmp_path / "out")
    assert code == 1 and "differs by 1.0e-02" in told.err and not (tmp_path / "out").exists()
