"""Several cameras at once: each as by itself, and none in the way of another."""

import json
import logging
import threading

import numpy as np
import pytest

from tests.helpers.fake_pipeline import SIZE, FakeDetector, number_of
from tests.helpers.videos import write_video
from tracker import Camera, Predictor, run_cameras
from tracker.cameras.run import CameraGroup
from tracker.errors import OptionError, SourceError
from tracker.sources import Source
from tracker.structures import Frame

QUIET = {"camera_motion": False, "visualization": False}


@pytest.fixture
def predictor():
    return Predictor(detector=FakeDetector())


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Three videos of different lengths."""
    folder = tmp_path_factory.mktemp("videos")
    return [
        write_video(folder / f"{name}.mp4", [np.full((*SIZE, 3), 20 + 10 * (n % 20), np.uint8) for n in range(count)])
        for name, count in (("a", 5), ("b", 12), ("c", 20))
    ]


class Camera10(Source):
    """A camera that gives frames until it is halted, or fails after some."""

    def __init__(self, fails_after=None):
        super().__init__("camera", "camera", 10.0, live=True)
        self.fails_after, self._gone = fails_after, threading.Event()

    def _read(self):
        for number in range(10**6):
            if self._gone.wait(0.01):
                return
            if number == self.fails_after:
                raise SourceError("the cable is cut")
            yield Frame(number, number / 10, np.full((*SIZE, 3), 20 + 10 * (number % 20), np.uint8))

    def halt(self):
        super().halt()
        self._gone.set()


class Frames:
    """A sink that counts frames, and calls a function at one."""

    def __init__(self, at=None, call=None):
        self.at, self.call, self.numbers = at, call, []

    def open(self, info):
        self.info = info

    def write(self, frame, tracks):
        self.numbers.append(frame.index)
        if len(self.numbers) == self.at:
            self.call()

    def close(self):
        return {}


def opening(monkeypatch, **sources):
    """Let cameras be opened that are named in place of an address."""

    def open_source(name, *_, **__):
        made = sources[name]
        if isinstance(made, Exception):
            raise made
        return made

    monkeypatch.setattr("tracker.predictor.open_source", open_source)


def test_each_is_as_by_itself(tmp_path, predictor, videos):
    cameras = [Camera(f"camera {path.stem}", path) for path in videos]
    seen = {camera.name: Frames() for camera in cameras}
    result = run_cameras(
        predictor, cameras, output_dir=tmp_path / "all", camera_motion=False, sinks_for=lambda name: [seen[name]]
    )
    for camera, path in zip(cameras, videos):
        alone = predictor.mot_predict(path, tmp_path / "alone", camera_motion=False)
        (one,) = (one for one in result.cameras if one.name == camera.name)
        assert one.result.files["text"].read_bytes() == alone.text_path.read_bytes() != b""
        assert one.result.frames == alone.frames == len(seen[camera.name].numbers)
        assert one.result.files["text"].stem == seen[camera.name].info.name == camera.name
        assert one.result.files["video"].exists()
    assert result.frames == 37 and result.failed == []
    lines = str(result).splitlines()
    assert lines[0].split()[:3] == ["camera", "frames", "frames/s"] and len(lines) == 5
    assert lines[1].startswith("camera a  5") and lines[-1].startswith("37 frames in ")


def test_the_model_gives_each_what_it_gives_alone(tmp_path, clip_frames):
    paths = [write_video(tmp_path / f"{n}.mp4", clip_frames[4 * n : 4 * n + 6], rate=10) for n in range(3)]
    predictor = Predictor("compact", threads=1)
    cameras = [Camera(path.stem, path, {"conf_thres": 0.5} if path.stem == "1" else {}) for path in paths]
    run_cameras(predictor, cameras, output_dir=tmp_path / "all", visualization=False)
    assert len(predictor._loaded) == 1
    for camera in cameras:
        alone = predictor.mot_predict(camera.source, tmp_path / "alone", visualization=False, **camera.options)
        together = tmp_path / "all" / "mot_results" / f"{camera.name}.txt"
        assert together.read_bytes() == alone.text_path.read_bytes() != b""


def test_one_that_fails_stops_no_other(tmp_path, monkeypatch, predictor, caplog):
    opening(monkeypatch, good=Camera10(), cut=Camera10(fails_after=5), none=SourceError("nobody is there"))
    stop = threading.Event()
    sinks = {"good": [Frames(40, stop.set)], "cut": [], "none": []}
    cameras = [Camera(name, name) for name in sinks]
    group = CameraGroup(predictor, cameras, {"output_dir": tmp_path, **QUIET}, sinks.__getitem__)
    with caplog.at_level(logging.ERROR):
        result = group.run(stop)
    good, cut, none = result.cameras
    assert good.result.frames >= 40 and good.error is None
    assert cut.error == "the cable is cut" and 1 <= cut.result.frames <= 5
    assert none.error == "nobody is there" and none.result is None
    assert [one.name for one in result.failed] == ["cut", "none"]
    assert [status.state for status in group.status()] == ["ended", "failed", "failed"]
    assert sorted(record.getMessage() for record in caplog.records) == [
        "camera cut failed: the cable is cut",
        "camera none failed: nobody is there",
    ]
    assert "the cable is cut" in str(result) and (tmp_path / "mot_results" / "good.txt").stat().st_size
    assert not [thread.name for thread in threading.enumerate() if thread.name in sinks]


def test_how_they_are_doing(tmp_path, monkeypatch, predictor):
    opening(monkeypatch, a=Camera10(), b=Camera10())
    stop, told = threading.Event(), []

    def look():
        told.extend(groups[0].status())
        stop.set()

    groups = []
    cameras = [Camera("a", "a"), Camera("b", "b")]
    run_cameras(
        predictor,
        cameras,
        output_dir=tmp_path,
        stop=stop,
        started=groups.append,
        sinks_for=lambda name: [Frames(30, look)] if name == "a" else [],
        **QUIET,
    )
    a, b = told
    assert (a.name, a.state, b.name) == ("a", "live", "b")
    assert a.frames >= 30 and a.rate > 1 and a.people_now == 1 and a.error is None
    assert [status.state for status in groups[0].status()] == ["ended", "ended"]
    assert groups[0].status()[0].people_now == 0


def test_a_fast_camera_takes_nothing_from_a_slow_one(tmp_path, monkeypatch):
    passes = []
    predictor = Predictor(detector=FakeDetector(lambda number: passes.append(threading.current_thread())))
    opening(monkeypatch, a=Camera10(), b=Camera10())
    stop = threading.Event()
    cameras = [Camera("a", "a"), Camera("b", "b")]
    run_cameras(
        predictor,
        cameras,
        output_dir=tmp_path,
        stop=stop,
        sinks_for=lambda name: [Frames(50, stop.set)] if name == "b" else [],
        **QUIET,
    )
    shares = [passes.count(thread) for thread in set(passes)]
    assert len(shares) == 2 and max(shares) < 3 * min(shares)


def test_events_of_all_go_to_one_file(tmp_path, predictor, videos):
    file = tmp_path / "events.jsonl"
    cameras = [Camera(path.stem, path) for path in videos]
    result = run_cameras(
        predictor, cameras, output_dir=tmp_path, events=str(file), start="2026-11-27T10:00:00Z", **QUIET
    )
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert {event["camera"] for event in events if event["event"] == "appeared"} == {"a", "b", "c"}
    assert result.delivery["events"]["sent"] == len(events) and "events: 3 sent" in str(result)


@pytest.mark.parametrize(
    ("cameras", "options", "message"),
    [
        ([], {}, "there is no camera to track"),
        ([("a", {}), ("a", {})], {}, "two cameras are called 'a'"),
        ([("a", {}), ("b", {})], {"push": "udp://127.0.0.1:9"}, "push leads several cameras to one address"),
        ([("a", {}), ("b", {"skip_frame": 2})], {}, "camera b: unknown option 'skip_frame'; known are"),
        ([("a", {}), ("b", {"draw_threshold": 2})], {}, "camera b: draw_threshold must be a number from 0 to 1"),
        ([("a", {"keep": "7d"})], {}, "camera a: keep '7d' removes whole segments"),
        ([("a", {})], {"split": "soon"}, "camera a: split must be a duration"),
    ],
)
def test_mistakes_are_told_before_any_camera_is_opened(tmp_path, monkeypatch, predictor, cameras, options, message):
    opening(monkeypatch)  # none could be
    with pytest.raises(OptionError, match=message):
        run_cameras(predictor, [Camera(name, "x", own) for name, own in cameras], output_dir=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_what_can_be_lost_is_waited_for(predictor):
    group = CameraGroup(
        predictor,
        [
            Camera("address", "rtsp://10.0.0.8/a"),
            Camera("once", "rtsp://10.0.0.8/b", {"reconnect": False}),
            Camera("device", 0),
            Camera("file", "video.mp4"),
        ],
        {"reconnect": None, "from_device": False},  # as the command line has it
    )
    assert [run.job.live.reconnect for run in group._runs] == [True, False, True, None]


def test_pictures_are_those_of_each(tmp_path, predictor, videos):
    numbers = {}

    class Look(Frames):
        def write(self, frame, tracks):
            numbers.setdefault(self.info.name, []).append(number_of(frame.image))

    run_cameras(
        predictor, [Camera(path.stem, path) for path in videos], output_dir=tmp_path,
        sinks_for=lambda name: [Look()], **QUIET,
    )  # fmt: skip
    assert numbers == {"a": [*range(5)], "b": [*range(12)], "c": [*range(20)]}
