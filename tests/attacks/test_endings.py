"""Signals, streams, folders and names that end a run early or get in its way: told in lines, and nothing is lost.

ATTACK_SIGNALS is the number of random moments at which each signal is sent.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from tests.attacks.runs import (
    REAL,
    default_signals,
    end,
    files,
    has_lines,
    last_frame,
    make_clip,
    picture_times,
    running,
    start,
    wait_for,
)
from tests.helpers.paths import ROOT

MOMENTS = int(os.environ.get("ATTACK_SIGNALS", "6"))
FRAMES = 100
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

pytestmark = pytest.mark.attack
by_signal = pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", FRAMES / 10, audio=True)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def paths(out, name="clip"):
    return out / "mot_results" / f"{name}.txt", out / "mot_outputs" / f"{name}_vis.mp4"


def check_ended_in_order(out, name="clip", least=1):
    """Text and video end with the same frame, and nothing else is left."""
    text, video = paths(out, name)
    last = last_frame(text)
    assert last >= least and len(picture_times(video)) == last
    assert {text.name, video.name} <= set(files(out)) and not [file for file in files(out) if file.startswith(".")]
    return last


# ---- signals


@by_signal
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_signal_at_any_moment(number, moment, out):
    """Also while Python itself starts, where it is none of ours what happens."""
    with running(ROOT / "demo" / "pedestrians.mp4", out, program=REAL) as process:  # in noise nobody is found
        time.sleep(random.Random(f"{number} {moment}").random() * 4)
        process.send_signal(number)
        _, err = process.communicate(timeout=600)
    assert process.returncode in (0, CODES[number], -number), err
    assert "Traceback" not in err or str(ROOT / "tracker") not in err
    if process.returncode == CODES[number] and err:
        assert err.splitlines()[-1].startswith(("interrupted", "terminated"))
    if paths(out, "pedestrians")[0].exists():
        check_ended_in_order(out, "pedestrians")


@by_signal
def test_a_signal_during_the_run(number, clip, out):
    with running(clip, out, "--json", seconds=0.1) as process:
        wait_for(has_lines(paths(out)[0]), process)
        process.send_signal(number)
        output, err = end(process, (CODES[number],))
    last = check_ended_in_order(out)
    result = json.loads(output)
    assert last < FRAMES and result["frames"] == result["last_frame"] == last
    assert result["files"] == dict(zip(("text", "video"), map(str, paths(out))))
    assert err.splitlines()[-1].endswith("the files hold all finished frames")


@by_signal
def test_the_same_signal_twice(number, clip, out):
    with running(clip, out, seconds=0.1) as process:
        wait_for(has_lines(paths(out)[0]), process)
        process.send_signal(number)
        time.sleep(0.01)
        process.send_signal(number)
        end(process, (CODES[number], -number))
    assert last_frame(paths(out)[0])
    videos = [path.name for path in (out / "mot_outputs").iterdir()]
    assert videos in (["clip_vis.mp4"], [".clip_vis.part.mp4"], [])  # none if no picture was drawn yet


STREAM = """
import sys, time
import numpy as np
from tests.attacks.stub_command import Walkers
from tracker.predictor import Predictor
with Predictor(detector=Walkers()).stream_mode(sys.argv[1], frame_rate=10) as stream:
    for number in range(1000):
        stream.predict(np.full((120, 160, 3), number % 255, np.uint8))
        time.sleep(0.02)
"""


@by_signal
def test_a_signal_in_a_stream(number, out):
    words = [sys.executable, "-c", STREAM, str(out)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(words, cwd=ROOT, text=True, preexec_fn=default_signals, **streams)
    try:
        wait_for(has_lines(paths(out, "stream")[0]), process)
        time.sleep(0.3)
        process.send_signal(number)
        err = process.communicate(timeout=600)[1]
    finally:
        process.kill()
    assert process.returncode == (-number if number == signal.SIGINT else CODES[number]), err
    check_ended_in_order(out, "stream")


# ---- standard streams


STREAMS = ["2>&-", ">&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full", ">/dev/full 2>/dev/full"]


@pytest.mark.parametrize("progress", [(), ("--progress",)], ids=["plain", "progress"])
@pytest.mark.parametrize("streams", STREAMS)
def test_streams_that_are_closed_or_full(streams, progress, clip, out):
    words = [sys.executable, "-m", "tests.attacks.stub_command", clip, "--output_dir", out, *progress]
    command = f"{' '.join(map(str, words))} {streams}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == (1 if ">/dev/full" in streams.replace("2>/dev/full", "") else 0), done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    if streams == ">/dev/full":
        assert "error: cannot print the result: No space left on device" in done.stderr
    assert check_ended_in_order(out) == FRAMES


@pytest.mark.parametrize("broken", ["stdout", "stderr"])
def test_pipes_that_nobody_reads(broken, clip, out):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with running(clip, out, "--progress", **{broken: writer}) as process:
            _, err = end(process, (1 if broken == "stdout" else 0,))
    finally:
        os.close(writer)
    assert broken == "stderr" or err.splitlines()[-1].startswith("error: cannot print the result: Broken pipe")
    assert check_ended_in_order(out) == FRAMES


# ---- files and folders


@pytest.mark.parametrize("refine", [(), ("--refine",)], ids=["plain", "refine"])
@pytest.mark.parametrize("what", ["out", "out/mot_outputs", "out/mot_results", "out/mot_results/clip.txt"])
@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_what_is_written_is_taken_away(what, how, refine, clip, out, tmp_path):
    with running(clip, out, *refine, seconds=0.05) as process:
        wait_for(has_lines(out / "mot_outputs" / ".clip_vis.part.mp4"), process)
        victim = tmp_path / what
        if how == "renamed":
            victim.rename(victim.with_name("elsewhere"))
        elif victim.is_file():
            victim.unlink()
        else:
            shutil.rmtree(victim)
        _, err = end(process, (1,))
    assert err.splitlines()[-1].startswith("error: ") and "moved or removed" in err
    if "mot_results" in what:
        assert len(picture_times(paths(out)[1])) == FRAMES
    if what == "out/mot_outputs":
        assert last_frame(paths(out)[0]) == FRAMES


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_a_text_that_cannot_be_written(kind, clip, out):
    text, video = paths(out)
    text.parent.mkdir(parents=True)
    {"device": lambda: text.symlink_to("/dev/full"), "pipe": lambda: os.mkfifo(text), "folder": text.mkdir}[kind]()
    with running(clip, out) as process:
        _, err = end(process, (1,))
    (line,) = err.splitlines()
    assert line.startswith(f"error: cannot write {text}: ")
    assert not video.exists() or picture_times(video)
    assert text.exists() and not [name for name in files(out) if name.startswith(".")]


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("why", ["a folder has its name", "its part is a folder", "mot_outputs is a file", "too large"])
def test_a_video_that_cannot_be_written_costs_no_older_text(why, older, clip, out, tmp_path):
    text, video = paths(out)
    text.parent.mkdir(parents=True)
    if older:
        text.write_text("1,1,0.00,0.00,1.00,1.00,0.5000,-1,-1,-1\n")
    if why == "mot_outputs is a file":
        video.parent.touch()
    elif why == "its part is a folder":
        (video.parent / ".clip_vis.part.mp4").mkdir(parents=True)
    elif why == "a folder has its name":
        video.mkdir(parents=True)
    else:
        clip = tmp_path / "clip.png"
        cv2.imwrite(str(clip), np.zeros((16, 16416, 3), np.uint8))
    with running(clip, out) as process:
        _, err = end(process, (1,))
    assert len(err.splitlines()) == 1 and "mot_outputs" in err
    assert text.exists() == older and (not older or text.read_text().startswith("1,1,0.00,"))
    assert files(out) == ([text.name] if older else []) + (["mot_outputs"] if "is a file" in why else [])


# ---- names


LENGTHS = [200, 230, 239, 240, 241, 242, 247, 250, 251]  # with .mp4 the last one has the 255 bytes of a file name


@pytest.mark.parametrize("letter", ["a", "é", "行", "🚶"])
@pytest.mark.parametrize("length", LENGTHS)
def test_long_names(length, letter, clip, out, tmp_path):
    stem = letter * (length // len(letter.encode()))
    stem += "b" * (length - len(stem.encode()))
    source = tmp_path / f"{stem}.mp4"
    shutil.copy(clip, source)
    killed = start(source, out)
    wait_for(lambda: list(out.glob("mot_results/*.txt")), killed)
    time.sleep(0.6)
    killed.kill()
    killed.communicate()
    with running(source, out, "--refine") as first, running(source, out, "--refine") as second:
        for process in (first, second):
            end(process)
    texts = [path for path in (out / "mot_results").iterdir() if last_frame(path) == FRAMES]
    assert len(texts) == 4, files(out)  # two, and two refined ones
    assert len([path for path in (out / "mot_outputs").iterdir() if len(picture_times(path)) == FRAMES]) == 2
    assert len([name for name in files(out) if "_interrupted" in name]) == 2
    assert not [name for name in files(out) if name.startswith(".")]
    assert (length > 240) or f"{stem}.txt" in files(out)
