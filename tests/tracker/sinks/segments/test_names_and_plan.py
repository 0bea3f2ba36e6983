"""Where segments begin, and what they are called."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.sinks.segments.names import segment_name, segment_stamp
from tracker.sinks.segments.plan import SegmentPlan

TEN = datetime.fromisoformat("2026-11-27T10:00:00+01:00")


@pytest.mark.parametrize(
    ("seconds", "start", "stamp"),
    [
        (0.0, TEN, "20261127T100000"),
        (3599.98, TEN, "20261127T105959"),
        (3599.9999999, TEN, "20261127T110000"),
        (0.0, None, "T000000"),
        (3661.5, None, "T010101"),
        (100 * 3600.0, None, "T1000000"),
    ],
)
def test_stamps(seconds, start, stamp):
    assert segment_stamp(seconds, start) == stamp


def test_long_names_keep_their_stamp():
    name = segment_name("x" * 300, "20261127T100000")
    assert len(name) <= 240 and name.endswith("_20261127T100000")


@pytest.mark.parametrize(
    ("clock", "length", "seconds"),
    [
        ("10:23:45", 3600, 36 * 60 + 15),
        ("10:00:00", 3600, 3600),
        ("10:23:45", 86400, 13.6041666667 * 3600),
        ("10:00:07", 10, 3),
    ],
)
def test_by_the_clock_the_second_begins_at_a_multiple(clock, length, seconds):
    plan = SegmentPlan(length, datetime.fromisoformat(f"2026-11-27T{clock}+01:00"), by_clock=True)
    assert plan.number(0) == plan.number(seconds - 0.01)
    assert plan.number(seconds) == plan.number(0) + 1 == plan.number(seconds + length - 0.01)


@given(length=st.sampled_from([1, 7, 60, 3600]), start=st.datetimes(datetime(2000, 1, 1)), frames=st.integers(2, 50))
def test_a_file_is_cut_at_multiples_of_its_own_seconds(length, start, frames):
    plan = SegmentPlan(length, start.replace(tzinfo=TEN.tzinfo))
    numbers = [plan.number(n * length / frames) for n in range(3 * frames)]
    assert numbers == [n // frames for n in range(3 * frames)]


def test_without_a_length_there_is_one():
    plan = SegmentPlan(None, TEN + timedelta(days=1), by_clock=True)
    assert {plan.number(seconds) for seconds in (0, 1e6, 1e9)} == {0}
