"""Runs of one name in one folder, at once or one after the other: none writes into the files of another."""

import os
import random
import shutil
import subprocess
import sys

import pytest

from tests.attacks.runs import end, files, last_frame, make_clip, picture_times, start
from tests.helpers.paths import ROOT

RUNS = int(os.environ.get("ATTACK_RUNS", "4"))  # at once
FRAMES = 40

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two different videos of one name."""
    made = []
    for rate in (10, 20):
        folder = tmp_path_factory.mktemp("camera")
        made.append(make_clip(folder / "live.mp4", FRAMES / rate, rate))
    return made


def check(out, names):
    for name in names:
        assert last_frame(out / "mot_results" / f"{name}.txt") == FRAMES
        assert len(picture_times(out / "mot_outputs" / f"{name}_vis.mp4")) == FRAMES
    made = [name for name in files(out) if not name.endswith(("_run.json", "_times.csv"))]
    assert made == sorted(f"{name}{ending}" for name in names for ending in (".txt", "_vis.mp4"))


@pytest.mark.parametrize("seed", range(3))
def test_at_once(seed, clips, tmp_path):
    chance = random.Random(seed)
    processes = [start(chance.choice(clips), tmp_path, seconds=0.1) for _ in range(RUNS)]
    told = [end(process) for process in processes]
    names = ["live", *(f"live_{number}" for number in range(2, RUNS + 1))]
    check(tmp_path, names)
    (quiet,) = [out for out, err in told if err == ""]
    assert quiet.startswith("live: ")
    lines = [err.splitlines() for _, err in told if err]
    assert sorted(line.rpartition(" ")[2] for (line,) in lines) == sorted(names[1:])
    assert all(f"{tmp_path}/mot_results/live.txt is being written by another run" in line for (line,) in lines)


def test_one_after_the_other(clips, tmp_path):
    for clip in clips:
        assert end(start(clip, tmp_path))[1] == ""
    check(tmp_path, ["live"])


def test_no_result_of_another_video_is_overwritten(clips, tmp_path):
    other = shutil.copy(clips[0], clips[0].with_name("live_2.mp4"))
    end(start(other, tmp_path))
    before = (tmp_path / "mot_results" / "live_2.txt").stat().st_mtime_ns
    for process in [start(clip, tmp_path, seconds=0.1) for clip in clips]:
        end(process)
    check(tmp_path, ["live", "live_2", "live_3"])
    assert (tmp_path / "mot_results" / "live_2.txt").stat().st_mtime_ns == before


STREAMS = """
import sys, threading
import numpy as np
from tests.attacks.stub_command import Walkers
from tracker.predictor import Predictor
predictor, together = Predictor(detector=Walkers()), threading.Barrier(3)
def work():
    with predictor.stream_mode(sys.argv[1], frame_rate=10) as stream:
        for number in range(40):
            stream.predict(np.full((120, 160, 3), number, np.uint8))
            if number == 0:
                together.wait(60)
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_streams_in_threads(tmp_path):

    done = subprocess.run(
        [sys.executable, "-c", STREAMS, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 2, done.stderr
    check(tmp_path, ["stream", "stream_2", "stream_3"])
