"""Sources that are lost and come back, on a clock of the test: numbers, times, events, pauses, endings."""

import dataclasses
import itertools
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.sources.live.losses import PERIOD, RATE, FakeWaiting, Plan, played
from tracker.errors import SourceError
from tracker.sources.base import RefusedError
from tracker.sources.live.reconnecting import Patience, open_patiently

STEADY = [PERIOD] * 20

failing = st.builds(
    Plan, opening=st.floats(0, 20), fails=st.sampled_from(["refused", "no route"]), refused=st.booleans()
)
working = st.builds(
    Plan,
    opening=st.floats(0, 4),
    steps=st.lists(st.floats(0.001, 4.9), min_size=1, max_size=12),
    ends=st.sampled_from(["ended", "fails", "stalls"]),
    size=st.sampled_from([(6, 4), (8, 6), (4, 6)]),
)


@settings(max_examples=100, deadline=None)
@given(first=working, others=st.lists(st.one_of(working, failing), max_size=25), jitter=st.floats(0, 1))
def test_frames_go_on_by_the_clock_whatever_is_lost(first, others, jitter):
    first = dataclasses.replace(first, opening=0.0)  # it is open already
    plans = [first, *others]
    source, frames, events, _, made = played(plans, jitter=jitter)
    expected = [plan for plan in plans if not plan.fails and plan.opening + plan.steps[0] <= 3 * 5.0]
    assert len(frames) == sum(len(plan.steps) for plan in expected)
    for before, after in itertools.pairwise(frames):
        assert before.index < after.index and before.time < after.time and before.arrived < after.arrived
    for frame in frames:
        assert frame.time == pytest.approx(frame.arrived - frames[0].arrived, abs=PERIOD * len(plans))
        assert frame.time <= (frame.index + 1) * max(PERIOD, max(map(max, (plan.steps for plan in expected))))
    kinds = [event["event"] for event in events]
    assert kinds == (["stream_lost", "stream_back"] * len(plans))[: len(kinds)]
    assert kinds.count("stream_back") == len(expected) - 1 == source.reconnects
    assert source.lost and kinds[-1] == "stream_lost"
    assert all(connection.left for connection in made)
    assert all(event["seconds"] >= 0 and event["schema"] == 1 for event in events)


def test_numbers_and_times_of_a_steady_camera_agree_after_any_number_of_losses():
    plans = [Plan(opening=0.3 + 0.07 * number, steps=STEADY) for number in range(50)]
    _, frames, *_ = played(plans)
    assert len(frames) == 1000
    for frame in frames:
        assert abs(frame.index - frame.time * RATE) <= 1
        assert frame.time == pytest.approx(frame.arrived - frames[0].arrived, abs=1e-6)


@pytest.mark.parametrize("speed", [0.97, 1.0001, 1.05])
def test_a_camera_whose_clock_is_off_stays_with_this_machine(speed):
    _, frames, *_ = played([Plan(steps=[PERIOD] * 6000, speed=speed)])
    off = [frame.time - (frame.arrived - frames[0].arrived) for frame in frames]
    assert max(map(abs, off)) < 3
    steps = [after.time - before.time for before, after in itertools.pairwise(frames)]
    assert min(steps) > 0.09 and max(steps) < 0.11


def test_the_loss_and_the_return_are_told():
    lost = Plan(steps=STEADY, ends="stalls")
    back = Plan(opening=0.5, steps=[0.5, *STEADY], size=(8, 6))
    _, frames, events, *_ = played([lost, Plan(fails="no route"), back])
    assert [event["event"] for event in events] == ["stream_lost", "stream_back", "stream_lost"]
    told = events[0]
    assert told["camera"] == "host_live" and told["reason"] == "no picture for 5 s"
    assert told["seconds"] == pytest.approx(frames[19].time + 5)
    told = events[1]
    # five seconds until it is lost, pauses of one and two, half a second each to open and to the picture
    assert told["gap"] == pytest.approx(5 + 1 + 2 + 1)
    assert (told["size"], told["attempts"]) == ([8, 6], 2)
    assert told["seconds"] == pytest.approx(frames[20].time) == pytest.approx(frames[19].time + told["gap"])
    assert frames[20].index == frames[19].index + round(told["gap"] * RATE)
    assert frames[20].image.shape == (6, 8, 3)


def test_records_of_a_loss_hold_nothing_but_texts(caplog):
    played([Plan(steps=STEADY), Plan(fails="no route"), Plan(steps=STEADY)])
    arguments = [value for record in caplog.records for value in record.args]
    assert arguments and all(isinstance(value, str | int | float) for value in arguments)


def test_sound_ends_with_the_first_loss():
    _, frames, *_ = played([Plan(steps=STEADY), Plan(steps=STEADY)])
    assert [bool(frame.audio) for frame in frames] == [True] * 20 + [False] * 20


@given(jitter=st.floats(0, 1))
def test_pauses_double_up_to_half_a_minute(jitter):
    pauses = list(itertools.islice(Patience(randomness=lambda: jitter).pauses(), 100))
    for pause, usual in itertools.zip_longest(pauses, [1, 2, 4, 8, 16], fillvalue=30):
        assert pause == pytest.approx(usual * (0.8 + 0.4 * jitter))


def test_pauses_begin_anew_after_a_picture():
    fails = Plan(fails="no route")
    _, _, _, waiting, _ = played([Plan(steps=STEADY), fails, fails, Plan(steps=STEADY), fails, Plan(steps=STEADY)])
    assert waiting.pauses == pytest.approx([1, 2, 4, 1, 2, 1])


def test_a_refusal_is_told_at_once_and_tried_again_slowly(caplog):
    refused = Plan(fails="cannot open 'rtsp://***@host/live' (401)", refused=True)
    _, frames, _, waiting, _ = played([Plan(steps=STEADY), refused, refused, refused, Plan(steps=STEADY)])
    assert waiting.pauses == pytest.approx([1, 60, 60, 60, 1])
    assert len(frames) == 40
    (line,) = [record.message for record in caplog.records if "401" in record.message]
    assert line == "cannot open 'rtsp://***@host/live' (401); tried again every 60 s"


@given(give_up=st.floats(0.5, 200))
def test_a_lost_source_ends_the_run_after_the_time_to_give_up(give_up):
    source, frames, _, waiting, _ = played([Plan(steps=STEADY), *[Plan(opening=3, fails="no")] * 500], give_up=give_up)
    assert len(frames) == 20 and source.lost
    assert waiting.now() - frames[-1].arrived == pytest.approx(give_up, abs=1e-6)


def test_a_stream_that_hangs_while_it_opens_is_left():
    hangs = Plan(opening=1e9, steps=STEADY)
    _, frames, _, _, made = played([Plan(steps=STEADY), hangs, Plan(steps=STEADY)])
    assert len(frames) == 40 and made[1].left
    assert frames[20].arrived - frames[19].arrived == pytest.approx(1 + 3 * 5 + 2 + PERIOD)


@pytest.mark.parametrize("halt_at", [1001.0, 1002.5, 1004.0, 1100.0])
def test_halting_ends_it_at_once_whatever_it_waits_for(halt_at):
    plans = [Plan(steps=STEADY), Plan(opening=1, fails="no"), Plan(opening=50, steps=STEADY)]
    _, _, _, waiting, _ = played([*plans, *[Plan(fails="no")] * 100], halt_at=halt_at)
    assert waiting.now() == halt_at


def test_a_stream_that_tells_its_length_ends_with_it():
    _, frames, events, *_ = played([Plan(steps=STEADY)], length=2.0)
    assert len(frames) == 20 and not events
    _, frames, events, *_ = played([Plan(steps=STEADY), Plan(steps=STEADY)], length=60.0)
    assert len(frames) == 40 and events


def opener(*results):
    left = list(results)

    def open_one():
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return open_one


def test_a_source_that_is_not_there_at_first_is_waited_for(caplog):
    waiting, away = FakeWaiting(), SourceError("cannot open 'rtsp://host'")
    wrong = RefusedError("cannot open 'rtsp://host' (401)")
    made = open_patiently(opener(away, away, wrong, "open"), Patience(randomness=lambda: 0.5), "'rtsp://host'", waiting)
    assert made == "open" and waiting.pauses == pytest.approx([1, 2, 60])
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2, "each reason once"


def test_waiting_for_a_source_ends_with_its_reason():
    with pytest.raises(SourceError, match="away"):
        open_patiently(opener(*[SourceError("away")] * 9), Patience(give_up=20), "label", FakeWaiting())
    with pytest.raises(SourceError, match="away"):
        open_patiently(opener(*[SourceError("away")] * 9), Patience(), "label", FakeWaiting(halt_at=1005))
