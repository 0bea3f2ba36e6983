"""The stages of a run together, with a network that is made up: errors, signals, frames that are left out."""

import logging
import signal
import threading
import time

import av
import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector, Live, number_of, numbered, rows, sequence_run, shown
from tests.helpers.videos import write_video
from tracker.errors import ModelError, OptionError, OutputError
from tracker.pipeline.track import track_source
from tracker.predictor import Predictor
from tracker.sources import open_source


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", numbered(20), rate=10, audio=True)


def test_all_frames_in_order_in_text_and_video(clip, tmp_path):
    source = open_source(clip, with_audio=True)
    result = track_source(source, sequence_run(source, tmp_path))
    assert (result.frames, result.last_frame, result.dropped, result.people) == (20, 20, 0, 1)
    assert [row[:2] for row in rows(tmp_path)] == [[n, 1] for n in range(1, 21)]
    assert shown(tmp_path)[0] == list(range(20))
    assert list(result.stage_fps) == [
        "read",
        "letterbox",
        "network",
        "decode",
        "embed",
        "track",
        "text",
        "draw",
        "encode",
    ]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stage")]


def test_the_next_frame_is_read_during_the_forward_pass(tmp_path):
    read = [threading.Event() for _ in range(4)]
    source = Live(4, lambda number: read[number].set())
    source.live = False  # so that nothing is dropped

    def wait_for_the_next(number):
        assert number == 3 or read[number + 1].wait(10), "nothing is read meanwhile"

    result = track_source(source, sequence_run(source, tmp_path, FakeDetector(wait_for_the_next), visualization=False))
    assert result.frames == 4


@pytest.mark.parametrize("stage", ["preprocess", "start", "decode", "embed"])
def test_an_error_in_a_stage_keeps_the_frames_before(stage, clip, tmp_path, monkeypatch):
    detector, work = FakeDetector(), getattr(FakeDetector, stage)

    def fails(*arguments):
        number = (
            number_of(arguments[0]) if stage == "preprocess" else arguments[{"decode": 1, "embed": 2}.get(stage, 0)]
        )
        if number == 7:
            raise ModelError("broken")
        return work(detector, *arguments)

    monkeypatch.setattr(detector, stage, fails)
    source = open_source(clip)
    with pytest.raises(ModelError, match="broken"):
        track_source(source, sequence_run(source, tmp_path, detector))
    assert rows(tmp_path)[-1][0] == 7
    assert shown(tmp_path)[0] == list(range(7))


def test_an_error_while_drawing_keeps_the_text(clip, tmp_path, monkeypatch):
    source = open_source(clip)
    run = sequence_run(source, tmp_path)
    render = run.render

    def fails(frame, tracks):
        if frame.index == 5:
            raise OutputError("no space")
        render(frame, tracks)

    monkeypatch.setattr(run, "render", fails)
    with pytest.raises(OutputError, match="no space"):
        track_source(source, run)
    assert rows(tmp_path)[-1][0] >= 6
    assert shown(tmp_path)[0] == list(range(5))


def test_nobody_writes_into_files_that_are_closed(clip, tmp_path, monkeypatch):
    """The thread that tracks may be in the midst of a frame when drawing fails."""
    source, order = open_source(clip), []
    run = sequence_run(source, tmp_path)
    track, close, begun = run.track, run.close, threading.Semaphore(0)

    def slow(*arguments):
        begun.release()
        tracks = track(*arguments)
        time.sleep(0.2)
        order.append("tracked")
        return tracks

    def fails(frame, tracks):
        assert begun.acquire(timeout=10) and begun.acquire(timeout=10)
        raise OutputError("no space")

    monkeypatch.setattr(run, "track", slow)
    monkeypatch.setattr(run, "render", fails)
    monkeypatch.setattr(run, "close", lambda: order.append("closed") or close())
    with pytest.raises(OutputError, match="no space"):
        track_source(source, run)
    assert order == ["tracked", "tracked", "closed"], "the frame in work was not finished"


def test_a_signal_ends_text_and_video_with_the_same_frame(clip, tmp_path):
    def interrupt(number):
        if number == 6:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.3)  # until the main thread has noted it

    source = open_source(clip)
    with pytest.raises(KeyboardInterrupt):
        track_source(source, sequence_run(source, tmp_path, FakeDetector(interrupt)))
    assert rows(tmp_path)[-1][0] == 7, "the frame in the network is finished, and none is begun"
    assert shown(tmp_path)[0] == list(range(7))


def test_a_signal_does_not_wait_for_a_silent_camera_to_close_the_files(tmp_path):
    camera, closed = threading.Event(), []

    def hang(number):
        if number == 3:
            deadline = time.monotonic() + 10
            while not list(tmp_path.glob("mot_results/*")) and time.monotonic() < deadline:
                time.sleep(0.01)
            signal.raise_signal(signal.SIGINT)
            camera.wait(10)

    source = Live(5, hang)
    run = sequence_run(source, tmp_path)
    close = run.close

    def note():
        closed.append(camera.is_set())
        close()
        camera.set()

    run.close = note
    with pytest.raises(KeyboardInterrupt):
        track_source(source, run)
    assert closed[0] is False, "the files stayed open until the camera gave its picture"
    assert source.released and 1 <= rows(tmp_path)[-1][0] <= 3


def test_a_source_that_a_thread_still_reads_is_not_taken_from_it():
    begun, camera = threading.Event(), threading.Event()

    def hang(number):
        begun.set()
        camera.wait(10)

    source = Live(1, hang)
    reader = threading.Thread(target=lambda: list(source))
    reader.start()
    assert begun.wait(10)
    source.close()
    assert not source.released
    camera.set()
    reader.join()
    source.close()
    assert source.released


def test_a_live_source_drops_the_oldest_and_counts_it(tmp_path, caplog):
    """The first pass takes until the camera has given everything."""
    begun, over = threading.Event(), threading.Event()

    def camera(number):
        if number == 1:
            begun.wait(10)
        if number == 11:
            over.set()

    source, sounds = Live(12, camera), []

    def slow(number):
        begun.set()
        if number == 0:
            over.wait(10)
            time.sleep(0.05)  # and has given the last one away

    run = sequence_run(source, tmp_path, FakeDetector(slow), visualization=False)
    run.render = lambda frame, tracks: sounds.append(frame.audio)
    with caplog.at_level(logging.WARNING):
        result = track_source(source, run)
    numbers = [int(row[0]) for row in rows(tmp_path)]
    assert numbers[0] == 1 and numbers[-1] == 12
    assert result.dropped == 12 - len(numbers) >= 8
    assert f"{result.dropped} frames of camera were dropped" in caplog.text
    assert f"{result.dropped} frames were dropped" in str(result)
    assert [number for sound in sounds for number in sound] == list(range(12)), "sound is never dropped"
    assert {row[1] for row in rows(tmp_path)} == {1}, "who walked on meanwhile is still the same"


@pytest.mark.parametrize("every", [2, 3, 30])
def test_skip_frames_tracks_every_nth(every, clip, tmp_path):
    source = open_source(clip, with_audio=True)
    passed = []
    result = track_source(source, sequence_run(source, tmp_path, FakeDetector(passed.append), every))
    expected = list(range(0, 20, every))
    assert passed == expected
    assert [int(row[0]) for row in rows(tmp_path)] == [number + 1 for number in expected]
    numbers, times = shown(tmp_path)
    assert numbers == expected
    np.testing.assert_allclose(times, np.array(expected) / 10, atol=1e-3)
    assert (result.frames, result.last_frame) == (len(expected), expected[-1] + 1)
    assert [frame.frame for frame in result] == [number + 1 for number in expected]
    if every == 2:
        (video,) = (tmp_path / "mot_outputs").glob("*.mp4")
        with av.open(str(video)) as container, av.open(str(clip)) as whole:
            kept, given = (sum(p.size for p in c.demux(audio=0)) for c in (container, whole))
        assert kept > 0.9 * given, "the sound of frames left out is kept"


@pytest.mark.parametrize("every", [2, 3, 6])
def test_frames_left_out_come_back_in_the_refined_text(every, clip, tmp_path):
    source = open_source(clip)
    result = track_source(source, sequence_run(source, tmp_path, skip_frames=every, refine=True))
    refined = [line.split(",") for line in result.refined_path.read_text().splitlines()]
    assert [int(row[0]) for row in refined] == list(range(1, result.last_frame + 1))


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_skip_frames_is_a_whole_number(every, clip, tmp_path):
    with pytest.raises(OptionError, match="skip_frames must be a whole number of at least 1"):
        Predictor(detector=FakeDetector()).mot_predict(clip, tmp_path, skip_frames=every)
