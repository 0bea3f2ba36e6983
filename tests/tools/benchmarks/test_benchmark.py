"""The command line of the benchmark: parts run, figures are kept and drawn, mistakes cost one line."""

import argparse
import importlib.util
import json
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tests.helpers.videos import numbered_frames, write_video
from tools import benchmark
from tools.benchmarks import figures, machine, memory, tracker
from tools.benchmarks.figures import Bar, Figures
from tracker.errors import OutputError

MEMORY = ["memory", "--frames", "20", "--people", "2"]


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "short.mp4", numbered_frames(5))


def refused(arguments, capsys):
    assert benchmark.main(list(map(str, arguments))) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def test_figures_are_kept_with_the_machine_they_come_from(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machine, "processor", lambda: "Abacus")
    monkeypatch.setattr(machine, "load", lambda: 0.25)
    target = tmp_path / "figures.json"
    assert benchmark.main([*MEMORY, "--json", str(target)]) == 0
    kept = json.loads(target.read_text())
    assert (kept["part"], kept["processor"], kept["load"]) == ("memory", "Abacus", 0.25)
    assert [row["frame"] for row in kept["rows"]] == list(range(2, 21, 2))
    assert "Abacus, load 0.2" in capsys.readouterr().out


def test_figures_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    target = tmp_path / "chart.png"
    bars = [Bar("same name", 10, 9, 12), Bar("same name", 20, 18, 21), Bar("third", 30, 30, 30)]
    figures.draw_chart(target, "title", Figures([], bars, "ms"))
    picture = cv2.imread(str(target))
    blue = (picture == (0xAA, 0x77, 0x44)).all(axis=2).sum(axis=1)
    lengths = [np.median(part) for part in np.split(blue, np.flatnonzero(blue == 0)) if (part > 0).sum() > 9]
    assert len(lengths) == 3, "one bar each, also of the same name"
    # the line over the spread hides some of a bar
    assert np.allclose(np.array(lengths) / lengths[-1], [1 / 3, 2 / 3, 1], atol=0.02)


def test_no_chart_without_matplotlib_is_told_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(memory, "run", lambda _: pytest.fail("measured"))
    assert "--chart needs matplotlib" in refused([*MEMORY, "--chart", tmp_path / "a.png"], capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "/nowhere/a.json"], "there is no folder /nowhere"),
        (["--chart", "/nowhere/a.png"], "there is no folder /nowhere"),
        (["--chart", "a.pdf"], "--chart must be a .png file"),
        (["--frames", "0"], "frames must be a whole number of at least 1"),
        (["--people", "0"], "people must be a whole number of at least 1"),
        (["--pipeline", "missing.mp4"], "'missing.mp4' does not exist"),
        (["--pipeline", str(ROOT / "demo" / "pedestrians.mp4"), "--backend", "onnx"], "backend must be one of"),
    ],
)
def test_mistakes_cost_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(memory, "_association", lambda *_: pytest.fail("measured"))
    assert message in refused([*MEMORY, *arguments], capsys)


def test_figures_that_cannot_be_written_cost_one_line(tmp_path, capsys):
    assert "cannot be written" in refused([*MEMORY, "--json", tmp_path], capsys)
    folder = tmp_path / "folder.png"
    folder.mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        figures.draw_chart(folder, "title", Figures([], [Bar("a", 1, 1, 1)], "ms"))


def test_it_runs_as_a_script_and_without_the_large_packages(tmp_path):
    code = (
        f"import sys; sys.argv = ['benchmark.py', 'memory', '--frames', '3']; import runpy\n"
        f"try: runpy.run_path({str(ROOT / 'tools' / 'benchmark.py')!r}, run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(*({'paddle', 'matplotlib', 'ppdet', 'openvino'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_contestants_take_turns_after_a_pause(monkeypatch):
    now, done = [0.0], []

    def sleep(seconds):
        now[0] += seconds
        done.append("pause")

    def contestant(name, seconds):
        def run():
            now[0] += seconds * (1 + done.count(name))
            done.append(name)

        return run

    monkeypatch.setattr(figures.time, "sleep", sleep)
    monkeypatch.setattr(figures.time, "perf_counter", lambda: now[0])
    times = figures.take_turns([contestant("a", 1), contestant("b", 10)], turns=2, pause=100, warm_up=1)
    assert done == ["pause", "a", "pause", "b"] * 3
    assert np.allclose(times, [[2, 3], [20, 30]]), "neither the pauses nor the warm-up count"


def test_spread_is_the_median_and_where_most_values_lie():
    values = figures.spread(np.arange(101.0))
    assert values == {"median": 50, "p10": 10, "p90": 90}
    assert figures.cell(values) == "50.0 (10.0-90.0)" and figures.bar("a", values) == Bar("a", 50, 10, 90)


def test_associations_beside_the_reference(monkeypatch, capsys):
    reference = types.ModuleType("ppdet.modeling.mot.tracker")
    reference.JDETracker = lambda **_: None
    for name in ("ppdet", "ppdet.modeling", "ppdet.modeling.mot"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, reference.__name__, reference)
    monkeypatch.setattr(tracker, "_milliseconds", lambda updates, made, warm_up: np.float64([[1, 2, 3], [4, 4, 4]]))
    found = tracker.run(argparse.Namespace(people=[7], association=["jde"], frames=3, warm_up=0))
    assert found.rows[0]["jde_ratio"] == 2 and [bar.label for bar in found.bars] == ["7 people, jde", "7 people, ppdet"]
    assert "2.00 (1.20-2.80)" in capsys.readouterr().out


def test_memory_of_the_whole_pipeline(video, monkeypatch, capsys):
    rows = []

    def track_source(source, run):
        assert source.frame_rate == 25
        frames = list(source)
        rows.extend((frame.index, round(frame.time * 25), frame.image.shape) for frame in frames)

    monkeypatch.setattr(memory, "track_source", track_source)
    monkeypatch.setattr(memory, "Model", lambda folder, runtime: FakeModel(runtime))
    monkeypatch.setattr(memory, "SETTLED", 3)
    target = video.with_name("figures.json")
    chosen = ["--backend", "paddle:fp32", "--json", str(target)]
    assert benchmark.main(["memory", "--pipeline", str(video), "--frames", "12", *chosen]) == 0
    assert rows == [(number, number, (64, 96, 3)) for number in range(12)], "the video again and again"
    kept = json.loads(target.read_text())["rows"]
    assert [row["frame"] for row in kept] == list(range(1, 13))
    assert all(row["resident_mb"] > 10 for row in kept)


class FakeModel:
    config = types.SimpleNamespace(thresholds=types.SimpleNamespace(high_conf_thres=0.6))

    def __init__(self, runtime):
        assert (runtime.backend, runtime.precision) == ("paddle", "fp32")

    def detector(self):
        return types.SimpleNamespace(name="fake", backend="fake", folder=None)


def test_the_table_of_memory_has_a_row_where_it_should_have_settled(capsys):
    table = memory._Table(20_000)
    for frame in range(0, 20_001, 500):
        table.reached(frame, lambda: 3)
    assert [row["frame"] for row in table.rows] == [1000, *range(2000, 20_001, 2000)]


def test_matrix_products_are_products():
    products, operations = machine.matrix_products(machine.thread_count(None), size=32)
    assert operations == 2 * 32**3 and "numpy (OpenBLAS)" in products
    random = np.random.default_rng(0)
    left, right = (random.normal(size=(32, 32)).astype(np.float32) for _ in range(2))
    for product in products.values():
        found = product()
        found = found if isinstance(found, np.ndarray) else found[0]
        np.testing.assert_allclose(found, left @ right, rtol=1e-3, atol=1e-4)
    assert (machine.matrix_products(10_000, size=2)[0].keys() == {"numpy (OpenBLAS)"}) != bool(
        importlib.util.find_spec("openvino")
    ), "numpy takes all cores, whatever it is asked"
