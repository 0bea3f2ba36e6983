"""The video that is measured on, the measurement, and the advice that follows from it."""

import signal
import time

import numpy as np
import pytest

from tracker.detection.base import FunctionDetector
from tracker.doctor import speed
from tracker.doctor.clip import FRAMES, RATE, SIZE, check_encoder
from tracker.doctor.findings import NOTE, OK, PROBLEM, Finding
from tracker.doctor.measuring import RepeatedClip, Speed, measure
from tracker.doctor.speed import OWN_SIZE, check_speed
from tracker.errors import OutputError
from tracker.predictor import Predictor
from tracker.sinks.video import VideoWriter
from tracker.sources.opening import open_source
from tracker.structures import Detections


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    (finding,) = check_encoder(path)
    assert finding.state == OK and f"{FRAMES} pictures of 1280x720" in finding.text
    return path


def test_the_clip_shows_people_and_ends_as_it_begins(clip):
    with open_source(clip) as source:
        frames = [frame.image.astype(int) for frame in source]
    assert len(frames) == FRAMES and frames[0].shape == (SIZE[1], SIZE[0], 3)
    step = np.abs(frames[1] - frames[0]).mean()
    assert np.abs(frames[-1] - frames[0]).mean() < 1.5 * step < 0.5 * np.abs(frames[12] - frames[0]).mean() + step
    assert measure(Predictor("compact"), clip, 1.0).people >= 6


@pytest.mark.parametrize("failure", [OutputError("cannot write the video"), ValueError("libx264")])
def test_an_encoder_that_is_missing_is_a_problem(failure, tmp_path, monkeypatch):
    def fail(*_):
        raise failure

    monkeypatch.setattr(VideoWriter, "_open", fail)
    (finding,) = check_encoder(tmp_path / "clip.mp4")
    assert finding.state == PROBLEM and str(failure) in finding.text
    assert "pip install --force-reinstall av" in finding.text and "--visualization False" in finding.text
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_loses_pictures_is_a_problem(tmp_path, monkeypatch):
    write, lost = VideoWriter.write, iter([True])
    monkeypatch.setattr(VideoWriter, "write", lambda *words: None if next(lost, False) else write(*words))
    (finding,) = check_encoder(tmp_path / "clip.mp4")
    assert finding.state == PROBLEM and "of 50 pictures encoded 49 can be read" in finding.text


def test_the_clip_goes_on_until_the_time_is_over(clip, monkeypatch):
    clock = iter(np.arange(0, 1000, 0.01))
    monkeypatch.setattr("tracker.doctor.measuring.time.monotonic", lambda: next(clock))
    with RepeatedClip(clip, 2.0, live=False) as source:
        indices = [frame.index for frame in source]
    assert indices == list(range(len(indices))) and FRAMES < len(indices) < 300


def slow(seconds, at=lambda image: None):
    """A predictor whose network takes that long for a frame."""

    def detect(image):
        time.sleep(seconds)
        at(image)
        return Detections.empty()

    return Predictor(detector=FunctionDetector(detect))


def test_no_more_is_measured_than_the_network_can_do(clip):
    # by half at most, if the first result came late and the second in time
    of_file, of_camera = measure(slow(0.1), clip, 1.0), measure(slow(0.1), clip, 2.0, live=True)
    assert of_file.rate <= 15 and of_file.kept == 1 and of_file.video_bytes > 1000 and of_file.people == 0
    assert of_camera.kept <= 15 / RATE
    assert measure(slow(0.1), clip, 1.0, skip_frames=5).rate <= 15


def test_a_slow_network_gets_advice(clip):
    measured, *findings = check_speed(clip, 4.0, lambda size: slow(0.3))
    assert [finding.name for finding in findings] == ["speed", "real time"]
    assert f"{measured.rate:.1f} frames/s" in findings[0].text and measured.rate <= 5
    assert findings[1].state == NOTE and "% of the frames are lost" in findings[1].text
    assert "--input_size 640x352" in findings[1].text.partition("some with")[2].partition(";")[0]


def test_an_interrupt_leaves_no_result_and_no_files(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt) as caught:
        measure(slow(0.01, lambda image: signal.raise_signal(signal.SIGINT)), clip, 5.0)
    assert not hasattr(caught.value, "result") and list(tmp_path.iterdir()) == []


@pytest.fixture
def machine(monkeypatch):
    """A machine that tracks so many frames a second by the size of the input; call with these and the load."""

    def make(rates, load=0.0):
        def measured(size, clip, seconds, live=False, skip_frames=1):
            rate = rates[size]
            return Speed(rate, min(1.0, rate * skip_frames / RATE) if live else 1.0, 8, 1e5)

        monkeypatch.setattr(speed, "measure", measured)
        monkeypatch.setattr(speed.os, "getloadavg", lambda: (load, 0.0, 0.0))
        monkeypatch.setattr(speed.os, "cpu_count", lambda: 4)
        return [found for found in check_speed("clip.mp4", 10.0, lambda size: size) if isinstance(found, Finding)]

    return make


@pytest.mark.parametrize(
    ("rates", "state", "text"),
    [
        ((54, 80, 99), OK, "a camera of 25 frames/s is tracked in real time, as it is"),
        ((13, 20, 29), NOTE, "48 % of the frames are lost, and some with --input_size 864x480; real time needs "
         "--skip_frames 2 or --input_size 640x352, as measured"),
        ((12, 26, 40), NOTE, "52 % of the frames are lost; real time needs --skip_frames 3 or --input_size 864x480,"),
        ((3, 5, 8), NOTE, "real time needs --skip_frames 9, as measured"),
        ((17, 18, 19), NOTE, "real time needs --skip_frames 2, as measured"),
    ],
)  # fmt: skip
def test_advice_for_a_camera(rates, state, text, machine):
    usual, camera = machine(dict(zip((OWN_SIZE, *speed.SMALLER), rates)))
    assert usual.state == OK and camera.state == state and text in camera.text
    assert f"{rates[0]:.1f} frames/s" in usual.text
    assert f"an hour of 25 frames/s takes {1500 / rates[0]:.0f} minutes" in usual.text


def test_a_camera_may_need_more_than_a_file(monkeypatch):
    def measured(size, clip, seconds, live=False, skip_frames=1):
        return Speed(12.5, min(1.0, 0.2 * skip_frames) if live else 1.0, 8, 1e5)

    monkeypatch.setattr(speed, "measure", measured)
    camera = list(check_speed("clip.mp4", 10.0, str))[-1]
    assert "some with --skip_frames 2, --skip_frames 3, --input_size 864x480" in camera.text
    assert "real time needs --skip_frames 5, as measured" in camera.text


def test_where_nothing_helps_realtime_is_advised(monkeypatch):
    monkeypatch.setattr(speed, "measure", lambda *_, **__: Speed(2.0, 0.08, 8, 1e5))
    camera = list(check_speed("clip.mp4", 10.0, str))[-1]
    assert "some with --skip_frames 13, --skip_frames 14, --input_size 864x480" in camera.text
    assert camera.text.endswith("--realtime leaves out as many as it must, as measured")


def test_a_busy_machine_is_told(machine):
    rates = dict.fromkeys((OWN_SIZE, *speed.SMALLER), 30)
    assert machine(rates, 4.0)[0].state == OK
    usual = machine(rates, 9.5)[0]
    assert usual.state == NOTE and "Other programs are busy (load 9.5 on 4 cores)" in usual.text
