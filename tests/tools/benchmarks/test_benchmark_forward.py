"""The benchmark of the networks alone: passes in turns, their share of what the processor can do, untrained weights."""

import json
import os
import subprocess

import numpy as np
import pytest

from tools import benchmark
from tools.benchmarks import forward, models
from tools.benchmarks.forward import Pass
from tools.benchmarks.models import Models, count_macs
from tracker.errors import ModelError
from tracker.models.locate import COMPACT
from tracker.settings.model import ModelConfig

SHORT = ["forward", "--repeats", "2", "--warm_up", "1", "--pause", "0", "--people", "3"]


class Fake:
    """Stands for a detector or a ReID network."""

    calls: list = []  # noqa: RUF012 (shared on purpose)

    def __init__(self, path, threads):
        self.name, self.shape = path.stem, (1, 2)

    def __call__(self, blob):
        assert blob.shape == self.shape and blob.dtype == np.float32
        self.calls.append(self.name)


@pytest.fixture(autouse=True)
def products(monkeypatch):
    """Matrix products that take no time worth mentioning."""
    small = np.ones((64, 64), np.float32)
    monkeypatch.setattr(forward, "matrix_products", lambda threads: ({"abacus": lambda: small @ small}, 2.0 * 64**3))


def fake_network(folder, name, backend, *_):
    return Pass(f"{name}, {backend}", lambda: Fake.calls.append(backend), 5e9)


def test_models_alone(tmp_path, capsys):
    target = tmp_path / "figures.json"
    assert benchmark.main([*SHORT, "--json", str(target)]) == 0
    figures = json.loads(target.read_text())
    (row,) = figures["rows"]
    assert row["networks"].startswith("compact, ") and row["people"] == 3 and row["ratio"] == 1
    assert 0 < row["ms"]["p10"] <= row["ms"]["median"] <= row["ms"]["p90"]
    assert row["fastest_ms"] <= row["ms"]["median"]
    reached = 2 * row["gmacs"] / (row["fastest_ms"] / 1e3)  # GFLOP/s
    assert row["limit_share"] == pytest.approx(reached / figures["limit"]["gflops"])
    printed = capsys.readouterr().out
    assert f"{row['ms']['median']:.1f}" in printed and "GFLOP/s, a float32 matrix product in abacus" in printed


def test_the_limit_is_the_fastest_library(monkeypatch, tmp_path):
    """Seconds of a pass, and of products of 1 GFLOP in two libraries."""
    monkeypatch.setattr(forward, "one_network", fake_network)
    monkeypatch.setattr(forward, "matrix_products", lambda _: ({"slow": None, "fast": None}, 1e9))
    seconds = np.float64([[0.1, 0.2, 0.3], [0.02, 0.02, 0.02], [0.01, 0.01, 0.09]])
    monkeypatch.setattr(forward, "take_turns", lambda runs, turns, pause, warm_up: seconds)
    target = tmp_path / "figures.json"
    assert benchmark.main([*SHORT, "--json", str(target)]) == 0
    figures = json.loads(target.read_text())
    assert figures["limit"] == {"library": "fast", "gflops": 100, "all": {"slow": 50, "fast": 100}}
    assert figures["rows"][0]["limit_share"] == pytest.approx(10 / 0.1 / 100)


def test_one_model_in_several_backends(tmp_path, monkeypatch):
    monkeypatch.setattr(forward, "one_network", fake_network)
    Fake.calls.clear()
    target = tmp_path / "figures.json"
    assert benchmark.main([*SHORT, "--backend", "paddle", "openvino:bf16", "--json", str(target)]) == 0
    assert Fake.calls == ["paddle", "openvino:bf16"] * 3, "they take turns"
    names = [row["networks"] for row in json.loads(target.read_text())["rows"]]
    assert names == ["compact, paddle", "compact, openvino:bf16"]


def test_the_precision_stands_behind_the_backend():
    made = forward.one_network(COMPACT, "compact", "paddle:fp32", people=2, threads=1)
    assert made.name == "compact, paddle fp32" and made.run().shape == (2, 128)


def test_two_networks_take_turns_with_one(monkeypatch, capsys):
    monkeypatch.setattr(forward, "TeacherNetwork", Fake)
    monkeypatch.setattr(forward, "ReidNetwork", Fake)
    monkeypatch.setattr(forward, "one_network", fake_network)
    Fake.calls.clear()
    assert benchmark.main([*SHORT, "--detector", "find.onnx", "--reid", "who.onnx"]) == 0
    assert Fake.calls == ["auto", "find", "who", "who", "who"] * 3
    assert "find + 3 x who" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detector", "find.onnx"], "--detector and --reid belong together"),
        (["--people", "0"], "people must be a whole number of at least 1"),
        (["--pause", "-1"], "pause must be a number of at least 0"),
        (["--model", "nothing"], "there is no model 'nothing'"),
        (["--backend", "onnx"], "backend must be one of auto"),
        (["--backend", "paddle:bf16"], "precision bf16 needs backend openvino"),
    ],
)
def test_mistakes_cost_one_line(arguments, message, capsys):
    assert benchmark.main([*SHORT, *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_work_is_counted_as_openvino_lays_out_the_graph():
    openvino = pytest.importorskip("openvino")
    from tracker.detection.backends.openvino_network import openvino_core

    graph = openvino_core().read_model(COMPACT / "model.pdmodel")
    graph.reshape(openvino.PartialShape([1, 3, 608, 1088]))
    expected = 0
    for op in graph.get_ops():
        # filters are [out, in, h, w], or [groups, out, in, h, w]
        filter_starts_at = {"Convolution": 1, "GroupConvolution": 2}.get(op.get_type_name())
        if filter_starts_at:
            expected += np.prod(list(op.output(0).shape)) * np.prod(list(op.input(1).get_shape())[filter_starts_at:])
    assert count_macs(COMPACT / "model.pdmodel") == expected
    assert 2.8e9 < expected < 2.9e9


def test_a_matrix_product_is_counted():
    """In the head of embeddings: one row [R] to [D] takes R D, for the open number of rows counts as 1; convolutions
    take the rest."""
    config = ModelConfig.load(COMPACT)
    import paddle
    from paddle.base.core import ProgramDesc

    assert paddle
    graph = ProgramDesc((COMPACT / "embed.pdmodel").read_bytes())
    block = graph.block(0)
    weights = [
        block.find_var(op.input("Y")[0].encode()).shape()
        for op in (block.op(index) for index in range(block.op_size()))
        if op.type() in ("matmul_v2", "mul")
    ]
    assert weights == [[1920, config.embedding.dimension - 1]]
    # places, channels before, channels after: the first one, and three pairs that begin with halving
    steps = [(40 * 16, 3, 32), (20 * 8, 32, 64), (20 * 8, 64, 64), (10 * 4, 64, 128), (10 * 4, 128, 128)]
    steps += [(5 * 2, 128, 192), (5 * 2, 192, 192)]
    convolutions = sum(9 * places * inputs * outputs for places, inputs, outputs in steps)
    assert count_macs(COMPACT / "embed.pdmodel") == convolutions + 1920 * (config.embedding.dimension - 1)


def test_a_graph_that_cannot_be_read_costs_one_line(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        count_macs(tmp_path / "model.pdmodel")


def test_the_full_model_is_replaced_by_an_untrained_one_only_where_it_cannot_be_had(monkeypatch, capsys):
    made = []

    def run(command, **options):
        made.append(command[-1])
        assert options["env"]["FLAGS_enable_pir_api"] == "0"
        return subprocess.CompletedProcess(command, 0)

    def find_model(model):
        if model == "full":
            raise ModelError("no network")
        return COMPACT

    monkeypatch.setattr(models, "find_model", find_model)
    monkeypatch.setattr(models.subprocess, "run", run)
    with Models() as found:
        assert found.find("compact") == (COMPACT, "compact") and not made
        folder, name = found.find("full")
        weights, whose = found.full_weights(["compact", "full"])
        assert (name, whose) == ("full (untrained)", "untrained")
        assert found.find("full")[0] == folder and len(made) == 1, "made once"
        assert str(folder.parent) == str(weights.parent) == made[0] and os.path.isdir(made[0])  # noqa: PTH112
    assert not folder.parent.exists(), "and removed"
    assert "untrained weights, for timing only (no network)" in capsys.readouterr().out


def test_given_and_downloaded_weights_of_the_full_network_come_first(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "cache_folder", lambda: tmp_path)
    downloaded = tmp_path / "downloads" / "jde_darknet53_30e_1088x608.pdparams"
    downloaded.parent.mkdir()
    downloaded.touch()
    given = tmp_path / "mine.pdparams"
    given.touch()
    with Models() as found:
        assert found.full_weights(["full", str(given)])[0] == given
        assert found.full_weights(["full"])[0] == downloaded


def test_an_untrained_model_that_cannot_be_made_costs_one_line(monkeypatch):
    monkeypatch.setattr(
        models.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", "a\nno room\n")
    )
    with Models() as found, pytest.raises(ModelError, match=r"^the untrained full model cannot be made: no room$"):
        found.full_weights([])
