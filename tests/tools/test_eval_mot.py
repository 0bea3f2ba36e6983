"""The command line of the evaluation: results that are scored, and stored detections that are tracked first."""

import json
import subprocess
import sys

import pytest

from tests.helpers.dataset_files import A_06, A, B, C, two_people, write_boxes
from tests.helpers.paths import ROOT
from tools.eval_mot import main
from tracker.evaluation.mot_metrics import COLUMNS, evaluate

SCRIPT = ROOT / "tools" / "eval_mot.py"


def test_unusable_input(tmp_path, capsys):
    gt = write_boxes(tmp_path / "gt.txt", [(1, 1, A), (5, 1, A)])
    late = write_boxes(tmp_path / "late.txt", [(6, 1, A)])
    unflagged = write_boxes(tmp_path / "unflagged.txt", [(1, 1, A)], tail="0,-1,-1,-1")
    empty, binary = tmp_path / "empty.txt", tmp_path / "binary.txt"
    empty.write_text("")
    binary.write_bytes(b"\xff\xfe\x00")
    flat = write_boxes(tmp_path / "flat.txt", [(1, 1, A), (2, 1, (0, 0, 10, 0))])
    nowhere, folder = tmp_path / "none.txt", tmp_path / "folder"
    folder.mkdir()
    cases = [
        (["--gt", nowhere, "--result", gt], f"{nowhere}: cannot be read"),
        (["--gt", gt, "--result", nowhere], f"{nowhere}: cannot be read"),
        (["--gt", gt, "--result", binary], f"{binary}: cannot be read"),
        (["--gt", gt, "--result", flat], f"{flat}: width and height must be positive"),
        (["--gt", flat, "--result", gt], f"{flat}: width and height must be positive"),
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
        assert main([str(argument) for argument in argv]) == 1, argv
        err = capsys.readouterr().err
        assert err.startswith("error: "), argv
        assert message in err
        assert err.count("\n") == 1, argv


def test_overall_row_adds_counts_up(tmp_path, capsys):
    """Several videos score like one video in which they follow each other with identities of their own."""
    gt, result = two_people()
    short = ([(1, 1, A), (2, 1, A)], [(1, 9, A_06), (1, 8, C)])
    later = tuple([(frame + 10, i + 50, box) for frame, i, box in boxes] for boxes in short)
    expected = evaluate(
        write_boxes(tmp_path / "all.txt", gt + later[0]), write_boxes(tmp_path / "all_result.txt", result + later[1])
    )
    for name, (true, found) in {"long": (gt, result), "short": short}.items():
        write_boxes(tmp_path / f"data/{name}/gt/gt.txt", true)
        write_boxes(tmp_path / f"out/{name}.txt", found)
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
    assert main([str(argument) for argument in argv]) == 1
    assert "short.txt: cannot be read" in capsys.readouterr().err


def test_pairs_of_files_and_folders(tmp_path, capsys):
    write_boxes(tmp_path / "data/one/gt/gt.txt", [(1, 1, A)])
    write_boxes(tmp_path / "two/gt.txt", [(1, 1, A)])
    write_boxes(tmp_path / "out/one.txt", [(1, 1, A)])
    write_boxes(tmp_path / "found.txt", [(1, 1, B)])
    pairs = [("data/one", "out"), ("data/one/gt/gt.txt", "found.txt"), ("two/gt.txt", "found.txt")]
    argv = [text for gt, out in pairs for text in ("--gt", str(tmp_path / gt), "--result", str(tmp_path / out))]
    assert main(argv) == 0
    lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [["one", "1.000"], ["one", "-1.000"], ["two", "-1.000"], ["overall", "-0.333"]]
    assert main(["--gt", str(tmp_path / "data"), "--result", str(tmp_path / "found.txt")]) == 1
    assert "must be a folder of SEQUENCE.txt" in capsys.readouterr().err


def test_script_runs_from_any_folder(tmp_path):
    gt = write_boxes(tmp_path / "gt.txt", [(1, 1, A)])
    command = [sys.executable, str(SCRIPT), "--gt", gt.name, "--result", gt.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2, "one sequence needs no overall row"
