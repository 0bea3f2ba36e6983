"""The output folder, the camera and the window."""

import os
import shutil
from collections import namedtuple
from itertools import count

import cv2
import numpy as np
import pytest

from tracker.doctor import devices, disk
from tracker.doctor.devices import check_camera, check_window
from tracker.doctor.disk import check_disk
from tracker.doctor.findings import NOTE, OK, PROBLEM
from tracker.sources.base import Source
from tracker.sources.live import camera
from tracker.structures import Frame

Usage = namedtuple("Usage", "total used free")


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path):
    (finding,) = check_disk(str(tmp_path / "a" / "b"), None)
    assert finding.state == OK and "can be written at" in finding.text and "GB are free" in finding.text
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_a_problem(tmp_path):
    (tmp_path / "out").write_text("")
    for folder in ("out", "out/deeper"):
        (finding,) = check_disk(str(tmp_path / folder), None)
        assert finding.state == PROBLEM and "--output_dir" in finding.text and "Not a directory" in finding.text


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_of_somebody_else_is_a_problem(tmp_path):
    tmp_path.chmod(0o500)
    (finding,) = check_disk(str(tmp_path / "out"), None)
    tmp_path.chmod(0o700)
    assert finding.state == PROBLEM and "Permission denied" in finding.text


def test_a_full_disk_is_a_problem(tmp_path, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    (finding,) = check_disk(str(tmp_path), None)
    assert finding.state == PROBLEM and "No space left on device" in finding.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("free", "rate", "state", "part"),
    [
        (3600 * 20_000_000, 100e6, OK, "72.0 GB are free: 20 hours of annotated video, at 60 MB a minute"),
        (1800 * 1_000_000, 100e6, NOTE, "free some space"),
        (3600 * 20_000_000, 1.5e6, NOTE, "too slow for it"),
    ],
)
def test_hours_of_video(free, rate, state, part, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(free, 0, free))
    monkeypatch.setattr(disk, "_write_rate", lambda folder: rate)
    (finding,) = check_disk(str(tmp_path), 1e6)
    assert finding.state == state and part in finding.text


class FakeCamera(Source):
    frames = 100

    def __init__(self, index):
        super().__init__(f"camera {index}", "camera", 30.0, live=True)

    def _read(self):
        for index in range(self.frames):
            yield Frame(index, index / 30, np.zeros((480, 640, 3), np.uint8))


@pytest.fixture
def video_devices(tmp_path, monkeypatch):
    """The folder that stands for /dev."""
    monkeypatch.setattr(devices, "DEVICES", tmp_path)
    return tmp_path


def test_without_a_camera_none_is_tried(video_devices, monkeypatch):
    monkeypatch.setattr(camera, "CameraSource", lambda index: pytest.fail("a camera was opened"))
    (finding,) = check_camera(None)
    assert finding.state == NOTE and "not tried" in finding.text


def test_a_camera_that_is_asked_for_and_not_there_is_a_problem(video_devices):
    (finding,) = check_camera(7)
    assert finding.state == PROBLEM and "camera 7 cannot be opened" in finding.text


def test_a_camera_that_is_there_and_gives_nothing_is_a_note(video_devices, monkeypatch):
    (video_devices / "video3").touch()
    monkeypatch.setattr(FakeCamera, "frames", 0)
    monkeypatch.setattr(camera, "CameraSource", FakeCamera)
    (finding,) = check_camera(None)
    assert finding.state == NOTE and "camera 3" in finding.text


@pytest.mark.parametrize(("frames", "state", "part"), [(100, OK, "a second"), (5, NOTE, "was lost after 5")])
def test_a_camera_is_read(frames, state, part, video_devices, monkeypatch):
    for name in ("video10", "video2"):
        (video_devices / name).touch()
    clock = count()
    monkeypatch.setattr(devices.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(FakeCamera, "frames", frames)
    monkeypatch.setattr(camera, "CameraSource", FakeCamera)
    (finding,) = check_camera(None)
    assert finding.state == state and "camera 2 gives pictures of 640x480" in finding.text and part in finding.text


@pytest.mark.parametrize(
    ("built", "display", "state", "part"),
    [("GTK3", ":0", OK, "--show"), ("GTK3", "", NOTE, "DISPLAY is not set"), ("NONE", ":0", NOTE, "headless")],
)
def test_windows(built, display, state, part, monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: f"  GUI:     {built}\n")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    (finding,) = check_window()
    assert finding.state == state and part in finding.text
