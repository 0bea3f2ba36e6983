"""What a page shows of a run: counted with every frame, drawn only where somebody looks."""

import http.client
import json
import re
import socket
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.tracker.web.conftest import SCENE, SECONDS, frame, run_of, serving, tracks, walk_through
from tracker.analysis.scene import load_scene
from tracker.structures import SequenceInfo
from tracker.web.limits import Limits
from tracker.web.live import sink as live
from tracker.web.live.sink import LONGEST_SIDE, EventLog, LiveSink
from tracker.web.site import Site


@pytest.fixture
def sink():
    return LiveSink("gate", load_scene(SCENE.both), EventLog())


@pytest.fixture
def page(sink):
    site = Site(live={"gate": sink}, events=sink._events)
    with serving(site) as page:
        yield page


def test_status_before_during_and_after(sink, page):
    assert page.json("/api/cameras/gate")["state"] == "waiting"
    assert page.ask("/api/cameras/gate/snapshot.jpg").status_code == 404
    walk_through(sink)
    status = page.json("/api/cameras")[0]
    assert (status["state"], status["title"], status["frames"], status["people_seen"]) == ("running", "street", 20, 1)
    assert status["lines"] == [
        {"line": "door", "directions": [{"direction": "east", "count": 1}, {"direction": "west", "count": 0}]}
    ]
    assert status["people"] == 1 and status["dropped"] == 0 and status["size"] == [160, 96]
    assert sink.close() == {}
    after = page.json("/api/cameras/gate")
    assert (after["state"], after["people"], after["lines"]) == ("ended", 0, status["lines"])
    sink.failed("no signal")
    assert page.json("/api/cameras/gate")["error"] == "no signal"


def test_dropped_frames_and_lag_are_those_of_a_live_source():
    sink = LiveSink("gate", live=True)
    sink.open(SequenceInfo("street", 10, (160, 96), skip_frames=2))
    for index in (1, 3, 9):  # two of every second frame are missing
        sink.write(frame(index), tracks())
    status = sink.status()
    assert status["dropped"] == 2
    assert status["lag"] is None
    late = replace(frame(11), arrived=time.monotonic() - 2)
    sink.write(late, tracks())
    assert sink.status()["lag"] == pytest.approx(2, abs=0.5)
    assert LiveSink("file").status()["lag"] is None


def test_the_zone_tells_who_is_inside_and_events_tell_what_happens(sink, page):
    walk_through(sink, count=15)
    assert sink.status()["zones"] == [{"zone": "till", "inside": 1}]
    told = [event for _, event in sink._events.after(0)]
    assert [event["event"] for event in told][:1] == ["appeared"]
    assert {"crossed", "entered"} <= {event["event"] for event in told}
    assert {event["camera"] for event in told} == {"gate"}


def test_nothing_is_drawn_unless_somebody_looks_and_then_once_for_all(sink, page, monkeypatch):
    drawn = []
    monkeypatch.setattr(live, "draw_tracks", lambda image, *_: drawn.append(1) or image.copy())
    walk_through(sink)
    assert drawn == []
    answers = [page.ask("/api/cameras/gate/snapshot.jpg") for _ in range(5)]
    assert len(drawn) == 1 and len({answer.content for answer in answers}) == 1
    assert answers[0].headers["content-type"] == "image/jpeg"
    page.ask("/api/cameras/gate/snapshot.jpg?marked=false")
    assert len(drawn) == 1


def test_a_large_picture_is_made_smaller_and_boxes_with_it():
    sink = LiveSink("gate")
    sink.open(SequenceInfo("street", 10, (2560, 1440)))
    sink.write(frame(0, np.full((1440, 2560, 3), 90, np.uint8)), tracks((1, 1000, 600)))
    plain, marked = (cv2.imdecode(np.frombuffer(sink.picture(sink.newest, m), np.uint8), 1) for m in (False, True))
    assert marked.shape == plain.shape == (720, LONGEST_SIDE, 3)
    changed = np.argwhere((plain != marked).any(2) & (np.abs(plain.astype(int) - marked).max(2) > 40))
    assert abs(changed[:, 1].min() - 500) < 12 and abs(changed[:, 0].max() - 325) < 12


def parts(page, count):
    """The first pictures of the stream, with the times at which their frames were tracked."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=SECONDS)
    connection.request("GET", "/api/cameras/gate/stream.mjpg")
    answer = connection.getresponse()
    assert answer.getheader("content-type") == "multipart/x-mixed-replace; boundary=frame"
    assert answer.readline() == b"--frame\r\n"
    found = []
    for _ in range(count):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += answer.readline()
        size = int(re.search(rb"Content-Length: (\d+)", head)[1])
        found.append((float(re.search(rb"X-Timestamp: ([\d.]+)", head)[1]), answer.read(size)))
        assert answer.readline() == b"\r\n" and answer.readline() == b"--frame\r\n"  # before the next one is there
    connection.close()
    return found


@pytest.fixture
def running(sink):
    """The camera runs in a thread, at some 100 frames a second; the number of frames so far."""
    over, count = threading.Event(), [0]

    def run():
        sink.open(SequenceInfo("street", 100, (160, 96)))
        while not over.is_set():
            sink.write(frame(count[0], rate=100), tracks((1, 50, 20)))
            count[0] += 1
            time.sleep(0.01)

    thread = threading.Thread(target=run)
    thread.start()
    yield count
    over.set()
    thread.join()


def test_the_stream_gives_whole_pictures_in_order(page, running):
    found = parts(page, 5)
    assert all(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1).shape == (96, 160, 3) for _, jpeg in found)
    times = [at for at, _ in found]
    assert times == sorted(set(times))


def test_a_viewer_who_takes_nothing_holds_up_nobody(page, running, sink):
    stalled = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(3)]
    for viewer in stalled:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.sendall(b"GET /api/cameras/gate/stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    parts(page, 3)
    before = running[0]
    parts(page, 3)
    assert running[0] > before and page.json("/api/cameras/gate")["state"] == "running"
    for viewer in stalled:
        viewer.close()


def test_there_are_no_more_viewers_than_may_be(sink, running):
    site = Site(live={"gate": sink}, limits=Limits(max_viewers=1))
    with serving(site) as page:
        first = page.ask("/api/cameras/gate/stream.mjpg", stream=True)
        chunks = first.iter_content(100)  # kept, for the connection ends with it
        assert next(chunks)
        second = page.ask("/api/cameras/gate/stream.mjpg", stream=True)
        assert second.status_code == 429 and "viewers" in second.json()["error"]
        chunks.close()


def test_events_are_sent_as_they_happen_and_once_more_to_who_missed_them(sink, page):
    run_of(sink, [(7, 40, 20)] * 5)
    assert sink._events.last == 1

    def first(query="", **headers):
        with page.ask(f"/api/events{query}", stream=True, headers=headers) as answer:
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    return json.loads(line[6:])

    assert first(**{"Last-Event-ID": "0"})["id"] == first("?recent=9")["id"] == 7
    threading.Timer(0.3, lambda: sink.on_event({"event": "stream_lost", "seconds": 3.0})).start()
    assert first()["event"] == "stream_lost"


def test_the_log_of_events_keeps_the_last_ones():
    log = EventLog()
    for number in range(2 * live.KEPT_EVENTS):
        log.add({"event": number})
    assert len(log.after(0)) == live.KEPT_EVENTS
    assert log.after(log.last - 1) == [(log.last, {"event": log.last - 1})]


def test_metrics_are_readable_by_prometheus(sink, page):
    walk_through(sink)
    sink.key = 'a "gate"\\\n'
    answer = page.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    line = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="([^"\\\n]|\\["\\n])*",?)*\})? [-\d.e+]+')
    assert all(line.fullmatch(text) for text in answer.text.splitlines()), answer.text
    assert r'tracker_crossings_total{camera="a \"gate\"\\\n",line="door",direction="east"} 1' in answer.text


def test_an_unknown_camera_is_told_in_one_line(page):
    for path in ("/api/cameras/none", "/api/cameras/none/stream.mjpg", "/api/cameras/..%2f..%2fetc%2fpasswd"):
        assert page.ask(path).status_code == 404
