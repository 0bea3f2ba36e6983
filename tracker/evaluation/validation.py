"""Validation of a model on sequences with ground truth: detection, tracking, and the effect of its embeddings.

Every sequence is tracked twice from one forward pass per frame: with the model's embeddings, and with a constant in
their place (the control). If both have the same IDF1, the embeddings have no effect.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..association.base import SequenceTracker
from ..boxes import box_iou, ltwh_to_ltrb
from ..detection.detector import JDEDetector, Model
from ..errors import SourceError
from ..settings.runtime import RuntimeOptions
from ..settings.tracking import TRACKER_FILE, TrackerConfig
from ..sinks.mot_text import FRAME, MotWriter
from ..sources import Source, open_source
from ..structures import Detections, Frame
from .hota import TOLERANCE
from .mot_files import BOX, read_boxes, roles
from .mot_metrics import combine, score
from .stored_detections import with_size, without_appearance, write_detections

MATCH = 0.5  # least IoU of a detection and its true box


@dataclass(frozen=True)
class SequenceFiles:
    """A sequence to validate on.

    Attributes:
        name: name of the sequence in tables and files.
        source: video, or folder of images.
        gt: its ground truth file.
        frame_rate: frames per second of images or a stream without time stamps; None for what the source states.
    """

    name: str
    source: Path
    gt: Path
    frame_rate: float | None = None

    @classmethod
    def of_folder(cls, folder: Path) -> SequenceFiles:
        """Return the files of a MOTChallenge sequence folder: img1, gt/gt.txt and seqinfo.ini, with its frame rate.

        Raises:
            SourceError: one of the files is missing.
        """
        gt = folder / "gt" / "gt.txt"
        for path in (folder / "seqinfo.ini", gt):
            if not path.is_file():
                raise SourceError(f"{folder} is no sequence folder with ground truth: {path} is missing")
        return cls(folder.resolve().name, folder, gt)


@dataclass(frozen=True)
class Scores:
    """Figures of a sequence or of several together, all but the count as fractions.

    Attributes:
        name: of the sequence.
        mota, idf1: of the tracks, against the ground truth.
        switches: changes of identity, a count.
        control_idf1: IDF1 with the same embedding for all people.
        precision, recall: of the boxes of the tracks.
        ap50: average precision of the detections above the model's score threshold: area under the curve of precision
            over recall, matches at an IoU of 0.5.
    """

    name: str
    mota: float
    idf1: float
    switches: int
    control_idf1: float
    precision: float
    recall: float
    ap50: float

    def __str__(self) -> str:
        return (
            f"MOTA {self.mota:.3f}, IDF1 {self.idf1:.3f} ({self.control_idf1:.3f} without appearance), "
            f"switches {self.switches}, precision {self.precision:.3f}, recall {self.recall:.3f}, AP50 {self.ap50:.3f}"
        )


@dataclass(frozen=True)
class Validation:
    """Scores of each sequence and of all together; as text the line of all together."""

    sequences: tuple[Scores, ...]
    overall: Scores

    def __str__(self) -> str:
        return str(self.overall)


def validate(
    folder: Path,
    sequences: Sequence[Path],
    config: TrackerConfig | None = None,
    thresholds: Mapping[str, Any] | None = None,
    use_gpu: bool = False,
    threads: int | None = None,
) -> Validation:
    """Track MOTChallenge sequences with a model and score the result.

    Args:
        folder: inference folder.
        sequences: sequence folders with img1, gt/gt.txt and seqinfo.ini.
        config: of the association; None for that of `default_config`.
        thresholds: of the detector, in place of the model's own; see `Model.detector`.
        use_gpu: run on the first GPU.
        threads: processor threads; None for all cores.

    Raises:
        ModelError: the folder holds no usable model.
        OptionError: a threshold is unknown or out of its range.
        SourceError: a sequence is incomplete or cannot be read, or there is none.
    """
    files = [SequenceFiles.of_folder(Path(sequence)) for sequence in sequences]
    return validate_model(Model(folder, RuntimeOptions(use_gpu=use_gpu, threads=threads)), files, config, thresholds)


def validate_model(
    model: Model,
    sequences: Sequence[SequenceFiles],
    config: TrackerConfig | None = None,
    thresholds: Mapping[str, Any] | None = None,
    save_detections: Path | None = None,
    progress: Callable[[Source], Iterable[Frame]] = iter,
) -> Validation:
    """Track sequences in any form with a model at hand and score the result.

    Args:
        model: the model to validate.
        sequences: the sequences to track.
        config: of the association; None for that of `default_config`.
        thresholds: of the detector, in place of the model's own; see `Model.detector`.
        save_detections: existing folder to which each sequence's detections go, as NAME.npz; see
            `stored_detections`.
        progress: takes a `Source` and yields its frames, as ``tqdm`` does.
    """
    if not sequences:
        raise SourceError("no sequence was given to validate on")
    config = config or default_config(model)
    runs = [
        # of each sequence a detector of its own, which remembers people as that of a run does
        _Run(sequence, model.detector(thresholds, remember=True), config, save_detections, progress)
        for sequence in sequences
    ]
    return Validation(tuple(_scores(run.files.name, [run]) for run in runs), _scores("overall", runs))


def default_config(model: Model) -> TrackerConfig:
    """Return the default settings: those of ``config/tracker.yml`` with those that the model states in their place.

    Args:
        model: the model.
    """
    return TrackerConfig.load(TRACKER_FILE).override(model.config.thresholds.tracker_settings)


class _Run:
    """The counts of one sequence: of its tracks, of the control's tracks, and its detections marked right or wrong."""

    def __init__(
        self,
        files: SequenceFiles,
        detector: JDEDetector,
        config: TrackerConfig,
        save_detections: Path | None,
        progress: Callable[[Source], Iterable[Frame]],
    ) -> None:
        self.files = files
        gt = read_boxes(files.gt)
        counts, ignored = roles(gt)
        self.true_boxes = int(counts.sum())
        marks = []
        kept: dict[int, Detections] = {}
        with (
            tempfile.TemporaryDirectory() as scratch,
            open_source(files.source, frame_rate=files.frame_rate) as source,
            ExitStack() as stack,
        ):
            paths = [Path(scratch, f"{name}.txt") for name in ("tracks", "control")]
            trackers = [SequenceTracker(config, source.frame_rate) for _ in paths]
            texts = [stack.enter_context(closing(MotWriter(path))) for path in paths]
            for frame in progress(source):
                preprocessed = detector.preprocess(frame.image)
                outputs = detector.start(preprocessed)()
                decoded = detector.decode(outputs, preprocessed)
                detections = detector.embed(decoded, outputs, preprocessed, trackers[0].embedding_threshold)
                for tracker, text, shown in zip(trackers, texts, (detections, without_appearance(detections))):
                    text.write(frame.index + 1, with_size(tracker.update(frame.time, shown, frame.image)))
                if save_detections is not None:
                    kept[frame.index + 1] = _with_all_embeddings(detections, detector, frame.image)
                here = gt[:, FRAME] == frame.index + 1
                marks.append(mark(detections, gt[here & counts, BOX], gt[here & ignored, BOX]))
            for text in texts:
                text.close()
            self.tracks, self.control = (score(files.gt, path, must_meet=False) for path in paths)
        if save_detections is not None:
            write_detections(save_detections / f"{files.name}.npz", kept)
        self.marks = np.concatenate(marks)


def _with_all_embeddings(detections: Detections, detector: JDEDetector, image: np.ndarray) -> Detections:
    """Add the embeddings of those whose scores were too low: other settings may ask for them."""
    missing = np.flatnonzero(~detections.embeddings.any(axis=1))
    embeddings = detections.embeddings.copy()
    embeddings[missing] = detector.embed_boxes(image, detections.boxes[missing])
    return Detections(detections.boxes, detections.scores, embeddings)


def mark(detections: Detections, true: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Compare the detections of a frame with its ground truth.

    In the order of their scores, detections are matched with the unmatched true box that they overlap most. Unmatched
    detections that overlap an ignored box are left out.

    Args:
        detections: best first.
        true: [T, 4] left, top, width, height of the true boxes that count.
        ignored: [I, 4] likewise, of the ignored ones.

    Returns:
        [K, 2] score, and 1 where it is right or 0 where it is wrong.
    """
    boxes = detections.boxes.astype(np.float64)
    overlap = box_iou(boxes, ltwh_to_ltrb(true))
    beside = box_iou(boxes, ltwh_to_ltrb(ignored)).max(axis=1, initial=0)
    free = np.ones(len(true), bool)
    rows = []
    for index, value in enumerate(detections.scores):
        candidates = np.where(free, overlap[index], 0)
        best = int(candidates.argmax()) if len(candidates) else -1
        right = best >= 0 and candidates[best] >= MATCH - TOLERANCE
        if right:
            free[best] = False
        if right or beside[index] < MATCH - TOLERANCE:
            rows.append((value, right))
    return np.array(rows, np.float64).reshape(-1, 2)


def average_precision(marks: np.ndarray, true_boxes: int) -> float:
    """Compute the average precision: the area under the precision-recall curve with precision made monotonic.

    Args:
        marks: [N, 2] score, and 1 for right or 0 for wrong, of the detections of all frames.
        true_boxes: number of true boxes.
    """
    right = marks[np.argsort(-marks[:, 0], kind="stable"), 1]
    precision = right.cumsum() / np.arange(1, len(right) + 1)
    at_best = np.maximum.accumulate(precision[::-1])[::-1]
    # recall grows by one box at each hit
    return float((at_best * right).sum() / true_boxes)


def _scores(name: str, runs: Sequence[_Run]) -> Scores:
    tracks, control = combine([run.tracks for run in runs]), combine([run.control for run in runs])
    return Scores(
        name=name,
        mota=tracks["MOTA"],
        idf1=tracks["IDF1"],
        switches=int(tracks["IDs"]),
        control_idf1=control["IDF1"],
        precision=tracks["precision"],
        recall=tracks["recall"],
        ap50=average_precision(np.concatenate([run.marks for run in runs]), sum(run.true_boxes for run in runs)),
    )
