"""Runs of a live source: what is too old is left out, another size keeps the scene, the status is told."""

import json
import threading
import time
from dataclasses import replace

import numpy as np

from tests.helpers.fake_pipeline import FakeDetector, Live, numbered, rows, shown
from tracker.association.base import SequenceTracker
from tracker.pipeline.live.keeping_up import KeepingUp
from tracker.pipeline.live.pace import Pace
from tracker.pipeline.outputs import OutputOptions
from tracker.pipeline.sequence import SequenceRun
from tracker.pipeline.timing import StageTimes
from tracker.pipeline.track import track_source
from tracker.settings.groups.live import LiveOptions
from tracker.settings.tracking import TrackerConfig
from tracker.sinks.records.status import StatusSink
from tracker.structures import Frame, SequenceInfo


class Camera(Live):
    """A camera whose frames tell when they arrived, and which may change the size of its pictures."""

    def __init__(self, count, ready=lambda number: None, sizes=lambda number: 1, age=0.0):
        super().__init__(count, ready)
        self.sizes, self.age = sizes, age

    def _read(self):
        for frame in super()._read():
            scale = self.sizes(frame.index)
            image = np.ascontiguousarray(frame.image.repeat(scale, 0).repeat(scale, 1))
            yield replace(frame, image=image, audio=(), arrived=time.monotonic() - self.age)


class Sized(FakeDetector):
    """Finds the person at the same place of pictures of any size."""

    def preprocess(self, image):
        return super().preprocess(image), image.shape[0] / 96

    def start(self, preprocessed):
        number, scale = preprocessed
        wait = super().start(number)
        return lambda: (wait(), scale)

    def decode(self, raw_outputs, preprocessed):
        (raw, scale), (number, _) = raw_outputs, preprocessed
        return super().decode(raw, number) * scale


def run_of(source, folder, options=None, detector=None, sinks=(), own_size=False, pace=None, visualization=True):
    config = TrackerConfig(conf_thres=0.5, camera_motion=False)
    outputs = OutputOptions(folder, visualization)
    info = SequenceInfo(source.name, source.frame_rate)
    keeping_up = KeepingUp(options or LiveOptions(), source, pace)
    recorders = [*outputs.recorders(config.refine, {}, keeping_up.figures), *sinks]
    return SequenceRun(
        info,
        detector or FakeDetector(),
        SequenceTracker(config, 10.0),
        recorders,
        outputs.renderers(StageTimes()),
        claim=outputs.claim(),
        keeping_up=keeping_up,
        own_size=own_size,
    )


def one_by_one(frames):
    """Let a camera give its next frame when the one before is through."""
    through = [threading.Event() for _ in range(frames + 1)]
    through[0].set()

    class Tells:
        name = "tells"

        def open(self, info):
            self.sizes = []

        def write(self, frame, tracks):
            self.sizes.append(frame.image.shape[:2])
            through[frame.index + 1].set()

        def close(self):
            return {}

    return lambda number: through[number].wait(20), Tells()


def test_the_lag_of_a_live_run_is_told(tmp_path):
    ready, tells = one_by_one(8)
    source = Camera(8, ready, age=0.2)
    result = track_source(source, run_of(source, tmp_path, sinks=[tells]))
    assert result.frames == 8
    assert 0.19 < result.lag_p50 <= result.lag_p95
    assert "lag: 0." in str(result)
    told = json.loads((tmp_path / "mot_results" / "camera_run.json").read_text())
    assert (told["lag_p50"], told["lag_p95"]) == (result.lag_p50, result.lag_p95)
    assert told["dropped"] == told["reconnects"] == 0


def test_what_is_too_old_is_left_out_and_counted(tmp_path):
    ages = iter([1.0] * 3 + [5000.0] * 4 + [1.0] * 3)
    seen = []  # frames that were asked about, old and new

    class Asked(KeepingUp):
        def is_late(self, frame):
            seen.append(frame)
            return super().is_late(frame)

    class Aging(Camera):
        def _read(self):
            for frame in super()._read():
                while len(seen) < frame.index:
                    time.sleep(0.001)
                yield replace(frame, arrived=time.monotonic() - next(ages))

    source = Aging(10)
    run = run_of(source, tmp_path)
    run.keeping_up = Asked(LiveOptions(max_lag=1000.0), source)
    result = track_source(source, run)
    assert [int(row[0]) for row in rows(tmp_path)] == [1, 2, 3, 8, 9, 10]
    assert (result.frames, result.dropped) == (6, 4)
    assert result.lag_p95 < 1000


def test_another_size_keeps_tracks_text_and_video_at_their_place(tmp_path):
    ready, tells = one_by_one(10)
    source = Camera(10, ready, lambda number: 1 if number < 4 else 3)
    result = track_source(source, run_of(source, tmp_path, detector=Sized(), sinks=[tells]))
    lines = rows(tmp_path)
    assert [line[1] for line in lines] == [1] * 10 and result.people == 1
    lefts = [line[2] for line in lines]
    assert np.abs(np.array(lefts) - np.arange(10) / 2).max() < 0.6
    assert all(abs(line[4] - 20) < 0.5 and abs(line[5] - 50) < 0.5 for line in lines)
    assert shown(tmp_path)[0] == list(range(10))
    assert tells.sizes == [(96, 160)] * 10


def test_sinks_that_begin_anew_get_pictures_and_boxes_in_their_own_size(tmp_path):
    ready, tells = one_by_one(10)
    source = Camera(10, ready, lambda number: 1 if number < 4 else 3)
    run = run_of(source, tmp_path, detector=Sized(), sinks=[tells], own_size=True, visualization=False)
    assert track_source(source, run).people == 1
    assert tells.sizes == [(96, 160)] * 4 + [(288, 480)] * 6
    heights = [round(line[5]) for line in rows(tmp_path)]
    assert heights == [50] * 4 + [150] * 6


def test_realtime_is_told_in_the_result(tmp_path):
    class Long(Camera):
        def _read(self):
            for number in range(400):
                time.sleep(0.001)
                yield Frame(number, number / 10, numbered(1)[0], arrived=time.monotonic())

    source = Long(400)
    pace = Pace(1000.0)
    detector = FakeDetector(lambda number: time.sleep(0.005))
    result = track_source(source, run_of(source, tmp_path, detector=detector, pace=pace, visualization=False))
    assert result.realtime_skip == pace.skip_frames > 3
    assert "realtime: every frame in" in str(result)
    assert all(len(frame) for frame in result), "frames that were not looked at are no empty ones"


def test_the_status_is_written_while_nothing_comes_and_at_the_end(tmp_path):
    path = tmp_path / "mot_results" / "camera_status.json"
    told = {"state": "live", "people_now": 3}
    sink = StatusSink(tmp_path, lambda: told, period=0.02)
    sink.open(SequenceInfo("camera", 10.0))
    assert json.loads(path.read_text())["state"] == "live"
    sink.write(None, None)
    told["state"] = "lost"
    for _ in range(1000):
        status = json.loads(path.read_text())
        if status["state"] == "lost" and status["frames"] == 1:
            break
        time.sleep(0.01)
    assert (status["state"], status["frames"], status["people_now"], status["name"]) == ("lost", 1, 3, "camera")
    assert sink.close() == {"status": path}
    assert json.loads(path.read_text())["state"] == "ended"
    assert not [thread for thread in threading.enumerate() if thread.name == "status"]


def test_a_status_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    sink = StatusSink(tmp_path, dict, period=0.01)
    (tmp_path / "mot_results" / "camera_status.json").mkdir(parents=True)
    (tmp_path / "mot_results" / "camera_status.json" / "file").touch()
    sink.open(SequenceInfo("camera", 10.0))
    time.sleep(0.05)
    sink.close()
    assert len([line for line in caplog.messages if "status.json" in line]) == 1
