"""The association against PaddleDetection's JDETracker: same identities, same boxes, frame for frame."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.crowds import crowd, detections_of
from tests.helpers.paths import SHARED
from tracker.association.jde_tracker import JDETracker
from tracker.settings.tracking import TrackerConfig

SHARED_DETECTIONS = SHARED / "data" / "detections"


def reference_run(frames, conf_thres, frame_rate, **thresholds):
    """(id, left, top, width, height, score) rows of every frame by ppdet, in its own order."""
    from ppdet.modeling.mot.tracker import JDETracker as Reference

    tracker = Reference(conf_thres=conf_thres, metric_type="euclidean", **thresholds)
    tracker.max_time_lost = int(frame_rate / 30.0 * tracker.track_buffer)
    rows = []
    for frame in frames:
        table = np.concatenate([np.zeros((len(frame), 1)), frame.scores[:, None], frame.boxes], axis=1)
        online = tracker.update(table.astype(np.float32), frame.embeddings.copy())[0]
        rows.append([(t.track_id, *t.tlwh, t.score) for t in online])
    return rows


def own_run(frames, conf_thres, frame_rate, **thresholds):
    tracker = JDETracker(TrackerConfig(conf_thres=conf_thres, **thresholds), frame_rate)
    rows = []
    for frame in frames:
        tracks = tracker.update(frame)
        rows.append([(i, *b, s) for i, b, s in zip(tracks.ids, tracks.boxes, tracks.scores)])
    return rows


def assert_same(frames, conf_thres=0.0, frame_rate=30.0, **thresholds):
    expected = reference_run(frames, conf_thres, frame_rate, **thresholds)
    for number, (theirs, ours) in enumerate(zip(expected, own_run(frames, conf_thres, frame_rate, **thresholds)), 1):
        assert [row[0] for row in ours] == [row[0] for row in theirs], f"identities of frame {number}"
        np.testing.assert_allclose(
            np.array(ours).reshape(-1, 6), np.array(theirs).reshape(-1, 6), atol=1e-3, rtol=0, err_msg=f"frame {number}"
        )


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(0, 40),
    frames=st.integers(1, 40),
    miss=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    noise=st.sampled_from([0.0, 2.0, 25.0]),
    conf_thres=st.sampled_from([0.0, 0.3, 0.6]),
    frame_rate=st.sampled_from([2.0, 10.0, 30.0]),
    width=st.sampled_from([320, 1920]),
)
def test_equals_reference_on_random_crowds(seed, people, frames, miss, noise, conf_thres, frame_rate, width):
    made = crowd(seed, people, frames, miss=miss, noise=noise, width=width)
    assert_same(made, conf_thres, frame_rate)


EXTREME_BOX = st.tuples(
    st.floats(-500, 4000, width=32),
    st.floats(-500, 4000, width=32),
    st.floats(1, 3000, width=32),
    st.floats(1, 3000, width=32),
)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.lists(st.lists(EXTREME_BOX, max_size=6, unique=True), min_size=1, max_size=8),
)
def test_equals_reference_on_extreme_boxes(seed, frames):
    random = np.random.default_rng(seed)
    made = []
    for boxes in frames:
        table = np.array(boxes, np.float32).reshape(-1, 4)
        table[:, 2:] += table[:, :2]
        made.append(detections_of(table, random.random(len(table)), random.normal(size=(len(table), 8))))
    assert_same(made)


def frames_of(*people_of_frames):
    """A frame for each list of (x, which embedding) of people 40 pixels wide."""
    made = []
    for people in people_of_frames:
        boxes = [[x, 100, x + 40, 200] for x, _ in people]
        embeddings = np.eye(4)[[identity for _, identity in people]].reshape(-1, 4)
        made.append(detections_of(boxes, [0.9] * len(people), embeddings))
    return made


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([[(100, 0)]] * 8 + [[]] + [[(100, 1)]] * 3 + [[(100, 0)]] * 3, id="the lost track is older"),
        pytest.param(
            [[(200 - 4 * k, 1)] for k in range(20)]
            + [[(120 - 4 * k, 1), (100, 0)] for k in range(2)]
            + [[(112 - 4 * k, 1)] for k in range(6)]
            + [[(88, 1), (100, 0)]] * 3,
            id="the lost track is younger",
        ),
    ],
)
def test_equals_reference_where_two_tracks_share_a_place(frames):
    """Of a lost track and one in sight at the same place only the longer-lived stays."""
    assert_same(frames_of(*frames))


def test_equals_reference_with_other_thresholds():
    made = crowd(7, 25, 60, miss=0.3)
    assert_same(made, 0.2, 25.0, det_thresh=0.7, tracked_thresh=0.5, r_tracked_thresh=0.8, unconfirmed_thresh=0.9)


@pytest.mark.parametrize("sequence", ["PETS09-S2L1", "TUD-Campus", "TUD-Stadtmitte", "ETH-Sunnyday"])
def test_equals_reference_on_recorded_detections(sequence):
    file = SHARED_DETECTIONS / f"{sequence}.npz"
    if not file.exists():
        pytest.skip(f"{file} is not here")
    with np.load(file) as data:
        rows, embeddings = data["detections"], data["embeddings"].astype(np.float32)
    made = []
    for number in range(1, int(rows[:, 0].max()) + 1):
        mine = rows[:, 0] == number
        boxes = rows[mine, 1:5].copy()
        boxes[:, 2:] += boxes[:, :2]
        made.append(detections_of(boxes, rows[mine, 5], embeddings[mine].reshape(mine.sum(), 256)))
    assert_same(made, 0.6, 30.0)


def test_ids_start_at_one_in_every_instance():
    made = crowd(3, 5, 10, miss=0.0, empty=0.0)
    first, second = JDETracker(), JDETracker()
    for frame in made:  # side by side: neither takes the other's ids
        a, b = first.update(frame), second.update(frame)
        assert a.ids.tolist() == b.ids.tolist()
    assert min(a.ids) == 1


def test_a_person_hidden_for_less_than_the_buffer_keeps_the_identity():
    embedding = np.eye(4)[:1]
    person = detections_of([[100, 100, 140, 200]], [0.9], embedding)
    nobody = detections_of([], [], np.zeros((0, 4)))

    def identity_after(gap, frame_rate):
        tracker = JDETracker(frame_rate=frame_rate)
        for frame in [person] * 5 + [nobody] * gap + [person] * 2:
            tracks = tracker.update(frame)
        return tracks.ids.tolist()

    # 30 frames at 30 frames/s are one second; the same second has 10 frames at 10 frames/s
    assert identity_after(30, 30.0) == [1]
    assert identity_after(9, 10.0) == [1]
    assert identity_after(30, 10.0) != [1]


def test_no_frame_and_no_person_is_too_much():
    tracker = JDETracker()
    nobody = detections_of([], [], np.zeros((0, 4)))
    assert [len(tracker.update(nobody)) for _ in range(3)] == [0, 0, 0]


def test_boxes_without_height_and_zero_embeddings_are_survived():
    odd = detections_of([[5, 5, 5, 5], [1, 1, 30, 90]], [0.9, 0.9], np.zeros((2, 4)))
    tracker = JDETracker()
    for _ in range(4):
        tracks = tracker.update(odd)
    assert tracks.ids.tolist() == [1]
    assert np.isfinite(tracks.boxes).all()


def test_one_broken_embedding_does_not_spoil_a_track():
    embedding = np.eye(4)[:1]
    sound, broken = (detections_of([[100, 100, 140, 200]], [0.9], e) for e in (embedding, embedding * np.nan))
    nobody = detections_of([], [], np.zeros((0, 4)))
    tracker = JDETracker()
    # a track out of sight comes back by appearance alone
    for frame in [sound] * 3 + [broken] + [sound] * 3 + [nobody] * 3 + [sound]:
        tracks = tracker.update(frame)
    assert tracks.ids.tolist() == [1]


def test_memory_does_not_grow_with_the_length_of_the_sequence():
    made = crowd(11, 12, 80, miss=0.4, dimension=128)
    tracker = JDETracker()

    def run(times):
        for _ in range(times):
            for frame in made:
                tracker.update(frame)

    run(2)
    tracemalloc.start()
    try:
        run(1)
        before = tracemalloc.get_traced_memory()[0]
        run(6)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 50_000, f"{grown} bytes more after 480 frames"


def test_frames_that_are_left_out_count():
    """Somebody walks on through them, and memory is counted in them."""

    def person(x):
        return detections_of([[x, 100, x + 40, 200]], [0.9], np.eye(4)[:1])

    tracker = JDETracker(TrackerConfig(conf_thres=0.5, track_buffer=30), 30.0)
    for number in range(10):
        tracker.update(person(100 + 12 * number))
    for number in range(14, 60, 5):
        assert tracker.update(person(100 + 12 * number), elapsed=5).ids.tolist() == [1]
    nobody = detections_of(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4)))
    for _ in range(6):
        tracker.update(nobody, elapsed=10)
    for number in (120, 121):
        tracks = tracker.update(person(100 + 12 * number))
    assert tracks.ids.tolist() == [2], "sixty frames are longer than the thirty it remembers"
