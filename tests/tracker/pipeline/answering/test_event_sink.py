"""Whoever crosses a line where two segments meet is counted once, whatever the segments."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.analysis.analysis import SceneAnalysis
from tracker.analysis.recording import Recording
from tracker.analysis.scene import load_scene
from tracker.pipeline.answering.event_sink import EventSink
from tracker.structures import Frame, SequenceInfo, Tracks

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
    run, made = EventSink(None, scene=SCENE), []
    run.open(SequenceInfo("a", 1000 / PERIOD, SIZE, start=5.0))
    bounds = [0, *sorted(cuts), len(frames)]
    for number, (begin, end) in enumerate(pairwise(bounds)):
        width, height = size = size_of(number)
        info = SequenceInfo("a", 1000 / PERIOD, size, start=5.0 + begin * PERIOD / 1000)
        analysis, told = SceneAnalysis(SCENE, Recording("a", size, 1000 / PERIOD)), []
        for at in range(begin, end):
            rows = frames[at].copy()
            rows[:, 3:7] *= [width / SIZE[0], height / SIZE[1]] * 2
            tracks = Tracks(rows[:, 2].astype(int), rows[:, 3:7], rows[:, 7])
            run.write(Frame(at, at * PERIOD / 1000, np.zeros((height, width, 3), np.uint8)), tracks)
            rows[:, 0] -= begin * PERIOD
            rows[:, 1] -= begin
            told += analysis.update(rows, (at - begin) * PERIOD, run.crossed(info, at - begin + 1)).crossings
        if end == len(frames):
            run.close()
        told += analysis.close(run.crossed(info, end - begin) if end == len(frames) else []).crossings
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


def test_rows_of_a_segment_are_in_its_own_times_frames_and_pixels():
    frames, cut = walks(5), 30
    (whole,) = in_segments(frames, ())
    second = in_segments(frames, [cut], lambda number: (320 * (number + 1), 240 * (number + 1)))[1]
    rows = {(row.line, row.direction, row.id, round(row.seconds + cut * PERIOD / 1000, 3)): row for row in second}
    assert len(rows) > 5
    for row in whole:
        own = rows.get((row.line, row.direction, row.id, round(row.seconds, 3)))
        if own is not None:
            assert own.frame + cut == row.frame and own.certainty == pytest.approx(row.certainty, abs=0.02)
            assert (own.x, own.y) == pytest.approx((2 * row.x, 2 * row.y), abs=0.1)
