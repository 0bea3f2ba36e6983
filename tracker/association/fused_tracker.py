"""The trackers ``fused`` and ``byte``: motion and appearance together, low-confidence detections second.

From ByteTrack (Zhang et al., arXiv 2110.06864) comes the order, high-confidence detections before low-confidence ones;
from BoT-SORT (Aharon et al., arXiv 2206.14651) width and height in the state, and the camera's motion taken out of it;
from StrongSORT (Du et al., arXiv 2202.13514) a measurement noise that falls with the score. Own to this project: what a
distance in appearance is worth is learnt from the video (`appearance`), and a track has a score that it must earn, and
can use up, before it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..boxes import ltrb_to_ltwh, overlapping, paired_iou
from ..settings.tracking import TrackerConfig
from ..structures import Detections, Tracks
from . import kalman
from .appearance import EmbeddingCalibration, cosine_distance
from .clock import Clock
from .matching import CandidatePairs, Matching, normalised
from .measurements import FusedMeasurements
from .table import Table

NEGATIVE_IOU = 0.3  # people of one frame whose boxes overlap less than this are certainly different
POSITIVE_IOU = 0.6  # a track and its detection that overlap more than this are certainly one person, if without rivals
RIVAL_IOU = 0.2  # a rival is another track, or another detection, that overlaps one of the two more than this
MAX_NEGATIVE_PAIRS = 32  # compared in a frame
REID_BASE_RADIUS = 0.3  # body heights by which a detection may be off from a lost track, however short the time
MAX_LOG_HEIGHT_CHANGE = 0.5  # of one person before and after being out of sight
MIN_REID_SECONDS = 0.2  # shorter times count as this long, for speed cannot be told from noise within less
MIN_NOISE_SCALE = 0.1  # factor on the variance of a measured box at a score of 1
MIN_BOX_SIZE = 0.1  # pixels of width and height that a predicted box keeps


@dataclass
class FusedTrackTable(Table):
    """All live tracks, a row each, in the order of their birth."""

    ids: np.ndarray  # [N] int64; 0 for a track that was not shown yet
    mean: np.ndarray  # [N, 8] Kalman mean (centre x, centre y, width, height and their changes)
    covariance: np.ndarray  # [N, 3, 4], see `kalman`
    embeddings: np.ndarray  # [N, D] float32, L2-normalised running means
    scores: np.ndarray  # [N] of the last detection
    track_scores: np.ndarray  # [N] sum of the scores of all detections, each less the neutral score
    seen: np.ndarray  # [N] time of the last detection in frame periods
    found: np.ndarray  # [N] int64: which of the measurements of that frame it was
    confirmed: np.ndarray  # [N] bool: taken for a person

    @classmethod
    def empty(cls, dimension: int = 0) -> FusedTrackTable:
        """Return a table without rows for embeddings of the given length."""
        return cls(
            ids=np.zeros(0, np.int64),
            mean=np.zeros((0, 8)),
            covariance=np.zeros((0, 3, 4)),
            embeddings=np.zeros((0, dimension), np.float32),
            scores=np.zeros(0),
            track_scores=np.zeros(0),
            seen=np.zeros(0),
            found=np.zeros(0, np.int64),
            confirmed=np.zeros(0, bool),
        )

    def corners(self) -> np.ndarray:
        """Return [N, 4] left, top, right, bottom in pixels of the original image."""
        half = self.mean[:, 2:4] / 2
        return np.concatenate([self.mean[:, :2] - half, self.mean[:, :2] + half], axis=1)


class FusedTracker:
    """Follows the people of one sequence.

    Args:
        config: settings, see ``config/tracker.yml``.
        frame_rate: frames per second of the sequence.
        appearance: use the embeddings; without them this is the association ``byte``.

    Attributes:
        num_identities: different identities given out by ``update`` so far; ids are 1 to this number.
    """

    def __init__(self, config: TrackerConfig | None = None, frame_rate: float = 30.0, appearance: bool = True) -> None:
        self.config = config or TrackerConfig()
        self.num_identities = 0
        self._frame_rate = frame_rate
        self._memory = self.config.memory * frame_rate  # in frame periods
        self._clock = Clock(frame_rate, self._memory + 1)  # kept once more at the very end of the memory
        self._use_appearance = appearance
        self._calibration = EmbeddingCalibration()
        # a detection of this score changes nothing; however high conf_thres is, something is left to be earned above
        self._neutral_score = min(self.config.conf_thres + self.config.sure_margin, (self.config.conf_thres + 1) / 2)
        self._confirm_score = min(self.config.confirm_evidence, 1 - self._neutral_score)
        self._max_track_score = max(self.config.max_evidence, self._confirm_score)
        self._table = FusedTrackTable.empty()

    def update(self, detections: Detections, warp: np.ndarray | None = None, elapsed: float = 1.0) -> Tracks:
        """Track the people of the next frame.

        Args:
            detections: the people detected in it, in pixels of the original image, low confidence included.
            warp: [2, 3] affine map from pixels of the last frame taken to those of this one, see `camera_motion`;
                None for a camera that stands still.
            elapsed: time since the last frame taken in frame periods (1 / frame_rate), above 0; ignored at the first.

        Returns:
            The confirmed tracks seen in this frame, in the order of their birth, boxes in the same pixels.

        Raises:
            OptionError: ``elapsed`` is not a positive number.
        """
        config = self.config
        self._clock.advance(elapsed)
        measurements = FusedMeasurements.of(detections, min(config.low_thres, config.conf_thres))
        table = self._predict(warp, measurements.embeddings.shape[1])
        if self._use_appearance:
            self._update_negatives(measurements)

        corners = table.corners()
        rows, columns = overlapping(corners, measurements.ltrb)
        near = CandidatePairs(rows, columns, paired_iou(corners[rows], measurements.ltrb[columns]))
        matching = Matching(len(table), len(measurements.scores))
        high, confirmed = measurements.scores > config.conf_thres, table.confirmed

        self._match_high_confidence(near.where(confirmed, high), measurements, matching)
        # a low-confidence box may be anything: it continues what was there at the last frame, and brings nobody back
        recent = confirmed & (table.seen == self._clock.last)
        pairs = near.where(recent & matching.unmatched_tracks, ~high)
        matching.assign(pairs, 1 - pairs.overlap, config.low_match_thresh)
        if self._use_appearance:
            lost, free = confirmed & matching.unmatched_tracks, high & matching.unmatched_detections
            self._match_by_appearance(lost, free, measurements, matching)
        pairs = near.where(~confirmed, high & matching.unmatched_detections)
        matching.assign(pairs, 1 - pairs.overlap * measurements.scores[pairs.columns], config.new_match_thresh)

        rows = (~matching.unmatched_tracks).nonzero()[0]
        self._update_matched(rows, matching.detection[rows], measurements)
        self._retire()
        born = (high & matching.unmatched_detections).nonzero()[0]
        if len(born):
            self._table = self._table.append(self._births(measurements, born))
        return self._output(measurements)

    def _predict(self, warp: np.ndarray | None, dimension: int) -> FusedTrackTable:
        """Return the tracks that may be in this frame, brought to its time.

        Args:
            warp: [2, 3] as in `update`.
            dimension: length of the embeddings of the frame's detections.
        """
        remembered = self._clock.remembers(self._table.seen)
        if not remembered.any():
            self._table = FusedTrackTable.empty(dimension)
            return self._table
        if not remembered.all():
            self._table = self._table.take(remembered)
        table = self._table
        if warp is not None:
            _apply_warp(table, warp)
        table.mean[table.seen < self._clock.last, 6:] = 0.0  # the size of somebody out of sight stays as it was
        table.mean, table.covariance = kalman.predict(table.mean, table.covariance, kalman.SIZE, self._clock.elapsed)
        np.maximum(table.mean[:, 2:4], MIN_BOX_SIZE, out=table.mean[:, 2:4])
        return table

    def _update_negatives(self, measurements: FusedMeasurements) -> None:
        """Compare each high-confidence detection with one other: all pairs in turn, frame by frame."""
        high = (measurements.scores > self.config.conf_thres).nonzero()[0]
        if len(high) < 2:
            return
        every = -(-len(high) // MAX_NEGATIVE_PAIRS)
        number = int(self._clock.now)
        first = np.arange(number % every, len(high), every)
        second = (first + 1 + number % (len(high) - 1)) % len(high)
        one, other = high[first], high[second]
        apart = paired_iou(measurements.ltrb[one], measurements.ltrb[other]) < NEGATIVE_IOU
        embeddings = measurements.embeddings
        self._calibration.update_negatives(cosine_distance(embeddings, embeddings, one[apart], other[apart]))

    def _match_high_confidence(self, near: CandidatePairs, measurements: FusedMeasurements, matching: Matching) -> None:
        """Match tracks, in sight or lost, with high-confidence detections by overlap, score and appearance."""
        config, table = self.config, self._table
        pairs = near.take(near.overlap >= config.min_overlap)
        cost = 1 - pairs.overlap * measurements.scores[pairs.columns]
        if not self._use_appearance:
            matching.assign(pairs, cost, config.match_thresh)
            return
        distance = cosine_distance(table.embeddings, measurements.embeddings, pairs.rows, pairs.columns)
        weight = config.appearance_weight * self._calibration.separability
        if weight > 0:
            cost += weight * self._calibration.normalised_cost(distance)
        made = matching.assign(pairs, cost, config.match_thresh)

        rivals = near.take(near.overlap > RIVAL_IOU)
        alone = np.bincount(rivals.rows, minlength=len(table))[pairs.rows[made]] == 1
        alone &= np.bincount(rivals.columns, minlength=len(measurements.scores))[pairs.columns[made]] == 1
        self._calibration.update_positives(distance[made[alone & (pairs.overlap[made] > POSITIVE_IOU)]])

    def _match_by_appearance(
        self, lost: np.ndarray, free: np.ndarray, measurements: FusedMeasurements, matching: Matching
    ) -> None:
        """Match marked tracks [N] bool with marked detections [M] bool within the reach of a person by appearance."""
        rows, columns = lost.nonzero()[0], free.nonzero()[0]
        if not len(rows) or not len(columns) or not self._calibration.separability:
            return
        config, table = self.config, self._table
        expected, box = table.mean[rows, None, :4], measurements.xywh[None, columns]
        seconds = np.maximum((self._clock.now - table.seen[rows]) / self._frame_rate, MIN_REID_SECONDS)
        way = np.hypot(box[..., 0] - expected[..., 0], box[..., 1] - expected[..., 1])
        possible = way < (config.max_speed * seconds[:, None] + REID_BASE_RADIUS) * expected[..., 3]
        possible &= np.abs(np.log(box[..., 3] / expected[..., 3])) < MAX_LOG_HEIGHT_CHANGE
        row, column = np.nonzero(possible)
        pairs = CandidatePairs(rows[row], columns[column], np.zeros(len(row)))
        likeness = self._calibration.z_score(
            cosine_distance(table.embeddings, measurements.embeddings, pairs.rows, pairs.columns)
        )
        # the solver wants costs of 0 and more
        best = likeness.max(initial=config.reid_sigma)
        matching.assign(pairs, best - likeness, best - config.reid_sigma)

    def _update_matched(self, rows: np.ndarray, which: np.ndarray, measurements: FusedMeasurements) -> None:
        """Update tracks, given by row, from their detections, given by index."""
        table = self._table
        scores = measurements.scores[which]
        noise_scale = np.maximum(2 * (1 - scores), MIN_NOISE_SCALE)[:, None]
        table.mean[rows], table.covariance[rows] = kalman.update(
            table.mean[rows], table.covariance[rows], measurements.xywh[which], kalman.SIZE, noise_scale
        )
        np.maximum(table.mean[:, 2:4], MIN_BOX_SIZE, out=table.mean[:, 2:4])
        table.scores[rows] = scores
        table.seen[rows], table.found[rows] = self._clock.now, which
        track_scores = table.track_scores[rows] + scores - self._neutral_score
        # bounded below too: who was seen with low confidence for long is soon shown again once that rises
        table.track_scores[rows] = np.minimum(np.maximum(track_scores, -self._confirm_score), self._max_track_score)
        table.confirmed[rows] |= track_scores >= self._confirm_score
        if self._use_appearance:
            self._update_embeddings(rows, which, measurements)

    def _update_embeddings(self, rows: np.ndarray, which: np.ndarray, measurements: FusedMeasurements) -> None:
        """Mix new embeddings in: the higher the score the more, and nothing of low-confidence detections."""
        config, table = self.config, self._table
        confidence = (measurements.scores[which] - config.conf_thres) / max(1 - config.conf_thres, 1e-9)
        share = (1 - config.embedding_momentum) * confidence
        learnt = share > 0
        rows, which, share = rows[learnt], which[learnt], share[learnt, None].astype(np.float32)
        mixed = table.embeddings[rows]
        mixed *= 1 - share
        mixed += share * measurements.embeddings[which]
        table.embeddings[rows] = normalised(mixed)

    def _births(self, measurements: FusedMeasurements, which: np.ndarray) -> FusedTrackTable:
        """Make new tracks of some detections; where no frame before could confirm them, they are confirmed at once."""
        mean, covariance = kalman.initiate(measurements.xywh[which], kalman.SIZE)
        track_scores = measurements.scores[which] - self._neutral_score
        return FusedTrackTable(
            ids=np.zeros(len(which), np.int64),
            mean=mean,
            covariance=covariance,
            embeddings=measurements.embeddings[which],
            scores=measurements.scores[which],
            track_scores=track_scores,
            seen=np.full(len(which), self._clock.now),
            found=which,
            confirmed=(track_scores >= 0) & self._clock.begins,
        )

    def _retire(self) -> None:
        """Drop the tracks whose time is up."""
        gap = self._clock.now - self._table.seen
        keep = np.where(self._table.confirmed, gap <= self._memory, gap == 0)
        if not keep.all():
            self._table = self._table.take(keep)

    def _output(self, measurements: FusedMeasurements) -> Tracks:
        table, config = self._table, self.config
        boxes = ltrb_to_ltwh(table.corners())
        width, height = boxes[:, 2], boxes[:, 3]
        shown = table.confirmed & (table.seen == self._clock.now) & (table.track_scores >= 0)
        if config.min_box_area:
            shown &= width * height > config.min_box_area
        if config.vertical_ratio:
            shown &= width <= config.vertical_ratio * height
        rows = shown.nonzero()[0]
        first = rows[table.ids[rows] == 0]
        table.ids[first] = self.num_identities + 1 + np.arange(len(first))
        self.num_identities += len(first)
        sure = table.scores[rows, None] > config.conf_thres
        looks = np.where(sure, measurements.embeddings[table.found[rows]], np.float32(0))
        return Tracks(table.ids[rows], boxes[rows], table.scores[rows], table.embeddings[rows], looks)


def _apply_warp(table: FusedTrackTable, warp: np.ndarray) -> None:
    """Move the states with the picture, by an affine map [2, 3] of its pixels."""
    linear = warp[:, :2]
    scale = np.sqrt(abs(np.linalg.det(linear)))
    table.mean[:, :2] = table.mean[:, :2] @ linear.T + warp[:, 2]
    table.mean[:, 4:6] = table.mean[:, 4:6] @ linear.T
    table.mean[:, [2, 3, 6, 7]] *= scale
    table.covariance *= scale**2
