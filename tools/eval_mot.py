"""Scores tracking results against MOTChallenge ground truth: MOTA, IDF1, HOTA and the counts behind them.

    python tools/eval_mot.py --gt SEQ/gt/gt.txt --result SEQ.txt
    python tools/eval_mot.py --gt SEQ1 --result out/SEQ1.txt --gt SEQ2 --result out/SEQ2.txt --json scores.json
    python tools/eval_mot.py --gt FOLDER_OF_SEQUENCES --result FOLDER_OF_TXT

HOTA is computed in `hota.py`, everything else by motmetrics. Several videos are combined by adding up their counts.
"""

from __future__ import annotations

import argparse
import configparser
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the script runs from any folder, installed or not

import motmetrics
import numpy as np
from scipy.optimize import linear_sum_assignment

from tools.hota import TOLERANCE, HotaCounts, Overlaps, count_hota
from tracker.errors import OptionError, OutputError, SourceError, TrackingError

MIN_COLUMNS, MAX_COLUMNS = 7, 10
FRAME, ID, LEFT, WIDTH, HEIGHT, FLAG, CLASS, VISIBILITY = 0, 1, 2, 4, 5, 6, 7, 8
BOX = slice(LEFT, HEIGHT + 1)
MAX_VALUE = 2**53  # ids are exact in float64 up to here

PEDESTRIAN, CLASSES = 1, range(1, 14)
DISTRACTORS = (2, 7, 8, 12)  # person on a vehicle, static person, distractor, reflection
IGNORE_IOU = 0.5  # the benchmark's, whatever IoU the metrics ask for

MOTMETRICS = {  # our name: theirs
    "MOTA": "mota",
    "IDF1": "idf1",
    "IDs": "num_switches",
    "FP": "num_false_positives",
    "FN": "num_misses",
    "precision": "precision",
    "recall": "recall",
    "MT": "mostly_tracked",
    "ML": "mostly_lost",
    "Frag": "num_fragmentations",
}
COUNTS = ("IDs", "FP", "FN", "MT", "ML", "Frag")
COLUMNS = ("MOTA", "IDF1", "HOTA", "DetA", "AssA", "IDs", "FP", "FN", "precision", "recall", "MT", "ML", "Frag")


class Scored(NamedTuple):
    """One video's counts, in the form in which they can be added to those of other videos.

    Attributes:
        clear: motmetrics' values, intermediate ones included, by its own names.
        hota: the counts behind HOTA.
    """

    clear: dict[str, object]
    hota: HotaCounts


def evaluate(gt: Path, result: Path, iou: float = 0.5) -> dict[str, float]:
    """Scores one video.

    Args:
        gt: ground truth file, or the sequence folder that holds gt/gt.txt.
        result: MOT text file of the tracker.
        iou: smallest IoU at which a result box may match a true one, in (0, 1]; HOTA has its own thresholds.

    Returns:
        The values of `COLUMNS`: ratios as fractions (MOTA at most 1, may be negative), counts as int. Without any
        result box precision is 0.

    Raises:
        OptionError: `iou` is out of its range.
        SourceError: a file is missing or malformed, or the two do not belong together.
    """
    return combine([score(gt_path(Path(gt)), Path(result), iou)])


def score(gt_file: Path, result: Path, iou: float = 0.5) -> Scored:
    """Counts hits, errors and associations of one video; arguments and errors as in `evaluate`."""
    if not 0 < iou <= 1:
        raise OptionError(f"iou must be above 0 and at most 1, got {iou}")
    gt, boxes = read_mot(gt_file), read_mot(result)
    if not roles(gt)[0].any():
        raise SourceError(f"{gt_file}: no box counts (flag 1, pedestrian), there is nothing to score against")
    last = max(int(gt[:, FRAME].max()), _stated_length(gt_file))
    if len(boxes) and boxes[:, FRAME].max() > last:
        raise SourceError(
            f"{result}: frame {boxes[:, FRAME].max():.0f} lies beyond the last frame {last} of {gt_file}; "
            "is it the result of another video?"
        )
    frames = overlaps(gt, boxes)
    return Scored(_clear_mot(frames, iou), count_hota(frames))


def combine(videos: Sequence[Scored]) -> dict[str, float]:
    """Computes the metrics of all `videos` together from the sums of their counts, as `evaluate` returns them."""
    values = motmetrics.metrics.create().compute_overall(
        [video.clear for video in videos], metrics=list(MOTMETRICS.values()), return_dataframe=False
    )
    scores = sum((video.hota for video in videos[1:]), videos[0].hota).scores()
    for name, theirs in MOTMETRICS.items():
        # Only the precision of an empty result is 0 / 0 here: true boxes are always there.
        scores[name] = int(values[theirs]) if name in COUNTS else float(np.nan_to_num(values[theirs]))
    return {name: scores[name] for name in COLUMNS}


def read_mot(path: Path) -> np.ndarray:
    """Reads a MOTChallenge text file, ground truth or result.

    Returns:
        [N, 10] float64, a box a row in the order of the file: frame (from 1), id, left, top, width, height (pixels),
        then flag and class and visibility (ground truth of MOT16 and later) or flag and world coordinates (MOT15)
        or score and -1 (results). Columns that the file lacks are -1.

    Raises:
        SourceError: the file cannot be read, a line is malformed or repeats an id in its frame.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as text ({getattr(error, 'strerror', None) or error})") from error
    rows, line_of = [], {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _parse(line, f"{path}, line {number}")
        key = (row[FRAME], row[ID])
        if key in line_of:
            raise SourceError(
                f"{path}, line {number}: id {row[ID]:.0f} is in frame {row[FRAME]:.0f} already, on line {line_of[key]}"
            )
        line_of[key] = number
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(-1, MAX_COLUMNS)


def _parse(line: str, where: str) -> list[float]:
    """Turns a line into the `MAX_COLUMNS` values of a box; `where` names it in the error."""
    fields = line.split(",")
    try:
        row = [float(field) for field in fields]
    except ValueError:
        raise SourceError(f"{where}: expected numbers between commas, got {line.strip()!r}") from None
    if not MIN_COLUMNS <= len(row) <= MAX_COLUMNS:
        raise SourceError(f"{where}: expected {MIN_COLUMNS} to {MAX_COLUMNS} columns, got {len(row)}")
    if not all(abs(value) < MAX_VALUE for value in row):
        raise SourceError(f"{where}: every value must be finite and below 2^53, got {line.strip()!r}")
    if not (row[FRAME].is_integer() and row[ID].is_integer() and row[FRAME] >= 1):
        raise SourceError(f"{where}: frame (from 1) and id must be whole numbers, got {fields[FRAME]} and {fields[ID]}")
    if not (row[WIDTH] > 0 and row[HEIGHT] > 0):
        raise SourceError(f"{where}: width and height must be positive, got {fields[WIDTH]} and {fields[HEIGHT]}")
    return row + [-1.0] * (MAX_COLUMNS - len(row))


def overlaps(gt: np.ndarray, result: np.ndarray) -> list[Overlaps]:
    """Pairs the frames of both files and takes out the boxes that the benchmark ignores.

    All true boxes of a frame, whatever their class and flag, compete for the result boxes. The result boxes that fall
    to ignored ones are removed: they are neither hits nor false positives. Then every true box that does not count
    goes.

    Args:
        gt: [N, 10] from `read_mot`.
        result: [M, 10] from `read_mot`.

    Returns:
        One entry for each frame that has a box in either file, in the order of the frames.
    """
    counts, ignored = roles(gt)
    frames = []
    for index in np.union1d(gt[:, FRAME], result[:, FRAME]):
        true, found = gt[:, FRAME] == index, result[:, FRAME] == index
        iou = box_iou(gt[true, BOX], result[found, BOX])
        close = iou >= IGNORE_IOU - TOLERANCE
        rows, columns = linear_sum_assignment(np.where(close, iou, 0), maximize=True)
        keep = np.ones(iou.shape[1], bool)
        keep[columns[close[rows, columns] & ignored[true][rows]]] = False
        gt_ids, result_ids = gt[true, ID].astype(np.int64), result[found, ID].astype(np.int64)
        counting = counts[true]
        frames.append(Overlaps(gt_ids[counting], result_ids[keep], iou[np.ix_(counting, keep)]))
    return frames


def roles(gt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Says which true boxes count and which are ignored, as two [N] bool; boxes of other classes are neither.

    MOT16 and later have the class in column 8 and the visibility in column 9, where MOT15 has world coordinates in
    metres, or -1. A file is of the newer kind if every row has a whole number from 1 to 13 in column 8 and a value
    from 0 to 1 in column 9: world coordinates are fractions all over the ground plane, and -1 is outside both ranges.
    """
    flagged, kind, visibility = gt[:, FLAG] != 0, gt[:, CLASS], gt[:, VISIBILITY]
    if not (np.isin(kind, CLASSES).all() and ((visibility >= 0) & (visibility <= 1)).all()):
        return flagged, ~flagged
    person = kind == PEDESTRIAN
    return person & flagged, (person & ~flagged) | np.isin(kind, DISTRACTORS)


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the IoU [A, B] of boxes a [A, 4] and b [B, 4], each left, top, width, height with positive size."""
    # Areas come from the corners, like the intersection, so that a box overlaps itself by exactly 1.
    a_min, a_max, b_min, b_max = a[:, :2], a[:, :2] + a[:, 2:], b[:, :2], b[:, :2] + b[:, 2:]
    sides = np.minimum(a_max[:, None], b_max) - np.maximum(a_min[:, None], b_min)
    intersection = np.maximum(sides, 0).prod(axis=2)
    union = (a_max - a_min).prod(axis=1)[:, None] + (b_max - b_min).prod(axis=1) - intersection
    # A size too small to tell the corners apart leaves no area.
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def _clear_mot(frames: Sequence[Overlaps], iou: float) -> dict[str, object]:
    """Returns motmetrics' values of one video, with all that is needed to add videos up."""
    events = motmetrics.MOTAccumulator(auto_id=True)
    for frame in frames:
        distance = np.where(frame.iou >= iou - TOLERANCE, 1 - frame.iou, np.nan)  # nan: may not match
        events.update(frame.gt_ids, frame.result_ids, distance)
    return motmetrics.metrics.create().compute(
        events, metrics=list(MOTMETRICS.values()), return_dataframe=False, return_cached=True
    )


def _stated_length(gt_file: Path) -> int:
    """Returns the number of frames that the sequence's seqinfo.ini states, or 0 without one."""
    if gt_file.absolute().parent.name != "gt":
        return 0
    path = gt_file.absolute().parents[1] / "seqinfo.ini"
    config = configparser.ConfigParser()
    try:
        config.read(path, encoding="utf-8")
        return config.getint("Sequence", "seqLength", fallback=0)
    except (configparser.Error, ValueError, OSError) as error:
        raise SourceError(f"{path}: seqLength, a whole number in [Sequence], cannot be read") from error


def gt_path(gt: Path) -> Path:
    """The ground truth file of a sequence folder, or the file itself."""
    return gt / "gt" / "gt.txt" if gt.is_dir() else gt


def find_pairs(gt: Path, result: Path) -> list[tuple[str, Path, Path]]:
    """Lists (name, ground truth file, result file) of every sequence that one `--gt` and one `--result` stand for.

    `gt` is a ground truth file, a sequence folder or a folder of those. Where `result` is a folder, the result of a
    sequence is its NAME.txt.
    """
    if gt.is_dir() and not gt_path(gt).is_file():
        files = sorted(gt.glob("*/gt/gt.txt"))
        if not files:
            raise SourceError(f"{gt}: holds neither gt/gt.txt nor any SEQUENCE/gt/gt.txt")
        if not result.is_dir():
            raise SourceError(f"{result}: must be a folder of SEQUENCE.txt, because {gt} is a folder of sequences")
    else:
        files = [gt_path(gt)]
    pairs = []
    for file in files:
        folder = file.absolute().parent
        name = file.stem if file.stem != "gt" else folder.parent.name if folder.name == "gt" else folder.name
        pairs.append((name, file, result / f"{name}.txt" if result.is_dir() else result))
    return pairs


def format_table(rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Lays out (name, values) rows under a header, ratios with three decimals."""
    cells = [("sequence", *COLUMNS)]
    for name, values in rows:
        cells.append((name, *(str(values[c]) if c in COUNTS else f"{values[c]:.3f}" for c in COLUMNS)))
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
        for row in cells
    )


def _write_json(path: Path, rows: list[tuple[str, dict[str, float]]], overall: dict[str, float]) -> None:
    data = {"sequences": [{"sequence": name, **values} for name, values in rows], "overall": overall}
    try:
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def run(args: argparse.Namespace) -> None:
    """Scores what the command line asks for, prints the table and writes the JSON file."""
    if len(args.gt) != len(args.result):
        raise OptionError(f"every --gt needs its --result, got {len(args.gt)} and {len(args.result)}")
    pairs = [pair for gt, result in zip(args.gt, args.result) for pair in find_pairs(gt, result)]
    videos = [score(gt, result, args.iou) for _, gt, result in pairs]
    rows = [(name, combine([video])) for (name, _, _), video in zip(pairs, videos)]
    overall = combine(videos)
    print(format_table([*rows, ("overall", overall)] if len(rows) > 1 else rows))
    if args.json:
        _write_json(args.json, rows, overall)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after one line on stderr."""
    parser = argparse.ArgumentParser(description="Score tracking results against MOTChallenge ground truth.")
    parser.add_argument(
        "--gt", type=Path, action="append", required=True, help="gt.txt, a sequence folder, or a folder of those"
    )
    parser.add_argument(
        "--result", type=Path, action="append", required=True, help="MOT text file, or a folder of SEQUENCE.txt"
    )
    parser.add_argument("--iou", type=float, default=0.5, help="IoU of a match, but for HOTA (default %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the values to this file")
    try:
        run(parser.parse_args(argv))
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
