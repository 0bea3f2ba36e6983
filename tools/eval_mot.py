"""Score tracking results against MOTChallenge ground truth: MOTA, IDF1, HOTA and the counts behind them.

    python tools/eval_mot.py --gt SEQ/gt/gt.txt --result SEQ.txt
    python tools/eval_mot.py --gt SEQ1 --result out/SEQ1.txt --gt SEQ2 --result out/SEQ2.txt --json scores.json
    python tools/eval_mot.py --gt FOLDER_OF_SEQUENCES --result FOLDER_OF_TXT

Or track stored detections (see stored_detections.py) on the spot, by one association or by several to compare:

    python tools/eval_mot.py --gt SEQ --detections SEQ.npz --association NAME NAME --conf_thres 0.5
    python tools/eval_mot.py --gt FOLDER_OF_SEQUENCES --detections FOLDER_OF_NPZ --control
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the script runs from any folder, installed or not

from tracker.errors import OptionError, OutputError, SourceError, TrackingError
from tracker.evaluation.mot_files import find_pairs, make_folder, read_ground_truth, stated_frame_rate
from tracker.evaluation.mot_metrics import COLUMNS, COUNTS, check_iou, combine, score
from tracker.evaluation.stored_detections import read_detections, run_association, without_appearance
from tracker.options import TRACKER, boolean, split
from tracker.settings.checks import check_positive
from tracker.settings.tracking import REFINE, TRACKER_FILE, TrackerConfig
from tracker.structures import Detections

CONFIDENT = 0.6  # conf_thres of stored detections: the model that would state its own is not at hand
FRAME_RATE = 30.0  # of a sequence that states none
# by flags of their names; --association takes several, and without pictures the camera's motion cannot be seen
SETTINGS = {name: option for name, option in TRACKER.items() if name not in ("association", "camera_motion")}

Row = dict[str, str | int | float]  # sequence, association where there is one, and the values of COLUMNS


class StoredSequence(NamedTuple):
    """A sequence to be tracked.

    Attributes:
        name: for the tables.
        gt: its ground truth file.
        frames: its detections by the numbers of the frames.
        last_frame: number of its last frame.
        frame_rate: frames per second.
    """

    name: str
    gt: Path
    frames: dict[int, Detections]
    last_frame: int
    frame_rate: float


class Method(NamedTuple):
    """A way to track: the settings, whether everybody is to look the same, and whether the tracks are refined."""

    config: TrackerConfig
    control: bool = False
    refine: bool = False

    @property
    def name(self) -> str:
        """For tables and folders: the association, and what is done to it."""
        return self.config.association + "-control" * self.control + "-refined" * self.refine


def score_results(pairs: Sequence[tuple[str, Path, Path]], iou: float) -> tuple[list[Row], list[Row]]:
    """Scores (name, ground truth, MOT text) of every sequence; returns a row each, and one of all together."""
    videos = [score(gt, result, iou) for _, gt, result in pairs]
    rows = [{"sequence": name, **combine([video])} for (name, _, _), video in zip(pairs, videos)]
    return rows, [{"sequence": "overall", **combine(videos)}]


def score_detections(
    sequences: Sequence[StoredSequence], methods: Sequence[Method], folder: Path, iou: float
) -> tuple[list[Row], list[Row]]:
    """Tracks every sequence by every method and scores the result.

    Args:
        sequences: what to track.
        methods: how.
        folder: for the tracker's text files, METHOD/SEQUENCE.txt.
        iou: as in `score`.

    Returns:
        A row for each sequence and method, sequence by sequence, and a row for each method of all sequences together.
    """
    found = {method.name: [] for method in methods}
    rows = []
    for sequence in sequences:
        for method in methods:
            frames = sequence.frames
            if method.control:
                frames = {number: without_appearance(frame) for number, frame in frames.items()}
            path = make_folder(folder / method.name) / f"{sequence.name}.txt"
            run_association(frames, method.config, sequence.frame_rate, path, sequence.last_frame, method.refine)
            video = score(sequence.gt, path, iou)
            found[method.name].append(video)
            rows.append({"sequence": sequence.name, "association": method.name, **combine([video])})
    overall = [{"sequence": "overall", "association": name, **combine(videos)} for name, videos in found.items()]
    return rows, overall


def open_sequence(gt_file: Path, path: Path, frame_rate: float | None = None) -> StoredSequence:
    """Reads stored detections and what their ground truth says about the sequence.

    Args:
        gt_file: ground truth of the sequence.
        path: its ``.npz`` file of detections, which gives it its name.
        frame_rate: frames per second; None for what seqinfo.ini states, or `FRAME_RATE`.

    Raises:
        SourceError: a file is missing or malformed, or the two do not belong together.
    """
    frames, (_, last_frame) = read_detections(path), read_ground_truth(gt_file)
    if max(frames, default=0) > last_frame:
        raise SourceError(
            f"{path}: frame {max(frames)} lies beyond the last frame {last_frame} of {gt_file}; "
            "are these the detections of another video?"
        )
    if frame_rate is None:
        frame_rate = stated_frame_rate(gt_file) or FRAME_RATE
    return StoredSequence(path.stem, gt_file, frames, last_frame, frame_rate)


def choose_methods(
    associations: Sequence[str] | None, options: Mapping[str, object], control: bool, refine: bool
) -> list[Method]:
    """The ways to track that the command line asks for: ``config/tracker.yml`` with options in place of its values.

    Args:
        associations: names; None for the one of ``config/tracker.yml``.
        options: further values by the names of `TrackerConfig`; None leaves a value as it is.
        control: whether each association gets a control.
        refine: whether the refined tracks are scored too.

    Raises:
        OptionError: an unknown association, a value out of its range, or an option that none of them uses.
    """
    _, settings = split(options)
    config = TrackerConfig.load(TRACKER_FILE).override({"conf_thres": CONFIDENT, **settings})
    configs = [config.override({"association": name}) for name in dict.fromkeys(associations or [config.association])]
    for name in settings:
        if name.startswith(REFINE) and not refine:
            raise OptionError(f"{name} has no effect without --refine: give that too, or leave it out")
        if not any(config.uses(name) for config in configs):
            names = " or ".join(config.association for config in configs)
            raise OptionError(f"{name} has no effect with association {names}: leave it out, or choose another")
    kinds = [(False, False), *[(False, True)] * refine, *[(True, False)] * control]
    return [Method(config, *kind) for config in configs for kind in kinds]


def format_table(rows: Sequence[Row]) -> str:
    """Lays out rows under a header, ratios with three decimals."""
    header = list(rows[0])
    texts = len(header) - len(COLUMNS)
    cells = [header, *([_cell(name, row[name]) for name in header] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths))
        )
        for row in cells
    )


def _cell(name: str, value: str | int | float) -> str:
    return f"{value:.3f}" if name in COLUMNS and name not in COUNTS else str(value)


def _write_json(path: Path, rows: list[Row], overall: list[Row]) -> None:
    overall = [{name: value for name, value in row.items() if name != "sequence"} for row in overall]
    # results that came as files have no association to tell apart, and one entry for all
    data = {"sequences": rows, "overall": overall if "association" in rows[0] else overall[0]}
    try:
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def _pairs(args: argparse.Namespace, option: str, suffix: str) -> list[tuple[str, Path, Path]]:
    """(name, ground truth, file) of every sequence, where the files are the values of an option."""
    given = getattr(args, option)
    if len(args.gt) != len(given):
        raise OptionError(f"every --gt needs its --{option}, got {len(args.gt)} and {len(given)}")
    return [pair for gt, path in zip(args.gt, given) for pair in find_pairs(gt, path, suffix)]


def _track(args: argparse.Namespace) -> tuple[list[Row], list[Row]]:
    """Scores the detections that the command line names."""
    if args.frame_rate is not None:
        check_positive("frame_rate", args.frame_rate)
    methods = choose_methods(
        args.association, {name: getattr(args, name) for name in SETTINGS}, args.control, args.refine
    )
    pairs = _pairs(args, "detections", ".npz")
    sequences = [open_sequence(gt, path, args.frame_rate) for _, gt, path in pairs]
    if args.output:
        folder = make_folder(args.output, [sequence.name for sequence in sequences])
        return score_detections(sequences, methods, folder, args.iou)
    with tempfile.TemporaryDirectory() as folder:
        return score_detections(sequences, methods, Path(folder), args.iou)


def run(args: argparse.Namespace) -> None:
    """Scores what the command line asks for, prints the table and writes the JSON file."""
    check_iou(args.iou)  # before anything is tracked
    if args.detections:
        rows, overall = _track(args)
    else:
        for name in ("association", *SETTINGS, "frame_rate", "control", "refine", "output"):
            value = getattr(args, name)
            if value is not None and value is not False:
                raise OptionError(f"--{name} is for --detections; a --result has been tracked already")
        rows, overall = score_results(_pairs(args, "result", ".txt"), args.iou)
    several = len(rows) > len(overall)
    print(format_table([*rows, *overall] if several else rows))
    if args.json:
        _write_json(args.json, rows, overall)


def add_tracking_arguments(parser: argparse.ArgumentParser) -> None:
    """How to track stored detections."""
    group = parser.add_argument_group("Tracking of --detections", "The camera is taken to stand still.")
    text = f"{TRACKER['association'].help}; several are compared (default: config/tracker.yml, as of all below)"
    group.add_argument("--association", nargs="+", action="extend", metavar="NAME", help=text)
    group.add_argument("--control", action="store_true", help="also track as if everybody looked the same")
    group.add_argument("--refine", action="store_true", help="also refine the tracks at the end, as the module can")
    group.add_argument(
        "--frame_rate", type=float, help=f"frames per second (default: what seqinfo.ini says, else {FRAME_RATE:g})"
    )
    group.add_argument("--output", type=Path, help="keep the tracker's text files here: ASSOCIATION/SEQUENCE.txt")
    for name, option in SETTINGS.items():
        text = f"{option.help} (default: {CONFIDENT:g})" if name == "conf_thres" else option.help
        kind = boolean if option.kind is bool else option.kind
        group.add_argument(f"--{name}", type=kind, help=text, metavar=option.kind.__name__.upper())


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--gt", type=Path, action="append", required=True, help="gt.txt, a sequence folder, or a folder of those"
    )
    found = parser.add_mutually_exclusive_group(required=True)
    found.add_argument("--result", type=Path, action="append", help="MOT text file, or a folder of SEQUENCE.txt")
    found.add_argument("--detections", type=Path, action="append", help=".npz file, or a folder of SEQUENCE.npz")
    parser.add_argument("--iou", type=float, default=0.5, help="IoU of a match, but for HOTA (default %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the values to this file")
    add_tracking_arguments(parser)
    try:
        run(parser.parse_args(argv))
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
