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


def passers_by(
    people: Mapping[int, Mapping[int, np.ndarray]], frame_rate: float = 10.0, returning: float = 0.5, seed: int = 0
) -> Made:
    """Let people pass one after another, two in sight at a time, some a second time in another camera's pictures.

    Args:
        people: vectors [N, D] by camera by person; each of the two passages has the vectors of one camera.
        frame_rate: frames per second.
        returning: share of people who come back.
        seed: of the random numbers.

    Returns:
        A sequence of perfect detections.
    """
    rng = np.random.default_rng(seed)
    known = [person for person, cameras in people.items() if len(cameras) >= 2]
    order = [int(person) for person in rng.permutation(known)]
    back = set(order[: round(returning * len(order))])
    visits = [(person, 0) for person in order] + [(person, 1) for person in rng.permutation(order) if person in back]
    length, period = round(2 * frame_rate), round(1.2 * frame_rate)
    boxes, vectors = np.array([[100.0, 100, 160, 250], [400.0, 100, 460, 250]]), {}
    rows: dict[int, list[tuple[int, np.ndarray]]] = {}
    gt = []
    cameras = {person: rng.permutation(sorted(people[person]))[:2] for person in order}
    for number, (person, passage) in enumerate(visits):
        vectors = people[person][int(cameras[person][passage])]
        for step in range(length):
            frame = 1 + number * period + step
            lane = number % 2
            rows.setdefault(frame, []).append((lane, vectors[step * len(vectors) // length]))
            left, top, right, bottom = boxes[lane]
            gt.append([frame, person, left, top, right - left, bottom - top, 1, -1, -1, -1])
    frames = {}
    for frame in range(1, max(rows) + 1):
        here = sorted(rows.get(frame, []), key=lambda row: row[0])
        looks = np.array([look for _, look in here], np.float32)
        frames[frame] = Detections(boxes[[lane for lane, _ in here]], np.full(len(here), 0.95), looks)
    return Made("passers-by", 0.0, frame_rate, frames, np.array(gt, float), (640, 480))
