"""Validation of a model: average precision against hand-made cases, and a sequence that the model gets right."""

import json

import cv2
import numpy as np
import pytest

from tests.helpers.dataset_files import A_06, A, B, C
from tools import eval_model, eval_mot
from tracker.association import base
from tracker.association.base import SequenceTracker
from tracker.boxes import ltwh_to_ltrb
from tracker.detection.detector import JDEDetector, Model
from tracker.errors import SourceError
from tracker.evaluation import validation
from tracker.evaluation.stored_detections import read_detections
from tracker.evaluation.validation import (
    SequenceFiles,
    average_precision,
    default_config,
    mark,
    validate,
    validate_model,
)
from tracker.models.locate import COMPACT
from tracker.sinks.mot_text import MotWriter
from tracker.structures import Detections

A_HALF = (5, 0, 10, 20)  # IoU with A: 1/3
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


@pytest.fixture(scope="module")
def model():
    return Model(COMPACT)


@pytest.fixture
def tool_model(model, monkeypatch):
    """The tool takes the model that is loaded already."""
    monkeypatch.setattr(eval_model, "Model", lambda folder, runtime: model)


@pytest.fixture(scope="module")
def sequence(tmp_path_factory, clip_frames, model):
    """Eight pictures of the clip, with what the model makes of them at 5 frames/s as ground truth."""
    folder = tmp_path_factory.mktemp("sequences") / "walk"
    for part in ("gt", "img1"):
        (folder / part).mkdir(parents=True)
    (folder / "seqinfo.ini").write_text("[Sequence]\nimDir=img1\nframeRate=5\nseqLength=8\n")
    detector, tracker = model.detector(), SequenceTracker(default_config(model), frame_rate=5)
    text = MotWriter(folder / "gt" / "gt.txt")
    for number, image in enumerate(clip_frames[:16:2], start=1):
        cv2.imwrite(str(folder / "img1" / f"{number:06}.png"), image)
        text.write(number, tracker.update((number - 1) / 5, detector(image), image))
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


def test_the_control_is_tracked_without_the_embeddings(sequence, model, monkeypatch):
    used, rates, passes = [], [], []
    config = default_config(model)
    make, start = base.ASSOCIATIONS[config.association], JDEDetector.start

    def watched(config, frame_rate):
        tracker, number = make(config, frame_rate), len(rates)
        update = tracker.update
        rates.append(frame_rate)
        tracker.update = lambda detections, *rest: used.append((number, detections)) or update(detections, *rest)
        return tracker

    monkeypatch.setitem(base.ASSOCIATIONS, config.association, watched)
    monkeypatch.setattr(JDEDetector, "start", lambda *arguments: passes.append(1) or start(*arguments))
    validate_model(model, [SequenceFiles.of_folder(sequence)])
    assert len(passes) == 8 and [number for number, _ in used] == [0, 1] * 8, "one forward pass a frame, two trackers"
    assert rates == [5, 5], "the frame rate is that of seqinfo.ini"
    for (_, tracked), (_, control) in zip(used[::2], used[1::2]):
        assert len(np.unique(control.embeddings, axis=0)) == 1 < len(np.unique(tracked.embeddings, axis=0))
        np.testing.assert_array_equal(control.boxes, tracked.boxes)


def test_incomplete_sequences_are_refused(model, tmp_path):
    with pytest.raises(SourceError, match=r"seqinfo\.ini is missing"):
        SequenceFiles.of_folder(tmp_path)
    with pytest.raises(SourceError, match="no sequence"):
        validate_model(model, [])


def test_an_error_in_a_sequence_leaves_no_text_open(sequence, model, monkeypatch):
    made = []

    class Kept(MotWriter):
        def __init__(self, path):
            super().__init__(path)
            made.append(self)

    def fails(source):
        raise SourceError("broken")

    monkeypatch.setattr(validation, "MotWriter", Kept)
    with pytest.raises(SourceError, match="broken"):
        validate_model(model, [SequenceFiles.of_folder(sequence)], progress=fails)
    assert [text._file.closed for text in made] == [True, True]


def test_command_line_prints_and_keeps_the_figures(sequence, tool_model, tmp_path, capsys):
    target = tmp_path / "figures.json"
    video = ["--video", str(sequence / "img1"), "--gt", str(sequence / "gt" / "gt.txt"), "--frame_rate", "5"]
    words = ["--model", "compact", *video, "--json", str(target)]
    assert eval_model.main([*words, "--conf_thres", "0.99"]) == 0
    assert json.loads(target.read_text())["overall"]["recall"] == 0, "no score is that high"
    capsys.readouterr()
    assert eval_model.main(words) == 0
    overall = json.loads(target.read_text())["overall"]
    assert overall["mota"] == overall["idf1"] == 1
    out = capsys.readouterr().out
    assert "control" in out and f"{overall['control_idf1']:.3f}" in out and f"{overall['ap50']:.3f}" in out


def test_saved_detections_give_the_same_tracks_without_the_model(sequence, model, tool_model, tmp_path):
    saved, figures = tmp_path / "new" / "saved", tmp_path / "figures.json"
    own = ["--model", "compact", "--sequences", str(sequence), "--json", str(figures)]
    assert eval_model.main([*own, "--save_detections", str(saved)]) == 0
    (expected,) = json.loads(figures.read_text())["sequences"]
    frames, detector = read_detections(saved / "walk.npz"), model.detector()
    assert list(frames) == list(range(1, 9))
    for number in (1, 8):
        found = detector(cv2.imread(str(sequence / "img1" / f"{number:06}.png")))
        np.testing.assert_allclose(frames[number].boxes, found.boxes, atol=1e-3)
        np.testing.assert_allclose(frames[number].scores, found.scores, atol=1e-5)
        np.testing.assert_allclose(frames[number].embeddings, found.embeddings, atol=1e-3)
    assert min(frame.scores.min() for frame in frames.values()) < default_config(model).conf_thres

    config = default_config(model)
    options = ["--association", config.association, "--conf_thres", str(config.conf_thres), "--control"]
    stored = ["--gt", str(sequence), "--detections", str(saved / "walk.npz"), "--json", str(figures)]
    assert eval_mot.main([*stored, *options]) == 0
    tracks, control = json.loads(figures.read_text())["sequences"]
    assert [tracks["MOTA"], tracks["IDF1"], control["IDF1"]] == pytest.approx(
        [expected["mota"], expected["idf1"], expected["control_idf1"]]
    )


def test_a_frame_that_cannot_be_read_is_missing_in_the_file(sequence, model, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"{number}.png").write_bytes((sequence / "img1" / f"{number:06}.png").read_bytes())
    (folder / "2.png").write_bytes(b"no image")
    files = SequenceFiles("walk", folder, sequence / "gt" / "gt.txt")
    validate_model(model, [files], save_detections=tmp_path)
    found = read_detections(tmp_path / "walk.npz")
    assert list(found) == [1, 3] and all(map(len, found.values()))


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
    assert eval_model.main(["--model", "compact", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_an_unknown_association_costs_one_line(sequence, tool_model, capsys):
    assert eval_model.main(["--model", "compact", "--sequences", str(sequence), "--association", "magic"]) == 1
    error = capsys.readouterr().err
    assert "'magic'" in error and error.count("\n") == 1


def test_sequences_of_one_name_cannot_save_their_detections_together(sequence, tmp_path, capsys):
    arguments = ["--sequences", str(sequence), str(sequence), "--save_detections", str(tmp_path)]
    assert eval_model.main(["--model", "compact", *arguments]) == 1
    assert "two sequences are called 'walk'" in capsys.readouterr().err
