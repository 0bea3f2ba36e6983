"""Generators in threads: order, back-pressure, errors, what is dropped, and how they end."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.pipeline.stages import Stages


def counted(items, taken):
    """The items, noting in a list which were asked for, and at the end that the generator was closed."""
    try:
        for item in items:
            taken.append(item)
            yield item
    finally:
        taken.append("closed")


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.002)


@settings(deadline=None, max_examples=30)
@given(items=st.lists(st.integers()), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_everything_comes_through_in_order(items, sizes):
    with Stages() as stages:
        made = (item for item in items)
        for size in sizes:
            made = stages.prefetch((item for item in made), size)
        assert list(made) == items
        assert list(made) == [], "and only once"


@pytest.mark.parametrize("size", [1, 3])
def test_a_slow_reader_holds_up_the_maker(size):
    taken = []
    with Stages() as stages:
        made = stages.prefetch(counted(range(100), taken), size)
        wait_for(lambda: len(taken) == size)
        time.sleep(0.05)
        assert len(taken) == size, "more were made than may wait"
        assert next(made) == 0
        wait_for(lambda: len(taken) == size + 1)
    assert taken[-1] == "closed"
    assert len(taken) <= size + 3


def test_an_item_is_made_while_the_one_before_is_in_use():
    barrier = threading.Barrier(2, timeout=10)

    def made():
        yield 0
        for item in range(1, 4):
            barrier.wait()
            yield item

    with Stages() as stages:
        for item in stages.prefetch(made()):
            if item < 3:
                barrier.wait()


class OfTheStage(Exception):
    pass


@pytest.mark.parametrize("error", [OfTheStage("broken"), KeyboardInterrupt("from a thread")])
def test_an_error_comes_after_what_was_made_before_it(error):
    def fails():
        yield from range(3)
        raise error

    found = []
    with pytest.raises(type(error)) as caught, Stages() as stages:
        made = stages.prefetch((item for item in stages.prefetch(fails(), 2)), 2)
        for item in made:
            found.append(item)
    assert found == [0, 1, 2]
    assert caught.value is error


def test_an_error_of_the_reader_ends_the_makers():
    taken = []
    with pytest.raises(OfTheStage), Stages() as stages:
        made = stages.prefetch(counted(range(10**9), taken))
        for item in stages.prefetch(item for item in made):
            if item == 5:
                raise OfTheStage
    assert taken[-1] == "closed"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stage")]


def test_an_error_while_a_generator_is_closed_is_not_lost():
    def untidy():
        try:
            yield 1
        finally:
            raise OfTheStage

    with Stages() as stages:
        made = stages.prefetch(untidy())
        assert next(made) == 1
        with pytest.raises(OfTheStage):
            next(made)


def test_a_full_buffer_drops_the_oldest():
    """Nothing waits for the reader: pairs (first, last) tell what became one item."""
    with Stages() as stages:
        made = stages.prefetch(((n, n) for n in range(10)), 2, merge=lambda old, new: (old[0], new[1]))
        wait_for(lambda: made.dropped == 8)
        assert list(made) == [(0, 8), (9, 9)]
        assert made.dropped == 8


def test_a_fast_reader_loses_nothing():
    going = threading.Semaphore(0)

    def made_on_request():
        for item in range(50):
            going.acquire()
            yield item

    with Stages() as stages:
        made = stages.prefetch(made_on_request(), 1, merge=lambda old, new: new)
        for expected in range(50):
            going.release()
            assert next(made) == expected
        assert made.dropped == 0


def test_once_halted_nothing_more_is_handed_out():
    halted = False
    with Stages() as stages:
        made = stages.prefetch((item for item in range(10**9)), 3, halted=lambda: halted)
        assert [next(made) for _ in range(4)] == [0, 1, 2, 3]
        halted = True
        assert list(made) == []


def test_a_halt_wakes_who_waits_for_a_silent_source():
    """The first thread may hang on a camera; the others stop, and so does the reader."""
    camera, halted = threading.Event(), threading.Event()

    def silent():
        camera.wait(10)
        yield 1

    with Stages() as stages:
        first = stages.prefetch(silent())
        last = stages.prefetch(item for item in stages.prefetch((item for item in first), halted=halted.is_set))
        threading.Timer(0.05, halted.set).start()
        start = time.monotonic()
        assert list(last) == []
        stages.stop()
        assert time.monotonic() - start < 5, "it waited for the camera"
        camera.set()


def test_stopping_waits_for_the_item_in_work():
    done = []

    def slow(items):
        for item in items:
            time.sleep(0.05)
            done.append(item)
            yield item

    with Stages() as stages:
        made = stages.prefetch(slow(stages.prefetch(item for item in range(100))))
        assert next(made) == 0
        wait_for(lambda: len(done) == 1)
        stages.stop()
        before = list(done)
        time.sleep(0.15)
        assert done == before


def test_a_stage_without_any_room_is_refused():
    with Stages() as stages, pytest.raises(ValueError, match="0 items would wait forever"):
        stages.prefetch(iter(()), 0)
