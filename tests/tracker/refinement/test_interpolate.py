"""Gaps are filled on straight lines, and smoothing is a local line with Gaussian weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.tables_of_tracks import walk
from tracker.refinement.interpolate import fill_gaps, smooth

SEEDS = st.integers(0, 2**32 - 1)


def by_track(*tracks):
    table = np.concatenate(tracks)
    return table[np.lexsort((table[:, 0], table[:, 1]))]


def rows_of(table):
    return [tuple(row) for row in table[:, :2]]


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    keep=st.lists(st.booleans(), min_size=1, max_size=40),
    velocity=st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    max_gap=st.integers(0, 12),
)
def test_linear_motion_is_filled_exactly(seed, keep, velocity, max_gap):
    """Two people side by side; whatever the gap rule lets in is where they were, and nothing else is added."""
    random = np.random.default_rng(seed)
    whole = [walk(track, range(1, len(keep) + 1), velocity=velocity, left=900.0 * track) for track in (1, 2)]
    seen = [track[np.array(keep) if n else random.random(len(keep)) < 0.5] for n, track in enumerate(whole)]
    table = by_track(*seen)
    filled = fill_gaps(table, max_gap, 0.0)
    expected = []
    for track, there in zip(whole, seen):
        frames = there[:, 0]
        for row in track:
            before, after = frames[frames <= row[0]], frames[frames >= row[0]]
            if len(before) and len(after) and (row[0] in frames or after[0] - before[-1] <= max_gap):
                expected.append(row)
    np.testing.assert_allclose(filled, np.array(expected).reshape(-1, 7), atol=1e-9)


def test_size_and_score_change_in_equal_steps():
    table = np.array([[3, 1, 10, 20, 30, 60, 0.9], [7, 1, 30, 0, 50, 100, 0.5]])
    expected = np.linspace(table[0], table[1], 5)
    np.testing.assert_allclose(fill_gaps(table, 4, 0.0), expected, atol=1e-12)
    np.testing.assert_array_equal(fill_gaps(table, 3, 0.0), table)


def test_frames_stay_whole():
    for step in range(2, 500):
        assert fill_gaps(walk(1, [1, 1 + step]), step, 0.0)[:, 0].tolist() == list(range(1, 2 + step))


@pytest.mark.parametrize(
    ("before", "after", "filled"), [(4, 4, True), (2, 2, True), (1, 4, False), (4, 1, False), (2, 1, False)]
)
def test_gap_needs_boxes_on_both_sides(before, after, filled):
    """Of the four frames on either side of a step of four, half must have a box."""
    frames = [*range(10 - before, 10), *range(13, 13 + after)]
    table = walk(2, frames)
    # boxes of the tracks before and after this one in the table do not support it
    crowded = by_track(walk(1, range(1, 40)), table, walk(3, range(1, 40)))
    for these in (table, crowded):
        complete = fill_gaps(these, 10, 0.5)
        assert len(complete) - len(these) == (3 if filled else 0)


def test_boxes_far_from_the_gap_do_not_support_it():
    """Counted are frames 6 to 9 and 13 to 16."""
    for frames in ([5, 9, *range(13, 20)], [*range(1, 10), 13, 17], [*range(1, 30), 40, 44, *range(60, 90)]):
        assert rows_of(fill_gaps(walk(1, frames), 4, 0.5)) == rows_of(walk(1, frames))


@settings(max_examples=60, deadline=None)
@given(
    frames=st.lists(st.integers(1, 60), min_size=1, max_size=40, unique=True),
    velocity=st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    sigma=st.sampled_from([0.0, 0.3, 1.0, 2.5, 40.0]),
)
def test_smoothing_leaves_linear_motion_alone(frames, velocity, sigma):
    """Also where the next track in the table begins when one ends."""
    others = walk(2, range(max(frames) + 1, max(frames) + 5), left=3000.0)
    table = by_track(walk(1, sorted(frames), velocity=velocity), others)
    kept = table.copy()
    np.testing.assert_allclose(smooth(table, sigma), kept, atol=1e-6)
    np.testing.assert_array_equal(table, kept)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 30), sigma=st.sampled_from([0.6, 1.0, 3.0]))
def test_smoothing_equals_weighted_least_squares(seed, count, sigma):
    """Line by line with numpy's own fit, over the unbroken run of each row."""
    random = np.random.default_rng(seed)
    table = by_track(*(walk(track, np.flatnonzero(random.random(count) < 0.8) + 1) for track in (1, 2)))
    table[:, 2:6] += random.normal(0, 5, (len(table), 4))
    expected = table.copy()
    for n, row in enumerate(table):
        run = [n]
        while run[-1] + 1 < len(table) and rows_of(table)[run[-1] + 1] == (table[run[-1], 0] + 1, row[1]):
            run.append(run[-1] + 1)
        while run[0] > 0 and rows_of(table)[run[0] - 1] == (table[run[0], 0] - 1, row[1]):
            run.insert(0, run[0] - 1)
        offset = table[run, 0] - row[0]
        near = np.abs(offset) <= np.ceil(3 * sigma)
        if near.sum() > 1:
            root = np.exp(-0.25 * (offset[near] / sigma) ** 2)  # polyfit squares the weights
            expected[n, 2:6] = np.polyfit(offset[near], table[run][near, 2:6], 1, w=root)[1]
    np.testing.assert_allclose(smooth(table, sigma), expected, atol=1e-6)


def test_smoothing_takes_noise_away():
    random = np.random.default_rng(1)
    still = walk(1, range(1, 201))
    noisy = still.copy()
    noisy[:, 2:6] += random.normal(0, 3, (200, 4))
    left = np.abs(smooth(noisy, 3.0) - still)[:, 2:6].mean(axis=0)
    assert (left < 0.5 * np.abs(noisy - still)[:, 2:6].mean(axis=0)).all()


def test_smoothed_boxes_keep_positive_sizes():
    """The line through the last widths goes below zero."""
    table = walk(1, range(1, 5))
    table[:, 4] = [1000, 500, 1, 1]
    smoothed = smooth(table, 1.0)
    np.testing.assert_array_equal(smoothed[3], table[3])
    assert (smoothed[:, 4:6] > 0).all() and (smoothed[:3, 4] != table[:3, 4]).all()


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing(count):
    table = walk(1, range(1, count + 1))
    np.testing.assert_array_equal(fill_gaps(table, 10, 0.5), table)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(smooth(table, 2.0), table)


@pytest.mark.parametrize(("every", "filled"), [(1, False), (4, True)])
def test_frames_that_were_never_looked_at_need_no_more_support(every, filled):
    """Every fourth frame was tracked: one box before and after is all there can be."""
    table = walk(1, range(1, 30, 4))
    found = fill_gaps(table, 2, 0.5, every)
    assert found[:, 0].tolist() == (list(range(1, 30)) if filled else table[:, 0].tolist())


def test_a_miss_among_the_frames_looked_at_is_still_a_gap():
    """Half of the frames looked at must have a box, over as long a time as the gap takes."""
    table = walk(1, [1, 4, 16, 19])
    assert fill_gaps(table, 15, 1.0, every=3)[:, 0].tolist() == [1, 2, 3, 4, 16, 17, 18, 19]
    assert fill_gaps(table, 15, 0.5, every=3)[:, 0].tolist() == list(range(1, 20))
