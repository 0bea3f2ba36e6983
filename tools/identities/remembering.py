"""How well those who come back are known again: joins that are right, joins that are wrong, IDF1 over the absence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from tools.identities.absences import Made
from tracker.appearance.recogniser import Recogniser
from tracker.association.base import SequenceTracker
from tracker.boxes import box_iou, ltwh_to_ltrb
from tracker.evaluation.mot_metrics import combine, score_boxes
from tracker.settings.tracking import TrackerConfig
from tracker.sinks.mot_text import FRAME, HEIGHT, ID, LEFT
from tracker.structures import Recognised, Tracks

SAME = 0.5  # IoU of a track with the person it follows
SEEN = 5  # frames in which somebody must have been tracked, before an absence and after it
SHARE = 0.2  # of the boxes of an old number that are of the person who gets it, for the join to be right


@dataclass(frozen=True)
class Remembered:
    """What came of a sequence.

    Attributes:
        people: different true people.
        absences: how often somebody was away for longer than the association's memory and was tracked again.
        right: people who came back and got a number that was theirs.
        wrong: people who got somebody else's number.
        unknown: joins of tracks that follow nobody whom the ground truth knows.
        idf1: with numbers that count over the absence.
        idf1_off: the same without remembering.
    """

    people: int
    absences: int
    right: int
    wrong: int
    unknown: int
    idf1: float
    idf1_off: float

    @property
    def recall(self) -> float:
        """Share of absences after which the person was known again."""
        return self.right / self.absences if self.absences else float("nan")

    @property
    def precision(self) -> float:
        """Share of joins, among those that can be judged, that are right."""
        made = self.right + self.wrong
        return self.right / made if made else float("nan")


@dataclass(frozen=True)
class Associated:
    """A sequence after the association, with the truth about it.

    Attributes:
        made: the sequence.
        tracks: by the number of the frame, with the numbers that the association gives.
        truth: of each of these tracks, frame by frame, the true person that it follows; 0 for nobody.
        memory: seconds after which the association gives a track up.
    """

    made: Made
    tracks: dict[int, Tracks]
    truth: dict[int, np.ndarray]
    memory: float

    @classmethod
    def of(cls, made: Made, config: TrackerConfig) -> Associated:
        """Track a sequence without remembering."""
        tracker = SequenceTracker(config.override({"remember": 0.0}), made.frame_rate)
        tracks = {frame: tracker.update(frame / made.frame_rate, found) for frame, found in made.frames.items()}
        return cls(made, tracks, _followed(tracks, made.gt), config.association_memory)


def measure(associated: Associated, recogniser: Recogniser, score: bool = True) -> Remembered:
    """Let people be recognised in a sequence, and compare that with the truth.

    Args:
        associated: the sequence.
        recogniser: a new one.
        score: whether to compute IDF1, which takes most of the time; nan otherwise.
    """
    made, truth = associated.made, associated.truth
    events: list[Recognised] = []
    rows: dict[bool, list[np.ndarray]] = {True: [np.zeros((0, 10))], False: [np.zeros((0, 10))]}
    followed: dict[int, Counter] = {}  # the people by number, before it changes
    own: dict[int, Counter] = {}  # by the number of the association
    joins: list[tuple[Counter, int]] = []
    for frame, tracks in associated.tracks.items():
        renamed = recogniser.update(frame / made.frame_rate, tracks, made.size)
        for one in renamed.recognised:
            raw = int(tracks.ids[renamed.ids.tolist().index(one.was)])
            joins.append((Counter(followed.get(one.was, Counter())), raw))
            events.append(one)
        for number, raw, person in zip(renamed.ids.tolist(), tracks.ids.tolist(), truth[frame].tolist()):
            if person:
                followed.setdefault(number, Counter())[person] += 1
                own.setdefault(raw, Counter())[person] += 1
        for on, ids in ((True, renamed.ids), (False, tracks.ids)):
            rest = np.full((len(tracks), 3), -1.0)
            rows[on].append(np.column_stack([np.full(len(ids), frame), ids, tracks.boxes, tracks.scores, rest]))
    judged = Counter(_judge(before, own.get(raw, Counter())) for before, raw in joins)
    tables = {on: np.concatenate(parts) for on, parts in rows.items()}
    scores = dict.fromkeys(tables, float("nan"))
    if score:
        scores = {on: combine([score_boxes(made.gt, _with_area(table))])["IDF1"] for on, table in tables.items()}
    return Remembered(
        people=len(np.unique(made.gt[:, ID])),
        absences=_absences(associated),
        right=judged["right"],
        wrong=judged["wrong"],
        unknown=judged["unknown"],
        idf1=scores[True],
        idf1_off=scores[False],
    )


def _judge(before: Counter, since: Counter) -> str:
    """Say whether a number that followed some people was given back to one of them."""
    if not before or not since:
        return "unknown"
    person = since.most_common(1)[0][0]
    return "right" if before[person] >= SHARE * before.total() else "wrong"


def _with_area(table: np.ndarray) -> np.ndarray:
    return table[(table[:, LEFT + 2 : HEIGHT + 1] > 0).all(axis=1)]


def _followed(tracks: dict[int, Tracks], gt: np.ndarray) -> dict[int, np.ndarray]:
    """Return, by frame, the true person [N] that each track follows; 0 for nobody."""
    truth = {}
    for frame, found in tracks.items():
        there = gt[gt[:, FRAME] == frame]
        truth[frame] = np.zeros(len(found), np.int64)
        if len(there) and len(found):
            overlap = box_iou(ltwh_to_ltrb(found.boxes), ltwh_to_ltrb(there[:, LEFT : HEIGHT + 1]))
            truth[frame] = np.where(overlap.max(axis=1) >= SAME, there[overlap.argmax(axis=1), ID], 0).astype(int)
    return truth


def _absences(associated: Associated) -> int:
    """Count how often somebody was away longer than the memory, and was tracked well before and after it."""
    seen: dict[int, list[int]] = {}
    for frame, people in associated.truth.items():
        for person in set(people.tolist()) - {0}:
            seen.setdefault(person, []).append(frame)
    count, away = 0, associated.memory * associated.made.frame_rate
    for frames in seen.values():
        lengths = [len(part) for part in np.split(frames, np.flatnonzero(np.diff(frames) > away) + 1)]
        count += sum(length >= SEEN and max(lengths[:place]) >= SEEN for place, length in enumerate(lengths) if place)
    return count
