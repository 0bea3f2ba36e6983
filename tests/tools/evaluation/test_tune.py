"""Tuning on stored detections: what is chosen, what it is worth on sequences not seen, and when it is refused."""

import json

import numpy as np
import pytest

from tests.helpers.dataset_files import A, B, write_boxes
from tools.evaluation.tune import main
from tools.evaluation.tuning import HALVING, SHARES, SPACE, make_trials, search
from tracker.boxes import ltwh_to_ltrb
from tracker.errors import OptionError
from tracker.evaluation.mot_metrics import evaluate
from tracker.evaluation.stored_detections import read_detections, run_association, write_detections
from tracker.settings.tracking import ASSOCIATIONS, TRACKER_FILE, TrackerConfig, read_tracker_file
from tracker.structures import Detections

USUAL = TrackerConfig.load(TRACKER_FILE)


def scores_from(table, asked):
    """Scores [trials, sequences] that hold for every share; notes what is asked for."""

    def score(trial, sequence, share):
        asked.append((trial, sequence, share))
        return float(table[trial, sequence])

    return score


def test_the_best_trial_is_found_and_the_worse_ones_are_given_up_early():
    table, asked = np.random.default_rng(0).random((27, 3)), []
    outcome = search(27, 3, scores_from(table, asked))
    assert outcome.trial == table.mean(axis=1).argmax()
    assert len(asked) == len(set(asked)), "something is tracked twice"
    whole = {trial for trial, _, share in asked if share == SHARES[-1]}
    # the last round of four searches: over all sequences, and over all but each; the usual settings are in each
    assert 0 in whole and len(whole) <= 4 * (27 / HALVING**2 + 1)
    assert outcome.usual.tolist() == table[0].tolist()


def test_a_sequence_says_nothing_in_the_choice_of_what_is_tried_on_it():
    table = np.random.default_rng(1).random((12, 4))
    others = search(12, 4, scores_from(table, [])).held[2].trial
    for seed in range(5):
        changed = table.copy()
        changed[:, 2] = np.random.default_rng(seed).random(12)
        held = search(12, 4, scores_from(changed, [])).held[2]
        assert held.trial == others and held.tuned == changed[others, 2] and held.usual == changed[0, 2]


def test_chance_is_not_sold_as_a_gain():
    chance = np.random.default_rng(2).random((40, 4))
    assert not search(40, 4, scores_from(chance, [])).is_sure
    better = 0.01 * chance
    better[7] += 1
    assert search(40, 4, scores_from(better, [])).is_sure
    assert search(40, 4, scores_from(np.zeros((40, 4)), [])).trial == 0, "the usual settings win a tie"


@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_trials_are_in_range_and_the_same_for_a_seed(association):
    config = USUAL.override({"association": association})
    trials = make_trials(config, 50, seed=3)
    assert trials == make_trials(config, 50, seed=3) and trials != make_trials(config, 50, seed=4)
    assert trials[0] == {} and len(trials) == 50
    for trial in trials:
        config.choose(trial, refine=False)  # which refuses what has no effect
        assert all(SPACE[name][0] <= value <= SPACE[name][1] for name, value in trial.items())
    assert {name for trial in trials for name in trial} == {name for name in SPACE if config.uses(name)}
    assert {name for trial in make_trials(config, 9, 0, ["conf_thres"]) for name in trial} == {"conf_thres"}


def test_what_cannot_be_tuned_is_told():
    for name in ("det_thresh", "camera_motion", "nonsense"):
        with pytest.raises(OptionError, match=f"{name} cannot be tuned with association fused; these can: conf_thres"):
            make_trials(USUAL, 5, 0, [name])


@pytest.fixture
def folders(tmp_path):
    """Two sequences at 10 frames/s in which two people are often out of sight, longer than is usually remembered."""
    boxes = np.array([A, B], np.float32)
    seen = Detections(ltwh_to_ltrb(boxes), np.full(2, 0.9, np.float32), np.eye(2, 4, dtype=np.float32))
    for name, gap in (("one", 25), ("two", 30)):
        frames = dict(enumerate(([seen] * 8 + [Detections.empty(4)] * gap) * 4 + [seen] * 8, start=1))
        there = [(n, i, box) for n, frame in frames.items() if len(frame) for i, box in ((1, A), (2, B))]
        write_boxes(tmp_path / f"data/{name}/gt/gt.txt", there)
        (tmp_path / f"data/{name}/seqinfo.ini").write_text("[Sequence]\nframeRate=10\n")
        (tmp_path / "npz").mkdir(exist_ok=True)
        write_detections(tmp_path / f"npz/{name}.npz", frames)
    return ["--gt", str(tmp_path / "data"), "--detections", str(tmp_path / "npz")]


def test_the_settings_that_are_written_score_as_stated(folders, tmp_path, capsys):
    output, figures = tmp_path / "tuned.yml", tmp_path / "tuned.json"
    words = ["--settings", "memory", "--trials", "12", "--output", str(output), "--json", str(figures)]
    assert main([*folders, *words, "--metric", "HOTA", "IDF1"]) == 0
    printed = capsys.readouterr().out
    assert "sequence" in printed and "HOTA and IDF1 on sequences not seen: +" in printed
    values = json.loads(figures.read_text())
    assert values["settings"]["memory"] > 3 and [one["sequence"] for one in values["held_out"]] == ["one", "two"]
    tuned = read_tracker_file(output)
    assert tuned == {"association": "fused", "conf_thres": 0.6, **values["settings"]}
    for one in values["held_out"]:
        name = one["sequence"]
        for config, stated in ((USUAL.override({"conf_thres": 0.6}), "usual"), (USUAL.override(tuned), "held_out")):
            text = tmp_path / f"{name}.txt"
            run_association(read_detections(tmp_path / f"npz/{name}.npz"), config, 10, text)
            found = evaluate(tmp_path / f"data/{name}", text)
            assert (found["HOTA"] + found["IDF1"]) / 2 == pytest.approx(one[stated], abs=0.01)
    assert all(f"# {line}".rstrip() in output.read_text().splitlines() for line in printed.splitlines())


def test_one_sequence_is_refused(folders, tmp_path, capsys):
    one = ["--gt", f"{folders[1]}/one", "--detections", f"{folders[3]}/one.npz"]
    assert main([*one, "--output", str(tmp_path / "tuned.yml")]) == 1
    assert "error: one sequence tells nothing of others" in capsys.readouterr().err
    assert not (tmp_path / "tuned.yml").exists()


def test_wrong_arguments_are_told(folders, tmp_path, capsys):
    for words, part in (
        (["--trials", "1"], "trials"),
        (["--settings", "speed"], "speed cannot be tuned"),
        (["--association", "none"], "none"),
        (["--output", str(tmp_path / "no" / "tuned.yml")], "there is no such folder"),
        (["--gt", "elsewhere"], "every --gt needs its --detections, got 2 and 1"),
    ):
        assert main([*folders, "--output", str(tmp_path / "tuned.yml"), *words]) == 1
        assert part in capsys.readouterr().err
