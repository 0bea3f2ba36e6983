"""Times of frames as a few lines: exact at a constant rate, near enough at any other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracker.refinement.frame_times import FrameTimes


def times_of(seconds, frame_rate=10.0, numbers=None):
    times = FrameTimes(frame_rate)
    for number, second in zip(numbers or range(1, len(seconds) + 1), seconds):
        times.add(number, second)
    return times


def test_at_a_constant_rate_times_are_the_numbers_and_cost_nothing():
    times = times_of([round(number / 29.97, 3) for number in range(1000)], 30.0)
    numbers = np.arange(1, 1001.0)
    np.testing.assert_array_equal(times.at(numbers), numbers)
    assert len(times._frames) == 1


def test_a_pause_and_another_rate_are_told():
    seconds = [0, 0.1, 0.2, 60.2, 60.3, 60.8, 61.3, 61.8]
    np.testing.assert_allclose(times_of(seconds).at(np.arange(1, 9.0)), 1 + 10 * np.array(seconds))


def test_frames_left_out_lie_in_between():
    times = times_of([0, 0.3, 60.3], numbers=[1, 4, 7])
    np.testing.assert_allclose(times.at(np.arange(1, 8.0)), [1, 2, 3, 4, 204, 404, 604])


def test_a_steady_rate_that_is_not_the_stated_one_costs_nothing():
    times = times_of([number / 4 for number in range(1000)], 25.0)
    np.testing.assert_allclose(times.at(np.arange(1, 1001.0)), 1 + 6.25 * np.arange(1000))
    assert len(times._frames) == 1


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=60))
def test_every_frame_is_within_half_a_period_and_time_goes_on(steps):
    seconds = np.cumsum(steps)
    found = times_of(seconds.tolist()).at(np.arange(1, len(steps) + 1.0))
    snapped = [1.0]
    for step in np.diff(seconds) * 10:
        whole = round(step)
        snapped.append(snapped[-1] + (whole if whole and abs(step - whole) <= 0.1 else step))
    np.testing.assert_allclose(found, snapped, atol=0.5)
    assert (np.diff(found) > 0).all()


def test_no_frame_at_all():
    numbers = np.arange(3.0)
    assert FrameTimes(10).at(numbers) is numbers
