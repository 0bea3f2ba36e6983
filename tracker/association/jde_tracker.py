"""The association of JDE: detections of one frame in, identities out (Wang et al., arXiv 1909.12605, section 3.4).

The decisions are those of PaddleDetection's ``JDETracker`` 2.6, frame for frame; the bookkeeping is not: all tracks
live in one table of arrays, so that a frame costs a few array operations however many people there are, and nothing
of a track outlives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..boxes import jde_iou_distance, ltwh_to_ltrb, xyah_to_ltwh
from ..settings.tracking import TrackerConfig
from ..structures import Detections, Tracks
from . import kalman
from .clock import Clock
from .matching import appearance_and_motion, linear_assignment, normalised
from .measurements import JDEMeasurements
from .table import Table

DUPLICATE_DISTANCE = 0.15  # a tracked and a lost track closer than this (1 - IoU) are one person


@dataclass
class JDETrackTable(Table):
    """All live tracks, a row each: first the tracked ones, then the lost ones, each in the order they came to be so.

    ``tracked`` is False for a lost track. ``confirmed`` is False for a track seen in one frame only. A track whose time
    was up (``expired``) gets one more frame to be found again, and is then not kept a second time.
    """

    ids: np.ndarray  # [N] int64
    mean: np.ndarray  # [N, 8] Kalman mean
    covariance: np.ndarray  # [N, 3, 4]
    embeddings: np.ndarray  # [N, D] float32, L2-normalised running means
    scores: np.ndarray  # [N]
    start: np.ndarray  # [N] time of birth in frame periods
    seen: np.ndarray  # [N] time of the last detection in frame periods
    found: np.ndarray  # [N] int64: which of the measurements of that frame it was
    tracked: np.ndarray  # [N] bool
    confirmed: np.ndarray  # [N] bool
    expired: np.ndarray  # [N] bool
    shown: np.ndarray  # [N] bool: was part of an output

    @classmethod
    def empty(cls, dimension: int = 0) -> JDETrackTable:
        """Return a table without rows for embeddings of the given length."""
        flags = np.zeros(0, bool)
        return cls(
            ids=np.zeros(0, np.int64),
            mean=np.zeros((0, 8)),
            covariance=np.zeros((0, 3, 4)),
            embeddings=np.zeros((0, dimension), np.float32),
            scores=np.zeros(0),
            start=np.zeros(0),
            seen=np.zeros(0),
            found=np.zeros(0, np.int64),
            tracked=flags,
            confirmed=flags,
            expired=flags,
            shown=flags,
        )

    def corners(self, rows: np.ndarray) -> np.ndarray:
        """Return [K, 4] left, top, right, bottom of some rows in pixels of the original image."""
        return ltwh_to_ltrb(xyah_to_ltwh(self.mean[rows, :4]))


class JDETracker:
    """Follows the people of one sequence.

    Args:
        config: thresholds, see ``config/tracker.yml``.
        frame_rate: frames per second of the sequence: ``track_buffer`` counts frames at 30 per second.

    Attributes:
        num_identities: different identities given out by ``update`` so far.
    """

    def __init__(self, config: TrackerConfig | None = None, frame_rate: float = 30.0) -> None:
        self.config = config or TrackerConfig()
        self.max_time_lost = int(frame_rate / 30.0 * self.config.track_buffer)
        self.num_identities = 0
        self._last_id = 0
        self._clock = Clock(frame_rate, self.max_time_lost + 2)  # whose time is up has one more frame
        self._table = JDETrackTable.empty()

    def update(self, detections: Detections, warp: np.ndarray | None = None, elapsed: float = 1.0) -> Tracks:
        """Track the people of the next frame.

        Args:
            detections: the people detected in it, in pixels of the original image; there may be none.
            warp: ignored, for the reference knows no motion of the camera.
            elapsed: time since the last frame taken in frame periods (1 / frame_rate), above 0; ignored at the first.

        Returns:
            The confirmed tracks seen in this frame, in the order of their tracking, boxes in the same pixels.

        Raises:
            OptionError: ``elapsed`` is not a positive number.
        """
        self._clock.advance(elapsed)
        remembered = self._clock.remembers(self._table.seen)
        if not remembered.any():
            self._table = JDETrackTable.empty(detections.embeddings.shape[1])
        elif not remembered.all():
            self._table = self._table.take(remembered)
        table = self._table
        measurements = JDEMeasurements.of(detections, self.config.conf_thres)

        tracked_before = table.tracked.copy()
        unconfirmed = np.flatnonzero(table.tracked & ~table.confirmed)
        pool = np.flatnonzero(table.confirmed | ~table.tracked)
        self._predict(pool)

        # 1. appearance, within the reach of the predicted motion
        cost = appearance_and_motion(
            table.embeddings[pool], measurements.embeddings, table.mean[pool], table.covariance[pool], measurements.xyah
        )
        pairs, unmatched_pool, unmatched = linear_assignment(cost, self.config.tracked_thresh)
        self._update_matched(pool[pairs[:, 0]], measurements, pairs[:, 1])

        # 2. overlap, for those that were in sight a frame ago
        rest = pool[unmatched_pool]
        rest = rest[tracked_before[rest]]
        missed, unmatched = self._match_by_overlap(rest, measurements, unmatched, self.config.r_tracked_thresh)
        table.tracked[rest[missed]] = False

        # 3. overlap, for tracks seen once so far; without a second detection they are gone
        missed, unmatched = self._match_by_overlap(unconfirmed, measurements, unmatched, self.config.unconfirmed_thresh)
        gone = np.zeros(len(table), bool)
        gone[unconfirmed[missed]] = True

        born = self._births(measurements, unmatched[measurements.scores[unmatched] >= self.config.det_thresh])
        self._retire(tracked_before, gone, born)
        return self._output(measurements)

    def _predict(self, rows: np.ndarray) -> None:
        table = self._table
        table.mean[rows[~table.tracked[rows]], 7] = 0.0  # the height of somebody out of sight stays as it was
        table.mean[rows], table.covariance[rows] = kalman.predict(
            table.mean[rows], table.covariance[rows], elapsed=self._clock.elapsed
        )

    def _update_matched(self, rows: np.ndarray, measurements: JDEMeasurements, which: np.ndarray) -> None:
        """Update tracks, given by row, from their detections, given by index."""
        if not len(rows):
            return
        table, config = self._table, self.config
        table.mean[rows], table.covariance[rows] = kalman.update(
            table.mean[rows], table.covariance[rows], measurements.xyah[which]
        )
        old, new = config.embedding_momentum, 1.0 - config.embedding_momentum
        mixed = old * table.embeddings[rows] + new * measurements.embeddings[which]
        table.embeddings[rows] = normalised(mixed)
        # a track that comes back keeps its old score until the next frame, as in the reference
        steady = table.tracked[rows]
        table.scores[rows[steady]] = measurements.scores[which[steady]]
        table.seen[rows], table.found[rows] = self._clock.now, which
        table.tracked[rows] = True
        table.confirmed[rows] = True

    def _match_by_overlap(
        self, rows: np.ndarray, measurements: JDEMeasurements, unmatched: np.ndarray, limit: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Match some tracks, given by row, with the detections that are unmatched.

        Returns:
            Places in ``rows`` of the tracks without a detection, and the detections that are still unmatched.
        """
        if not len(rows):
            return np.zeros(0, np.int64), unmatched
        cost = jde_iou_distance(self._table.corners(rows), measurements.ltrb[unmatched])
        pairs, missed, still_unmatched = linear_assignment(cost, limit)
        self._update_matched(rows[pairs[:, 0]], measurements, unmatched[pairs[:, 1]])
        return missed, unmatched[still_unmatched]

    def _births(self, measurements: JDEMeasurements, which: np.ndarray) -> JDETrackTable:
        """Make new tracks of some detections; where no frame before could confirm them, they are confirmed at once."""
        count = len(which)
        mean, covariance = kalman.initiate(measurements.xyah[which])
        ids = self._last_id + 1 + np.arange(count, dtype=np.int64)
        self._last_id += count
        return JDETrackTable(
            ids=ids,
            mean=mean,
            covariance=covariance,
            embeddings=measurements.embeddings[which],
            scores=measurements.scores[which],
            start=np.full(count, self._clock.now),
            seen=np.full(count, self._clock.now),
            found=which,
            tracked=np.ones(count, bool),
            confirmed=np.full(count, self._clock.begins),
            expired=np.zeros(count, bool),
            shown=np.zeros(count, bool),
        )

    def _retire(self, tracked_before: np.ndarray, gone: np.ndarray, born: JDETrackTable) -> None:
        """Put the table in order for the next frame: tracked rows, born rows, found-again rows, lost rows."""
        table = self._table
        expired_before = table.expired.copy()
        was_lost = ~tracked_before
        table.expired |= was_lost & (self._clock.now - table.seen > self.max_time_lost)

        steady = np.flatnonzero(tracked_before & table.tracked & ~gone)
        again = np.flatnonzero(was_lost & table.tracked)
        still_lost = np.flatnonzero(was_lost & ~table.tracked & ~expired_before)
        newly_lost = np.flatnonzero(tracked_before & ~table.tracked & ~expired_before)
        newborn = len(table) + np.arange(len(born))
        order = np.concatenate([steady, newborn, again, still_lost, newly_lost])
        table = table.append(born).take(order)
        keep = ~_duplicates(table, len(steady) + len(newborn) + len(again))
        self._table = table if keep.all() else table.take(keep)

    def _output(self, measurements: JDEMeasurements) -> Tracks:
        table, config = self._table, self.config
        rows = np.flatnonzero(table.tracked & table.confirmed)
        boxes = xyah_to_ltwh(table.mean[rows, :4])
        width, height = boxes[:, 2], boxes[:, 3]
        plausible = width * height > config.min_box_area if config.min_box_area else np.ones(len(rows), bool)
        if config.vertical_ratio:
            plausible &= width <= config.vertical_ratio * height
        rows = rows[plausible]
        self.num_identities += int((~table.shown[rows]).sum())
        table.shown[rows] = True
        looks = measurements.embeddings[table.found[rows]]
        return Tracks(table.ids[rows], boxes[plausible], table.scores[rows], table.embeddings[rows], looks)


def _duplicates(table: JDETrackTable, count: int) -> np.ndarray:
    """Return [N] bool, True for the shorter-lived of each tracked and lost pair that stand in the same place.

    Args:
        table: the tracked rows, then the lost ones.
        count: number of tracked rows.
    """
    drop = np.zeros(len(table), bool)
    if 0 < count < len(table):
        corners = table.corners(np.arange(len(table)))
        close = jde_iou_distance(corners[:count], corners[count:]) < DUPLICATE_DISTANCE
        age = table.seen - table.start
        older = age[:count, None] > age[None, count:]
        drop[:count] = (close & ~older).any(axis=1)
        drop[count:] = (close & older).any(axis=0)
    return drop
