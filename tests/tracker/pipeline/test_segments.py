"""Runs in segments: nothing is lost where one ends, and each is a whole by itself."""

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest

from tests.helpers.fake_pipeline import SIZE, FakeDetector, Live, Slowly, number_of, numbered
from tests.helpers.paths import ROOT
from tracker import Predictor
from tracker.errors import OptionError, OutputError
from tracker.pipeline.analyse import analyse
from tracker.sinks.mot_text import MotWriter
from tracker.sinks.video import VideoWriter

TEN = "2026-11-27T10:00:00+01:00"
SCENE = {
    "lines": {"door": {"points": [[0.1, 0], [0.1, 1]]}},
    "zones": {"hall": {"points": [[0, 0], [1, 0], [1, 1], [0, 1]]}},
}


def stream(folder, frames=24, name="cam", pause=None, images=None, **options):
    """A run of numbered frames at 10 frames/s."""
    predictor = Predictor(detector=FakeDetector())
    with predictor.stream_mode(folder, name=name, frame_rate=10, camera_motion=False, **options) as run:
        for number, image in enumerate(images or numbered(frames)):
            if pause:
                pause(number)
            run.predict(image)
    return run.result()


def live(folder, monkeypatch, source, **options):
    """A run of a camera."""
    monkeypatch.setattr("tracker.predictor.open_source", lambda *_, **__: source)
    return Predictor(detector=FakeDetector()).mot_predict("camera", folder, camera_motion=False, **options)


def pictures(video):
    with av.open(str(video)) as container:
        return [number_of(f.to_ndarray(format="bgr24")[-8:, -8:]) for f in container.decode(video=0)]


def tracks(result):
    return [(frame.frame, frame.ids.tolist(), frame.boxes.tolist()) for frame in result]


def names(folder):
    return sorted(path.stem for path in (folder / "mot_results").glob("*.txt"))


def test_segments_together_are_the_whole(tmp_path):
    whole = stream(tmp_path / "whole")
    cut = stream(tmp_path / "cut", split="1s", start=TEN)
    assert names(tmp_path / "cut") == ["cam_20261127T100000", "cam_20261127T100001", "cam_20261127T100002"]
    assert tracks(cut) == tracks(whole) and len(tracks(cut)) == 24
    assert cut.to_dataframe().equals(whole.to_dataframe())
    assert [(s.first_frame, s.last_frame) for s in cut.segments] == [(1, 10), (11, 20), (21, 24)]
    assert [pictures(segment.files["video"]) for segment in cut.segments] == [
        [*range(10)],
        [*range(10, 20)],
        [*range(20, 24)],
    ]
    assert cut.files == cut.segments[-1].files and cut.segment_count == 3 and "segments: 3" in str(cut)
    assert (cut.frames, cut.people, cut.name) == (24, 1, "cam")


def test_each_segment_is_a_recording_by_itself(tmp_path):
    result = stream(tmp_path, split="1s", start=TEN, scene=SCENE, refine=True, frames=15)
    second = result.segments[1]
    assert second.files["text"].read_text().startswith("1,1,")
    about = json.loads(second.files["run"].read_text())
    assert about["start"] == "2026-11-27T10:00:01+01:00" and (about["first_frame"], about["last_frame"]) == (1, 5)
    assert about["segment"] == {"of": "cam", "first_frame": 11, "seconds": 1.0}
    assert second.files["times"].read_text().splitlines()[1] == "1,0.000"
    assert {"refined", "report", "answers", "video", "answers_refined"} <= second.files.keys()
    made = {path.name: path.read_bytes() for path in second.files["answers"].glob("*.csv")}
    analyse(second.files["text"], SCENE, output_dir=tmp_path / "again")
    again = tmp_path / "again" / "answers" / second.name
    assert {path.name: path.read_bytes() for path in again.glob("*.csv")} == made


def test_a_visit_goes_on_as_a_new_one(tmp_path):
    result = stream(tmp_path, split="1s", start=TEN, scene=SCENE, visualization=False)
    visits = [(s.files["answers"] / "visits.csv").read_text().splitlines()[1:] for s in result.segments]
    assert [[row.split(",")[:6] for row in rows] for rows in visits] == [
        [["hall", "1", "0.000", "0.900", "0.900", "1"]],
        [["hall", "1", "0.000", "0.900", "0.900", "1"]],
        [],  # not half a second
    ]


def test_a_file_is_named_by_its_own_seconds_and_replaced_by_the_next_run(tmp_path):
    for _ in range(2):
        stream(tmp_path, split="1s", visualization=False, frames=12)
        assert names(tmp_path) == ["cam_T000000", "cam_T000001"]


def test_a_camera_is_cut_by_the_clock_and_replaces_nothing(tmp_path, monkeypatch):
    for number in range(2):
        camera = Slowly(12)
        result = live(tmp_path, monkeypatch, camera, split="1s", start="2026-11-27T10:00:00.75+01:00", sinks=[camera])
        again = f"_{2}" if number else ""
        assert [s.name for s in result.segments] == [f"camera_20261127T10000{second}{again}" for second in (0, 1)]
        assert [s.last_frame for s in result.segments] == [3, 12]


@pytest.mark.parametrize("visualization", [True, False])
def test_another_size_of_the_picture_begins_a_segment(tmp_path, monkeypatch, visualization):
    camera = Slowly(9, sizes=lambda number: SIZE if number < 5 else (120, 200))
    options = {"scene": SCENE, "visualization": visualization, "sinks": [camera]}
    result = live(tmp_path, monkeypatch, camera, start=TEN, **options)
    assert [(s.name, s.first_frame, s.last_frame) for s in result.segments] == [
        ("camera", 1, 5),
        ("camera_20261127T100000", 6, 9),
    ]
    sizes = [json.loads(s.files["run"].read_text())["size"] for s in result.segments]
    assert sizes == [[160, 96], [200, 120]]
    assert [frame.frame for frame in result] == [*range(1, 10)]
    if visualization:
        with av.open(str(result.video_path)) as container:
            assert (container.streams.video[0].width, container.streams.video[0].frames) == (200, 4)


def test_a_camera_of_one_size_makes_one_whole(tmp_path, monkeypatch):
    camera = Slowly(6)
    result = live(tmp_path, monkeypatch, camera, sinks=[camera])
    assert result.segments == () and names(tmp_path) == ["camera"] and len(list(result)) == 6


def test_closing_does_not_stop_tracking(tmp_path, monkeypatch):
    done, closed = threading.Event(), []
    close = VideoWriter.close

    def slowly(self):
        if "T000000" in str(self._path):
            closed.append(done.wait(10))  # until all frames were tracked
        close(self)

    monkeypatch.setattr(VideoWriter, "close", slowly)
    stream(tmp_path, split="1s", pause=lambda number: done.set() if number == 23 else None)
    assert closed == [True]


def test_what_is_kept(tmp_path):
    now = datetime.now().timestamp()
    stream(tmp_path, name="old", split="1s", visualization=False)
    for path in tmp_path.rglob("*"):
        os.utime(path, (now - 1e6, now - 1e6))
    (tmp_path / "mot_results" / "old_T000000.txt.bak").write_text("mine")
    result = stream(tmp_path, name="old", start=TEN, split="1s", keep="1d,1GB", scene=SCENE)
    assert names(tmp_path) == [f"old_20261127T10000{n}" for n in range(3)] and len(list(result)) == 24
    assert (tmp_path / "mot_results" / "old_T000000.txt.bak").exists()


def test_what_was_removed_is_listed_no_more(tmp_path):
    result = stream(tmp_path, split="1s", keep="0.001MB", frames=35, images=[numbered(1)[0]] * 35)
    assert [s.name for s in result.segments] == names(tmp_path) and result.segment_count == 4
    assert [frame.frame for frame in result][-1] == 35 and len(names(tmp_path)) == 1


def test_events_go_on_from_one_segment_to_the_next(tmp_path):
    told = {}
    for name, options in (("whole", {}), ("cut", {"split": "1s"})):
        file = tmp_path / f"{name}.jsonl"
        stream(tmp_path, name="cam", start=TEN, scene=SCENE, visualization=False, events=str(file), **options)
        told[name] = [json.loads(line) for line in file.read_text().splitlines()]
    segments = [event for event in told["cut"] if event["event"] == "segment"]
    assert [event for event in told["cut"] if event["event"] != "segment"] == told["whole"]
    assert {"appeared", "entered"} <= {event["event"] for event in told["whole"]}
    assert [(e["time"], e["seconds"], e["camera"], e["segment"], e["schema"]) for e in segments] == [
        (f"2026-11-27T10:00:0{n}.000+01:00", float(n), "cam", f"cam_20261127T10000{n}", 1) for n in range(3)
    ]
    assert all(Path(path).exists() for event in segments for path in event["files"].values())


def test_only_the_newest_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr("tracker.sinks.segments.segments.LISTED", 2)
    result = stream(tmp_path, split="1s", frames=35, visualization=False, images=[numbered(1)[0]] * 35)
    assert len(result.segments) == 2 and result.segment_count == 4
    assert [frame.frame for frame in result] == [*range(21, 36)]


def test_private_and_anonymised(tmp_path):
    with pytest.raises(OptionError, match="private counts by intervals of 60 s: split 30s is shorter"):
        stream(tmp_path, split="30s", private=True, scene=SCENE)
    black = [np.zeros((*SIZE, 3), np.uint8)] * 3
    stream(tmp_path, split="1h", private=True, scene=SCENE, images=black)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        *("counts.csv", "ranges.csv", "zones.csv", "scene.json", "summary.json", "cam_T000000_run.json")
    }
    result = stream(tmp_path / "hidden", split="1s", anonymise="solid", frames=15)
    assert [len(pictures(segment.files["video"])) for segment in result.segments] == [10, 5]


def test_the_status_of_a_private_camera_tells_of_nobody(tmp_path, monkeypatch):
    live(tmp_path, monkeypatch, Live(6), private=True, scene=SCENE)
    (status,) = (tmp_path / "mot_results").glob("*_status.json")
    assert "people_now" not in status.read_text() and json.loads(status.read_text())["state"] == "ended"


def test_a_sink_that_fails_in_the_end_is_told_and_the_rest_is_whole(tmp_path, monkeypatch, caplog):
    close = VideoWriter.close

    def failing(self):
        close(self)
        if "T000001" in str(self._path):
            raise OutputError("no luck")

    monkeypatch.setattr(VideoWriter, "close", failing)
    with pytest.raises(OutputError, match=r"no luck \(sink encode\)"):
        stream(tmp_path, split="1s")
    assert "segment cam_T000001: no luck" in caplog.text and len(names(tmp_path)) == 3


class FullDisk:
    """Lets video writing fail as on a full disk from a frame on, and text as well for a while."""

    def __init__(self, monkeypatch, video_from, text=()):
        write, write_text = VideoWriter.write, MotWriter.write
        self.full, self.frames = True, 0

        def video(writer, image, *more):
            if self.full and number_of(image[-8:, -8:]) >= video_from:
                error = OSError(28, "No space left on device")
                raise writer._failure(error) from error
            write(writer, image, *more)

        def lines(writer, frame, made):
            self.frames += 1
            if self.full and self.frames in text:
                error = OSError(28, "No space left on device")
                raise OutputError("cannot write: No space left on device") from error
            write_text(writer, frame, made)

        monkeypatch.setattr(VideoWriter, "write", video)
        monkeypatch.setattr(MotWriter, "write", lines)


@pytest.mark.parametrize("text", [(), (15, 16)])
def test_a_full_disk_ends_the_video_and_not_the_text(tmp_path, monkeypatch, caplog, text):
    FullDisk(monkeypatch, video_from=13, text=text)
    result = stream(tmp_path, split="1s")
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == [f"the disk of {tmp_path} is full: video and answers end, the text goes on"]
    assert [frame.frame for frame in result if len(frame)] == [n for n in range(1, 25) if n not in text]
    assert [pictures(s.files["video"]) for s in result.segments if "video" in s.files] == [[*range(10)], [10, 11, 12]]


def test_a_disk_that_is_full_when_a_video_ends_fails_no_run(tmp_path, monkeypatch, caplog):
    mux = VideoWriter._mux

    def full_at_the_end(writer, container, last=False):
        if last:
            raise OSError(28, "No space left on device")
        mux(writer, container)

    monkeypatch.setattr(VideoWriter, "_mux", full_at_the_end)
    result = stream(tmp_path, split="1s")
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == [f"the disk of {tmp_path} is full: video and answers end, the text goes on"]
    assert [frame.frame for frame in result if len(frame)] == [*range(1, 25)]


def test_on_a_full_disk_the_oldest_segments_go_first(tmp_path, monkeypatch, caplog):
    disk = FullDisk(monkeypatch, video_from=13)
    stream(tmp_path, name="cam", split="1s", start="2026-11-20T10:00:00+01:00", frames=12)
    stream(tmp_path, name="other", split="1s", start="2026-11-20T10:00:00+01:00", frames=12)

    def room(path):
        disk.full = False
        return True

    monkeypatch.setattr("tracker.sinks.segments.segments.has_room", room)
    monkeypatch.setattr("tracker.sinks.segments.segments.Segments._has_room", lambda self: True)
    result = stream(tmp_path, split="1s", keep="100GB", start=TEN)
    assert [name for name in names(tmp_path) if "20261120" in name] == [
        *("cam_20261120T100001", "other_20261120T100000", "other_20261120T100001")
    ]
    shown = [pictures(segment.files["video"]) for segment in result.segments]
    assert [number for part in shown for number in part] == [*range(13), *range(14, 24)]  # that one was lost
    assert len(list(result)) == 24 and "is full" not in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("after", [3, 14, 25, 36])
def test_kill_leaves_whole_segments(tmp_path, after):
    script = f"""
    import sys, time
    sys.path.insert(0, {str(ROOT)!r})
    from tests.tracker.pipeline.test_segments import stream
    def pause(number):
        time.sleep(.02)
        print(number, flush=True)
    images = __import__("tests.helpers.fake_pipeline", fromlist=["numbered"]).numbered(24) * 10
    stream({str(tmp_path)!r}, split="1s", start={TEN!r}, pause=pause, images=images)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if int(line) == after:
                child.send_signal(signal.SIGKILL)
                break
    time.sleep(0.1)
    made = names(tmp_path)
    assert len(made) == after // 10 + 1
    for name in made:
        rows = (tmp_path / "mot_results" / f"{name}.txt").read_text()
        assert rows.endswith("\n") and rows.startswith("1,")
    stream(tmp_path, split="1s", start="2026-11-28T10:00:00+01:00", frames=2)
    for number, name in enumerate(made):
        video = tmp_path / "mot_outputs" / f"{name}_vis.mp4"
        if video.exists() or number < len(made) - 1:  # of the last one there may be no picture yet
            assert pictures(video)
    assert not [path for path in (tmp_path / "mot_outputs").iterdir() if path.name.startswith(".")]
