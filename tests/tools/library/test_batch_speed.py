"""The benchmark of batches, with made-up walkers in place of the network."""

import json

import pytest

from tests.helpers.videos import numbered_frames, write_video
from tests.tracker.library.batch import stub
from tools import benchmark
from tracker.library.batch import children


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "PROGRAM", stub.PROGRAM)
    monkeypatch.setenv("STUB_SECONDS", "0")
    video = write_video(tmp_path / "street.mp4", numbered_frames(5))
    return ["batch", "--video", str(video), "--clips", "2", "--frames", "4", "--turns", "1", "--warm_up", "0"]


def test_contestants_are_timed_in_one_run(words, tmp_path, capsys):
    target = tmp_path / "figures.json"
    assert benchmark.main([*words, "--jobs", "1x2", "2x1", "--json", str(target)]) == 0
    out = capsys.readouterr().out
    assert "2 clips, 8 frames" in out and "1 x 2" in out and "2 x 1" in out
    one, two = json.loads(target.read_text())["rows"]
    assert (one["jobs"], one["threads"], two["jobs"], two["threads"]) == (1, 2, 2, 1) and one["ratio"] == 1
    rates = [row["frames_per_second"]["median"] for row in (one, two)]
    assert two["ratio"] == pytest.approx(rates[1] / rates[0])
    assert one["cpu_ms"] > 0 and two["cpu_ms"] > 0


@pytest.mark.parametrize("jobs", ["2", "0x1", "2x0", "ray", "ray:x1"])
def test_contestants_that_are_none(words, jobs, capsys):
    assert benchmark.main([*words, "--jobs", jobs]) == 1
    assert "error: " in capsys.readouterr().err
