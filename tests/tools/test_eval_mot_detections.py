"""The command line of the evaluation on stored detections: what is tracked, by which settings, and what comes out."""

import json

import numpy as np
import pytest

from tests.helpers.dataset_files import A, B, write_boxes
from tools import eval_mot
from tools.eval_mot import main
from tracker.association import base
from tracker.association.base import ASSOCIATIONS
from tracker.association.jde_tracker import JDETracker
from tracker.boxes import ltwh_to_ltrb
from tracker.errors import OptionError
from tracker.evaluation.mot_metrics import COLUMNS, evaluate
from tracker.evaluation.stored_detections import read_detections, run_association, write_detections
from tracker.models.locate import ROOT
from tracker.options import Option
from tracker.settings.tracking import REFINE, SETTINGS, TrackerConfig
from tracker.structures import Detections

DEFAULT = TrackerConfig.load(ROOT / "config" / "tracker.yml").association
GAP = 20  # frames


def seen(*boxes, score=0.9):
    embeddings = np.eye(len(boxes), 4, dtype=np.float32)
    corners = ltwh_to_ltrb(np.array(boxes, np.float32).reshape(-1, 4))
    return Detections(corners, np.full(len(boxes), score, np.float32), embeddings)


def numbered(*frames):
    """The frames of a sequence by their numbers from 1."""
    return dict(enumerate(frames, start=1))


@pytest.fixture
def sequence(tmp_path):
    """Makes a sequence folder and its detections: two people who both are out of sight for GAP frames."""

    def make(name, frame_rate=None, length=None):
        frames = numbered(*[seen(A, B)] * 5, *[Detections.empty(4)] * GAP, *[seen(A, B)] * 5)
        boxes = [(n, i, box) for n, frame in frames.items() if len(frame) for i, box in ((1, A), (2, B))]
        write_boxes(tmp_path / f"data/{name}/gt/gt.txt", boxes)
        stated = {"frameRate": frame_rate, "seqLength": length}
        lines = ["[Sequence]", *(f"{key}={value}" for key, value in stated.items() if value is not None)]
        (tmp_path / f"data/{name}/seqinfo.ini").write_text("\n".join(lines))
        (tmp_path / "npz").mkdir(exist_ok=True)
        write_detections(tmp_path / f"npz/{name}.npz", frames)
        return ["--gt", str(tmp_path / f"data/{name}"), "--detections", str(tmp_path / f"npz/{name}.npz")]

    return make


@pytest.fixture
def made(monkeypatch):
    """(settings, frame rate) of every tracker, in the order in which they were made, of one association more."""
    calls = []

    def spy(settings, frame_rate):
        calls.append((settings, frame_rate))
        return JDETracker(settings, frame_rate)

    for name in [*ASSOCIATIONS, "other"]:
        monkeypatch.setitem(base.ASSOCIATIONS, name, spy)
    return calls


def table(capsys):
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_detections_are_tracked_and_scored(sequence, tmp_path, capsys):
    arguments = sequence("walk")
    target = tmp_path / "scores.json"
    assert main([*arguments, "--association", "jde", "--json", str(target), "--output", str(tmp_path / "out")]) == 0
    run_association(
        read_detections(tmp_path / "npz/walk.npz"),
        TrackerConfig(association="jde", conf_thres=0.6),
        30,
        tmp_path / "own.txt",
    )
    assert (tmp_path / "out/jde/walk.txt").read_text() == (tmp_path / "own.txt").read_text() != ""
    expected = evaluate(tmp_path / "data/walk", tmp_path / "own.txt")
    assert expected["MOTA"] == 1
    assert json.loads(target.read_text()) == {
        "sequences": [{"sequence": "walk", "association": "jde", **expected}],
        "overall": [{"association": "jde", **expected}],
    }
    header, row = table(capsys)
    assert header == ["sequence", "association", *COLUMNS]
    assert row[:5] == ["walk", "jde", "1.000", "1.000", "1.000"] and len(row) == len(header)


def test_options_reach_the_tracker(sequence, made):
    arguments = sequence("walk")
    assert main(arguments) == 0
    expected = TrackerConfig.load(ROOT / "config" / "tracker.yml").override({"conf_thres": 0.6})
    assert made == [(expected, 30)]
    values = {name: option.kind("1") for name, option in eval_mot.SETTINGS.items()}
    assert "conf_thres" in values and values.keys() < SETTINGS.keys()
    for name, value in values.items():
        made.clear()
        user = next(other for other in ASSOCIATIONS if TrackerConfig(association=other).uses(name))
        refine = ["--refine"] if name.startswith(REFINE) else []
        assert main([*arguments, "--association", user, *refine, f"--{name}", str(value)]) == 0
        assert made == [(expected.override({"association": user, name: value}), 30)] * (1 + len(refine))


def test_an_option_must_have_an_effect_on_one_of_the_associations(sequence, made, capsys):
    assert main([*sequence("walk"), "--association", "fused", "byte", "--det_thresh", "0.4"]) == 1
    assert "det_thresh has no effect with association fused or byte" in capsys.readouterr().err and not made
    assert main([*sequence("walk"), "--association", "fused", "jde", "--det_thresh", "0.4"]) == 0
    assert [settings.det_thresh for settings, _ in made] == [0.4, 0.4]


def test_flags_mean_what_they_say(monkeypatch, sequence):
    """An option of the association that is either true or false, as there may be."""
    monkeypatch.setitem(eval_mot.SETTINGS, "steady", Option(bool, "whether"))
    chosen = []

    def stop(names, options, control, refine):
        chosen.append(options["steady"])
        raise OptionError("seen enough")

    monkeypatch.setattr(eval_mot, "choose_methods", stop)
    for text in ("False", "yes"):
        assert main([*sequence("walk"), "--steady", text]) == 1
    assert chosen == [False, True]


def test_refined_tracks_stand_beside_the_others(sequence, tmp_path, capsys):
    arguments = sequence("walk")
    frames = numbered(*[seen(A, B)] * 5, *[Detections.empty(4)] * GAP, *[seen(A, B)] * 5)
    frames[3] = seen(A)  # a short gap, which refinement fills
    write_detections(tmp_path / "npz/walk.npz", frames)
    assert main([*arguments, "--association", "byte", "--refine"]) == 0
    plain, refined = [dict(zip(COLUMNS, row[2:])) for row in table(capsys)[1:]][:2]
    assert plain["FN"] == "1" and refined["FN"] == "0"
    assert main([*arguments, "--refine_fill_seconds", "1"]) == 1
    assert "refine_fill_seconds has no effect without --refine" in capsys.readouterr().err


def test_confidence_is_0_6_unless_given(sequence, tmp_path, capsys):
    arguments = [*sequence("walk"), "--association", "jde"]
    write_detections(tmp_path / "npz/walk.npz", numbered(*[seen(A, B, score=0.55)] * 5))
    for options, found in (([], "0.000"), (["--conf_thres", "0.5"], "0.500")):
        assert main([*arguments, *options]) == 0
        (header, row) = table(capsys)
        assert row[header.index("recall")] == found


def test_seqinfo_states_the_frame_rate(sequence, made, capsys):
    """At 10 frames/s the memory of one second is over before the two come back."""
    arguments = [*sequence("slow", frame_rate=10), *sequence("unstated"), "--association", "jde"]
    assert main(arguments) == 0
    assert [frame_rate for _, frame_rate in made] == [10, 30]
    header, *rows = table(capsys)
    switches = header.index("IDs")
    assert [(row[0], row[switches]) for row in rows] == [("slow", "2"), ("unstated", "0"), ("overall", "2")]
    assert main([*arguments, "--frame_rate", "29.5"]) == 0
    assert [frame_rate for _, frame_rate in made[2:]] == [29.5, 29.5]
    assert [row[switches] for row in table(capsys)[1:]] == ["0", "0", "0"]


def test_missing_frames_count_as_time(sequence, tmp_path, capsys):
    """At 10 frames/s the memory of one second is over, whether the frames between are empty or missing."""
    arguments = [*sequence("slow", frame_rate=10), "--association", "jde"]
    frames = read_detections(tmp_path / "npz/slow.npz")
    for kept in (frames, {number: frame for number, frame in frames.items() if len(frame)}):
        write_detections(tmp_path / "npz/slow.npz", kept)
        assert main(arguments) == 0
        header, row = table(capsys)
        assert row[header.index("IDs")] == "2"


def test_the_tracker_sees_the_whole_sequence(sequence, monkeypatch):
    ends = []
    monkeypatch.setattr(
        eval_mot, "run_association", lambda frames, config, rate, path, last, refine: ends.append(last) or path.touch()
    )
    assert main([*sequence("long", length=50), *sequence("short")]) == 0
    assert ends == [50, 10 + GAP]


def test_empty_frames_behind_the_ground_truth_are_no_mistake(sequence, tmp_path):
    """A video may go on after the last person has left, and its ground truth does not tell how long."""
    arguments = sequence("walk")
    frames = read_detections(tmp_path / "npz/walk.npz")
    write_detections(tmp_path / "npz/walk.npz", frames | {11 + GAP: Detections.empty(4)})
    assert main(arguments) == 0


def test_associations_stand_below_each_other(sequence, tmp_path, made, capsys):
    sequence("one"), sequence("two", frame_rate=10)
    target = tmp_path / "scores.json"
    arguments = ["--gt", str(tmp_path / "data"), "--detections", str(tmp_path / "npz"), "--json", str(target)]
    assert main([*arguments, "--association", "other", "jde", "--association", "other", "--control"]) == 0
    header, *rows = table(capsys)
    names = ["other", "other-control", "jde", "jde-control"]
    expected = [(place, name) for place in ("one", "two", "overall") for name in names]
    assert [tuple(row[:2]) for row in rows] == expected and {len(row) for row in rows} == {len(header)}
    assert [settings.association for settings, _ in made] == ["other", "other", "jde", "jde"] * 2

    data = json.loads(target.read_text())
    assert [(row["sequence"], row["association"]) for row in data["sequences"]] == expected[:8]
    assert [row["association"] for row in data["overall"]] == names
    assert [row["IDs"] for row in data["overall"]] == [2] * 4 and "sequence" not in data["overall"][0]


def test_every_association_runs(sequence, capsys):
    assert main([*sequence("walk"), "--association", *ASSOCIATIONS]) == 0
    _, *rows = table(capsys)
    assert [row[1] for row in rows] == list(ASSOCIATIONS)
    assert main(sequence("walk")) == 0
    assert table(capsys)[1][1] == DEFAULT


def test_the_control_tracks_as_if_everybody_looked_the_same(sequence, tmp_path, monkeypatch):
    given = []

    def spy(frames, *arguments):
        given.append(np.concatenate([frame.embeddings for frame in frames.values()]))
        run_association(frames, *arguments)

    monkeypatch.setattr(eval_mot, "run_association", spy)
    assert main([*sequence("walk"), "--association", "jde", "--control", "--output", str(tmp_path / "out")]) == 0
    own, control = given
    assert len(np.unique(own, axis=0)) == 2 and np.allclose(control, 0.5)
    assert sorted(path.parent.name for path in tmp_path.glob("out/*/walk.txt")) == ["jde", "jde-control"]


def test_two_detectors_of_one_sequence_are_compared_unless_their_files_would_meet(sequence, tmp_path, capsys):
    arguments = sequence("walk") * 2
    assert main(arguments) == 0
    assert [row[0] for row in table(capsys)[1:]] == ["walk", "walk", "overall"]
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 1
    assert "two sequences are called 'walk'" in capsys.readouterr().err


def test_files_of_an_earlier_run_are_replaced(sequence, tmp_path):
    arguments = [*sequence("walk"), "--output", str(tmp_path / "out"), "--association", "jde"]
    assert main(arguments) == 0
    first = (tmp_path / "out/jde/walk.txt").read_text()
    assert main(arguments) == 0
    assert (tmp_path / "out/jde/walk.txt").read_text() == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--association", "magic"], "association must be one of"),
        (["--association", "jde", "magic"], "not 'magic'"),
        (["--conf_thres", "1.5"], "conf_thres must be a number from 0 to 1"),
        (["--min_box_area", "nan"], "min_box_area must be a number"),
        (["--frame_rate", "0"], "frame_rate must be a positive number, got 0"),
        (["--frame_rate", "inf"], "frame_rate must be a positive number"),
        (["--iou", "0"], "iou must be above 0"),
        (["--gt", "more"], "every --gt needs its --detections, got 2 and 1"),
        (["--output", "{gt}"], "gt.txt: cannot be made"),
        (["--json", "{folder}"], "cannot be written"),
    ],
)
def test_mistakes_cost_one_line(sequence, tmp_path, capsys, made, options, message):
    arguments = sequence("walk")
    options = [text.format(gt=tmp_path / "data/walk/gt/gt.txt", folder=tmp_path) for text in options]
    assert main([*arguments, *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not made or "--json" in options, "a mistake is told before anything is tracked"


def test_files_that_cannot_be_used_are_named(sequence, tmp_path, capsys, made):
    first, last = sequence("first"), sequence("last")

    def refused(message):
        assert main([*first, *last]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message in error and error.count("\n") == 1
        assert not made, "a mistake is told before anything is tracked"

    write_detections(tmp_path / "npz/last.npz", {1: seen(A), 11 + GAP: seen(A), 12 + GAP: Detections.empty(4)})
    refused(f"last.npz: frame {11 + GAP} lies beyond the last frame {10 + GAP} of")
    (tmp_path / "npz/last.npz").write_text("nothing")
    refused("last.npz is no whole .npz file of detections")
    (tmp_path / "npz/last.npz").unlink()
    refused("last.npz: there is no such file")
    sequence("last", frame_rate="fast")
    refused("frameRate")
    sequence("last")
    write_boxes(tmp_path / "data/last/gt/gt.txt", [(1, 1, A)], tail="0,-1,-1,-1")
    refused("no box counts")


def test_a_folder_of_sequences_needs_a_folder_of_detections(sequence, tmp_path, capsys):
    _, _, _, file = sequence("walk")
    assert main(["--gt", str(tmp_path / "data"), "--detections", file]) == 1
    assert "must be a folder of SEQUENCE.npz" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [["--association", "jde"], ["--control"], ["--frame_rate", "25"], ["--output", "out"], ["--min_box_area", "0"]],
)
def test_results_take_no_options_of_tracking(tmp_path, capsys, options):
    gt = str(write_boxes(tmp_path / "gt.txt", [(1, 1, A)]))
    assert main(["--gt", gt, "--result", gt, *options]) == 1
    assert f"{options[0]} is for --detections" in capsys.readouterr().err


def test_results_or_detections_but_not_both(tmp_path, capsys):
    for arguments in (["--gt", "a"], ["--gt", "a", "--result", "b", "--detections", "c"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err
