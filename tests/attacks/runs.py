"""Runs of the command in a process of its own, and what they leave."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np

from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video

STUB = ("-m", "tests.attacks.stub_command")
REAL = ("-m", "tracker", "--model", "compact", "--threads", "1")


def make_clip(path, seconds, rate=10, size=(160, 120), audio=False):
    """Grey noise, so that the encoder has something to do, that is the same every time."""
    chance = np.random.default_rng(0)
    grounds = [chance.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8) // 2 for _ in range(5)]
    frames = (np.roll(grounds[number % 5], number, 1) for number in range(round(seconds * rate)))
    return write_video(path, frames, rate=rate, audio=audio)


def start(clip, out, *options, seconds=0.02, program=STUB, **keywords):
    """Start tracking a clip, each frame of which takes so many seconds."""
    words = [sys.executable, *program, "--video_stream", clip, "--output_dir", out, *options]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords}
    environment = {**os.environ, "STUB_SECONDS": str(seconds)}
    words = list(map(str, words))
    return subprocess.Popen(words, cwd=ROOT, env=environment, text=True, preexec_fn=default_signals, **streams)


def default_signals():
    """Undo what nohup, or a shell that has put the tests into the background, has ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def running(*arguments, **keywords):
    """Start a run that ends with the block at the latest."""
    process = start(*arguments, **keywords)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition, process, seconds=600):
    """Wait until a condition holds or the process has ended."""
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.005)


def has_lines(text):
    return lambda: text.exists() and text.stat().st_size > 0


def end(process, codes=(0,)):
    """Wait for the end of a run, which must have no traceback and one of these exit codes.

    Returns:
        What it printed on stdout and on stderr.
    """
    out, err = process.communicate(timeout=600)
    assert process.returncode in codes, (process.returncode, err)
    assert "Traceback" not in (err or "") and "Exception ignored" not in (err or ""), err
    check_told_files(f"{out}\n{err}")
    return out, err


def check_told_files(printed):
    """Check that files are there of which it is printed that they hold something."""
    told = re.findall(r"^  (?:tracks|video|refined): +(.*)$", printed, re.MULTILINE)
    for sentence in re.findall(r"is kept(?: in|:) (.*)$", printed, re.MULTILINE):
        told += sentence.split(" and ")
    for path in told:
        assert Path(path).exists(), f"{path} is told of but not there:\n{printed}"


def last_frame(text):
    """The number of the last frame in a text of whole lines, or 0."""
    content = text.read_text() if text.exists() else ""
    assert content == "" or content.endswith(",-1,-1,-1\n"), f"half a line: {content[-60:]!r}"
    return int(content.splitlines()[-1].split(",")[0]) if content else 0


def picture_times(video):
    """Times in seconds of all pictures that a player shows, of a file that may be cut off; its sound is decoded too."""
    times = []
    with contextlib.suppress(av.FFmpegError), av.open(str(video)) as container:
        for packet in container.demux():
            with contextlib.suppress(av.FFmpegError):
                times += [frame.time for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
    return times


def files(folder):
    """Names of all files below a folder, hidden ones too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
