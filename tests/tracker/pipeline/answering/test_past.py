"""Whoever crosses a line where two segments meet is counted once, whatever the segments."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.analysis.analysis import SceneAnalysis
from tracker.analysis.recording import Recording
from tracker.analysis.scene import load_scene
from tracker.pipeline.answering.past import Past

SIZE = (320, 240)
SCENE = load_scene({"lines": {"door": {"points": [[0.5, 0], [0.5, 1]]}, "bar": {"points": [[0, 0.6], [1, 0.5]]}}})
FRAMES, PERIOD = 80, 100  # milliseconds


def walks(seed, people=4):
    """Observations of people who wander about the middle, frame by frame, and are missed at times."""
    random = np.random.default_rng(seed)
    place = random.uniform([60, 60], [260, 180], (people, 2))
    frames = []
    for number in range(FRAMES):
        place += random.normal(0, 14, (people, 2)) + (np.array([160, 130]) - place) * 0.1
        seen = np.flatnonzero(random.random(people) > 0.15)
        rows = np.zeros((len(seen), 8))
        rows[:, 0], rows[:, 1], rows[:, 2] = number * PERIOD, number + 1, seen + 1
        rows[:, 3], rows[:, 4] = place[seen, 0] - 10, place[seen, 1] - 50
        rows[:, 5:] = 20, 50, 0.9
        frames.append(rows)
    return frames


def in_segments(frames, cuts, size_of=lambda number: SIZE):
    """The crossings that each segment tells; the picture may have another size in each."""
    past, made = Past(), []
    bounds = [0, *sorted(cuts), len(frames)]
    for number, (begin, end) in enumerate(pairwise(bounds)):
        width, height = size_of(number)
        analysis = SceneAnalysis(SCENE, Recording("a", (width, height), 1000 / PERIOD))
        if begin:
            analysis.go_on_from(past.before(begin * PERIOD, (width, height)))
        told = []
        for at in range(begin, end):
            rows = frames[at].copy()
            rows[:, 0] -= begin * PERIOD
            rows[:, 1] -= begin
            rows[:, 3:7] *= [width / SIZE[0], height / SIZE[1]] * 2
            past.add(rows, begin * PERIOD, (width, height))
            told += analysis.update(rows, (at - begin) * PERIOD).crossings
        told += analysis.close(is_followed=end < len(frames)).crossings
        totals = {(line, direction): count for line, direction, count, *_ in analysis.totals}
        assert sum(totals.values()) == len(told)
        assert all(0 <= row.seconds <= (end - begin) * PERIOD / 1000 and row.frame >= 1 for row in told)
        made.append(told)
    return made


def who(crossings):
    return sorted((row.line, row.direction, row.id) for row in crossings)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.sets(st.integers(1, FRAMES - 1), max_size=6))
def test_the_counts_of_segments_add_up(seed, cuts):
    frames = walks(seed)
    (whole,) = in_segments(frames, ())
    parts = in_segments(frames, cuts)
    assert who(row for part in parts for row in part) == who(whole)


def test_walks_cross_often():
    assert len(in_segments(walks(1), ())[0]) > 20


@given(seed=st.integers(0, 10**6), cut=st.integers(1, FRAMES - 1))
@settings(max_examples=15, deadline=None)
def test_a_camera_that_comes_back_with_another_size(seed, cut):
    frames = walks(seed)
    (whole,) = in_segments(frames, ())
    parts = in_segments(frames, [cut], lambda number: (320 * (number + 1), 240 * (number + 1)))
    assert who(row for part in parts for row in part) == who(whole)


def test_only_a_minute_is_remembered():
    past = Past()
    for number in range(1000):
        rows = np.ones((1, 8))
        rows[0, 0] = 1000 * number
        past.add(rows, 0.0, SIZE)
    before = past.before(1_000_000.0, SIZE)
    assert len(before) == 61 and before[:, 0].min() == -61_000 and (before[:, 1] == 1).all()
