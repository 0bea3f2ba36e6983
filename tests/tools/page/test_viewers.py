"""The measurement of viewers: who watches gets pictures, who stalls holds up nobody."""

import threading

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.videos import write_video
from tools import benchmark
from tools.page import viewers
from tracker import Predictor


def test_viewers_get_pictures_and_their_ages(tmp_path, capsys, monkeypatch):
    clip = write_video(tmp_path / "walk.mp4", numbered(10), rate=10)
    seen = threading.Event()

    def forward(number):
        if number == 8 and not seen.is_set():
            seen.wait(1)  # so that somebody has seen a picture

    monkeypatch.setattr(viewers, "Predictor", lambda model: Predictor(detector=FakeDetector(forward)))
    out = tmp_path / "page.json"
    words = ["page", "--video", str(clip), "--turns", "1", "--viewers", "3", "--json", str(out)]
    assert benchmark.main(words) == 0
    printed = capsys.readouterr().out
    assert "viewers" in printed and "pictures at the viewers" in printed and "age of 0 " not in printed
    assert out.exists()
