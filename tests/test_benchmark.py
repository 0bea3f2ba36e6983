"""The benchmark of the networks: it runs, keeps its figures, and says what is missing."""

import json

import numpy as np
import pytest

from tools import benchmark

SHORT = ["forward", "--repeats", "2", "--warm_up", "1", "--pause", "0", "--people", "3"]


class Fake:
    """Stands for a network of onnxruntime."""

    calls: list = []  # noqa: RUF012 (shared on purpose)

    def __init__(self, path, threads):
        self.name, self.shape = path.stem, (1, 2)

    def __call__(self, blob):
        assert blob.shape == self.shape and blob.dtype == np.float32
        self.calls.append(self.name)


def test_models_alone(tmp_path, capsys):
    target = tmp_path / "figures.json"
    assert benchmark.main([*SHORT, "--json", str(target)]) == 0
    (row,) = json.loads(target.read_text())["rows"]
    assert row["networks"].startswith("compact, ") and row["people"] == 3 and row["ratio"] == 1
    assert 0 < row["ms"]["p10"] <= row["ms"]["median"] <= row["ms"]["p90"]
    assert f"{row['ms']['median']:.1f}" in capsys.readouterr().out


def test_one_model_in_several_backends(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(
        benchmark,
        "one_network",
        lambda model, backend, *_: (f"{model}, {backend}", lambda: opened.append(backend)),
    )
    target = tmp_path / "figures.json"
    assert benchmark.main([*SHORT, "--backend", "paddle", "openvino:bf16", "--json", str(target)]) == 0
    assert opened == ["paddle", "openvino:bf16"] * 3, "they take turns"
    names = [row["networks"] for row in json.loads(target.read_text())["rows"]]
    assert names == ["compact, paddle", "compact, openvino:bf16"]


def test_the_precision_stands_behind_the_backend():
    name, run = benchmark.one_network("compact", "paddle:fp32", people=2, threads=1)
    assert name == "compact, paddle fp32" and run().shape == (2, 128)


def test_two_networks_take_turns_with_one(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmark, "OnnxNetwork", Fake)
    monkeypatch.setattr(benchmark, "ReidNetwork", Fake)
    monkeypatch.setattr(benchmark, "one_network", lambda *_: ("ours", lambda: Fake.calls.append("ours")))
    Fake.calls.clear()
    assert benchmark.main([*SHORT, "--detector", "find.onnx", "--reid", "who.onnx"]) == 0
    assert Fake.calls == ["ours", "find", "who", "who", "who"] * 3
    assert "find + 3 x who" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detector", "find.onnx"], "--detector and --reid belong together"),
        (["--people", "0"], "people must be a whole number of at least 1"),
        (["--model", "nothing"], "there is no model 'nothing'"),
        (["--backend", "onnx"], "backend must be one of auto, paddle, openvino, not 'onnx'"),
        (["--backend", "paddle:bf16"], "precision bf16 needs backend openvino"),
    ],
)
def test_mistakes_cost_one_line(arguments, message, capsys):
    assert benchmark.main([*SHORT, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
