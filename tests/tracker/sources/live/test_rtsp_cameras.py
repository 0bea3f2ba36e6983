"""A camera over RTSP on this machine, by GStreamer: it dies, hangs, changes its size, wants a password."""

import contextlib
import itertools
import os
import signal
import subprocess
from pathlib import Path

import cv2
import pytest

from tracker.errors import SourceError
from tracker.settings.groups.live import LiveOptions
from tracker.sources import open_source
from tracker.sources.live import reconnecting

PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


def has_server():
    if not Path(PYTHON).exists() or not any(Path("/usr/lib").glob("*/gstreamer-1.0/libgstx264.so")):
        return False
    return subprocess.run([PYTHON, "-c", NEEDED], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not has_server(),
        reason="needs gir1.2-gst-rtsp-server-1.0, python3-gi, gstreamer1.0-plugins-base, -good, -bad, -ugly of Debian",
    ),
]


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(reconnecting, "_FIRST_PAUSE", 0.2)
    monkeypatch.setattr(reconnecting, "_REFUSED_PAUSE", 0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, clip_frames):
    made = tmp_path_factory.mktemp("jpegs")
    for number, image in enumerate(clip_frames):
        cv2.imwrite(str(made / f"{number}.jpg"), image)
    return made


@contextlib.contextmanager
def server(folder, size=(320, 240), credentials=(), port=0):
    """The server's process and its port."""
    words = [PYTHON, SERVER, port, folder, *size, *credentials]
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        process.stdout.close()


def files():
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_dies_and_comes_back_in_another_size(folder, transport, caplog):
    events, frames, secret = [], [], ("me", "secret")
    before = files()
    with contextlib.ExitStack() as servers:
        process, port = servers.enter_context(server(folder, credentials=secret))
        url = f"rtsp://me:secret@127.0.0.1:{port}/live"
        live = LiveOptions(rtsp_transport=transport)
        with open_source(url, live=live, timeout=3, tell=events.append) as source:
            for frame in source:
                frames.append(frame)
                if len(frames) == 15:
                    process.kill()
                    process.wait()
                    servers.enter_context(server(folder, (192, 144), secret, port))
                if source.reconnects and len(frames) > 30:
                    break
            source.halt()
    assert [event["event"] for event in events] == ["stream_lost", "stream_back"]
    assert events[1]["size"] == [192, 144]
    assert (frames[0].image.shape, frames[-1].image.shape) == ((240, 320, 3), (144, 192, 3))
    assert all(a.index < b.index and a.time < b.time for a, b in itertools.pairwise(frames))
    assert "secret" not in caplog.text
    assert files() == before


def test_a_camera_that_hangs_and_goes_on(folder):
    """It keeps its connection, and sends nothing for a while."""
    events = []
    with server(folder) as (process, port):

        def tell(event):
            events.append(event)
            process.send_signal(signal.SIGCONT)

        url = f"rtsp://127.0.0.1:{port}/live"
        with open_source(url, live=LiveOptions(), timeout=1.5, tell=tell) as source:
            for frame in source:
                if frame.index == 10:
                    process.send_signal(signal.SIGSTOP)
                if source.reconnects:
                    break
            source.halt()
    assert [event["event"] for event in events] == ["stream_lost", "stream_back"]
    assert events[0]["reason"] == "no picture for 1.5 s" and events[1]["gap"] > 1.5


@pytest.mark.parametrize(("user", "path", "status"), [("me:wrong@", "live", "401"), ("me:secret@", "none", "404")])
def test_what_the_server_refuses_is_one_line_at_once(folder, user, path, status):
    with server(folder, credentials=("me", "secret")) as (_, port), pytest.raises(SourceError) as caught:
        open_source(f"rtsp://{user}127.0.0.1:{port}/{path}", live=LiveOptions(), timeout=60)
    text = str(caught.value)
    assert status in text and "\n" not in text
    assert "wrong" not in text and "secret" not in text


def test_a_password_that_is_changed_meanwhile_is_told_and_asked_for_slowly(folder, caplog):
    with contextlib.ExitStack() as servers:
        process, port = servers.enter_context(server(folder, credentials=("me", "secret")))
        with open_source(f"rtsp://me:secret@127.0.0.1:{port}/live", live=LiveOptions(give_up=4), timeout=3) as source:
            for frame in source:
                if frame.index == 5:
                    process.kill()
                    process.wait()
                    servers.enter_context(server(folder, credentials=("me", "other"), port=port))
            assert source.lost
    lines = [record.getMessage() for record in caplog.records if "401" in record.getMessage()]
    assert len(lines) == 1 and lines[0].endswith("tried again every 0.5 s")
    assert "did not come back within 4 s" in caplog.text and "secret" not in caplog.text
