"""The metrics of one tracked video and of several together: MOTA, IDF1, HOTA and the counts behind them.

HOTA is computed in `hota.py`, everything else by motmetrics. Several videos are combined by adding up their counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import motmetrics
import numpy as np
from scipy.optimize import linear_sum_assignment

from ..boxes import box_iou, ltwh_to_ltrb
from ..errors import OptionError, SourceError
from ..sinks.mot_text import FRAME, ID
from .hota import TOLERANCE, HotaCounts, Overlaps, count_hota
from .mot_files import BOX, check_frames_meet, gt_path, read_boxes, read_ground_truth, roles

IGNORE_IOU = 0.5  # the benchmark's, whatever IoU the metrics ask for

MOTMETRICS = {  # our name: motmetrics' name
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
    """The counts of one video, in a form in which those of several videos can be added up.

    Attributes:
        clear: motmetrics' values, intermediate ones included, by its own names.
        hota: the counts behind HOTA.
    """

    clear: dict[str, object]
    hota: HotaCounts


def evaluate(gt: Path, result: Path, iou: float = 0.5) -> dict[str, float]:
    """Score the tracks of one video.

    Args:
        gt: ground truth file, or the sequence folder that holds gt/gt.txt.
        result: MOT text file of the tracks.
        iou: least IoU at which a result box may match a true one, in (0, 1]; HOTA has its own thresholds.

    Returns:
        The values of `COLUMNS`: ratios as fractions (MOTA is at most 1 and may be negative), counts as int. Without any
        result box precision is 0.

    Raises:
        OptionError: ``iou`` is out of its range.
        SourceError: a file is missing or malformed, or the two do not belong together.
    """
    return combine([score(gt_path(Path(gt)), Path(result), iou)])


def score(gt_file: Path, result: Path, iou: float = 0.5, must_meet: bool = True) -> Scored:
    """Count hits, errors and associations of one video.

    Args:
        gt_file: ground truth file.
        result: MOT text file of the tracks.
        iou: least IoU at which a result box may match a true one, in (0, 1].
        must_meet: refuse a result none of whose boxes is in a frame with true ones; a poor model may make such.

    Raises:
        OptionError: ``iou`` is out of its range.
        SourceError: a file is missing or malformed, or the two do not belong together.
    """
    check_iou(iou)
    (gt, last), boxes = read_ground_truth(gt_file), read_boxes(result)
    if len(boxes) and boxes[:, FRAME].max() > last:
        raise SourceError(
            f"{result}: frame {boxes[:, FRAME].max():.0f} lies beyond the last frame {last} of {gt_file}; "
            "is it the result of another video?"
        )
    if must_meet:
        check_frames_meet(gt, boxes, gt_file, result)
    return score_boxes(gt, boxes, iou)


def score_boxes(gt: np.ndarray, boxes: np.ndarray, iou: float = 0.5) -> Scored:
    """Count hits, errors and associations of one video, given as tables.

    Args:
        gt: [N, 10] as `read_boxes` returns it.
        boxes: [M, 10] likewise, of the tracks.
        iou: least IoU at which a result box may match a true one, in (0, 1].
    """
    frames = overlaps(gt, boxes)
    return Scored(_clear_mot(frames, iou), count_hota(frames))


def check_iou(iou: float) -> None:
    """Check the least IoU of a match.

    Raises:
        OptionError: it is not in (0, 1].
    """
    if not 0 < iou <= 1:
        raise OptionError(f"iou must be above 0 and at most 1, got {iou}")


def combine(videos: Sequence[Scored]) -> dict[str, float]:
    """Return the metrics of several videos together, from the sums of their counts.

    Args:
        videos: at least one.

    Returns:
        The values of `COLUMNS`: ratios as fractions, counts as int.
    """
    values = motmetrics.metrics.create().compute_overall(
        [video.clear for video in videos], metrics=list(MOTMETRICS.values()), return_dataframe=False
    )
    scores = sum((video.hota for video in videos[1:]), videos[0].hota).scores()
    for name, theirs in MOTMETRICS.items():
        # only the precision of an empty result is 0 / 0 here, for there are always true boxes
        scores[name] = int(values[theirs]) if name in COUNTS else float(np.nan_to_num(values[theirs]))
    return {name: scores[name] for name in COLUMNS}


def overlaps(gt: np.ndarray, result: np.ndarray) -> list[Overlaps]:
    """Pair the frames of ground truth and result, and remove the boxes that the benchmark ignores.

    All true boxes of a frame, whatever their class and flag, are matched with the result boxes. Result boxes matched
    with ignored ones are removed, being neither hits nor false positives. Then the true boxes that do not count are
    removed.

    Args:
        gt: [N, 10] as `read_boxes` returns it.
        result: [M, 10] as `read_boxes` returns it.

    Returns:
        One entry for each frame that has a box in either file, in the order of the frames.
    """
    counts, ignored = roles(gt)
    frames = []
    for index in np.union1d(gt[:, FRAME], result[:, FRAME]):
        true, found = gt[:, FRAME] == index, result[:, FRAME] == index
        iou = box_iou(ltwh_to_ltrb(gt[true, BOX]), ltwh_to_ltrb(result[found, BOX]))
        close = iou >= IGNORE_IOU - TOLERANCE
        rows, columns = linear_sum_assignment(np.where(close, iou, 0), maximize=True)
        keep = np.ones(iou.shape[1], bool)
        keep[columns[close[rows, columns] & ignored[true][rows]]] = False
        gt_ids, result_ids = gt[true, ID].astype(np.int64), result[found, ID].astype(np.int64)
        counting = counts[true]
        frames.append(Overlaps(gt_ids[counting], result_ids[keep], iou[np.ix_(counting, keep)]))
    return frames


def _clear_mot(frames: Sequence[Overlaps], iou: float) -> dict[str, object]:
    """Return motmetrics' values of one video, with all that is needed to add videos up."""
    events = motmetrics.MOTAccumulator(auto_id=True)
    for frame in frames:
        distance = np.where(frame.iou >= iou - TOLERANCE, 1 - frame.iou, np.nan)  # nan: may not match
        events.update(frame.gt_ids, frame.result_ids, distance)
    return motmetrics.metrics.create().compute(
        events, metrics=list(MOTMETRICS.values()), return_dataframe=False, return_cached=True
    )
