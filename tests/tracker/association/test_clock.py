"""Time in the trackers: whole frame periods, parts of them, and long pauses."""

import numpy as np
import pytest

from tests.helpers.crowds import frame_of, person
from tracker.association import kalman
from tracker.association.base import make_tracker
from tracker.errors import OptionError
from tracker.settings.tracking import TrackerConfig

associations = pytest.mark.parametrize("association", ["fused", "byte", "jde"])


def tracker_of(association, **settings):
    return make_tracker(TrackerConfig(association=association, conf_thres=0.6, **settings), 30.0)


@pytest.mark.parametrize("noise", [kalman.ASPECT, kalman.SIZE], ids=["aspect", "size"])
def test_a_prediction_over_time_is_one_step_a_frame_period_and_one_for_the_rest(noise):
    state = kalman.initiate(np.array([[100.0, 200.0, 0.5, 80.0], [300.0, 100.0, 30.0, 60.0]]), noise)
    state[0][:, 4:] = [[3.0, -2.0, 0.01, 0.5], [0.5, 1.5, -0.1, 0.2]]
    whole = kalman.predict(*kalman.predict(*state, noise), noise)
    for ours, expected in zip(kalman.predict(*state, noise, 2.0), whole):
        np.testing.assert_array_equal(ours, expected)
    mean, covariance = kalman.predict(*state, noise, 2.25)
    np.testing.assert_allclose(mean[:, :4], state[0][:, :4] + 2.25 * state[0][:, 4:])
    expected = kalman.predict(*whole, noise, 0.25)
    np.testing.assert_array_equal(covariance, expected[1])
    assert (covariance[:, 0] > whole[1][:, 0]).all()
    assert (covariance[:, 0] < kalman.predict(*whole, noise)[1][:, 0]).all()


def test_one_part_of_a_step_is_the_textbook_s_prediction():
    mean, covariance = kalman.initiate(np.array([[100.0, 200.0, 30.0, 80.0]]), kalman.SIZE)
    covariance[:, 1] = [1.0, 2.0, 0.5, 0.1]
    dt, (noise, velocity_noise) = 0.4, kalman.SIZE.process(mean)
    _, ahead = kalman.predict(mean, covariance, kalman.SIZE, dt)
    for i in range(4):
        transition = np.array([[1, dt], [0, 1]])
        block = np.array([[covariance[0, 0, i], covariance[0, 1, i]], [covariance[0, 1, i], covariance[0, 2, i]]])
        expected = transition @ block @ transition.T + dt * np.diag([noise[0, i] ** 2, velocity_noise[0, i] ** 2])
        np.testing.assert_allclose(ahead[0, :, i], [expected[0, 0], expected[0, 1], expected[1, 1]])


@associations
def test_a_camera_of_changing_rate_is_followed_by_its_time(association):
    """Somebody fast is met where the time, and not the number of frames, puts them."""
    tracker = tracker_of(association)
    for number in range(10):
        tracker.update(frame_of(person(100 + 16 * number, 0)))
    now = 9.0
    for step in (0.5, 2.5, 1.25, 3.0, 0.25):
        now += step
        tracks = tracker.update(frame_of(person(100 + 16 * now, 0)), elapsed=step)
        assert tracks.ids.tolist() == [1]


@associations
def test_who_is_there_after_a_long_pause_is_somebody_new_and_shown_at_once(association):
    tracker = tracker_of(association)
    for _ in range(5):
        tracker.update(frame_of(person(100, 0)))
    assert tracker.update(frame_of(person(100, 0)), elapsed=10 * 60 * 30.0).ids.tolist() == [2]


@associations
def test_a_pause_costs_few_steps_of_prediction_whatever_the_memory(association, monkeypatch):
    settings = {"track_buffer": 1e9} if association == "jde" else {"memory": 1e9}
    tracker = tracker_of(association, **settings)
    for _ in range(5):
        tracker.update(frame_of(person(100, 0)))
    steps = []
    step = kalman._predict_step
    monkeypatch.setattr(kalman, "_predict_step", lambda *arguments: steps.append(1) or step(*arguments))
    tracker.update(frame_of(person(100, 0)), elapsed=60 * 60 * 30.0)
    assert len(steps) <= kalman.MAX_STEPS < 60 * 60 * 30


@associations
def test_frames_left_out_are_no_pause_even_without_memory(association):
    settings = {"track_buffer": 0} if association == "jde" else {"memory": 0}
    tracker = tracker_of(association, **settings)
    for _ in range(10):
        assert tracker.update(frame_of(person(100, 0)), elapsed=15).ids.tolist() == [1]


@associations
@pytest.mark.parametrize("elapsed", [0, -1.0, float("nan"), float("inf")])
def test_time_goes_on(association, elapsed):
    tracker = tracker_of(association)
    tracker.update(frame_of(person(100, 0)))
    with pytest.raises(OptionError, match="elapsed"):
        tracker.update(frame_of(person(100, 0)), elapsed=elapsed)


@associations
def test_a_pause_counts_as_time_out_of_sight(association):
    """Who was lost before it is not found again once the memory is over, though no frame came at that time."""
    settings = {"track_buffer": 60} if association == "jde" else {}
    for pause, same in [(50, True), (65, False)]:
        tracker = tracker_of(association, **settings)
        for _ in range(5):
            tracker.update(frame_of(person(100, 0)))
        tracker.update(frame_of(), elapsed=5)
        tracks = tracker.update(frame_of(person(100, 0)), elapsed=pause - 5.0)
        assert (1 in tracks.ids) == same
