"""Cameras of this machine, played by a stand-in."""

import functools
import itertools
import threading
import time

import cv2
import numpy as np
import pytest

from tests.helpers.videos import read_source, source_error
from tracker.errors import SourceError
from tracker.settings.groups.live import LiveOptions
from tracker.sources import open_source
from tracker.sources.live import reconnecting


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

    def read(self):
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


def test_a_camera_that_is_unplugged_or_hangs_is_opened_again(monkeypatch):
    monkeypatch.setattr(reconnecting, "_FIRST_PAUSE", 0.02)
    go_on = threading.Event()

    class Hanging(FakeCamera):
        def read(self):
            if self.left == 0:
                go_on.wait(20)
            return super().read()

    made, events, frames = [], [], []
    plans = [
        FakeCamera,
        functools.partial(FakeCamera, opened=False),
        Hanging,
        functools.partial(FakeCamera, frames=999),
    ]
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: made.append(plans[len(made)](number)) or made[-1])
    with open_source(5, True, live=LiveOptions(), timeout=0.5, tell=events.append) as source:
        for frame in source:
            frames.append(frame)
            if source.reconnects == 2:
                break
        go_on.set()
    assert [event["event"] for event in events] == ["stream_lost", "stream_back"] * 2
    assert [event["attempts"] for event in events[1::2]] == [2, 1]
    assert all(a.index < b.index and a.time < b.time for a, b in itertools.pairwise(frames))
    assert made[0].released and made[3].released


def test_a_camera_that_is_not_there_is_an_error_unless_it_shall_be_waited_for(monkeypatch):
    monkeypatch.setattr(reconnecting, "_FIRST_PAUSE", 0.02)
    opened = itertools.chain([False] * 4, itertools.repeat(True))
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: FakeCamera(number, opened=next(opened)))
    with pytest.raises(SourceError, match="camera 1 cannot be opened"):
        open_source(1, True, live=LiveOptions())
    with open_source(1, True, live=LiveOptions(reconnect=True)) as source:
        assert next(iter(source)).index == 0
