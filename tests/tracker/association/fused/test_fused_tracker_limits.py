"""The associations fused and byte: input that should not be, and sequences without end."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.crowds import (
    EMBEDDINGS,
    crowd,
    detections_of,
    frame_of,
    fused_and_byte,
    ids_at,
    people_of,
    person,
    to_eighths,
    track_all,
    with_embeddings,
)
from tracker.association.fused_tracker import FusedTracker
from tracker.settings.tracking import TrackerConfig

INF, NAN = np.inf, np.nan
ODD_BOXES = [
    pytest.param([5, 5, 5, 5], id="a point"),
    pytest.param([5, 5, 5, 90], id="no width"),
    pytest.param([5, 90, 50, 90], id="no height"),
    pytest.param([50, 90, 5, 5], id="negative size"),
    pytest.param([NAN, 5, 50, 90], id="nan"),
    pytest.param([NAN] * 4, id="nan only"),
    pytest.param([5, 5, INF, 90], id="infinite width"),
    pytest.param([-INF, -INF, INF, INF], id="everything"),
    pytest.param([INF] * 4, id="nowhere"),
    pytest.param([5, -INF, 50, -INF], id="nowhere above"),
    pytest.param([-1e30, -1e30, 1e30, 1e30], id="huge"),
    pytest.param([1e30, 1e30, 2e30, 2e30], id="far away"),
    pytest.param([0, 0, 1e-30, 1e-30], id="tiny"),
    pytest.param([680, 0, 720, 1e-30], id="flat"),
]


@fused_and_byte
@pytest.mark.parametrize("box", ODD_BOXES)
def test_odd_boxes_disturb_nobody(appearance, box):
    odd = frame_of((box, 0.95, EMBEDDINGS[3]), person(100, 0), (box, 0.4, EMBEDDINGS[3]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = track_all(
            [odd] * 2 + [frame_of(person(100, 0))] * 3 + [odd] * 3 + [frame_of(person(100, 0))] * 2, appearance
        )
    assert [ids_at(tracks, 100) for tracks in found] == [ids_at(found[0], 100)] * 10 != [[None]] * 10
    assert all(np.isfinite(tracks.boxes).all() and (tracks.boxes[:, 2:] > 0).all() for tracks in found)


@fused_and_byte
@pytest.mark.parametrize("values", [NAN, INF, -INF, 0.0, 3e38, 1e-40], ids=str)
def test_a_broken_embedding_does_not_spoil_a_track(appearance, values):
    sound = frame_of(person(100, 0), person(300, 1), person(500, 2))
    broken = with_embeddings(sound, np.full((3, 8), values))
    hidden = frame_of(person(300, 1), person(500, 2))
    elsewhere = frame_of(person(180, 0), person(300, 1), person(500, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = track_all([broken] + [sound] * 10 + [broken] * 2 + [sound] * 3 + [hidden] * 5 + [elsewhere], appearance)
    assert all(np.isfinite(tracks.embeddings).all() for tracks in found)
    assert ids_at(found[-1], 180, 300, 500) == [1 if appearance else None, 2, 3]


@fused_and_byte
@pytest.mark.parametrize("hidden", [0, 2])
@pytest.mark.parametrize("heights", [(400, 300, 200, 120, 60), (800, 600, 400, 250, 120), (60, 120, 250, 500)])
def test_who_shrinks_or_grows_faster_than_can_be_keeps_a_size(appearance, heights, hidden):
    """The motion learnt so far would lead to a height below 0."""
    others = person(900, 1, y=500), person(1300, 2, y=500)
    frames = [frame_of(person(300, 0, y=500, height=height), *others) for height in heights]
    frames += [frame_of(*others)] * hidden + [frame_of(person(300, 0, y=480, height=60), *others)] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(
            (tracks.boxes[:, 2:] > 1).all() for tracks in track_all([frame_of(*others)] * 3 + frames, appearance)
        )


@fused_and_byte
def test_embeddings_without_numbers_are_as_good_as_none(appearance):
    frames = [with_embeddings(frame, np.zeros((len(frame), 0))) for frame in crowd(6, 10, 20, miss=0.05)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = track_all(frames, appearance, conf_thres=0.3)
    expected = track_all(crowd(6, 10, 20, miss=0.05), appearance=False, conf_thres=0.3)
    assert [tracks.ids.tolist() for tracks in found] == [tracks.ids.tolist() for tracks in expected]


@fused_and_byte
@pytest.mark.parametrize(
    ("conf_thres", "people"), [pytest.param(1.0, 0, id="nobody is sure"), pytest.param(0.0, 3, id="everybody is sure")]
)
def test_thresholds_at_the_ends_of_their_range(appearance, conf_thres, people):
    """Even a score of 1 is not above 1."""
    frame = frame_of(person(100, 0, score=1.0), person(300, 1, score=0.4), person(500, 2, score=0.9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = track_all([frame] * 5, appearance, conf_thres=conf_thres)
    assert people_of(found) == people


@fused_and_byte
@pytest.mark.parametrize(
    ("settings", "score", "first"),
    [
        pytest.param({"conf_thres": 0.94}, 1.0, 2, id="high"),
        pytest.param({"conf_thres": 0.96}, 1.0, 2, id="higher"),
        pytest.param({"conf_thres": 0.99}, 1.0, 2, id="highest"),
        pytest.param({"conf_thres": 0.96}, 0.97, None, id="not sure enough"),  # the middle of what is sure is 0.98
        pytest.param({"max_evidence": 0.0}, 0.74, 3, id="low max_evidence"),
    ],
)
def test_nobody_has_to_earn_what_cannot_be_earned(appearance, settings, score, first):
    """More evidence than scores of 1, or than max_evidence, allow for."""
    frames = [frame_of(), *[frame_of(person(100, 0, score=score))] * 9]
    visible = [1 in tracks.ids for tracks in track_all(frames, appearance, **settings)]
    assert visible == [first is not None and number >= first for number in range(10)]


@fused_and_byte
def test_nobody_at_all(appearance):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert people_of(track_all([frame_of()] * 5, appearance)) == 0


@fused_and_byte
def test_far_from_the_origin_all_is_the_same(appearance):
    frames = [to_eighths(frame) for frame in crowd(8, 10, 30, miss=0.05)]
    shift = np.float32(2**20)  # where float32 knows eighths of a pixel
    far = [detections_of(f.boxes + shift, f.scores, f.embeddings) for f in frames]
    for here, there in zip(track_all(frames, appearance, conf_thres=0.3), track_all(far, appearance, conf_thres=0.3)):
        assert here.ids.tolist() == there.ids.tolist()
        np.testing.assert_allclose(there.boxes - [shift, shift, 0, 0], here.boxes, atol=1e-6)


SIDE = st.floats(2**-10, 3000, width=32)
EXTREME_BOX = st.tuples(st.floats(-500, 4000, width=32), st.floats(-500, 4000, width=32), SIDE, SIDE)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.lists(st.lists(EXTREME_BOX, max_size=6), min_size=1, max_size=8),
    appearance=st.booleans(),
    conf_thres=st.sampled_from([0.0, 0.5]),
)
def test_extreme_boxes_are_survived(seed, frames, appearance, conf_thres):
    random = np.random.default_rng(seed)
    made = []
    for boxes in frames:
        table = np.array(boxes, np.float32).reshape(-1, 4)
        table[:, 2:] += table[:, :2]
        made.append(detections_of(table, random.random(len(table)), random.normal(size=(len(table), 8))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = track_all(made, appearance, conf_thres=conf_thres)
    for tracks in found:
        assert np.isfinite(tracks.boxes).all() and (tracks.boxes[:, 2:] > 0).all()


def test_memory_does_not_grow_with_the_length_of_the_sequence():
    made = crowd(11, 8, 80, miss=0.4, dimension=128)
    tracker = FusedTracker(TrackerConfig(conf_thres=0.3, memory=0.5))

    def repeat(times):
        for _ in range(times):
            for frame in made:
                tracker.update(frame)

    repeat(2)
    tracemalloc.start()
    try:
        repeat(1)
        before, people = tracemalloc.get_traced_memory()[0], tracker.num_identities
        repeat(6)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert tracker.num_identities > people + 30  # there was churn
    assert grown < 20_000, f"{grown} bytes more after 480 frames"


@pytest.mark.parametrize("frames", [2_000, pytest.param(30_000, marks=pytest.mark.slow)])
def test_a_long_sequence_leaves_no_trace_in_the_state(frames):
    made = crowd(12, 2, 500, miss=0.3)
    tracker = FusedTracker(TrackerConfig(conf_thres=0.3, memory=0.5))
    sizes = []
    for _ in range(frames // len(made)):
        for frame in made:
            tracks = tracker.update(frame)
        sizes.append(len(pickle.dumps(tracker)))
        assert np.isfinite(tracks.boxes).all()
    assert tracker.num_identities > frames / 100
    assert max(sizes) <= sizes[0] + 200


@fused_and_byte
def test_frames_that_are_left_out_are_walked_through(appearance):
    """Somebody who crosses half a body width a frame is still there after frames nobody looked at."""
    tracker = FusedTracker(TrackerConfig(conf_thres=0.6), 30.0, appearance)
    for number in range(10):
        tracks = tracker.update(frame_of(person(100 + 20 * number, 0)))
    assert tracks.ids.tolist() == [1]
    for number in range(14, 60, 5):
        tracks = tracker.update(frame_of(person(100 + 20 * number, 0)), elapsed=5)
        assert tracks.ids.tolist() == [1]


@fused_and_byte
def test_memory_counts_the_frames_left_out(appearance):
    """Two seconds are 60 frames, however few of them are looked at."""
    for gap, expected in [(5, 1), (7, 2)]:
        tracker = FusedTracker(TrackerConfig(conf_thres=0.6, memory=2), 30.0, appearance)
        for _ in range(5):
            tracker.update(frame_of(person(100, 0)))
        for _ in range(gap):
            tracker.update(frame_of(), elapsed=10)
        for _ in range(2):
            tracks = tracker.update(frame_of(person(100, 0)))
        assert tracks.ids.tolist() == [expected]


@fused_and_byte
def test_a_low_confidence_detection_continues_the_last_frame_that_was_looked_at(appearance):
    tracker = FusedTracker(TrackerConfig(conf_thres=0.6), 30.0, appearance)
    for _ in range(5):
        tracker.update(frame_of(person(100, 0)))
    assert tracker.update(frame_of(person(100, 0, score=0.4)), elapsed=3).ids.tolist() == [1]
