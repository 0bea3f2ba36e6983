"""The association that people should use: motion and appearance together, doubtful detections second.

From ByteTrack (Zhang et al., arXiv 2110.06864) comes the order, sure detections before doubtful ones; from BoT-SORT
(Aharon et al., arXiv 2206.14651) width and height in the state, and the camera's motion taken out of it; from
StrongSORT (Du et al., arXiv 2202.13514) a measurement noise that falls with the score. Own to this project: what a
distance in appearance is worth is learnt from the video (`appearance`), and a track has to earn, and can use up,
evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..boxes import ltrb_to_ltwh, overlapping, paired_iou
from ..settings.tracking import TrackerConfig
from ..structures import Detections, Tracks
from . import kalman
from .appearance import AppearanceScale, cosine_distance
from .matching import Matching, Pairs, normalised
from .measurements import Measurements
from .table import Table

FAR_APART = 0.3  # people of one frame whose boxes overlap less than this are different people beyond doubt
CLOSE, NEAR = 0.6, 0.2  # IoU of a pair that is beyond doubt, if no other box and no other track is nearer than NEAR
MANY = 32  # pairs of strangers that are compared in a frame at most
REACH = 0.3  # body heights by which a found box may be off even at once
SAME_HEIGHT = 0.5  # largest difference of the logarithms of the heights of one person before and after
SHORTEST_GAP = 0.2  # seconds; speed cannot be told from noise within less
LEAST_DOUBT = 0.1  # factor on the variance of a measured box at a score of 1
SMALLEST = 0.1  # pixels of width and height that a predicted box keeps


@dataclass
class TrackTable(Table):
    """All live tracks, a row each, in the order of their birth."""

    ids: np.ndarray  # [N] int64; 0 for a track that was not shown yet
    mean: np.ndarray  # [N, 8] Kalman mean (centre x, centre y, width, height and their changes)
    covariance: np.ndarray  # [N, 3, 4]
    embeddings: np.ndarray  # [N, D] float32, L2-normalised running means
    scores: np.ndarray  # [N] of the last detection
    evidence: np.ndarray  # [N]
    start: np.ndarray  # [N] frame of birth
    seen: np.ndarray  # [N] last frame with a detection
    confirmed: np.ndarray  # [N] bool: taken for a person

    def corners(self) -> np.ndarray:
        """[N, 4] left, top, right, bottom."""
        half = self.mean[:, 2:4] / 2
        return np.concatenate([self.mean[:, :2] - half, self.mean[:, :2] + half], axis=1)


class FusedTracker:
    """Follows the people of one sequence.

    Args:
        config: settings, see ``config/tracker.yml``.
        frame_rate: frames per second of the sequence.
        appearance: use the embeddings; without them this is the association ``byte``.

    Attributes:
        people: different identities given out by ``update`` so far; ids are 1 to this number.
    """

    def __init__(self, config: TrackerConfig | None = None, frame_rate: float = 30.0, appearance: bool = True) -> None:
        self.config = config or TrackerConfig()
        self.people = 0
        self._frame = self._last = 0  # this one and the one before, counted in frames of the sequence
        self._frame_rate = frame_rate
        self._appearance = AppearanceScale() if appearance else None
        # of evidence something must be left to earn, however high conf_thres is
        self._sure_score = min(self.config.conf_thres + self.config.sure_margin, (self.config.conf_thres + 1) / 2)
        self._confirm_evidence = min(self.config.confirm_evidence, 1 - self._sure_score)
        self._max_evidence = max(self.config.max_evidence, self._confirm_evidence)
        self._table: TrackTable | None = None

    def update(self, detections: Detections, camera: np.ndarray | None = None, elapsed: int = 1) -> Tracks:
        """Take the next frame.

        Args:
            detections: the people found in it, in pixels of the original image, doubtful ones included.
            camera: [2, 3] affine map from pixels of the last frame taken to those of this one, see `camera_motion`;
                None for a camera that stands still.
            elapsed: frames of the sequence since the last one taken, more than 1 where some are left out.

        Returns:
            The confirmed tracks seen in this frame, in the order of their birth, boxes in the same pixels.
        """
        config = self.config
        self._last, self._frame = self._frame, self._frame + (elapsed if self._frame else 1)
        found = Measurements.of(detections, min(config.low_thres, config.conf_thres))
        if self._table is None:
            self._table = self._births(found, np.zeros(0, np.int64))
        table = self._table
        if camera is not None:
            _move(table, camera)
        self._predict(self._frame - self._last)
        if self._appearance:
            self._see_strangers(found)

        corners = table.corners()
        rows, columns = overlapping(corners, found.ltrb)
        near = Pairs(rows, columns, paired_iou(corners[rows], found.ltrb[columns]))
        matching = Matching(len(table), len(found.scores))
        sure, known = found.scores > config.conf_thres, table.confirmed

        self._match_sure(near.where(known, sure), found, matching)
        # a doubtful box may be anything: it continues what was there at the last frame, and brings nobody back
        recent = known & (table.seen == self._last)
        pairs = near.where(recent & matching.waiting, ~sure)
        matching.assign(pairs, 1 - pairs.overlap, config.low_match_thresh)
        if self._appearance:
            self._match_by_appearance(known & matching.waiting, sure & matching.free, found, matching)
        pairs = near.where(~known, sure & matching.free)
        matching.assign(pairs, 1 - pairs.overlap * found.scores[pairs.columns], config.new_match_thresh)

        rows = (~matching.waiting).nonzero()[0]
        self._take(rows, matching.detection[rows], found)
        self._retire()
        born = (sure & matching.free).nonzero()[0]
        if len(born):
            self._table = self._table.append(self._births(found, born))
        return self._output()

    def _predict(self, frames: int) -> None:
        table = self._table
        table.mean[table.seen < self._last, 6:] = 0.0  # the size of somebody out of sight stays as it was
        for _ in range(frames):
            table.mean, table.covariance = kalman.predict(table.mean, table.covariance, kalman.SIZE)
        np.maximum(table.mean[:, 2:4], SMALLEST, out=table.mean[:, 2:4])

    def _see_strangers(self, found: Measurements) -> None:
        """Compare each sure detection with one other: all pairs in turn, frame by frame."""
        sure = (found.scores > self.config.conf_thres).nonzero()[0]
        if len(sure) < 2:
            return
        every = -(-len(sure) // MANY)
        first = np.arange(self._frame % every, len(sure), every)
        second = (first + 1 + self._frame % (len(sure) - 1)) % len(sure)
        sure, other = sure[first], sure[second]
        apart = paired_iou(found.ltrb[sure], found.ltrb[other]) < FAR_APART
        self._appearance.see_strangers(cosine_distance(found.embeddings, found.embeddings, sure[apart], other[apart]))

    def _match_sure(self, near: Pairs, found: Measurements, matching: Matching) -> None:
        """Match tracks, in sight or lost, with sure detections by overlap, score and appearance."""
        config, table = self.config, self._table
        pairs = near.take(near.overlap >= config.min_overlap)
        cost = 1 - pairs.overlap * found.scores[pairs.columns]
        if not self._appearance:
            matching.assign(pairs, cost, config.match_thresh)
            return
        distance = cosine_distance(table.embeddings, found.embeddings, pairs.rows, pairs.columns)
        weight = config.appearance_weight * self._appearance.usefulness
        if weight > 0:
            cost += weight * self._appearance.preference(distance)
        made = matching.assign(pairs, cost, config.match_thresh)

        rivals = near.take(near.overlap > NEAR)
        alone = np.bincount(rivals.rows, minlength=len(table))[pairs.rows[made]] == 1
        alone &= np.bincount(rivals.columns, minlength=len(found.scores))[pairs.columns[made]] == 1
        self._appearance.see_same(distance[made[alone & (pairs.overlap[made] > CLOSE)]])

    def _match_by_appearance(self, lost: np.ndarray, free: np.ndarray, found: Measurements, matching: Matching) -> None:
        """Find marked tracks [N] bool again among marked detections [M] bool by looks, within the reach of a person."""
        rows, columns = lost.nonzero()[0], free.nonzero()[0]
        if not len(rows) or not len(columns) or not self._appearance.usefulness:
            return
        config, table = self.config, self._table
        expected, box = table.mean[rows, None, :4], found.xywh[None, columns]
        seconds = np.maximum((self._frame - table.seen[rows]) / self._frame_rate, SHORTEST_GAP)
        way = np.hypot(box[..., 0] - expected[..., 0], box[..., 1] - expected[..., 1])
        possible = way < (config.max_speed * seconds[:, None] + REACH) * expected[..., 3]
        possible &= np.abs(np.log(box[..., 3] / expected[..., 3])) < SAME_HEIGHT
        row, column = np.nonzero(possible)
        pairs = Pairs(rows[row], columns[column], np.zeros(len(row)))
        likeness = self._appearance.significance(
            cosine_distance(table.embeddings, found.embeddings, pairs.rows, pairs.columns)
        )
        # the solver wants costs of 0 and more
        best = likeness.max(initial=config.reid_sigma)
        matching.assign(pairs, best - likeness, best - config.reid_sigma)

    def _take(self, rows: np.ndarray, which: np.ndarray, found: Measurements) -> None:
        """Update tracks from their detections."""
        table = self._table
        scores = found.scores[which]
        doubt = np.maximum(2 * (1 - scores), LEAST_DOUBT)[:, None]
        table.mean[rows], table.covariance[rows] = kalman.update(
            table.mean[rows], table.covariance[rows], found.xywh[which], kalman.SIZE, doubt
        )
        np.maximum(table.mean[:, 2:4], SMALLEST, out=table.mean[:, 2:4])
        table.scores[rows] = scores
        table.seen[rows] = self._frame
        evidence = table.evidence[rows] + scores - self._sure_score
        # who was doubtful for long is soon shown again once sure
        table.evidence[rows] = np.minimum(np.maximum(evidence, -self._confirm_evidence), self._max_evidence)
        table.confirmed[rows] |= evidence >= self._confirm_evidence
        if self._appearance:
            self._learn(rows, which, found)

    def _learn(self, rows: np.ndarray, which: np.ndarray, found: Measurements) -> None:
        """Mix appearances in: the surer the box the more, nothing of doubtful boxes and of those behind others."""
        config, table = self.config, self._table
        sureness = (found.scores[which] - config.conf_thres) / max(1 - config.conf_thres, 1e-9)
        share = (1 - config.embedding_momentum) * sureness
        learnt = (share > 0) & (found.covered[which] <= config.max_occlusion)
        rows, which, share = rows[learnt], which[learnt], share[learnt, None].astype(np.float32)
        mixed = table.embeddings[rows]
        mixed *= 1 - share
        mixed += share * found.embeddings[which]
        table.embeddings[rows] = normalised(mixed)

    def _births(self, found: Measurements, which: np.ndarray) -> TrackTable:
        """New tracks of some detections; those of the first frame have no frame before that could confirm them."""
        mean, covariance = kalman.initiate(found.xywh[which], kalman.SIZE)
        evidence = found.scores[which] - self._sure_score
        return TrackTable(
            ids=np.zeros(len(which), np.int64),
            mean=mean,
            covariance=covariance,
            embeddings=found.embeddings[which],
            scores=found.scores[which],
            evidence=evidence,
            start=np.full(len(which), self._frame),
            seen=np.full(len(which), self._frame),
            confirmed=(evidence >= 0) & (self._frame == 1),
        )

    def _retire(self) -> None:
        """Let go of tracks whose time is up."""
        table, config = self._table, self.config
        gap = self._frame - table.seen
        keep = np.where(table.confirmed, gap <= config.memory * self._frame_rate, gap == 0)
        keep[_duplicates(table, (keep & table.confirmed).nonzero()[0], self._frame, config.duplicate_overlap)] = False
        if not keep.all():
            self._table = table.take(keep)

    def _output(self) -> Tracks:
        table, config = self._table, self.config
        boxes = ltrb_to_ltwh(table.corners())
        width, height = boxes[:, 2], boxes[:, 3]
        shown = table.confirmed & (table.seen == self._frame) & (table.evidence >= 0)
        if config.min_box_area:
            shown &= width * height > config.min_box_area
        if config.vertical_ratio:
            shown &= width <= config.vertical_ratio * height
        rows = shown.nonzero()[0]
        first = rows[table.ids[rows] == 0]
        table.ids[first] = self.people + 1 + np.arange(len(first))
        self.people += len(first)
        return Tracks(table.ids[rows], boxes[rows], table.scores[rows], table.embeddings[rows])


def _move(table: TrackTable, camera: np.ndarray) -> None:
    """Bring the states to where the camera's motion put them."""
    turn = camera[:, :2]
    scale = np.sqrt(abs(np.linalg.det(turn)))
    table.mean[:, :2] = table.mean[:, :2] @ turn.T + camera[:, 2]
    table.mean[:, 4:6] = table.mean[:, 4:6] @ turn.T
    table.mean[:, [2, 3, 6, 7]] *= scale
    table.covariance *= scale**2


def _duplicates(table: TrackTable, rows: np.ndarray, frame: int, limit: float) -> np.ndarray:
    """Of some tracks, the shorter-lived of each pair that is one person: one lost, one born since in the same place.

    Two that were ever seen in one frame are two people, however one may cover the other.
    """
    in_sight = table.seen[rows] == frame
    here, lost = rows[in_sight], rows[~in_sight]
    here = here[table.start[here] > table.seen[lost].min(initial=frame)]  # few, and the only ones that can be
    if not len(here) or not len(lost):
        return here[:0]
    corners = table.corners()
    one, other = overlapping(corners[here], corners[lost])
    same = paired_iou(corners[here[one]], corners[lost[other]]) > limit
    same &= table.start[here[one]] > table.seen[lost[other]]
    one, other = one[same], other[same]
    age = table.seen - table.start
    older = age[here[one]] > age[lost[other]]
    return np.where(older, lost[other], here[one])
