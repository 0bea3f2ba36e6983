"""What several detectors agree on, and what it adds to labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracker.boxes import box_iou
from training.data.samples import NOBODY, Sample
from training.settings import TeacherSettings
from training.teachers.detectors import TiledDetector
from training.teachers.store import AnswerStore, digest

SAME_IOU = 0.5  # from here on boxes of two detectors are of the same person
LABEL_IOU = 0.4  # from here on a detection is of the labelled person


class People(NamedTuple):
    """The people whom teachers find in an image.

    Attributes:
        boxes: [N, 4] float32, left, top, right, bottom in pixels of the image.
        scores: [N] float32, 0 to 1.
        sure: [N] bool: a person; the others are neither person nor background.
    """

    boxes: np.ndarray
    scores: np.ndarray
    sure: np.ndarray


class BoxTeachers:
    """One or more detectors that decide together who is a person.

    With several, a person is whom two of them find, with a mean score of at least ``settings.sure``; with a single one,
    whom it finds with such a score.

    Args:
        settings: Which detectors, and how far they are trusted.
        threads: Processor threads.
        cache: Folder in which their answers are kept; None to keep none.

    Raises:
        ModelError: openvino is missing, or a file does not hold such a network.
        OutputError: Answers cannot be kept.
    """

    def __init__(self, settings: TeacherSettings, threads: int, cache: Path | None = None) -> None:
        self._detectors = [TiledDetector(text, threads, settings.tiles) for text in settings.detectors]
        self._settings = settings
        self._store = AnswerStore(cache / "boxes.sqlite") if cache else None

    @property
    def digest(self) -> str:
        """Changes with everything that the answers depend on, but for the image."""
        thresholds = f"{self._settings.sure:g} {self._settings.doubtful:g}"
        return digest(*(detector.digest for detector in self._detectors), thresholds)

    def __call__(self, image: np.ndarray) -> People:
        """Find the people of an image [H, W, 3] uint8 BGR.

        Raises:
            ModelError: A network's output has another shape.
            OutputError: Kept answers cannot be read or written.
        """
        found = [self._ask(detector, image) for detector in self._detectors]
        boxes, scores, count = consensus([rows[rows[:, 4] > self._settings.doubtful] for rows in found])
        agreed = count >= min(2, len(self._detectors))
        return People(boxes, scores, agreed & (scores >= self._settings.sure))

    def _ask(self, detector: TiledDetector, image: np.ndarray) -> np.ndarray:
        if self._store is None:
            return detector(image)
        return self._store.answer(digest(detector.digest, image), lambda: detector(image))


def consensus(found: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join the boxes of several detectors that are of the same people (weighted boxes fusion, arXiv:1910.13302).

    In the order of their scores, each box joins the group whose first box it overlaps most, with an IoU of at least .5,
    and which has none of its own detector yet; otherwise it begins a group.

    Args:
        found: Of each detector [N, 5] left, top, right, bottom, score.

    Returns:
        Of each group, in the order of their first boxes: the mean of its boxes, weighted by their scores, [G, 4]
        float32; the mean of the scores [G] float32; the number of its boxes [G].
    """
    rows = np.concatenate([np.zeros((0, 5), np.float32), *found]).astype(np.float32)
    detector = np.repeat(np.arange(len(found)), [len(part) for part in found])
    first = np.zeros((len(rows), 4), np.float32)
    total = np.zeros((len(rows), 5), np.float32)
    has = np.zeros((len(rows), len(found)), bool)
    groups = 0
    for index in np.argsort(-rows[:, 4], kind="stable"):
        box, score = rows[index, :4], rows[index, 4]
        overlap = np.where(has[:groups, detector[index]], 0, box_iou(box[None], first[:groups])[0])
        if groups and overlap.max() >= SAME_IOU:
            group = int(overlap.argmax())
        else:
            group, groups = groups, groups + 1
            first[group] = box
        total[group] += [*(box * score), score]
        has[group, detector[index]] = True
    count = has[:groups].sum(axis=1)
    boxes, weight = total[:groups, :4], total[:groups, 4]
    return boxes / weight[:, None], weight / count.astype(np.float32), count


def add_people(sample: Sample, people: People, complete: bool) -> Sample:
    """Add the people whom labels lack.

    Those of whom the teachers are sure become people in images without labels, and with ``complete`` in all images; the
    others are ignored.

    Args:
        sample: The image and its labels.
        people: Whom the teachers find in it.
        complete: Whether they may add people to labels.

    Returns:
        The same image, labelled.
    """
    added = ~(box_iou(people.boxes, sample.boxes) > LABEL_IOU).any(axis=1)
    trusted = people.sure[added] & (complete or not sample.labelled)
    return replace(
        sample,
        boxes=np.concatenate([sample.boxes, people.boxes[added]]).astype(np.float32),
        identities=np.concatenate([sample.identities, np.full(added.sum(), NOBODY)]),
        ignored=np.concatenate([sample.ignored, ~trusted]),
        labelled=True,
    )
