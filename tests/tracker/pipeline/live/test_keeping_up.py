"""Lag, pace and sizes: what a run does to keep up with its source."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.pipeline.live.lag import Lag
from tracker.pipeline.live.pace import Pace
from tracker.pipeline.live.sizes import resized, scaled_detections, scaled_tracks
from tracker.structures import Detections, Frame, Tracks


@given(lags=st.lists(st.floats(0.001, 900), min_size=1, max_size=300), part=st.sampled_from([0.5, 0.95, 1.0]))
def test_shares_of_the_lags_to_two_percent(lags, part):
    lag = Lag()
    for seconds in lags:
        lag.add(seconds)
    exact = sorted(lags)[max(1, int(np.ceil(part * len(lags)))) - 1]
    assert lag.share(part) == pytest.approx(exact, rel=0.011, abs=1e-4)


def test_no_frame_has_no_lag_and_any_lag_counts():
    lag = Lag()
    assert lag.share(0.5) is None
    for seconds in (-1, 0, 1e9):
        lag.add(seconds)
    assert (lag.share(0.5), lag.share(1)) == (0.001, pytest.approx(1000, rel=0.02))


def run_at(pace, seconds, frames, first=0):
    """The frames of a source that are tracked when each takes so long."""
    taken = []
    for index in range(first, first + frames):
        if pace.takes(index):
            taken.append(index)
            pace.spent("track", seconds)
            pace.spent("render", seconds / 2)
            pace.finished()
    return taken


@given(seconds=st.floats(0.001, 0.5), rate=st.sampled_from([10.0, 25.0, 30.0]))
def test_as_many_frames_are_left_out_as_the_slowest_stage_needs(seconds, rate):
    pace = Pace(rate)
    run_at(pace, seconds, 3000)
    needed = seconds * rate
    assert needed * 1.1 <= pace.skip_frames <= max(1, needed * 1.1 + 1)
    taken = run_at(pace, seconds, 1000, 3000)
    assert set(np.diff(taken)) == {pace.skip_frames}


def test_more_frames_are_tracked_again_only_after_a_while():
    pace = Pace(10.0)
    run_at(pace, 0.3, 200)
    assert pace.skip_frames == 4
    run_at(pace, 0.1, 60, 200)
    assert pace.skip_frames == 4, "15 frames are no while"
    run_at(pace, 0.1, 2000, 260)
    assert pace.skip_frames == 2
    steps = set()
    for round_ in range(50):  # a load that comes and goes about a bound
        run_at(pace, 0.19 if round_ % 2 else 0.17, 30, 3000 + 30 * round_)
        steps.add(pace.skip_frames)
    assert steps <= {2, 3}


def test_the_users_own_skip_frames_is_the_least():
    pace = Pace(10.0, least=5)
    assert run_at(pace, 0.001, 100) == list(range(0, 100, 5))


def test_a_picture_of_another_size_is_shown_as_before():
    frame = Frame(0, 0.0, np.zeros((480, 640, 3), np.uint8))
    assert resized(frame, (640, 480)) is frame
    wide = resized(frame, (1280, 720))
    assert wide.image.shape == (720, 1280, 3)
    assert wide.pixel_aspect * Fraction(1280, 720) == Fraction(640, 480)


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_boxes_keep_their_fractions(width, height):
    boxes = np.array([[10.0, 20, 40, 60]], np.float32)
    detections = Detections(boxes, np.ones(1), np.zeros((1, 0), np.float32))
    tracks = Tracks(np.ones(1, int), boxes.astype(float), np.ones(1))
    scale = [width / 100, height / 50] * 2
    for scaled in (scaled_detections, scaled_tracks):
        there = scaled(detections if scaled is scaled_detections else tracks, (100, 50), (width, height))
        assert np.allclose(there.boxes, boxes * scale, rtol=1e-6)
    assert scaled_tracks(tracks, (7, 7), (7, 7)) is tracks
