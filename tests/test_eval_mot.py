"""The evaluation against hand-computed values, TrackEval's values and what must hold for any result."""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tools.eval_mot import COLUMNS, COUNTS, evaluate, main, read_mot
from tracker.errors import OptionError, SourceError

SCRIPT = Path(__file__).parents[1] / "tools" / "eval_mot.py"
CASE = Path(__file__).parent / "data" / "mot_case"

A, B, C = (0, 0, 10, 20), (100, 0, 10, 20), (300, 0, 10, 20)  # far apart: left, top, width, height
A_06 = (2.5, 0, 10, 20)  # IoU with A: 7.5 / 12.5 = 0.6 exactly
PERFECT = {name: 0 if name in COUNTS else 1 for name in COLUMNS}


def write(path, boxes, tail="1,-1,-1,-1"):
    """Writes (frame, id, box) or (frame, id, box, tail) tuples as MOT text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{frame},{i},{','.join(map(str, box))},{(*own, tail)[0]}\n" for frame, i, box, *own in boxes]
    path.write_text("".join(lines))
    return path


@pytest.fixture
def scores(tmp_path):
    """Evaluates boxes that are given as tuples."""

    def run(gt, result, **options):
        return evaluate(write(tmp_path / "truth.txt", gt), write(tmp_path / "found.txt", result), **options)

    return run


def two_people():
    """Five frames: A is taken over by id 3 in frame 4, B is missed in frame 3, a stray box is in frame 5."""
    gt = [(frame, i, box) for frame in range(1, 6) for i, box in ((1, A), (2, B))]
    result = [(frame, 1 if frame < 4 else 3, A) for frame in range(1, 6)]
    result += [(frame, 2, B) for frame in (1, 2, 4, 5)] + [(5, 4, C)]
    return gt, result


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
    values = evaluate(write(tmp_path / "gt.txt", gt), result)
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
    with tempfile.TemporaryDirectory() as folder:
        values = evaluate(write(Path(folder, "a"), rows(gt)), write(Path(folder, "b"), rows(result)))
        renamed = evaluate(
            write(Path(folder, "c"), rows(gt, gt_ids)), write(Path(folder, "d"), rows(result, result_ids))
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
        path = write(Path(folder, "a"), rows(gt))
        assert evaluate(path, path) == pytest.approx(PERFECT | {"MT": len({i for frame in gt for i in frame})})


# ---------------------------------------------------------------- files and command line


def test_read_mot_keeps_order_and_fills_missing_columns(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("2,5,1,2,3,4,0.5\n1, 7 ,1.5,2,3,4,1,1,0.25\n")
    expected = [[2, 5, 1, 2, 3, 4, 0.5, -1, -1, -1], [1, 7, 1.5, 2, 3, 4, 1, 1, 0.25, -1]]
    assert read_mot(path).tolist() == expected
    path.write_text("")
    assert read_mot(path).shape == (0, 10)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,1,0,0,10,20,1,-1,-1,-1", "id 1 is in frame 1 already, on line 1"),
        ("1 2 0 0 10 20 1", "numbers between commas"),
        ("1,2,0,x,10,20,1", "numbers between commas"),
        ("1,2,0,0,10,20", "7 to 10 columns, got 6"),
        ("1,2,0,0,10,20,1,-1,-1,-1,-1", "7 to 10 columns, got 11"),
        ("1,2,0,nan,10,20,1", "finite"),
        ("1,2,0,0,inf,20,1", "finite"),
        ("0,2,0,0,10,20,1", "whole numbers"),
        ("1.5,2,0,0,10,20,1", "whole numbers"),
        ("1,2.5,0,0,10,20,1", "whole numbers"),
        ("1,2,0,0,0,20,1", "must be positive, got 0 and 20"),
        ("1,2,0,0,10,-1,1", "must be positive"),
    ],
)
@pytest.mark.parametrize("role", ["gt", "result"])
def test_malformed_line_is_named(tmp_path, capsys, line, message, role):
    files = {name: write(tmp_path / f"{name}.txt", [(1, 1, A)]) for name in ("gt", "result")}
    with files[role].open("a") as file:
        file.write(f"\n{line}\n")
    assert main(["--gt", str(files["gt"]), "--result", str(files["result"])]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {files[role]}, line 3: ")
    assert message in err
    assert err.count("\n") == 1


def test_unusable_input(tmp_path, capsys):
    gt = write(tmp_path / "gt.txt", [(1, 1, A), (5, 1, A)])
    late = write(tmp_path / "late.txt", [(6, 1, A)])
    unflagged = write(tmp_path / "unflagged.txt", [(1, 1, A)], tail="0,-1,-1,-1")
    empty, binary = tmp_path / "empty.txt", tmp_path / "binary.txt"
    empty.write_text("")
    binary.write_bytes(b"\xff\xfe\x00")
    nowhere, folder = tmp_path / "none.txt", tmp_path / "folder"
    folder.mkdir()
    cases = [
        (["--gt", nowhere, "--result", gt], f"{nowhere}: cannot be read"),
        (["--gt", gt, "--result", nowhere], f"{nowhere}: cannot be read"),
        (["--gt", gt, "--result", binary], f"{binary}: cannot be read"),
        (["--gt", gt, "--result", late], "frame 6 lies beyond the last frame 5"),
        (["--gt", unflagged, "--result", gt], "no box counts"),
        (["--gt", empty, "--result", empty], "no box counts"),
        (["--gt", gt, "--result", gt, "--gt", gt], "every --gt needs its --result, got 2 and 1"),
        (["--gt", gt, "--result", gt, "--iou", "0"], "iou must be above 0"),
        (["--gt", gt, "--result", gt, "--iou", "nan"], "iou must be above 0"),
        (["--gt", folder, "--result", folder], "holds neither gt/gt.txt nor any"),
        (["--gt", gt, "--result", gt, "--json", folder], f"{folder}: cannot be written"),
    ]
    for argv, message in cases:
        assert main([str(argument) for argument in argv]) == 2, argv
        err = capsys.readouterr().err
        assert err.startswith("error: "), argv
        assert message in err
        assert err.count("\n") == 1, argv


def test_errors_of_evaluate_have_their_types(tmp_path):
    gt = write(tmp_path / "gt.txt", [(1, 1, A)])
    with pytest.raises(OptionError, match="iou"):
        evaluate(gt, gt, iou=1.5)
    with pytest.raises(SourceError, match="cannot be read"):
        evaluate(gt, tmp_path)


def test_seqinfo_states_the_length_of_a_sequence(tmp_path):
    write(tmp_path / "seq/gt/gt.txt", [(1, 1, A)])
    info = tmp_path / "seq/seqinfo.ini"
    info.write_text("[Sequence]\nname=seq\nseqLength=3\n")
    assert evaluate(tmp_path / "seq", write(tmp_path / "seq.txt", [(1, 1, A), (3, 1, B)]))["FP"] == 1
    with pytest.raises(SourceError, match="beyond the last frame 3"):
        evaluate(tmp_path / "seq", write(tmp_path / "seq.txt", [(4, 1, B)]))
    info.write_text("[Sequence]\nseqLength=many\n")
    with pytest.raises(SourceError, match=r"seqinfo\.ini: seqLength"):
        evaluate(tmp_path / "seq", tmp_path / "seq.txt")


def test_overall_row_adds_counts_up(tmp_path, capsys):
    """Several videos score like one video in which they follow each other with identities of their own."""
    gt, result = two_people()
    short = ([(1, 1, A), (2, 1, A)], [(1, 9, A_06), (1, 8, C)])
    later = tuple([(frame + 10, i + 50, box) for frame, i, box in boxes] for boxes in short)
    expected = evaluate(
        write(tmp_path / "all.txt", gt + later[0]), write(tmp_path / "all_result.txt", result + later[1])
    )
    for name, (true, found) in {"long": (gt, result), "short": short}.items():
        write(tmp_path / f"data/{name}/gt/gt.txt", true)
        write(tmp_path / f"out/{name}.txt", found)
    argv = ["--gt", tmp_path / "data", "--result", tmp_path / "out", "--json", tmp_path / "scores.json"]
    assert main([str(argument) for argument in argv]) == 0

    data = json.loads((tmp_path / "scores.json").read_text())
    assert data["overall"] == pytest.approx(expected)
    assert [row.pop("sequence") for row in data["sequences"]] == ["long", "short"]
    for row, name in zip(data["sequences"], ("long", "short")):
        assert row == evaluate(tmp_path / f"data/{name}", tmp_path / f"out/{name}.txt")

    header, *lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["sequence", *COLUMNS]
    assert [line[0] for line in lines] == ["long", "short", "overall"]
    assert lines[0][1:7] == ["0.700", "0.700", "0.726", "0.818", "0.644", "1"]
    assert all(len(line) == len(header) for line in lines)

    (tmp_path / "out/short.txt").unlink()
    assert main([str(argument) for argument in argv]) == 2
    assert "short.txt: cannot be read" in capsys.readouterr().err


def test_pairs_of_files_and_folders(tmp_path, capsys):
    write(tmp_path / "data/one/gt/gt.txt", [(1, 1, A)])
    write(tmp_path / "two/gt.txt", [(1, 1, A)])
    write(tmp_path / "out/one.txt", [(1, 1, A)])
    write(tmp_path / "found.txt", [(1, 1, B)])
    pairs = [("data/one", "out"), ("data/one/gt/gt.txt", "found.txt"), ("two/gt.txt", "found.txt")]
    argv = [text for gt, out in pairs for text in ("--gt", str(tmp_path / gt), "--result", str(tmp_path / out))]
    assert main(argv) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [["one", "1.000"], ["one", "-1.000"], ["two", "-1.000"], ["overall", "-0.333"]]
    assert main(["--gt", str(tmp_path / "data"), "--result", str(tmp_path / "found.txt")]) == 2
    assert "must be a folder of SEQUENCE.txt" in capsys.readouterr().err


def test_script_runs_from_any_folder(tmp_path):
    gt = write(tmp_path / "gt.txt", [(1, 1, A)])
    command = [sys.executable, str(SCRIPT), "--gt", gt.name, "--result", gt.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2, "one sequence needs no overall row"
