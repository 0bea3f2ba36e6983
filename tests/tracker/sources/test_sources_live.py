"""Cameras and addresses: what is live, and servers that refuse or never answer."""

import functools
import http.server
import socket
import threading
import time

import av
import cv2
import numpy as np
import pytest

from tests.helpers.videos import number_of, numbered_frames, read_source, source_error, write_video
from tracker.sources.source import open_source

# ---- camera


class FakeCamera:
    """Stands in for cv2.VideoCapture."""

    def __init__(self, index, opened=True, rate=15.0, frames=3, grey=False):
        self.index, self.opened, self.rate, self.left, self.grey = index, opened, rate, frames, grey
        self.released = False

    def isOpened(self):
        return self.opened

    def get(self, name):
        assert name == cv2.CAP_PROP_FPS
        return self.rate

    def read_source(self):
        self.left -= 1
        time.sleep(0.002)
        return (False, None) if self.left < 0 else (True, np.zeros((4, 6) if self.grey else (4, 6, 3), np.uint8))

    def release(self):
        self.released = True


@pytest.mark.parametrize("index", [2, "2"])
def test_camera(monkeypatch, index):
    opened = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: opened.append(FakeCamera(number)) or opened[-1])
    with open_source(index, from_device=True) as source:
        assert (source.name, source.live, source.frame_count, source.frame_rate) == ("camera_2", True, None, 15.0)
        frames = list(source)
    assert opened[0].index == 2
    assert opened[0].released
    assert [frame.index for frame in frames] == [0, 1, 2]
    times = [frame.time for frame in frames]
    assert times[0] == 0
    assert 0.002 <= times[1] < times[2] < 5


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 30), (-1, 30), (1e9, 30), (float("nan"), 30), (60, 60)])
def test_camera_rate_is_checked(monkeypatch, rate, expected):
    monkeypatch.setattr(cv2, "VideoCapture", functools.partial(FakeCamera, rate=rate, grey=True))
    source, frames = read_source(0, from_device=True)
    assert source.frame_rate == expected
    assert frames[0].image.shape == (4, 6, 3)
    assert open_source(0, from_device=True, frame_rate=12).frame_rate == 12


def test_camera_without_frames(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", functools.partial(FakeCamera, frames=0))
    assert "camera 3" in source_error(3, from_device=True)


def test_absent_camera_says_it_in_one_line(capfd):
    level = cv2.setLogLevel(3)
    assert "camera 97" in source_error("97", from_device=True)
    assert cv2.setLogLevel(level) == 3
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("value", ["clip.mp4", "", "-1", -1, "1.5", "²"])
def test_camera_index_must_be_a_number(value):
    assert repr(str(value)) in source_error(value, from_device=True)


@pytest.mark.parametrize("value", [0, "0"])
def test_number_without_from_device_gets_a_hint(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = source_error(value)
    assert "from_device=True" in text
    assert "--from_device" in text


# ---- URLs


@pytest.fixture
def served(tmp_path):
    """A folder and the address it is served at."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    folder = tmp_path / "www"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield folder, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def silent_port():
    """A port that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return port


def test_video_from_a_server(served):
    folder, address = served
    write_video(folder / "a b.mp4", numbered_frames(10), container_options={"movflags": "faststart"})
    source, frames = read_source(f"http://user:secret@{address}/a%20b.mp4?token=1")
    assert (source.name, source.live, source.frame_count) == ("a_b", False, 10)
    assert [number_of(frame.image) for frame in frames] == list(range(10))


def test_endless_stream_is_live(served):
    folder, address = served
    write_video(folder / "cam.h264", numbered_frames(10))
    source, frames = read_source(f"http://{address}/cam.h264")
    assert (source.live, source.frame_count, len(frames)) == (True, None, 10)


def test_missing_page(served):
    assert "404" in source_error(f"http://{served[1]}/none.mp4")


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
@pytest.mark.parametrize("password", ["secret", "sec?ret", "sec/ret", "sec@ret", "sec#ret", "sec:ret"])
def test_closed_port(closed_port, scheme, password):
    text = source_error(f"{scheme}://me:{password}@127.0.0.1:{closed_port}/live/1?key=hidden", timeout=2)
    assert f"'{scheme}://***@127.0.0.1:{closed_port}/live/1?...'" in text
    for secret in ("me:", "sec", "ret", "hidden"):
        assert secret not in text
    if password == "secret":  # FFmpeg trips over the others.
        assert "refused" in text


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
def test_server_that_never_answers(silent_port, scheme):
    started = time.monotonic()
    text = source_error(f"{scheme}://me:secret@127.0.0.1:{silent_port}/live", timeout=0.3)
    assert time.monotonic() - started < 2
    assert "did not answer within 0.3 s" in text
    assert f"127.0.0.1:{silent_port}/live" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("url", "name", "live", "options"),
    [
        ("rtsp://admin:12345@10.0.0.8:554/Streaming/101.sdp?x=1", "101", True, {"rtsp_transport": "tcp"}),
        ("RTSP://10.0.0.8:554", "10.0.0.8", True, {"rtsp_transport": "tcp"}),
        ("rtsp://admin:pa/ss@10.0.0.8/", "10.0.0.8", True, {"rtsp_transport": "tcp"}),
        ("rtmp://host/app/key", "key", True, {}),
        ("udp://@:1234", "stream", True, {}),
        ("https://host/%E8%A1%8C%E4%BA%BA%2F..%2Fa.mp4", "行人_.._a", False, {}),
    ],
)
def test_name_and_options_of_urls(tmp_path, monkeypatch, url, name, live, options):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(2))
    asked = []
    real_open = av.open

    def fake_open(address, **keywords):
        asked.append((address, keywords))
        return real_open(str(path))

    monkeypatch.setattr(av, "open", fake_open)
    with open_source(url, timeout=3) as source:
        assert (source.name, source.live) == (name, live)
    address, keywords = asked[0]
    assert address == url
    assert keywords["options"] == options
    assert keywords["timeout"] == 3
