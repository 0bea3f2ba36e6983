"""The benchmark from video to video: a real short run, the others with fakes in place of networks."""

import argparse
import json
import sys
import types
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.helpers.paths import CLIP
from tests.helpers.training.teacher_networks import mean_colour
from tests.helpers.videos import number_of, numbered_frames, write_video
from tools import benchmark
from tools.benchmarks import original, pipeline, separate
from tools.benchmarks.clips import cut, decode_and_encode
from tools.benchmarks.pipeline import Clip, Contestant
from tracker.errors import SourceError
from tracker.sources import open_source

QUICK = ["pipeline", "--pause", "0"]


STEP = 8  # of the numbers, so that they are told apart after several codecs


def stepped(size=(96, 64)):
    return numbered_frames(5 * STEP, size)[::STEP]


def place_of(image):
    """0 to 4."""
    return round(number_of(image) / STEP)


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "short.mp4", stepped())


def frames_of(path):
    with open_source(str(path)) as source:
        return [place_of(frame.image) for frame in source]


def test_a_real_run_of_a_few_frames(tmp_path, capsys):
    target = tmp_path / "figures.json"
    chosen = ["--video", str(CLIP), "--frames", "3", "--repeats", "2", "--backend", "paddle:fp32"]
    assert benchmark.main([*QUICK, *chosen, "--json", str(target)]) == 0
    tracked, forward, alone = json.loads(target.read_text())["rows"]
    names = ["compact, paddle fp32", "forward pass, compact, paddle fp32", "decode + encode"]
    assert [row["name"] for row in (tracked, forward, alone)] == names
    assert all(row["frames"] == 3 for row in (tracked, forward, alone))
    assert {"read", "network", "track", "encode"} <= tracked["stages_ms"].keys()
    assert tracked["stages_ms"]["network"] < 3 * tracked["ms"]["median"]
    assert alone["ms"]["median"] < tracked["ms"]["median"]
    assert tracked["beside_forward"] == pytest.approx(1 - forward["ms"]["median"] / tracked["ms"]["median"])
    printed = capsys.readouterr().out
    assert "models are loaded beforehand, which is not counted" in printed
    assert f"{tracked['beside_forward']:.0%} of its time is not the forward pass" in printed


def test_a_clip_has_the_first_frames(video, tmp_path):
    target = tmp_path / "clip.mp4"
    assert cut(video, 3, target) == 3 and frames_of(target) == [0, 1, 2]
    assert cut(video, 99, target) == 5 and frames_of(target) == [0, 1, 2, 3, 4]
    again = tmp_path / "again.mp4"
    decode_and_encode(target, again)
    assert frames_of(again) == [0, 1, 2, 3, 4]
    with pytest.raises(SourceError):
        cut(tmp_path / "missing.mp4", 3, target)


@pytest.fixture
def fakes(monkeypatch):
    """Contestants that only say that they ran; the original is ten times as slow."""
    done = []

    def tracked(name):
        done.append(name)
        return types.SimpleNamespace(stage_fps={"network": 20.0, "encode": 100.0})

    def ours(folder, name, backend, threads, clip):
        made = Contestant(backend, lambda: made.results.append(tracked(backend)), clip.frames)
        made.forward = Contestant(f"forward {backend}", lambda: tracked("forward"), clip.frames, end_to_end=False)
        return made

    def others(*arguments):
        clip = arguments[-1]
        return Contestant("other", lambda: done.append(f"other {clip.path.stem}"), clip.frames)

    monkeypatch.setattr(pipeline, "ours", ours)
    monkeypatch.setattr(pipeline, "separate", others)
    monkeypatch.setattr(pipeline, "original", others)
    monkeypatch.setattr(pipeline.Models, "full_weights", lambda self, given: (Path("w"), "fake"))
    monkeypatch.setattr(pipeline, "decode_and_encode", lambda clip, target: done.append("codec"))
    return done


def test_all_take_turns_and_the_original_is_the_measure(fakes, video, tmp_path, monkeypatch, capsys):
    seconds = np.float64([[2, 2], [1, 3], [4, 4], [0.5, 0.5], [1, 1], [0.1, 0.1], [0.1, 0.1]])

    def take_turns(runs, turns, pause):
        assert (turns, pause) == (2, 0)
        for run in runs * turns:
            run()
        return seconds[: len(runs)]

    monkeypatch.setattr(pipeline, "take_turns", take_turns)
    target = tmp_path / "figures.json"
    chosen = ["--video", str(video), "--frames", "4", "--original_frames", "2", "--repeats", "2", "--original"]
    chosen += ["--backend", "paddle", "openvino", "--separate", "a.onnx", "b.onnx", "--json", str(target)]
    assert benchmark.main([*QUICK, *chosen]) == 0
    turn = ["other short", "paddle", "openvino", "other clip", "forward", "forward", "codec"]
    assert fakes == turn * 3, "once before it counts"
    rows = json.loads(target.read_text())["rows"]
    assert [row["frames"] for row in rows] == [2, 4, 4, 4, 4, 4, 4]
    assert [row["ms"]["median"] for row in rows[:4]] == [1000, 500, 1000, 125], "ms a frame"
    assert [row["speed"] for row in rows[:4]] == [1, 2, 1, 8], "of the original"
    assert rows[1]["fps"] == 2 and rows[1]["stages_ms"] == {"network": 50, "encode": 10}
    assert [row["beside_forward"] for row in rows[1:3]] == pytest.approx([0.5, 0.975])
    printed = capsys.readouterr().out
    assert "8.00x" in printed and "network 50.0, encode 10.0" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--video", "missing.mp4"], "'missing.mp4' does not exist"),
        (["--frames", "0"], "frames must be a whole number of at least 1"),
        (["--original_frames", "0"], "original_frames must be a whole number of at least 1"),
        (["--repeats", "0"], "repeats must be a whole number of at least 1"),
        (["--threads", "0"], "threads must be a whole number of at least 1"),
        (["--pause", "-1"], "pause must be a number of at least 0"),
        (["--model", "nothing"], "there is no model 'nothing'"),
        (["--backend", "onnx"], "backend must be one of auto"),
        (["--separate", "a.onnx", "b.onnx"], "there is no network a.onnx"),
    ],
)
def test_mistakes_cost_one_line(arguments, message, video, monkeypatch, capsys):
    if "--separate" in arguments:
        monkeypatch.setattr(pipeline, "ours", lambda *_: Contestant("ours", lambda: None, 1))
    assert benchmark.main([*QUICK, "--video", str(video), *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def fake_detector(text, threads):
    """Finds nobody in the first picture; one person, and one in doubt, in the others."""
    assert text == "find.onnx:1"
    return lambda image: np.float32([[40, 5, 60, 60, 0.3], [10, 10, 30, 50, 0.9]])[: 2 * (number_of(image) > 0)]


def test_two_networks_from_video_to_video(video, tmp_path, monkeypatch):
    monkeypatch.setattr(separate, "open_detector", fake_detector)
    reid = mean_colour(tmp_path / "who.xml")
    made = pipeline.separate("find.onnx:1", str(reid), 1, Clip(video, 5, tmp_path / "output"))
    for _ in range(2):
        made.run()
        assert made.note() == "0.8 people a frame", "of one run, without those in doubt"
    lines = (tmp_path / "output" / "mot_results" / "short.txt").read_text().splitlines()
    assert lines and {line.split(",")[1] for line in lines} == {"1"}
    assert len(frames_of(tmp_path / "output" / "mot_outputs" / "short_vis.mp4")) == 5


def test_the_original_way_writes_text_and_video(tmp_path, monkeypatch):
    """Its frames go through files, and its sides are made even."""
    video = write_video(tmp_path / "short.mp4", stepped((97, 65)))
    ppdet = types.SimpleNamespace(
        JDETracker=lambda **settings: argparse.Namespace(**settings),
        plot_tracking_dict=lambda image, *_, **__: image,
        write_mot_results=lambda path, results: Path(path).write_text(repr(results)),
    )
    for name in ("tracker", "utils", "visualization"):
        monkeypatch.setitem(sys.modules, f"ppdet.modeling.mot.{name}", ppdet)
    for name in ("ppdet", "ppdet.modeling", "ppdet.modeling.mot"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    seen = []

    def step(self, png, tracker):
        assert tracker.max_time_lost == 30
        seen.append(place_of(cv2.imread(str(png))))
        return [[1, 2, 3, 4]], [0.5], [7]

    monkeypatch.setattr(original.OriginalTracker, "_step", step)
    tracker = object.__new__(original.OriginalTracker)
    tracker._tracker_settings = {"track_buffer": 30}
    assert tracker.mot_predict(video, tmp_path / "output") == 5 and seen == [0, 1, 2, 3, 4]
    text = (tmp_path / "output" / "mot_results" / "short.txt").read_text()
    assert text.startswith("{0: [(1, [[1, 2, 3, 4]], [0.5], [7]), (2, ")
    with av.open(str(tmp_path / "output" / "mot_outputs" / "short_vis.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (96, 64, 25)
        pictures = [place_of(picture.to_ndarray(format="bgr24")) for picture in container.decode(stream)]
    assert pictures == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_the_untrained_full_model_beside_the_original_way(tmp_path, monkeypatch, dynamic_mode):
    monkeypatch.setenv("HUB_HOME", str(tmp_path))  # no weights are cached
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # and none can be downloaded
    target = tmp_path / "figures.json"
    chosen = ["--video", str(CLIP), "--frames", "2", "--original_frames", "1", "--repeats", "1", "--model", "full"]
    assert benchmark.main([*QUICK, *chosen, "--original", "--json", str(target)]) == 0
    theirs, full, *_ = json.loads(target.read_text())["rows"]
    assert theirs["name"] == "original way (untrained)" and full["name"].startswith("full (untrained), ")
    assert full["speed"] > 1
