"""Several streams against one: what is measured and told."""

import re

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.videos import write_video
from tools import benchmark
from tools.benchmarks.use import cameras
from tracker import Predictor


def test_rates_and_their_ratio(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cameras, "Predictor", lambda *_: Predictor(detector=FakeDetector()))
    video = write_video(tmp_path / "a.mp4", numbered(6))
    words = ["cameras", "--video", video, "--streams", "3", "--turns", "2", "--frames", "9"]
    assert benchmark.main(list(map(str, words))) == 0
    out = capsys.readouterr().out
    assert "6 frames a stream" in out
    assert re.search(r"^one stream +[\d.]+ \(.*frames/s, [\d.]+ ms of the processor a frame$", out, re.MULTILINE)
    assert re.search(r"^3 streams together +[\d.]+ \(", out, re.MULTILINE)
    assert re.search(r"^together to one +[\d.]+ \(", out, re.MULTILINE)


def test_one_stream_is_not_several(capsys):
    assert benchmark.main(["cameras", "--streams", "1"]) == 1
    assert capsys.readouterr().err.startswith("error: streams must be a whole number of at least 2, not 1")
