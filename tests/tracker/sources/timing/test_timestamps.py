"""Numbers and times of pictures by their time stamps, and without them."""

import itertools
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.sources.timestamps import Stamps, Timeline, coded_rate, nominal_rate, usual_rate


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


def test_pictures_without_a_container_state_their_rate_themselves():
    stated = SimpleNamespace(framerate=Fraction(10))
    assert coded_rate(SimpleNamespace(codec_context=stated, average_rate=Fraction(25))) == 10
    assert coded_rate(SimpleNamespace(codec_context=SimpleNamespace(framerate=None), average_rate=Fraction(25))) == 25


@pytest.mark.parametrize(
    ("times", "stated", "expected"),
    [
        ([0, 0.1, 0.2, 60.2, 60.3], 0.07, 10.0),
        ([*(number / 10 for number in range(20)), 2.1, 2.2], 10.0, 10.0),
        ([0.3, 0.1, 0.2, 0.0], 30.0, 10.0),
        ([0, 0.05, 0.083, 0.133, 0.167, 0.217, 0.25], 24.0, 24.0),
        ([0, 0.033, 0.067, 0.1], 30000 / 1001, 30000 / 1001),
        ([0], 25.0, 25.0),
        ([], 25.0, 25.0),
        ([0, 1e-9, 2e-9], 25.0, 25.0),
    ],
)
def test_usual_rate_leaves_pauses_out_and_else_believes_what_is_stated(times, stated, expected):
    assert usual_rate(times, stated) == expected


def container(name="matroska", flags=0):
    return SimpleNamespace(format=SimpleNamespace(name=name, flags=flags))


def packets(*stamps):
    return [SimpleNamespace(pts=pts, dts=dts) for pts, dts in stamps]


@pytest.mark.parametrize(
    ("inside", "stamps", "reordered", "expected"),
    [
        (container(), [(0, -1), (2, 0), (1, 1)], True, Stamps.PRESENTATION),
        (container(), [(0, None), (2, None), (1, None)], True, Stamps.PRESENTATION),
        (container(), [(None, 0), (None, 1)], True, Stamps.DECODING),
        (container(), [(0, 0), (1, 1)], True, Stamps.DECODING),
        (container(), [(0, 0), (1, 1)], False, Stamps.PRESENTATION),
        (container(), [(None, None)], False, Stamps.NONE),
        (container(), [], False, Stamps.PRESENTATION),
        (container("avi"), [(1, 0), (2, 1)], True, Stamps.DECODING),
        (container("h264", 0x80), [(0, 0)], False, Stamps.NONE),
        (container("jpeg_pipe"), [(0, 0)], False, Stamps.NONE),
    ],
)
def test_what_stamps_are_worth(inside, stamps, reordered, expected):
    assert Stamps.of(inside, packets(*stamps), reordered) is expected


def entered(*stamps, **options):
    timeline = Timeline(Fraction(1, 10), 10, in_order=True, **options)
    for stamp in stamps:
        timeline.enter(stamp)
    return timeline


def test_pictures_get_the_stamps_of_decoding_in_order():
    timeline = entered(0, 1, 2, 3)
    assert [timeline.next_picture(own) for own in (0, 2, 3, 1)] == [(n, pytest.approx(n / 10)) for n in range(4)]


def test_a_lost_picture_takes_its_stamp_with_it():
    timeline = entered(0, 1, 2, 3)
    timeline.mark_lost(1)
    shown = [timeline.next_picture(own) for own in (0, 2, 3)]
    assert shown == [(0, 0.0), (2, pytest.approx(0.2)), (3, pytest.approx(0.3))]


def test_a_key_frame_ends_the_wait_for_what_the_decoder_swallowed():
    timeline = entered(0, 1, 2, 3, 4, 5)
    assert timeline.next_picture(3, key=True) == (0, 0.0)
    assert timeline.next_picture(5) == (1, pytest.approx(0.1))
    assert timeline.start == pytest.approx(0.3)


def test_sound_may_wait_for_the_decoder():
    timeline = entered(0, 1, 2, delayed=True)
    assert timeline.next_picture(0, key=True, decoded=2) == (0, 0.0)
    assert timeline.next_picture(2, decoded=3)[1] == pytest.approx(0.1)
    assert timeline.start == pytest.approx(0.2)
