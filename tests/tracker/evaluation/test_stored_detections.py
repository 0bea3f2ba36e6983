"""Stored detections: what is written comes back, what is wrong is refused, and associations run on them."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.dataset_files import A, B
from tests.helpers.paths import SHARED
from tracker.association import base
from tracker.boxes import ltwh_to_ltrb
from tracker.evaluation.mot_metrics import evaluate
from tracker.evaluation.stored_detections import (
    read_detections,
    run_association,
    with_size,
    without_appearance,
    write_detections,
)
from tracker.settings.tracking import TrackerConfig
from tracker.sinks.mot_text import read_mot
from tracker.structures import Detections, Tracks

NEAR = (4, 0, 10, 20)  # within A's reach
JDE = TrackerConfig(association="jde", conf_thres=0.6)


def detections(*boxes, dimension=3):
    """Boxes left, top, width, height, with scores 0.9, 0.8, ... and an embedding of its own for each."""
    corners = ltwh_to_ltrb(np.array(boxes, np.float32).reshape(-1, 4))
    scores = (0.9 - 0.1 * np.arange(len(boxes))).astype(np.float32)
    return Detections(corners, scores, np.eye(len(boxes), dimension, dtype=np.float32))


def numbered(*frames):
    """The frames of a sequence by their numbers from 1."""
    return dict(enumerate(frames, start=1))


def rows(*rows):
    """Arrays as a file has them: of (frame, left, top, width, height, score), with an embedding for each."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return {"detections": table, "embeddings": np.eye(len(table), 4, dtype=np.float16)}


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for ours, theirs in zip(found.values(), expected.values()):
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)
        np.testing.assert_array_equal(ours.scores, theirs.scores)
        np.testing.assert_allclose(ours.embeddings, theirs.embeddings, atol=1e-3)
        assert {array.dtype for array in vars(ours).values()} == {np.dtype(np.float32)}


# ---------------------------------------------------------------- the file

QUARTERS = st.integers(-4000, 4000).map(lambda value: value / 4)  # exact in float32, sums as well
SIZES = st.integers(0, 4000).map(lambda value: value / 4)
PEOPLE = st.lists(st.tuples(QUARTERS, QUARTERS, SIZES, SIZES, st.floats(0, 1, width=32)), max_size=4)


@settings(max_examples=30, deadline=None)
@given(
    sequence=st.dictionaries(st.integers(1, 1000), PEOPLE, max_size=6),
    dimension=st.sampled_from([0, 1, 5]),
    seed=st.integers(0, 999),
)
def test_what_is_written_comes_back(sequence, dimension, seed):
    random = np.random.default_rng(seed)
    frames = {}
    for number, people in sorted(sequence.items()):
        table = np.array(sorted(people, key=lambda row: -row[4]), np.float32).reshape(-1, 5)
        embeddings = random.normal(size=(len(table), dimension)).astype(np.float32)
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True) if dimension else 1
        frames[number] = Detections(ltwh_to_ltrb(table[:, :4]), table[:, 4], embeddings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "walk.npz")
        write_detections(path, frames)
        found = read_detections(path)
        with np.load(path) as file:
            assert file["detections"].dtype == np.float32 and file["detections"].shape[1] == 6
            assert file["frames"].tolist() == list(frames)
            assert ("embeddings" in file) == (dimension > 0 and len(frames) > 0)
    assert_equal(found, frames)


def test_a_file_without_frames_has_all_up_to_the_last_person_and_the_best_come_first(tmp_path):
    made = rows((4, 0, 0, 5, 10, 0.25), (2, 1, 2, 30, 40, 0.5), (2, 5, 6, 7, 8, 0.75), (2, 9, 9, 1, 1, 0.5))
    np.savez(tmp_path / "a.npz", **made)
    found = read_detections(tmp_path / "a.npz")
    assert {number: len(frame) for number, frame in found.items()} == {1: 0, 2: 3, 3: 0, 4: 1}
    assert found[2].boxes.tolist() == [[5, 6, 12, 14], [1, 2, 31, 42], [9, 9, 10, 10]], "equals keep their order"
    assert found[2].scores.tolist() == [0.75, 0.5, 0.5]
    assert found[2].embeddings.tolist() == np.eye(4)[[2, 1, 3]].tolist()
    assert found[1].boxes.shape == (0, 4) and found[3].embeddings.shape == (0, 4)


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.int64])
def test_a_missing_frame_is_no_empty_one(tmp_path, kind):
    made = rows((5, 0, 0, 5, 10, 0.25), (2, 1, 2, 30, 40, 0.5))
    np.savez(tmp_path / "a.npz", **made, frames=np.array([2, 3, 5, 9], kind))
    found = read_detections(tmp_path / "a.npz")
    assert [(number, len(frame)) for number, frame in found.items()] == [(2, 1), (3, 0), (5, 1), (9, 0)]


def test_other_number_types_and_a_file_without_embeddings_are_read(tmp_path):
    table = rows((1, 0, 0, 5, 10, 1))["detections"]
    for kind in (np.float64, np.float16, np.int32):
        np.savez(tmp_path / "a.npz", detections=table.astype(kind))
        (frame,) = read_detections(tmp_path / "a.npz").values()
        assert frame.boxes.tolist() == [[0, 0, 5, 10]] and frame.boxes.dtype == np.float32
        assert frame.embeddings.shape == (1, 0)
    np.savez(tmp_path / "a.npz", detections=np.zeros((0, 6)), more=np.zeros(3))
    assert read_detections(tmp_path / "a.npz") == {}


def test_an_appearance_that_could_not_be_told_is_all_zeros(tmp_path):
    write_detections(tmp_path / "a.npz", {1: Detections(np.ones((1, 4)), np.ones(1), np.zeros((1, 3)))})
    assert read_detections(tmp_path / "a.npz")[1].embeddings.tolist() == [[0, 0, 0]]


# ---------------------------------------------------------------- the control, and what can be written


def test_the_control_has_one_unit_vector_for_all():
    found = detections(A, B)
    control = without_appearance(found)
    np.testing.assert_allclose(control.embeddings @ control.embeddings.T, np.ones((2, 2)), atol=1e-6)
    assert control.boxes is found.boxes and control.scores is found.scores
    assert without_appearance(Detections.empty(3)).embeddings.shape == (0, 3)
    assert without_appearance(detections(A, dimension=0)).embeddings.shape == (1, 0)


def test_boxes_that_no_file_can_hold_are_left_out():
    boxes = np.array([A, (0, 0, 10, -5), (0, 0, 0.004, 5), (0, 0, np.inf, 5), (np.nan, 0, 5, 5), B], float)
    found = with_size(Tracks(np.arange(6), boxes, np.linspace(0, 1, 6)))
    assert found.ids.tolist() == [0, 5] and found.scores.tolist() == [0, 1]
    np.testing.assert_array_equal(found.boxes, [A, B])


# ---------------------------------------------------------------- associations


class Echo:
    """An association for which every detection is a track; it keeps what it is given."""

    num_identities = 0

    def __init__(self, config, frame_rate):
        self.config, self.frame_rate = config, frame_rate
        self.given, self.elapsed = [], []

    def update(self, detections, warp=None, elapsed=1.0):
        assert warp is None, "the camera stands still"
        self.given.append(detections)
        self.elapsed.append(elapsed)
        boxes = detections.boxes.astype(float)
        boxes[:, 2:] -= boxes[:, :2]
        return Tracks(np.arange(1, len(detections) + 1), boxes, detections.scores)


@pytest.fixture
def echoes(monkeypatch):
    """The trackers made by the association ``echo``."""
    made = []
    monkeypatch.setitem(base.ASSOCIATIONS, "echo", lambda *arguments: made.append(Echo(*arguments)) or made[-1])
    return made


ECHO = TrackerConfig(association="echo")


def test_the_tracker_sees_every_frame_to_the_last(echoes, tmp_path):
    frames = numbered(detections(A), Detections.empty(3), detections(B, A))
    run_association(frames, ECHO, 12.5, tmp_path / "a.txt", last_frame=5)
    (echo,) = echoes
    assert echo.config is ECHO and echo.frame_rate == 12.5
    assert [len(frame) for frame in echo.given] == [1, 0, 2, 0, 0] and echo.elapsed == [1] * 5
    assert {frame.embeddings.shape[1] for frame in echo.given} == {3}
    assert read_mot(tmp_path / "a.txt")[:, :7].tolist() == [[1, 1, *A, 0.9], [3, 1, *B, 0.9], [3, 2, *A, 0.8]]


def test_a_missing_frame_is_a_gap_in_time(echoes, tmp_path):
    frames = {3: detections(A), 4: Detections.empty(3), 7: detections(B), 20: detections(A)}
    run_association(frames, ECHO, 29.97, tmp_path / "a.txt", last_frame=22)
    (echo,) = echoes
    assert [len(frame) for frame in echo.given] == [1, 0, 1, 1, 0, 0]
    assert echo.elapsed[1:] == [1, 3, 13, 1, 1], "in frame periods"
    assert read_mot(tmp_path / "a.txt")[:, 0].tolist() == [3, 7, 20]


@pytest.mark.parametrize("association", ["fused", "byte", "jde"])
def test_who_is_away_through_missing_frames_is_forgotten_as_through_empty_ones(tmp_path, association):
    """At 10 frames/s; the memory is one or two seconds."""
    config = TrackerConfig(association=association, conf_thres=0.6)

    def ids(frames):
        run_association(frames, config, 10, tmp_path / "a.txt")
        return set(read_mot(tmp_path / "a.txt")[:, 1])

    def walk(away):
        return dict.fromkeys([*range(1, 6), *range(6 + away, 11 + away)], detections(A))

    def with_empty_frames(frames):
        return {number: frames.get(number, Detections.empty(3)) for number in range(1, max(frames) + 1)}

    for away, people in ((5, 1), (40, 2)):
        assert len(ids(walk(away))) == len(ids(with_empty_frames(walk(away)))) == people


def test_without_a_last_frame_the_detections_end_the_sequence(echoes, tmp_path):
    for last_frame in (0, 2):
        run_association(numbered(*[detections(A)] * 3), ECHO, 30, tmp_path / "a.txt", last_frame)
        assert len(echoes[-1].given) == 3
    for last_frame in (0, 2):
        run_association({}, ECHO, 30, tmp_path / "a.txt", last_frame)
        assert len(echoes[-1].given) == last_frame and (tmp_path / "a.txt").read_text() == ""


def test_tracks_without_size_are_not_written(echoes, tmp_path):
    run_association({1: detections(A, (5, 5, 0, 9))}, ECHO, 30, tmp_path / "a.txt")
    assert len(read_mot(tmp_path / "a.txt")) == 1


def test_without_embeddings_a_file_tracks_like_the_control(tmp_path):
    """Two people change places while both are out of sight: only by their appearance could they be told apart."""
    swapped = Detections(detections(A, NEAR).boxes, detections(A, NEAR).scores, np.eye(2, 3, dtype=np.float32)[::-1])
    frames = [detections(A, NEAR)] * 5 + [Detections.empty(3)] * 3 + [swapped] * 5
    blind = [Detections(frame.boxes, frame.scores, np.zeros((len(frame), 0), np.float32)) for frame in frames]
    texts = {}
    for name, made in {
        "appearance": frames,
        "control": [without_appearance(frame) for frame in frames],
        "absent": blind,
    }.items():
        run_association(numbered(*made), JDE, 30, tmp_path / f"{name}.txt")
        texts[name] = (tmp_path / f"{name}.txt").read_text()
    assert texts["control"] == texts["absent"] != texts["appearance"]
    assert all(text.count("\n") == 20 for text in texts.values())


def test_jde_on_recorded_detections(tmp_path):
    data = SHARED / "data"
    file, gt = data / "detections" / "PETS09-S2L1.npz", data / "pets09_s2l1" / "gt.txt"
    if not (file.exists() and gt.exists()):
        pytest.skip(f"{file} or {gt} is not here")
    run_association(read_detections(file), JDE, 30, tmp_path / "a.txt")
    found = evaluate(gt, tmp_path / "a.txt")
    assert (found["MOTA"], found["IDF1"]) == pytest.approx((0.807, 0.696), abs=0.001)
