"""Sequences with absences that are known: recordings cut in two by a hole, and people who pass one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.evaluation.mot_files import read_boxes, roles
from tracker.evaluation.stored_detections import read_detections
from tracker.sinks.mot_text import FRAME
from tracker.structures import Detections

CUTS = (0.25, 0.5, 0.75)  # of a sequence: where the hole begins


@dataclass(frozen=True)
class Made:
    """A sequence as it is tracked.

    Attributes:
        name: of the recording it was made of.
        hole: seconds of the hole; 0 for none.
        frame_rate: frames per second.
        frames: detections by the number of the frame, which counts on through the hole.
        gt: [N, 10] true boxes that count, with the same numbers.
        size: width and height of the picture.
    """

    name: str
    hole: float
    frame_rate: float
    frames: Mapping[int, Detections]
    gt: np.ndarray
    size: tuple[int, int]


@dataclass(frozen=True)
class Recorded:
    """A recording whose detections are stored.

    Attributes:
        name: of the recording.
        frame_rate: frames per second.
        frames: detections by the number of the frame.
        gt: [N, 10] true boxes that count.
        size: width and height of the picture.
    """

    name: str
    frame_rate: float
    frames: Mapping[int, Detections]
    gt: np.ndarray
    size: tuple[int, int]

    @classmethod
    def read(cls, detections: Path, gt: Path, frame_rate: float, size: tuple[int, int]) -> Recorded:
        """Read a recording.

        Raises:
            SourceError: a file is missing or damaged.
        """
        boxes = read_boxes(gt)
        return cls(detections.stem, frame_rate, read_detections(detections), boxes[roles(boxes)[0]], size)

    def whole(self) -> Made:
        """Return the recording as it is."""
        return Made(self.name, 0.0, self.frame_rate, self.frames, self.gt, self.size)

    def with_holes(self, holes: Sequence[float]) -> Iterator[Made]:
        """Yield the recording cut in two at some places: all people are away for as long as each hole, seconds."""
        last = max(self.frames)
        for hole in holes:
            for part in CUTS:
                cut, away = round(part * last), round(hole * self.frame_rate)
                frames = {number + away * (number > cut): found for number, found in self.frames.items()}
                gt = self.gt.copy()
                gt[:, FRAME] += away * (gt[:, FRAME] > cut)
                yield Made(self.name, hole, self.frame_rate, frames, gt, self.size)
