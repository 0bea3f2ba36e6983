r"""Tune the settings of an association on stored detections of several sequences, and say what that is worth.

    python tools/evaluation/tune.py --gt FOLDER_OF_SEQUENCES --detections FOLDER_OF_NPZ --output tuned.yml
    python tools/evaluation/tune.py --gt SEQ1 --detections SEQ1.npz --gt SEQ2 --detections SEQ2.npz --trials 200 \
        --association byte --settings memory conf_thres

eval_model.py --save_detections writes such detections. Settings are drawn at random, and the worse ones given up early.
What counts is the score on a sequence of settings that were chosen on all others. tuned.yml is for --tracker_config.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script runs from any folder

from tools.cli import announce, run_tool, write_json
from tools.eval_mot import DEFAULT_CONF_THRES, StoredSequence, open_sequence
from tools.evaluation.tuning import Outcome, SequenceScores, Trial, make_trials, search
from tracker.association.base import check_association
from tracker.errors import OptionError, OutputError
from tracker.evaluation.mot_files import find_pairs
from tracker.evaluation.mot_metrics import COLUMNS, COUNTS
from tracker.settings.checks import check_number, check_whole
from tracker.settings.tracking import ASSOCIATIONS, TRACKER_FILE, TrackerConfig

METRICS = [name for name in COLUMNS if name not in COUNTS]


def read_sequences(arguments: argparse.Namespace) -> list[StoredSequence]:
    """Read the sequences that the command line names.

    Raises:
        OptionError: there are fewer than two.
        SourceError: a file is missing or malformed.
    """
    if len(arguments.gt) != len(arguments.detections):
        raise OptionError(f"every --gt needs its --detections, got {len(arguments.gt)} and {len(arguments.detections)}")
    given = zip(arguments.gt, arguments.detections)
    pairs = [pair for gt, path in given for pair in find_pairs(gt, path, ".npz")]
    if len(pairs) < 2:
        raise OptionError(
            "one sequence tells nothing of others: settings tuned on it fit it by chance; give two or more, better five"
        )
    return [open_sequence(gt, path, arguments.frame_rate) for _, gt, path in pairs]


def report(outcome: Outcome, sequences: Sequence[StoredSequence], metric: str) -> str:
    """Return the scores as a table, with what they mean below."""
    width = max(len("sequence"), *(len(sequence.name) for sequence in sequences))
    lines = [f"{'sequence':{width}}  {'usual':>7}  {'held out':>8}  {'gain':>7}  {'fitted':>7}"]
    for sequence, held, fitted in zip(sequences, outcome.held, outcome.tuned):
        gain = held.tuned - held.usual
        lines.append(f"{sequence.name:{width}}  {held.usual:7.3f}  {held.tuned:8.3f}  {gain:+7.3f}  {fitted:7.3f}")
    tuned = outcome.usual.mean() + outcome.gains.mean()
    means = f"{outcome.usual.mean():7.3f}  {tuned:8.3f}  {outcome.gains.mean():+7.3f}  {outcome.tuned.mean():7.3f}"
    lines.append(f"{'mean':{width}}  {means}")
    spread = f"{metric} on sequences not seen: {outcome.gains.mean():+.3f}, standard error {outcome.error:.3f}, "
    spread += f"{outcome.gains.min():+.3f} to {outcome.gains.max():+.3f}"
    lines.append(spread)
    if outcome.trial == 0:
        lines.append("nothing tried is better than the usual settings: keep them")
    elif not outcome.is_sure:
        lines.append("that is no sure gain: keep the usual settings, or tune on more sequences")
    return "\n".join(lines)


def write_settings(path: Path, association: str, trial: Trial, about: str) -> None:
    """Write a file of tracker settings.

    Args:
        path: YAML file to make.
        association: its name.
        trial: the settings that differ from the usual ones.
        about: lines for a comment above them.

    Raises:
        OutputError: it cannot be written.
    """
    comment = "".join(f"# {line}".rstrip() + "\n" for line in about.splitlines())
    values = "".join(f"{name}: {value:g}\n" for name, value in {**trial}.items())
    try:
        path.write_text(f"{comment}\nassociation: {association}\n{values}", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def run(arguments: argparse.Namespace) -> None:
    """Tune what the command line asks for, print the table and write the settings.

    Raises:
        OptionError: an argument is out of its range, or there are fewer than two sequences.
        SourceError: a file is missing or malformed.
        OutputError: the settings cannot be written.
    """
    check_whole("trials", arguments.trials, 2)
    check_number("conf_thres", arguments.conf_thres, 0, 1)
    check_whole("seed", arguments.seed, 0)
    check_association(arguments.association)
    usual = {"association": arguments.association, "conf_thres": arguments.conf_thres}
    config = TrackerConfig.load(TRACKER_FILE).override(usual)
    trials = make_trials(config, arguments.trials, arguments.seed, arguments.settings)
    if not arguments.output.absolute().parent.is_dir():
        raise OutputError(f"{arguments.output}: there is no such folder to write it into")
    sequences = read_sequences(arguments)
    scores, begun, runs = SequenceScores(sequences, config, trials, arguments.metric), time.monotonic(), 0

    def score(trial: int, sequence: int, share: float) -> float:
        nonlocal runs
        runs += 1
        if runs % 100 == 0:
            announce(f"{runs} runs after {time.monotonic() - begun:.0f} s")
        return scores(trial, sequence, share)

    outcome = search(len(trials), len(sequences), score)
    metric = " and ".join(arguments.metric)
    table = report(outcome, sequences, metric)
    print(table)
    found = trials[outcome.trial]
    head = f"Tuned on {metric} by tools/evaluation/tune.py: {arguments.trials} trials, seed {arguments.seed}"
    told = {"conf_thres": arguments.conf_thres, **found} if outcome.trial else {}
    write_settings(arguments.output, arguments.association, told, f"{head}\n{table}")
    if arguments.json:
        held = [
            {"sequence": sequence.name, "usual": one.usual, "held_out": one.tuned, "settings": trials[one.trial]}
            for sequence, one in zip(sequences, outcome.held)
        ]
        about = {"metric": arguments.metric, "trials": len(trials), "seed": arguments.seed, "runs": runs}
        result = {"settings": found, "held_out": held, "gain": float(outcome.gains.mean()), "error": outcome.error}
        write_json(arguments.json, {**about, **result, "sure": outcome.is_sure})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    text = "gt.txt, a sequence folder, or a folder of those"
    parser.add_argument("--gt", type=Path, action="append", required=True, help=text)
    text = ".npz file, or a folder of SEQUENCE.npz"
    parser.add_argument("--detections", type=Path, action="append", required=True, help=text)
    parser.add_argument("--output", type=Path, required=True, help="YAML file to write, for --tracker_config")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    text = "whose settings (default: %(default)s)"
    parser.add_argument("--association", default=ASSOCIATIONS[0], metavar="|".join(ASSOCIATIONS), help=text)
    text = "the ones to tune (default: all of the association)"
    parser.add_argument("--settings", nargs="+", default=[], metavar="NAME", help=text)
    parser.add_argument("--trials", type=int, default=81, help="settings to try (default: %(default)s)")
    text = "what to raise; of several the mean (default: HOTA, the quickest)"
    parser.add_argument("--metric", nargs="+", default=["HOTA"], choices=METRICS, help=text)
    text = "the model's own, from which the search starts (default: %(default)s)"
    parser.add_argument("--conf_thres", type=float, default=DEFAULT_CONF_THRES, help=text)
    parser.add_argument("--frame_rate", type=float, help="frames per second (default: what seqinfo.ini says)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (default: %(default)s)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
