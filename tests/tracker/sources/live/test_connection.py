"""The thread that reads a connection: its newest frame, errors, a reader that hangs."""

import itertools
import threading
import time

import av
import numpy as np
import pytest

from tracker.errors import SourceError
from tracker.sources.base import RefusedError, Source
from tracker.sources.live import connection
from tracker.sources.live.connection import Connection, LostError, Waiting
from tracker.sources.live.reconnecting import Patience, ReconnectingSource
from tracker.structures import Frame

IMAGE = np.zeros((4, 6, 3), np.uint8)
LONG = 20.0  # seconds, which no test waits for


class Played(Source):
    """Plays what a function yields; tells when it was closed, and by which thread."""

    def __init__(self, play):
        super().__init__("camera 7", "camera_7", 10.0, live=True)
        self.endless, self.play, self.closed = True, play, []

    def _read(self):
        yield from self.play(self)

    def _release(self):
        self.closed.append(threading.current_thread())


def frames(count):
    return [Frame(number, number / 10, IMAGE, audio=(number,), arrived=time.monotonic()) for number in range(count)]


def all_at_once(source):
    yield from frames(5)


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "camera"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    ends = time.monotonic() + LONG
    while readers() and time.monotonic() < ends:
        time.sleep(0.01)
    assert not readers()


def test_the_newest_frame_with_all_the_sound_then_the_end():
    source = Played(all_at_once)
    reading = Connection(lambda: source, Waiting())
    reading._thread.join()
    frame = reading.take(LONG)
    assert (frame.index, frame.audio, reading.dropped) == (4, (0, 1, 2, 3, 4), 4)
    with pytest.raises(LostError, match="it ended"):
        reading.take(LONG)
    assert source.closed == [reading._thread], "the thread that reads it closes it"


@pytest.mark.parametrize(
    ("error", "refused"), [(SourceError("no"), False), (RefusedError("no"), True), (OSError(5, "no"), False)]
)
def test_what_fails_is_a_loss(error, refused):
    def opener():
        raise error

    with pytest.raises(LostError, match="no") as caught:
        Connection(opener, Waiting()).take(LONG)
    assert caught.value.refused is refused


def test_the_address_in_an_error_is_not_told():
    def opener():
        av.open("rtsp://me:secret@127.0.0.1:1/live", timeout=5)

    with pytest.raises(LostError) as caught:
        Connection(opener, Waiting()).take(LONG)
    assert str(caught.value) == "Connection refused"


def test_a_mistake_in_the_program_is_none():
    def opener():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Connection(opener, Waiting()).take(LONG)


def test_halting_wakes_who_waits_for_a_frame():
    go_on, waiting = threading.Event(), Waiting()

    def hang(source):
        go_on.wait(LONG)
        yield from frames(1)

    reading = Connection(lambda: Played(hang), waiting)
    threading.Timer(0.05, waiting.halt).start()
    assert reading.take(LONG) is None
    go_on.set()


class Hasty(Patience):
    def pauses(self):
        return itertools.repeat(0.02)


def test_readers_that_hang_are_left_and_only_three_of_them(monkeypatch):
    """A driver that never comes back: no time-out reaches into it."""
    go_on, opened = threading.Event(), []

    def hang(source):
        yield from frames(1)
        go_on.wait(LONG)

    def opener():
        opened.append(Played(hang))
        return opened[-1]

    monkeypatch.setattr(connection, "_LONGEST_CLOSING", 0.05)
    events = []
    patience = Hasty(timeout=0.05, give_up=1.5)
    try:
        with ReconnectingSource(opener(), opener, patience, events.append) as source:
            taken = [frame.index for frame in source]
            assert len(opened) == 3 == len(taken) == len(readers())
            assert taken == sorted(set(taken)) and source.reconnects == 2
    finally:
        go_on.set()
    assert [event["event"] for event in events] == ["stream_lost", "stream_back"] * 2 + ["stream_lost"]


def test_closing_before_the_first_frame_closes_what_is_open():
    first = Played(all_at_once)
    with ReconnectingSource(first, lambda: first):
        pass
    assert first.closed
