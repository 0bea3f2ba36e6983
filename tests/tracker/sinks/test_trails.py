"""Trails: where they are drawn, how long they are, and when they end."""

import numpy as np
import pytest

from tracker.errors import OptionError
from tracker.sinks.trails import Trails
from tracker.structures import Frame, SequenceInfo, Tracks


def drawn(trails, number, x, ids=(3,), score=0.9):
    """The columns that a frame's trail covers, at 10 frames/s, of somebody whose foot is at (x, 60)."""
    canvas = np.zeros((100, 300, 3), np.uint8)
    tracks = Tracks(np.array(ids), np.array([[x - 10.0, 20, 20, 40]]), np.array([score]))
    trails.draw(canvas, Frame(number, number / 10, canvas), tracks)
    return np.unique(canvas.any(2).nonzero()[1])


def test_a_trail_is_as_long_as_asked_for():
    trails = Trails(2.0)
    trails.open(SequenceInfo("street", 10.0))
    assert len(drawn(trails, 0, 50)) == 0
    for number in range(1, 50):
        columns = drawn(trails, number, 50 + 4 * number)
    assert columns.max() == pytest.approx(50 + 4 * 49, abs=5) and columns.min() == pytest.approx(50 + 4 * 29, abs=5)


def test_it_begins_anew_after_a_gap_and_forgets_who_left():
    trails = Trails(5.0)
    drawn(trails, 0, 50), drawn(trails, 1, 60)
    assert len(drawn(trails, 30, 200)) == 0
    drawn(trails, 60, 100, ids=(4,))
    assert list(trails._points) == [4]


def test_faint_tracks_have_none():
    trails = Trails(5.0, draw_threshold=0.5)
    drawn(trails, 0, 50)
    assert len(drawn(trails, 1, 60, score=0.4)) == 0 and len(drawn(trails, 2, 70)) > 0


def test_boxes_far_outside_do_no_harm():
    trails = Trails(5.0)
    drawn(trails, 0, -1e12), drawn(trails, 1, 1e12)


@pytest.mark.parametrize("seconds", [-1, 1e9, "long", True])
def test_the_length_is_checked(seconds):
    with pytest.raises(OptionError, match="trails"):
        Trails(seconds)
