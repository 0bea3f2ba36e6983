"""Cameras over HTTP on this machine: they close, stall, send garbage, change their size, refuse."""

import itertools
import threading

import numpy as np
import pytest

from tests.helpers.videos import numbered_frames, write_video
from tests.tracker.sources.live.http_camera import (
    answers,
    camera,
    for_user,
    garbage,
    jpegs,
    pictures,
    stall,
    transport_stream,
)
from tracker.errors import OptionError, SourceError
from tracker.settings.groups.live import LiveOptions
from tracker.sources import open_source
from tracker.sources.live import reconnecting

FEW = 12  # pictures of a connection that does not last
FOREVER = float("inf")


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(reconnecting, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(reconnecting, "_REFUSED_PAUSE", 0.1)
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "camera" and thread.is_alive()]


@pytest.fixture(scope="module")
def small(clip_frames):
    return jpegs(clip_frames, (160, 120))


@pytest.fixture(scope="module")
def large(clip_frames):
    return jpegs(clip_frames, (320, 180))


def read(address, enough, path="live", timeout=1.0, **options):
    """The frames and events of a camera until `enough` says so, given the source and the newest frame."""
    events, frames = [], []
    options = {"frame_rate": 50, "timeout": timeout, "tell": events.append, **options}
    with open_source(f"http://me:secret@{address}/{path}", live=LiveOptions(), **options) as source:
        for frame in source:
            frames.append(frame)
            if enough(source, frame):
                break
        source.halt()
    for before, after in itertools.pairwise(frames):
        assert before.index < after.index and before.time < after.time
    return frames, events


def test_a_camera_that_closes_stalls_and_sends_garbage_is_read_on(small, large, caplog):
    acts = [
        pictures(small, FEW, 0.02),
        pictures(large, FEW, 0.02, stall),
        answers(404),
        pictures(small, FEW, 0.02, garbage),
        *[answers(401)] * 2,  # FFmpeg asks with the password when it was asked for
        answers(503),
        pictures(large, FOREVER, 0.02),
    ]
    with camera(*acts) as server:
        frames, events = read(server.address, lambda source, frame: source.reconnects == 3)
    assert [event["event"] for event in events] == ["stream_lost", "stream_back"] * 3
    assert [event["size"] for event in events[1::2]] == [[320, 180], [160, 120], [320, 180]]
    assert [event["attempts"] for event in events[1::2]] == [1, 2, 3]
    assert {frame.image.shape for frame in frames} == {(120, 160, 3), (180, 320, 3)}
    for lost, back in zip(events[::2], events[1::2]):
        assert back["seconds"] >= lost["seconds"] and back["gap"] > 0
    text = caplog.text
    assert "404" in text and "401" in text and "http://***@127.0.0.1" in text
    assert "secret" not in text and "me:" not in text


def test_times_go_on_by_the_clock(small):
    with camera(*[pictures(small, FEW, 0.02)] * 5, pictures(small, FOREVER, 0.02)) as server:
        frames, events = read(server.address, lambda source, frame: source.reconnects == 5)
    back = [event["seconds"] for event in events if event["event"] == "stream_back"]
    for before, frame in itertools.pairwise(frames):
        if round(frame.time, 3) in back:
            assert frame.time == pytest.approx(frame.arrived - frames[0].arrived, abs=0.001)
            assert frame.index == max(round(frame.time * 50), before.index + 1)
            back.remove(round(frame.time, 3))
    assert not back


def test_a_transport_stream_that_breaks_off_is_read_on(tmp_path, clip_frames):
    images = [np.ascontiguousarray(image[::3, ::3]) for image in clip_frames]
    options = {"g": "5", "bf": "0"}
    other = [np.ascontiguousarray(image[::4, ::4]) for image in clip_frames]
    short = write_video(tmp_path / "a.ts", images, rate=30, options=options)
    wide = write_video(tmp_path / "b.ts", [image[:144, :192] for image in other], rate=30, options=options)
    acts = [transport_stream(short, 0.5), transport_stream(short, 0.5, garbage), transport_stream(wide, 0.5, stall)]
    with camera(*acts) as server:
        frames, events = read(server.address, lambda source, frame: source.reconnects == 2, frame_rate=None)
    assert [event["event"] for event in events] == ["stream_lost", "stream_back"] * 2
    assert frames[-1].image.shape == (144, 192, 3)
    assert len(frames) > 20


def test_the_right_password_is_needed_and_never_told(small, caplog):
    with camera(for_user("me", "secret", pictures(small, FOREVER, 0.02))) as server:
        frames, _ = read(server.address, lambda source, frame: frame.index > 3)
        assert len(frames) > 3
        with pytest.raises(SourceError) as caught:
            open_source(f"http://me:wrong@{server.address}/live", live=LiveOptions(), timeout=5)
        assert "401" in str(caught.value) and "wrong" not in str(caught.value) + caplog.text


def test_a_camera_that_is_down_is_an_error_unless_it_shall_be_waited_for(small):
    with camera(answers(404), answers(404), answers(503), pictures(small, FOREVER, 0.02)) as server:
        url = f"http://{server.address}/live"
        with pytest.raises(SourceError, match="404"):
            open_source(url, live=LiveOptions())
        assert server.visits == 1
        with open_source(url, live=LiveOptions(reconnect=True)) as source:
            assert next(iter(source)).image.shape == (120, 160, 3)
            source.halt()


def test_without_reconnect_the_end_is_the_end(small):
    with camera(pictures(small, FEW, 0.02), pictures(small, FOREVER, 0.02)) as server:
        with open_source(f"http://{server.address}/live", live=LiveOptions(reconnect=False)) as source:
            assert len(list(source)) == FEW
        assert server.visits == 1


def test_a_video_of_known_length_is_read_once(served, caplog):
    folder, address = served
    write_video(
        folder / "a.mp4", [np.full((48, 64, 3), 99, np.uint8)] * 10, container_options={"movflags": "faststart"}
    )
    write_video(folder / "b.h264", [np.full((48, 64, 3), 99, np.uint8)] * 10)
    for name in ("a.mp4", "b.h264"):
        for reconnect in (None, True):
            with open_source(f"http://{address}/{name}", live=LiveOptions(reconnect=reconnect)) as source:
                assert len(list(source)) == 10
    assert caplog.text.count("it is read once") == 2


def test_a_stream_that_has_become_a_recording_is_not_played_again(tmp_path, small, caplog):
    path = write_video(tmp_path / "a.mp4", numbered_frames(10), container_options={"movflags": "faststart"})

    def recording(visit):
        visit.send_response(200)
        visit.send_header("Content-Length", str(path.stat().st_size))
        visit.end_headers()
        visit.wfile.write(path.read_bytes())

    with camera(pictures(small, FEW, 0.02), recording) as server:
        frames, events = read(server.address, lambda source, frame: False)
    assert len(frames) <= FEW and [event["event"] for event in events] == ["stream_lost"]
    assert "is over" in caplog.text


@pytest.mark.parametrize("source", ["clip.mp4", "folder", "*.jpg"])
def test_reconnect_is_for_what_can_be_lost(tmp_path, source):
    with pytest.raises(OptionError, match="reconnect is for cameras and addresses"):
        open_source(tmp_path / source, live=LiveOptions(reconnect=True))
