"""Numbers and times of pictures by their time stamps, and without them."""

import itertools
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.sources.timestamps import Timeline, nominal_rate


def test_a_lost_picture_leaves_a_gap():
    timeline = Timeline(Fraction(1, 10), 10)
    timeline.mark_lost(2)
    assert [timeline.next_picture(pts) for pts in (0, 1)] == [(0, 0.0), (1, 0.1)]
    assert timeline.next_picture(3) == (3, pytest.approx(0.3))
    timeline.mark_lost(None)
    assert timeline.next_picture(None) == (5, pytest.approx(0.5))


def test_time_starts_with_the_first_picture_even_if_it_was_lost():
    timeline = Timeline(Fraction(1, 10), 10)
    timeline.mark_lost(100)
    assert timeline.next_picture(101) == (1, pytest.approx(0.1))


@given(st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=1), st.lists(st.integers(-50, 50)))
def test_time_and_index_always_increase(stamps, lost):
    timeline = Timeline(Fraction(1, 7), 25)
    for pts in lost:
        timeline.mark_lost(pts)
    pictures = [timeline.next_picture(pts) for pts in stamps]
    for earlier, later in itertools.pairwise(pictures):
        assert earlier[0] < later[0]
        assert earlier[1] < later[1]
    assert pictures[0][0] >= 0
    assert pictures[0][1] >= 0


@pytest.mark.parametrize(
    ("average", "guessed", "expected"),
    [(Fraction(24), Fraction(50), 24.0), (None, Fraction(50), 50.0), (None, Fraction(90000), 30.0), (None, None, 30.0)],
)
def test_rate_that_is_the_tick_of_a_clock_is_not_believed(average, guessed, expected):
    assert nominal_rate(SimpleNamespace(average_rate=average, guessed_rate=guessed)) == expected
