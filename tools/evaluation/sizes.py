"""A model at several sizes of its input: AP50 by the height of people, and the milliseconds of a forward pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tracker.boxes import box_iou, ltwh_to_ltrb
from tracker.detection.detector import JDEDetector, Model
from tracker.errors import OptionError, SourceError
from tracker.evaluation.mot_files import BOX, read_boxes, roles
from tracker.evaluation.validation import MATCH, SequenceFiles, average_precision, mark
from tracker.sinks.mot_text import FRAME
from tracker.sources import Source, open_source
from tracker.structures import Detections, Frame

HEIGHTS = (50.0, 100.0, 200.0)  # pixels of the image, between one band and the next


@dataclass(frozen=True)
class SizeScores:
    """Figures of one input size.

    Attributes:
        size: width and height of the input.
        milliseconds: median of a forward pass, without letterbox, decoding and embeddings.
        ap50: average precision of all people, matches at an IoU of 0.5.
        by_height: the same of each band of heights; None where it has no people.
    """

    size: str
    milliseconds: float
    ap50: float
    by_height: tuple[float | None, ...]


@dataclass(frozen=True)
class SizeTable:
    """Figures of several input sizes.

    Attributes:
        bands: names of the bands of heights.
        people: true boxes of each band.
        rows: in the order of the sizes asked for.
    """

    bands: tuple[str, ...]
    people: tuple[int, ...]
    rows: tuple[SizeScores, ...]

    def __str__(self) -> str:
        heading = ["input", "ms", "AP50", *self.bands]
        cells = [heading, ["people", "", str(sum(self.people)), *map(str, self.people)]]
        for row in self.rows:
            values = ["-" if value is None else f"{value:.3f}" for value in (row.ap50, *row.by_height)]
            cells.append([row.size, f"{row.milliseconds:.1f}", *values])
        width = max(9, *(len(cell) + 2 for line in cells for cell in line))
        return "\n".join(line[0].ljust(width) + "".join(cell.rjust(width) for cell in line[1:]) for line in cells)


def compare_sizes(
    models: Sequence[Model],
    sequences: Sequence[SequenceFiles],
    heights: Sequence[float] = HEIGHTS,
    every: int = 1,
    thresholds: Mapping[str, Any] | None = None,
    progress: Callable[[Source], Iterable[Frame]] = iter,
) -> SizeTable:
    """Detect the people of sequences with a model at several sizes, frame by frame in turns.

    A band's figure counts the people of its heights: others are ignored, and so are detections of other heights that
    match none of them, as COCO does it for areas.

    Args:
        models: the model at each size.
        sequences: the sequences, with ground truth.
        heights: of true boxes in pixels of the image, between one band and the next, increasing.
        every: N for every N-th frame.
        thresholds: of the detector, in place of the model's own; see `Model.detector`.
        progress: takes a `Source` and yields its frames, as ``tqdm`` does.

    Raises:
        OptionError: the heights do not increase from above 0, or a threshold is out of its range.
        SourceError: a sequence cannot be read, or none of its frames has people that count.
    """
    edges = [0.0, *map(float, heights), np.inf]
    if not (np.diff(edges) > 0).all():
        raise OptionError(f"heights must increase from above 0, got {', '.join(f'{height:g}' for height in heights)}")
    detectors = [model.detector(thresholds) for model in models]
    bands = [(0.0, np.inf), *pairwise(edges)]
    marks: list[list[list[np.ndarray]]] = [[[] for _ in bands] for _ in detectors]
    times: list[list[float]] = [[] for _ in detectors]
    people = np.zeros(len(bands), int)
    for sequence in sequences:
        gt = read_boxes(sequence.gt)
        counts, ignored = roles(gt)
        with open_source(sequence.source, frame_rate=sequence.frame_rate) as source:
            for frame in progress(source):
                if frame.index % every:
                    continue
                here = gt[:, FRAME] == frame.index + 1
                true, beside = gt[here & counts, BOX], gt[here & ignored, BOX]
                people += [_within(true[:, 3], *band).sum() for band in bands]
                for detector, times_of_one, marks_of_one in zip(detectors, times, marks):
                    detections, seconds = _detect(detector, frame.image)
                    times_of_one.append(seconds)
                    for of_band, band in zip(marks_of_one, bands):
                        of_band.append(mark_band(detections, true, beside, *band))
    if not people[0]:
        raise SourceError(
            f"{', '.join(sequence.name for sequence in sequences)}: no sampled frame has people that count"
        )
    rows = []
    for model, seconds_of_one, marks_of_one in zip(models, times, marks):
        figures = [
            average_precision(np.concatenate(of_band), int(count)) if count else None
            for of_band, count in zip(marks_of_one, people)
        ]
        box = model.config.letterbox
        milliseconds = 1e3 * float(np.median(seconds_of_one[1:] or seconds_of_one))  # the first pass sets up memory
        rows.append(SizeScores(f"{box.width}x{box.height}", milliseconds, figures[0] or 0.0, tuple(figures[1:])))
    names = [f"{low:g}-{high:g} px" if high < np.inf else f"{low:g}+ px" for low, high in bands[1:]]
    return SizeTable(tuple(names), tuple(people[1:].tolist()), tuple(rows))


def mark_band(detections: Detections, true: np.ndarray, ignored: np.ndarray, low: float, high: float) -> np.ndarray:
    """Compare the detections of a frame with its people of some heights.

    Args:
        detections: best first.
        true: [T, 4] left, top, width, height of the true boxes that count, of all heights.
        ignored: [I, 4] likewise, of the ignored ones.
        low: least height of the band in pixels.
        high: height at which the band ends.

    Returns:
        [K, 2] score, and 1 where it is right or 0 where it is wrong, as `mark` returns it.
    """
    wanted = _within(true[:, 3], low, high)
    boxes = detections.boxes.astype(np.float64)
    # a detection of another height counts only where it may be one of the people wanted
    near = box_iou(boxes, ltwh_to_ltrb(true[wanted])).max(axis=1, initial=0) >= MATCH
    kept = near | _within(boxes[:, 3] - boxes[:, 1], low, high)
    some = Detections(detections.boxes[kept], detections.scores[kept], detections.embeddings[kept])
    return mark(some, true[wanted], np.concatenate([ignored, true[~wanted]]))


def _within(heights: np.ndarray, low: float, high: float) -> np.ndarray:
    return (heights >= low) & (heights < high)


def _detect(detector: JDEDetector, image: np.ndarray) -> tuple[Detections, float]:
    """Return the detections of an image, without embeddings, and the seconds of the forward pass."""
    letterboxed = detector.preprocess(image)
    start = time.perf_counter()
    raw_outputs = detector.start(letterboxed)()
    seconds = time.perf_counter() - start
    decoded = detector.decode(raw_outputs, letterboxed)
    scores = decoded.candidates.scores
    return Detections(decoded.boxes, scores, np.zeros((len(scores), 0), np.float32)), seconds
