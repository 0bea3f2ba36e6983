"""The association of JDE: detections of one frame in, identities out (Wang et al., arXiv 1909.12605, section 3.4).

The decisions are those of PaddleDetection's ``JDETracker`` 2.6, frame for frame; the bookkeeping is not: all tracks
live in one table of arrays, so that a frame costs a few array operations however many people there are, and nothing
of a track outlives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..boxes import jde_iou_distance, ltrb_to_ltwh, ltwh_to_ltrb, ltwh_to_xyah, xyah_to_ltwh
from ..settings.tracking import TrackerConfig
from ..structures import Detections, Tracks
from . import kalman
from .matching import appearance_and_motion, linear_assignment, normalised
from .table import Table

DUPLICATE_DISTANCE = 0.15  # a tracked and a lost track closer than this (1 - IoU) are one person


@dataclass
class TrackTable(Table):
    """All live tracks, a row each: first the tracked ones, then the lost ones, each in the order they came to be so.

    ``tracked`` is False for a lost track. ``confirmed`` is False for a track seen in one frame only. A track whose time
    was up (``expired``) gets one more frame to be found again, and is then not kept a second time.
    """

    ids: np.ndarray  # [N] int64
    mean: np.ndarray  # [N, 8] Kalman mean
    covariance: np.ndarray  # [N, 3, 4]
    embeddings: np.ndarray  # [N, D] float32, L2-normalised running means
    scores: np.ndarray  # [N]
    start: np.ndarray  # [N] frame of birth
    seen: np.ndarray  # [N] last frame with a detection
    tracked: np.ndarray  # [N] bool
    confirmed: np.ndarray  # [N] bool
    expired: np.ndarray  # [N] bool
    shown: np.ndarray  # [N] bool: was part of an output

    @classmethod
    def empty(cls, dimension: int) -> TrackTable:
        """A table without rows for embeddings of the given length."""
        integers, flags = np.zeros(0, np.int64), np.zeros(0, bool)
        return cls(
            ids=integers,
            mean=np.zeros((0, 8)),
            covariance=np.zeros((0, 3, 4)),
            embeddings=np.zeros((0, dimension), np.float32),
            scores=np.zeros(0),
            start=integers,
            seen=integers,
            tracked=flags,
            confirmed=flags,
            expired=flags,
            shown=flags,
        )

    def corners(self, rows: np.ndarray) -> np.ndarray:
        """[K, 4] left, top, right, bottom of some rows."""
        return ltwh_to_ltrb(xyah_to_ltwh(self.mean[rows, :4]))


class JDETracker:
    """Follows the people of one sequence.

    Args:
        config: thresholds, see ``config/tracker.yml``.
        frame_rate: frames per second of the sequence: ``track_buffer`` counts frames at 30 per second.

    Attributes:
        people: different identities given out by ``update`` so far.
    """

    def __init__(self, config: TrackerConfig | None = None, frame_rate: float = 30.0) -> None:
        self.config = config or TrackerConfig()
        self.max_time_lost = int(frame_rate / 30.0 * self.config.track_buffer)
        self.frame = 0
        self.people = 0
        self._last_id = 0
        self._table: TrackTable | None = None

    def update(self, detections: Detections, camera: np.ndarray | None = None, elapsed: int = 1) -> Tracks:
        """Take the next frame.

        Args:
            detections: the people found in it, in pixels of the original image; there may be none.
            camera: ignored, for the reference knows no motion of the camera.
            elapsed: frames of the sequence since the last one taken, more than 1 where some are left out.

        Returns:
            The confirmed tracks seen in this frame, in the order of their tracking, boxes in the same pixels.
        """
        elapsed = elapsed if self.frame else 1
        self.frame += elapsed
        if self._table is None:
            self._table = TrackTable.empty(detections.embeddings.shape[1])
        table = self._table
        found = _Measurements.of(detections, self.config.conf_thres)

        tracked_before = table.tracked.copy()
        unconfirmed = np.flatnonzero(table.tracked & ~table.confirmed)
        pool = np.flatnonzero(table.confirmed | ~table.tracked)
        self._predict(pool, elapsed)

        # 1. appearance, within the reach of the predicted motion
        cost = appearance_and_motion(
            table.embeddings[pool], found.embeddings, table.mean[pool], table.covariance[pool], found.xyah
        )
        pairs, left_pool, left = linear_assignment(cost, self.config.tracked_thresh)
        self._match(pool[pairs[:, 0]], found, pairs[:, 1])

        # 2. overlap, for those that were in sight a frame ago
        rest = pool[left_pool]
        rest = rest[tracked_before[rest]]
        pairs, missed, left = self._match_by_overlap(rest, found, left, self.config.r_tracked_thresh)
        table.tracked[rest[missed]] = False

        # 3. overlap, for tracks that wait for their second detection; without it they are gone
        pairs, never_seen_again, left = self._match_by_overlap(unconfirmed, found, left, self.config.unconfirmed_thresh)
        gone = np.zeros(len(table), bool)
        gone[unconfirmed[never_seen_again]] = True

        born = self._births(found, left[found.scores[left] >= self.config.det_thresh])
        self._retire(tracked_before, gone, born)
        return self._output()

    def _predict(self, rows: np.ndarray, frames: int) -> None:
        table = self._table
        table.mean[rows[~table.tracked[rows]], 7] = 0.0  # the height of somebody out of sight stays as it was
        for _ in range(frames):
            table.mean[rows], table.covariance[rows] = kalman.predict(table.mean[rows], table.covariance[rows])

    def _match(self, rows: np.ndarray, found: _Measurements, which: np.ndarray) -> None:
        """Give detections to tracks: state, appearance, and the marks of a track in sight."""
        if not len(rows):
            return
        table, config = self._table, self.config
        table.mean[rows], table.covariance[rows] = kalman.update(
            table.mean[rows], table.covariance[rows], found.xyah[which]
        )
        old, new = config.embedding_momentum, 1.0 - config.embedding_momentum
        mixed = old * table.embeddings[rows] + new * found.embeddings[which]
        table.embeddings[rows] = normalised(mixed)
        # a track that comes back keeps its old score until the next frame, as in the reference
        steady = table.tracked[rows]
        table.scores[rows[steady]] = found.scores[which[steady]]
        table.seen[rows] = self.frame
        table.tracked[rows] = True
        table.confirmed[rows] = True

    def _match_by_overlap(
        self, rows: np.ndarray, found: _Measurements, left: np.ndarray, limit: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Match some tracks with the detections still left; returns pairs, unmatched places in rows, what is left."""
        if not len(rows):
            return np.zeros((0, 2), np.int64), np.zeros(0, np.int64), left
        cost = jde_iou_distance(self._table.corners(rows), found.ltrb[left])
        pairs, alone, still_left = linear_assignment(cost, limit)
        self._match(rows[pairs[:, 0]], found, left[pairs[:, 1]])
        return pairs, alone, left[still_left]

    def _births(self, found: _Measurements, which: np.ndarray) -> TrackTable:
        """New tracks; those of the first frame need no confirmation."""
        count = len(which)
        mean, covariance = kalman.initiate(found.xyah[which])
        ids = self._last_id + 1 + np.arange(count, dtype=np.int64)
        self._last_id += count
        return TrackTable(
            ids=ids,
            mean=mean,
            covariance=covariance,
            embeddings=found.embeddings[which],
            scores=found.scores[which],
            start=np.full(count, self.frame),
            seen=np.full(count, self.frame),
            tracked=np.ones(count, bool),
            confirmed=np.full(count, self.frame == 1),
            expired=np.zeros(count, bool),
            shown=np.zeros(count, bool),
        )

    def _retire(self, tracked_before: np.ndarray, gone: np.ndarray, born: TrackTable) -> None:
        """Put the table in order for the next frame: tracked rows, found-again rows, born rows, lost rows."""
        table = self._table
        expired_before = table.expired.copy()
        was_lost = ~tracked_before
        table.expired |= was_lost & (self.frame - table.seen > self.max_time_lost)

        steady = tracked_before & table.tracked & ~gone
        again = was_lost & table.tracked
        still_lost = was_lost & ~table.tracked & ~expired_before
        newly_lost = tracked_before & ~table.tracked & ~expired_before
        steady, again, still_lost, newly_lost = (np.flatnonzero(m) for m in (steady, again, still_lost, newly_lost))

        newborn = len(table) + np.arange(len(born))
        order = np.concatenate([steady, newborn, again, still_lost, newly_lost])
        table = table.append(born).take(order)
        keep = ~_duplicates(table, len(steady) + len(newborn) + len(again))
        self._table = table if keep.all() else table.take(keep)

    def _output(self) -> Tracks:
        table, config = self._table, self.config
        rows = np.flatnonzero(table.tracked & table.confirmed)
        boxes = xyah_to_ltwh(table.mean[rows, :4])
        width, height = boxes[:, 2], boxes[:, 3]
        plausible = width * height > config.min_box_area if config.min_box_area else np.ones(len(rows), bool)
        if config.vertical_ratio:
            plausible &= width <= config.vertical_ratio * height
        rows = rows[plausible]
        self.people += int((~table.shown[rows]).sum())
        table.shown[rows] = True
        return Tracks(table.ids[rows], boxes[plausible], table.scores[rows], table.embeddings[rows])


@dataclass(frozen=True)
class _Measurements:
    """The confident detections of a frame in the forms the association needs."""

    ltrb: np.ndarray
    xyah: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def of(cls, detections: Detections, threshold: float) -> _Measurements:
        keep = detections.scores > threshold
        # a box without height has no aspect ratio: it could not be tracked
        keep &= detections.boxes[:, 3] > detections.boxes[:, 1]
        ltwh = ltrb_to_ltwh(detections.boxes[keep]).astype(np.float32)
        return cls(
            ltrb=ltwh_to_ltrb(ltwh),
            xyah=ltwh_to_xyah(ltwh),
            scores=detections.scores[keep].astype(np.float64),
            embeddings=normalised(detections.embeddings[keep].astype(np.float32)),
        )


def _duplicates(table: TrackTable, count: int) -> np.ndarray:
    """[N] mask of the shorter-lived of each tracked and lost pair that stand in the same place.

    Args:
        table: ``count`` tracked rows, then the lost ones.
        count: see there.
    """
    drop = np.zeros(len(table), bool)
    if 0 < count < len(table):
        corners = table.corners(slice(None))
        close = jde_iou_distance(corners[:count], corners[count:]) < DUPLICATE_DISTANCE
        age = table.seen - table.start
        older = age[:count, None] > age[None, count:]
        drop[:count] = (close & ~older).any(axis=1)
        drop[count:] = (close & older).any(axis=0)
    return drop
