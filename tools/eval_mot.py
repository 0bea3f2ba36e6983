"""Score tracking results against MOTChallenge ground truth: MOTA, IDF1, HOTA and the counts behind them.

    python tools/eval_mot.py --gt SEQ/gt/gt.txt --result SEQ.txt
    python tools/eval_mot.py --gt SEQ1 --result out/SEQ1.txt --gt SEQ2 --result out/SEQ2.txt --json scores.json
    python tools/eval_mot.py --gt FOLDER_OF_SEQUENCES --result FOLDER_OF_TXT

Or first track stored detections, which eval_model.py --save_detections writes, by one association or several:

    python tools/eval_mot.py --gt SEQ --detections SEQ.npz --association NAME NAME --conf_thres 0.5
    python tools/eval_mot.py --gt FOLDER_OF_SEQUENCES --detections FOLDER_OF_NPZ --control
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

from tools.cli import progress, run_tool, write_json
from tracker.association.base import check_association
from tracker.errors import OptionError, SourceError
from tracker.evaluation.mot_files import find_pairs, make_folder, read_ground_truth, stated_frame_rate
from tracker.evaluation.mot_metrics import COLUMNS, COUNTS, Scored, check_iou, combine, score
from tracker.evaluation.stored_detections import read_detections, run_association, without_appearance
from tracker.options import TRACKER, boolean, split
from tracker.settings.checks import check_positive
from tracker.settings.tracking import REFINE, TRACKER_FILE, TrackerConfig
from tracker.structures import Detections

DEFAULT_CONF_THRES = 0.6  # of stored detections, for they do not tell the threshold of their model
DEFAULT_FRAME_RATE = 30.0  # of a sequence whose seqinfo.ini states none
# the tracker's options, but --association, which takes several here, and the camera's motion, which needs images
SETTINGS = {name: option for name, option in TRACKER.items() if name not in ("association", "camera_motion")}

Row = dict[str, str | int | float]  # sequence, association where there is one, and the values of COLUMNS


class StoredSequence(NamedTuple):
    """A sequence to track.

    Attributes:
        name: for the tables.
        gt: its ground truth file.
        frames: its detections, by the numbers of the frames that were looked at.
        last_frame: number of its last frame, from 1.
        frame_rate: frames per second.
    """

    name: str
    gt: Path
    frames: dict[int, Detections]
    last_frame: int
    frame_rate: float


class Method(NamedTuple):
    """A way to track.

    Attributes:
        config: the association and its settings.
        control: whether all embeddings are replaced by one and the same.
        refine: whether the finished tracks are refined.
    """

    config: TrackerConfig
    control: bool = False
    refine: bool = False

    @property
    def name(self) -> str:
        """Name for tables and folders: the association, with -control and -refined behind it."""
        return self.config.association + "-control" * self.control + "-refined" * self.refine


def score_results(pairs: Sequence[tuple[str, Path, Path]], iou: float) -> tuple[list[Row], list[Row]]:
    """Score results.

    Args:
        pairs: name, ground truth file and MOT text of each sequence.
        iou: least IoU of a match, in (0, 1].

    Returns:
        A row for each sequence, and one for all together.

    Raises:
        SourceError: a file is missing or malformed, or the two do not belong together.
    """
    videos = [score(gt, result, iou) for _, gt, result in pairs]
    rows: list[Row] = [{"sequence": name, **combine([video])} for (name, _, _), video in zip(pairs, videos)]
    return rows, [{"sequence": "overall", **combine(videos)}]


def score_detections(
    sequences: Sequence[StoredSequence], methods: Sequence[Method], folder: Path, iou: float
) -> tuple[list[Row], list[Row]]:
    """Track every sequence by every method and score the result.

    Args:
        sequences: what to track.
        methods: how to track.
        folder: for the text files of the tracks, METHOD/SEQUENCE.txt.
        iou: least IoU of a match, in (0, 1].

    Returns:
        A row for each sequence and method, sequence by sequence, and a row for each method over all sequences.

    Raises:
        OutputError: a text file cannot be written.
        SourceError: a ground truth file is malformed.
    """
    videos: dict[str, list[Scored]] = {method.name: [] for method in methods}
    rows: list[Row] = []
    for sequence, method in progress(list(itertools.product(sequences, methods)), "tracking", "runs"):
        frames = sequence.frames
        if method.control:
            frames = {number: without_appearance(frame) for number, frame in frames.items()}
        path = make_folder(folder / method.name) / f"{sequence.name}.txt"
        run_association(frames, method.config, sequence.frame_rate, path, sequence.last_frame, method.refine)
        video = score(sequence.gt, path, iou)
        videos[method.name].append(video)
        rows.append({"sequence": sequence.name, "association": method.name, **combine([video])})
    overall: list[Row] = [
        {"sequence": "overall", "association": name, **combine(scored)} for name, scored in videos.items()
    ]
    return rows, overall


def open_sequence(gt_file: Path, path: Path, frame_rate: float | None = None) -> StoredSequence:
    """Read stored detections and what their ground truth says about the sequence.

    Args:
        gt_file: ground truth of the sequence.
        path: its ``.npz`` file of detections, which gives it its name.
        frame_rate: frames per second; None for what seqinfo.ini states, or `DEFAULT_FRAME_RATE`.

    Raises:
        SourceError: a file is missing or malformed, or the two do not belong together.
    """
    frames, (_, last_frame) = read_detections(path), read_ground_truth(gt_file)
    last_seen = max((number for number, frame in frames.items() if len(frame)), default=0)
    if last_seen > last_frame:
        raise SourceError(
            f"{path}: frame {last_seen} lies beyond the last frame {last_frame} of {gt_file}; "
            "are these the detections of another video?"
        )
    if frame_rate is None:
        frame_rate = stated_frame_rate(gt_file) or DEFAULT_FRAME_RATE
    return StoredSequence(path.stem, gt_file, frames, last_frame, frame_rate)


def choose_methods(
    associations: Sequence[str] | None, options: Mapping[str, object], control: bool, refine: bool
) -> list[Method]:
    """Return the ways to track that the command line asks for: ``config/tracker.yml`` with values replaced by options.

    Args:
        associations: names of associations; None for the one of ``config/tracker.yml``.
        options: other settings by their names in `TrackerConfig`; None leaves a setting as it is.
        control: whether each association is also run with one and the same embedding for everybody.
        refine: whether the refined tracks are scored too.

    Raises:
        OptionError: an unknown association, a value out of its range, or an option that none of them uses.
    """
    _, settings = split(options)
    config = TrackerConfig.load(TRACKER_FILE).override({"conf_thres": DEFAULT_CONF_THRES, **settings})
    configs = [config.override({"association": name}) for name in dict.fromkeys(associations or [config.association])]
    for config in configs:
        check_association(config.association)
    for name in settings:
        if name.startswith(REFINE) and not refine:
            raise OptionError(f"{name} has no effect without --refine: give that too, or leave it out")
        if not any(config.uses(name) for config in configs):
            names = " or ".join(config.association for config in configs)
            raise OptionError(f"{name} has no effect with association {names}: leave it out, or choose another")
    kinds = [(False, False), *[(False, True)] * refine, *[(True, False)] * control]
    return [Method(config, *kind) for config in configs for kind in kinds]


def format_table(rows: Sequence[Row]) -> str:
    """Lay out rows under a header, ratios with three decimals."""
    header = list(rows[0])
    texts = len(header) - len(COLUMNS)
    cells = [header, *([_cell(name, row[name]) for name in header] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        )
        for row in cells
    )


def _cell(name: str, value: str | int | float) -> str:
    return f"{value:.3f}" if name in COLUMNS and name not in COUNTS else str(value)


def _write_json(path: Path, rows: list[Row], overall: list[Row]) -> None:
    overall = [{name: value for name, value in row.items() if name != "sequence"} for row in overall]
    # results that were given as files name no association, so one entry stands for all of them
    data = {"sequences": rows, "overall": overall if "association" in rows[0] else overall[0]}
    write_json(path, data)


def _pairs(arguments: argparse.Namespace, option: str, suffix: str) -> list[tuple[str, Path, Path]]:
    """Return name, ground truth and file of every sequence, where the files are the values of an option."""
    given = getattr(arguments, option)
    if len(arguments.gt) != len(given):
        raise OptionError(f"every --gt needs its --{option}, got {len(arguments.gt)} and {len(given)}")
    return [pair for gt, path in zip(arguments.gt, given) for pair in find_pairs(gt, path, suffix)]


def _track(arguments: argparse.Namespace) -> tuple[list[Row], list[Row]]:
    """Track and score the detections that the command line names."""
    if arguments.frame_rate is not None:
        check_positive("frame_rate", arguments.frame_rate)
    methods = choose_methods(
        arguments.association,
        {name: getattr(arguments, name) for name in SETTINGS},
        arguments.control,
        arguments.refine,
    )
    pairs = _pairs(arguments, "detections", ".npz")
    sequences = [
        open_sequence(gt, path, arguments.frame_rate) for _, gt, path in progress(pairs, "reading", "sequences")
    ]
    if arguments.output:
        folder = make_folder(arguments.output, [sequence.name for sequence in sequences])
        return score_detections(sequences, methods, folder, arguments.iou)
    with tempfile.TemporaryDirectory() as scratch:
        return score_detections(sequences, methods, Path(scratch), arguments.iou)


def run(arguments: argparse.Namespace) -> None:
    """Score what the command line asks for, print the table and write the JSON file."""
    check_iou(arguments.iou)  # before anything is tracked
    if arguments.detections:
        rows, overall = _track(arguments)
    else:
        for name in ("association", *SETTINGS, "frame_rate", "control", "refine", "output"):
            value = getattr(arguments, name)
            if value is not None and value is not False:
                raise OptionError(f"--{name} is for --detections; a --result has been tracked already")
        rows, overall = score_results(_pairs(arguments, "result", ".txt"), arguments.iou)
    several = len(rows) > len(overall)
    print(format_table([*rows, *overall] if several else rows))
    if arguments.json:
        _write_json(arguments.json, rows, overall)


def add_tracking_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of how to track stored detections."""
    group = parser.add_argument_group("Tracking of --detections", "The camera is assumed to stand still.")
    text = f"{TRACKER['association'].help}; several are compared (default: config/tracker.yml, as of all below)"
    group.add_argument("--association", nargs="+", action="extend", metavar="NAME", help=text)
    group.add_argument("--control", action="store_true", help="also track with the same embedding for everybody")
    group.add_argument("--refine", action="store_true", help="also refine the tracks at the end, as the module can")
    group.add_argument(
        "--frame_rate",
        type=float,
        help=f"frames per second (default: what seqinfo.ini says, else {DEFAULT_FRAME_RATE:g})",
    )
    group.add_argument("--output", type=Path, help="keep the tracker's text files here: ASSOCIATION/SEQUENCE.txt")
    for name, option in SETTINGS.items():
        text = f"{option.help} (default: {DEFAULT_CONF_THRES:g})" if name == "conf_thres" else option.help
        kind = boolean if option.kind is bool else option.kind
        group.add_argument(f"--{name}", type=kind, help=text, metavar=option.kind.__name__.upper())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument(
        "--gt", type=Path, action="append", required=True, help="gt.txt, a sequence folder, or a folder of those"
    )
    tracked = parser.add_mutually_exclusive_group(required=True)
    tracked.add_argument("--result", type=Path, action="append", help="MOT text file, or a folder of SEQUENCE.txt")
    tracked.add_argument("--detections", type=Path, action="append", help=".npz file, or a folder of SEQUENCE.npz")
    parser.add_argument("--iou", type=float, default=0.5, help="IoU of a match, but for HOTA (default %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the values to this file")
    add_tracking_arguments(parser)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
