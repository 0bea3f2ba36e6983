"""Validation of a model: average precision against hand-made cases, and a sequence that the model gets right."""

import json

import cv2
import numpy as np
import pytest

from tools import eval_model
from tracker.boxes import ltwh_to_ltrb
from tracker.decode import Detections
from tracker.errors import SourceError
from tracker.jde_tracker import JDETracker
from tracker.model import Model
from tracker.network import PaddleNetwork
from tracker.results import MotWriter, Tracks
from tracker.weights import COMPACT
from training.validation import (
    SequenceFiles,
    average_precision,
    default_config,
    mark,
    validate,
    with_size,
    without_appearance,
)

A, B, C = (0, 0, 10, 20), (100, 0, 10, 20), (300, 0, 10, 20)  # left, top, width, height
A_HALF, A_06 = (5, 0, 10, 20), (2.5, 0, 10, 20)  # IoU with A: 1/3 and 0.6
NOBODY = np.zeros((0, 4))


def detections(*boxes):
    """With scores 0.9, 0.8, ..."""
    corners = ltwh_to_ltrb(np.array(boxes, float).reshape(-1, 4))
    return Detections(corners, 0.9 - 0.1 * np.arange(len(boxes)), np.eye(max(len(boxes), 3), 3)[: len(boxes)])


def right(found, true, ignored=NOBODY):
    return mark(found, np.array(true, float).reshape(-1, 4), np.array(ignored, float).reshape(-1, 4))[:, 1].tolist()


def test_a_true_box_is_found_once_and_by_the_best_score():
    assert right(detections(A_06, A, B), [A, C]) == [1, 0, 0]
    assert right(detections(A_HALF, A), [A]) == [0, 1]
    assert right(detections(A_06, A), [A, A_06]) == [1, 1]
    assert right(detections(), [A]) == [] and right(detections(A), []) == [0]


def test_ignored_people_are_neither_right_nor_wrong():
    assert right(detections(B, A, A_06, C), [A], [B, A_06]) == [1, 0]
    assert right(detections(A_06), [A], [A_06]) == [1]  # who counts comes first


def test_average_precision_by_hand():
    assert average_precision(np.array([[0.9, 1], [0.8, 1]]), 2) == 1
    assert average_precision(np.array([[0.9, 1], [0.8, 1]]), 4) == 0.5
    assert average_precision(np.zeros((0, 2)), 4) == 0
    # precision at the hits 1, 2/4 and 3/5: the second is raised to 3/5, for more recall comes with it
    marks = np.array([[0.5, 1], [0.9, 1], [0.7, 0], [0.8, 0], [0.6, 1]])
    assert average_precision(marks, 5) == pytest.approx((1 + 3 / 5 + 3 / 5) / 5)


def test_the_control_has_one_unit_vector_for_all():
    found = detections(A, B)
    control = without_appearance(found)
    np.testing.assert_allclose(control.embeddings @ control.embeddings.T, np.ones((2, 2)), atol=1e-6)
    assert control.boxes is found.boxes and control.scores is found.scores
    assert without_appearance(detections()).embeddings.shape == (0, 3)


def test_boxes_that_no_file_can_hold_are_left_out():
    boxes = np.array([A, (0, 0, 10, -5), (0, 0, 0.004, 5), (0, 0, np.inf, 5), (np.nan, 0, 5, 5), B], float)
    found = with_size(Tracks(np.arange(6), boxes, np.linspace(0, 1, 6)))
    assert found.ids.tolist() == [0, 5] and found.scores.tolist() == [0, 1]
    np.testing.assert_array_equal(found.boxes, [A, B])


@pytest.fixture(scope="module")
def sequence(tmp_path_factory, clip_frames):
    """Eight pictures of the clip, with what the model makes of them at 5 frames/s as ground truth."""
    folder = tmp_path_factory.mktemp("sequences") / "walk"
    for part in ("gt", "img1"):
        (folder / part).mkdir(parents=True)
    (folder / "seqinfo.ini").write_text("[Sequence]\nimDir=img1\nframeRate=5\nseqLength=8\n")
    model = Model(COMPACT)
    detector, tracker = model.detector(), JDETracker(default_config(model), frame_rate=5)
    text = MotWriter(folder / "gt" / "gt.txt")
    for number, image in enumerate(clip_frames[:16:2], start=1):
        cv2.imwrite(str(folder / "img1" / f"{number:06}.png"), image)
        text.write(number, tracker.update(detector(image)))
    text.close()
    # the score in column 7 is the flag of a ground truth
    rows = [line.split(",") for line in (folder / "gt" / "gt.txt").read_text().splitlines()]
    (folder / "gt" / "gt.txt").write_text("".join(",".join([*r[:6], "1", "-1", "-1", "-1"]) + "\n" for r in rows))
    return folder


def test_what_the_model_says_is_what_it_finds(sequence):
    result = validate(COMPACT, [sequence, sequence])
    assert [scores.name for scores in result.sequences] == ["walk", "walk"]
    for scores in (*result.sequences, result.overall):
        assert (scores.mota, scores.idf1, scores.precision, scores.recall, scores.switches) == (1, 1, 1, 1, 0)
        assert 0.5 < scores.control_idf1 <= 1 and 0.5 < scores.ap50 <= 1
    assert str(result).startswith("MOTA 1.000, IDF1 1.000") and "\n" not in str(result)


def test_the_control_is_tracked_without_the_embeddings(sequence, monkeypatch):
    used = []
    update = JDETracker.update

    def spy(self, found):
        used.append((id(self), self.max_time_lost, found.embeddings))
        return update(self, found)

    monkeypatch.setattr(JDETracker, "update", spy)
    passes = []
    run = PaddleNetwork.run
    monkeypatch.setattr(PaddleNetwork, "run", lambda self, blob: passes.append(1) or run(self, blob))
    validate(COMPACT, [sequence])
    assert len(passes) == 8 and len(used) == 16, "one forward pass a frame, two trackers"
    assert {limit for _, limit, _ in used} == {int(5 / 30 * 30)}, "the frame rate is that of seqinfo.ini"
    for (own, _, with_looks), (other, _, without) in zip(used[::2], used[1::2]):
        assert own == used[0][0] and other == used[1][0]
        assert len(np.unique(without, axis=0)) == 1 < len(np.unique(with_looks, axis=0))


def test_incomplete_sequences_are_refused(sequence, tmp_path):
    with pytest.raises(SourceError, match=r"seqinfo\.ini is missing"):
        SequenceFiles.of_folder(tmp_path)
    with pytest.raises(SourceError, match="no sequence"):
        validate(COMPACT, [])


def test_command_line_prints_and_keeps_the_figures(sequence, tmp_path, capsys):
    target = tmp_path / "figures.json"
    video = ["--video", str(sequence / "img1"), "--gt", str(sequence / "gt" / "gt.txt"), "--frame_rate", "5"]
    assert eval_model.main(["--model", "compact", *video, "--conf_thres", "0.65", "--json", str(target)]) == 0
    overall = json.loads(target.read_text())["overall"]
    assert overall["mota"] == overall["idf1"] == 1
    out = capsys.readouterr().out
    assert "control" in out and f"{overall['control_idf1']:.3f}" in out and f"{overall['ap50']:.3f}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to track"),
        (["--video", "a.mp4"], "--video and --gt belong together"),
        (["--sequences", "nowhere"], "nowhere is no sequence folder"),
        (["--video", "a.mp4", "--gt", "gt.txt", "--frame_rate", "0"], "frame_rate must be a positive number"),
    ],
)
def test_mistakes_cost_one_line(arguments, message, capsys):
    assert eval_model.main(["--model", "compact", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
