"""What is left of the annotated video where the process is killed, or the disk is full."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tests.helpers.videos import decode_video, mp4_boxes
from tracker.errors import OutputError
from tracker.sinks import video as video_module
from tracker.sinks.video import VideoWriter


def run(code, *arguments):
    """Run Python code on `arguments` in a process of its own."""
    prelude = "import sys, os, errno, signal, resource, numpy as np\nfrom pathlib import Path\n"
    prelude += f"sys.path.insert(0, {str(ROOT)!r})\n"
    prelude += "from tracker.sinks.video import VideoWriter\nfrom tracker.errors import OutputError\n"
    prelude += "noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_killed_process_leaves_a_video(tmp_path):
    code = """
    video = VideoWriter(Path(sys.argv[1]), 10)
    for index in range(150):
        video.write(np.roll(noise, index, 1), index / 10)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    (tmp_path / "a.mp4").write_bytes(b"older")
    assert run(code, tmp_path / "a.mp4").returncode == -signal.SIGKILL
    assert (tmp_path / "a.mp4").read_bytes() == b"older"
    times = decode_video(tmp_path / ".a.part.mp4")[1]
    assert 146 <= len(times) <= 150
    assert times == pytest.approx([i / 10 for i in range(len(times))], abs=0.001)


@pytest.mark.parametrize("limit", [150_000, 220_000, 3_000])
def test_full_disk(tmp_path, limit):
    code = """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        with VideoWriter(Path(sys.argv[1]), 10) as video:
            for index in range(400):
                video.write(np.roll(noise, index * 7, index % 2), index / 10)
    except OutputError as error:
        print(error, end="")
        sys.exit(3)
    """
    path = tmp_path / "a.mp4"
    result = run(code, path, limit)
    assert result.returncode == 3, result.stderr
    assert str(path) in result.stdout and "File too large" in result.stdout
    if limit < 10_000:  # not even one fragment
        assert list(tmp_path.iterdir()) == []
        return
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]
    times = decode_video(path)[1]
    assert len(times) >= 20
    assert times == pytest.approx([i / 10 for i in range(len(times))], abs=0.001)


@pytest.mark.parametrize("limit", [None, 140_000, 150_000, 151_000])
def test_no_room_for_the_final_file(tmp_path, limit):
    code = """
    import tracker.sinks.video
    remux = tracker.sinks.video.remux
    def without_room(part, final):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.path.getsize(part) * 0.5), resource.RLIM_INFINITY))
        return remux(part, final)
    tracker.sinks.video.remux = without_room
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        with VideoWriter(Path(sys.argv[1]), 10) as video:
            for index in range(60):
                video.write(np.roll(noise, index * 7, index % 2), index / 10)
    except OutputError as error:
        print(error, end="")
    """
    path = tmp_path / "a.mp4"
    result = run(code, path, *([limit] if limit else []))
    assert result.returncode == 0, result.stderr
    assert result.stdout == (f"cannot write the video {path}: File too large" if limit else "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]
    boxes = mp4_boxes(path)
    assert "moof" in boxes and boxes[-1] == "mdat"
    times = decode_video(path)[1]  # without an error to the end
    assert 20 <= len(times) < 60 if limit else len(times) == 60
    assert times == pytest.approx([i / 10 for i in range(len(times))], abs=0.001)


def test_failure_at_the_last_moment_is_reported(tmp_path):
    code = """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    video = VideoWriter(Path(sys.argv[1]), 10)
    for index in range(70):
        video.write(np.roll(noise, index * 7, index % 2), index / 10)
    size = os.path.getsize(Path(sys.argv[1]).with_name(".a.part.mp4"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2000,) * 2)
    try:
        video.close()
    except OutputError as error:
        print(error, error.__cause__.errno == errno.EFBIG, end="")
    video.close()
    """
    path = tmp_path / "a.mp4"
    result = run(code, path)
    assert result.stdout == f"cannot write the video {path}: File too large True", result.stderr
    assert 20 <= len(decode_video(path)[0]) < 70
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


def test_pictures_that_did_not_reach_the_disk_are_reported(tmp_path, monkeypatch):
    make_whole = video_module.make_whole

    def cut_off(part):
        os.truncate(part, int(part.stat().st_size * 0.6))
        return make_whole(part)

    monkeypatch.setattr(video_module, "make_whole", cut_off)
    random = np.random.default_rng(0)
    with pytest.raises(OutputError, match="of 60 pictures"), VideoWriter(tmp_path / "a.mp4", 10) as video:
        for index in range(60):
            video.write(random.integers(0, 255, (64, 96, 3), dtype=np.uint8), index / 10)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]
    assert 20 <= len(decode_video(tmp_path / "a.mp4")[0]) < 60
