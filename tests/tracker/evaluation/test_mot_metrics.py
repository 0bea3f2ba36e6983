"""The metrics against hand-computed values, TrackEval's values and what must hold for any result."""

import json
import math
import operator
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from tests.helpers.dataset_files import A_06, A, B, two_people, write_boxes
from tests.helpers.paths import ROOT
from tracker.errors import OptionError, SourceError
from tracker.evaluation.mot_metrics import COLUMNS, COUNTS, evaluate

CASE = ROOT / "tests" / "data" / "mot_case"
PERFECT = {name: 0 if name in COUNTS else 1 for name in COLUMNS}


@pytest.fixture
def scores(tmp_path):
    """Evaluates boxes that are given as tuples."""

    def run(gt, result, **options):
        return evaluate(write_boxes(tmp_path / "truth.txt", gt), write_boxes(tmp_path / "found.txt", result), **options)

    return run


# ---------------------------------------------------------------- values


def test_two_people_by_hand(scores):
    values = scores(*two_people())
    # A(c): ids 1-1 share 3 of 5 frames, 1-3 share 2 of 5, 2-2 share 4 of 5; nine true positives.
    association = (3 * 3 / 5 + 2 * 2 / 5 + 4 * 4 / 5) / 9
    expected = {
        "MOTA": 1 - (1 + 1 + 1) / 10,
        "IDF1": 2 * (3 + 4) / (10 + 10),
        "HOTA": math.sqrt(9 / 11 * association),
        "DetA": 9 / 11,
        "AssA": association,
        "IDs": 1,
        "FP": 1,
        "FN": 1,
        "precision": 9 / 10,
        "recall": 9 / 10,
        "MT": 2,
        "ML": 0,
        "Frag": 1,
    }
    assert values == pytest.approx(expected)
    assert list(values) == list(COLUMNS)
    assert all(isinstance(values[name], int if name in COUNTS else float) for name in COLUMNS)


def test_perfect_result_scores_one(scores):
    gt, _ = two_people()
    assert scores(gt, gt) == PERFECT | {"MT": 2}


def test_thresholds_of_hota_include_an_iou_that_equals_them(scores):
    values = scores([(1, 1, A)], [(1, 1, A_06)])
    assert values["DetA"] == values["HOTA"] == pytest.approx(12 / 19)  # .05 to .60 of .05 to .95
    assert values["MOTA"] == 1


def test_iou_option_decides_what_matches(scores):
    assert scores([(1, 1, A)], [(1, 1, A_06)], iou=0.6)["MOTA"] == 1
    strict = scores([(1, 1, A)], [(1, 1, A_06)], iou=0.61)
    assert (strict["MOTA"], strict["FP"], strict["FN"], strict["ML"]) == (-1, 1, 1, 1)
    assert strict["HOTA"] == pytest.approx(12 / 19)


def test_hota_prefers_the_identity_that_is_aligned_over_the_whole_video(scores):
    gt = [(frame, 1, A) for frame in range(1, 11)]
    result = [(frame, 1, A) for frame in range(1, 10)] + [(10, 1, (1.5, 0, 10, 20)), (10, 2, (1, 0, 10, 20))]
    values = scores(gt, result)
    # Id 1 overlaps least in frame 10 (IoU 8.5 / 11.5) but keeps the match: .05 to .70 are hits.
    hits = np.where(np.arange(1, 20) * 0.05 < 8.5 / 11.5, 10, 9)
    assert values["DetA"] == pytest.approx((hits / (21 - hits)).mean())
    assert values["AssA"] == pytest.approx((hits / (20 - hits)).mean())


def test_agrees_with_trackeval():
    """Expected: TrackEval 1.3.0, MOT17 pre-processing, on synthetic people that cross, drift and lose their ids."""
    expected = json.loads((CASE / "expected.json").read_text())
    assert set(expected) == set(COLUMNS)
    assert evaluate(CASE / "gt.txt", CASE / "result.txt") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("text", ["", "\n  \n"])
def test_empty_result_misses_everything(tmp_path, text):
    gt, _ = two_people()
    result = tmp_path / "empty.txt"
    result.write_text(text)
    values = evaluate(write_boxes(tmp_path / "gt.txt", gt), result)
    assert values == dict.fromkeys(COLUMNS, 0) | {"FN": 10, "ML": 2}


def test_frames_without_boxes_on_either_side(scores):
    values = scores([(2, 1, A), (9, 1, A)], [(5, 1, A), (9, 1, A)])
    assert (values["FN"], values["FP"], values["IDs"]) == (1, 1, 0)


# ---------------------------------------------------------------- ignored boxes


def test_flag_0_is_neither_miss_nor_false_positive(scores):
    ignored = "0,-1,-1,-1"
    gt = [(1, 1, A), (1, 2, B, ignored), (2, 1, A), (2, 2, B, ignored)]
    assert scores(gt, [(1, 1, A), (1, 7, B), (2, 1, A)]) == PERFECT | {"MT": 1}


def test_only_boxes_close_to_an_ignored_one_are_removed(scores):
    gt = [(1, 1, A), (1, 2, B, "0,-1,-1,-1")]
    half = (100, 0, 10, 10)  # IoU 0.5 exactly
    assert scores(gt, [(1, 1, A), (1, 7, half)])["FP"] == 0
    assert scores(gt, [(1, 1, A), (1, 7, (104, 0, 10, 20))])["FP"] == 1
    assert scores(gt, [(1, 1, A), (1, 7, B), (1, 8, B)])["FP"] == 1, "an ignored box takes one result box, not all"


def test_ignored_boxes_compete_with_those_that_count(scores):
    """The person who counts keeps the only result box, because it overlaps that person more."""
    gt = [(1, 1, A), (1, 2, (2, 0, 10, 20), "0,-1,-1,-1")]
    assert scores(gt, [(1, 1, A)]) == PERFECT | {"MT": 1}


@pytest.mark.parametrize(
    ("kind", "flag", "false_positives"),
    [(2, 0, 0), (7, 0, 0), (8, 0, 0), (12, 0, 0), (1, 0, 0), (7, 1, 0), (3, 0, 1), (3, 1, 1), (11, 0, 1)],
)
def test_classes_of_mot16_and_later(scores, kind, flag, false_positives):
    gt = [(1, 1, A, "1,1,0.8"), (1, 2, B, f"{flag},{kind},1")]
    values = scores(gt, [(1, 1, A), (1, 2, B)])
    assert (values["FP"], values["FN"]) == (false_positives, 0)


@pytest.mark.parametrize(
    "tail", ["1,7,8.5,0", "1,7.5,0.5,0", "1,-1,-1,-1", "1,14,0.5,0", "1,0,0.5,0", "1,7,-0.1,0", "1,7", "1"]
)
def test_world_coordinates_of_mot15_are_no_classes(scores, tail):
    assert scores([(1, 1, A, tail), (1, 2, B, tail)], [(1, 1, A)])["FN"] == 1


def test_one_row_that_is_no_class_makes_the_file_mot15(scores):
    gt = [(1, 1, A, "1,1,0.5,0"), (1, 2, B, "1,7,0.5,0"), (2, 2, B, "1,7.1,0.6,0")]
    assert scores(gt, [(1, 1, A)])["FN"] == 2


# ---------------------------------------------------------------- whatever the result

BOXES = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(4, 12), st.integers(4, 12))
FRAMES = st.lists(st.dictionaries(st.integers(1, 4), BOXES, max_size=4), min_size=1, max_size=6)
DISTINCT = FRAMES.filter(lambda frames: any(frames) and all(len(set(f.values())) == len(f) for f in frames))
IDS = st.lists(st.integers(-1000, 10**6), min_size=4, max_size=4, unique=True)
# Examples are small already; shrinking them further would take minutes.
QUICK = settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


def rows(frames, ids=(1, 2, 3, 4)):
    return [(n, ids[i - 1], box) for n, frame in enumerate(frames, 1) for i, box in frame.items()]


@QUICK
@given(gt=FRAMES, result=FRAMES, gt_ids=IDS, result_ids=IDS)
def test_bounds_and_independence_of_names(gt, result, gt_ids, result_ids):
    gt = [*gt, {1: A}]
    result = result[: len(gt)]
    assume(not any(result) or any(map(operator.and_, map(bool, gt), map(bool, result))))  # else it is refused
    with tempfile.TemporaryDirectory() as folder:
        values = evaluate(write_boxes(Path(folder, "a"), rows(gt)), write_boxes(Path(folder, "b"), rows(result)))
        renamed = evaluate(
            write_boxes(Path(folder, "c"), rows(gt, gt_ids)), write_boxes(Path(folder, "d"), rows(result, result_ids))
        )
    assert renamed == pytest.approx(values, abs=1e-12)
    assert values["MOTA"] <= 1
    assert all(0 <= values[name] <= 1 for name in ("HOTA", "DetA", "AssA", "IDF1", "precision", "recall"))
    assert all(values[name] >= 0 for name in COUNTS)


@QUICK
@given(gt=DISTINCT)
def test_truth_against_itself_is_perfect(gt):
    """Unless two people share one box, in which case nobody can tell who is who."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_boxes(Path(folder, "a"), rows(gt))
        assert evaluate(path, path) == pytest.approx(PERFECT | {"MT": len({i for frame in gt for i in frame})})


def test_errors_of_evaluate_have_their_types(tmp_path):
    gt = write_boxes(tmp_path / "gt.txt", [(1, 1, A)])
    with pytest.raises(OptionError, match="iou"):
        evaluate(gt, gt, iou=1.5)
    with pytest.raises(SourceError, match="cannot be read"):
        evaluate(gt, tmp_path)


def test_frames_that_do_not_meet_are_told_in_place_of_scores(tmp_path, caplog):
    gt = write_boxes(tmp_path / "gt.txt", [(frame, 1, A) for frame in range(301, 311)])
    result = tmp_path / "result.txt"
    with pytest.raises(SourceError, match=r"no frame is in both.* 1 to 10 and .*gt\.txt in 301 to 310") as caught:
        evaluate(gt, write_boxes(result, [(frame, 1, A) for frame in range(1, 11)]))
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="no frame is in both"):
        evaluate(write_boxes(tmp_path / "even.txt", [(2, 1, A)]), write_boxes(result, [(1, 1, A)]))
    assert evaluate(gt, write_boxes(result, []))["FN"] == 10 and not caplog.messages
    assert evaluate(gt, write_boxes(result, [(frame, 1, A) for frame in range(290, 303)]))["FN"] == 8
    assert "only 2 of its 13 frames have boxes in" in caplog.text


def test_seqinfo_states_the_length_of_a_sequence(tmp_path):
    write_boxes(tmp_path / "seq/gt/gt.txt", [(1, 1, A)])
    info = tmp_path / "seq/seqinfo.ini"
    info.write_text("[Sequence]\nname=seq\nseqLength=3\n")
    assert evaluate(tmp_path / "seq", write_boxes(tmp_path / "seq.txt", [(1, 1, A), (3, 1, B)]))["FP"] == 1
    with pytest.raises(SourceError, match="beyond the last frame 3"):
        evaluate(tmp_path / "seq", write_boxes(tmp_path / "seq.txt", [(4, 1, B)]))
    info.write_text("[Sequence]\nseqLength=many\n")
    with pytest.raises(SourceError, match=r"seqinfo\.ini' has seqLength 'many'"):
        evaluate(tmp_path / "seq", tmp_path / "seq.txt")
