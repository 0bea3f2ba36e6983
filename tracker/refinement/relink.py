"""Join the tracklets of one person over the whole file, after tracking, by appearance, time and place.

The typical embedding distance of different people depends on the embedding model. It is therefore measured on the
tracks themselves: tracklets that overlap in time belong to different people (negative pairs), and a pair is joined only
if its distance is smaller than that of nearly all negative pairs, and clearly smaller than that of any rival. Joining
tracklets globally as an assignment follows Huang et al. (Robust Object Tracking by Hierarchical Association of
Detection Responses, ECCV 2008) and AFLink of StrongSORT (Du et al., arXiv 2202.13514), with this calibration in place
of its learned classifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..settings.refinement import RefineSettings

FIT_SECONDS = 0.5  # at each end of a tracklet, from which position and velocity there are estimated
VELOCITY_PRIOR = 0.002  # s^2, (noise of a box / spread of velocities)^2: keeps the slope of two or three boxes small
BASE_RADIUS = 0.5  # body heights that the position may be off after any gap: an occlusion cuts boxes short
MAX_SIZE_RATIO, SIZE_GROWTH = 1.3, 1.1  # largest change of height at once, and by how much more in each second
MAX_MOTION_MISS = 0.3  # body heights that motion alone may be off

MIN_NEGATIVE_PAIRS = 10  # with fewer the distances of different people are unknown
MAX_NEGATIVE_PAIRS = 200_000  # a sample of this size is enough
MIN_THRESHOLD = 1e-6  # of distances: a smaller one is the rounding of embeddings that are all the same
BLOCK = 64  # tracklets compared with the rest at a time
CHUNK = 8192  # pairs whose embeddings are compared at a time
UNMATCHED_COST = 3.0  # of a tracklet without a successor; a join costs 1 to 2, so every possible one is worth it


@dataclass(frozen=True)
class Tracklets:
    """The two ends of each of T tracklets.

    Attributes:
        first, last: [T] times in frame periods.
        start, end: [T, 3] centre x, centre y, height in pixels at those times, from a line through the nearest boxes.
        start_velocity, end_velocity: [T, 2] pixels per frame period.
        embeddings: [T, D] float32, L2-normalised.
        known: [T] bool, False where the row of ``embeddings`` means nothing.
        frame_rate: frames per second.
    """

    first: np.ndarray
    last: np.ndarray
    start: np.ndarray
    end: np.ndarray
    start_velocity: np.ndarray
    end_velocity: np.ndarray
    embeddings: np.ndarray
    known: np.ndarray
    frame_rate: float

    @classmethod
    def of(
        cls,
        table: np.ndarray,
        embeddings: np.ndarray,
        known: np.ndarray,
        frame_rate: float,
        time: np.ndarray | None = None,
    ) -> Tracklets:
        """Summarise tracks.

        Args:
            table: [N, 7] frame, id, left, top, width, height (pixels), score, sorted by id, then frame.
            embeddings: [T, D] of the ids in ascending order.
            known: [T] bool, False where the row of ``embeddings`` means nothing.
            frame_rate: frames per second.
            time: [N] of the frames, in frame periods; None for their numbers.
        """
        frame = table[:, 0] if time is None else time
        _, which, count = np.unique(table[:, 1], return_inverse=True, return_counts=True)
        after = np.cumsum(count)
        first, last = frame[after - count], frame[after - 1]
        values = np.stack([table[:, 2] + table[:, 4] / 2, table[:, 3] + table[:, 5] / 2, table[:, 5]], axis=1)
        reach, prior = FIT_SECONDS * frame_rate, VELOCITY_PRIOR * frame_rate**2
        start, start_velocity = _fit_lines(frame - first[which], values, which, reach, prior)
        end, end_velocity = _fit_lines(frame - last[which], values, which, reach, prior)
        return cls(first, last, start, end, start_velocity, end_velocity, embeddings, known, frame_rate)

    def __len__(self) -> int:
        return len(self.first)

    def frames(self, seconds: float) -> int:
        """Return the nearest whole number of frames."""
        return math.floor(seconds * self.frame_rate + 0.5)

    def overlap(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return [P] bool: whether pairs of tracklets, given by index, overlap in time.

        Tracklets that do are certainly different people.
        """
        return (self.first[a] <= self.last[b]) & (self.first[b] <= self.last[a])


@dataclass(frozen=True)
class _TrackletPairs:
    """P pairs of tracklets that may be one person, and how well they fit."""

    before: np.ndarray  # [P] index of the earlier tracklet
    after: np.ndarray  # [P] index of the later one
    distance: np.ndarray  # [P] of their embeddings, infinite where one is unknown
    miss: np.ndarray  # [P] body heights between extrapolated and actual position, the worse of the two directions
    by_motion: np.ndarray  # [P] bool: near enough in time, place and size to be joined by motion alone

    def __len__(self) -> int:
        return len(self.before)

    def take(self, which: np.ndarray) -> _TrackletPairs:
        return _TrackletPairs(**{name: column[which] for name, column in vars(self).items()})


def relink(tracklets: Tracklets, settings: RefineSettings) -> np.ndarray:
    """Join tracklets into people.

    Two tracklets are joined when the later one starts after the earlier one has ended, so that the members of a chain
    never overlap. A tracklet that lies in a gap of another one is not joined with it.

    Args:
        tracklets: all of a sequence.
        settings: limits of gaps, embedding distances and speed.

    Returns:
        [T] number of the person of each tracklet, from 0.
    """
    negatives = _negative_distances(tracklets)
    threshold, typical = 0.0, np.inf
    if len(negatives) >= MIN_NEGATIVE_PAIRS:
        typical = float(np.median(negatives))
        threshold = min(float(np.quantile(negatives, settings.relink_quantile)), settings.relink_ratio * typical)
    if threshold < MIN_THRESHOLD:
        threshold = 0.0

    pairs = _plausible_pairs(tracklets, settings, threshold / settings.relink_ratio)
    cost = np.full(len(pairs), np.inf)
    alike = _unrivalled(tracklets, pairs, pairs.distance, pairs.distance < threshold, settings.relink_ratio)
    cost[alike] = 1 + pairs.distance[alike] / threshold
    moving = pairs.by_motion & ((pairs.distance <= typical) | np.isinf(pairs.distance))
    moving = _unrivalled(tracklets, pairs, np.where(pairs.by_motion, pairs.miss, np.inf), moving, settings.relink_ratio)
    cost[moving] = np.minimum(cost[moving], 1 + pairs.miss[moving] / MAX_MOTION_MISS)

    joined = np.isfinite(cost)
    before, after = _assign(pairs.before[joined], pairs.after[joined], cost[joined], len(tracklets))
    from scipy.sparse import coo_matrix  # 0.2 s that runs without refinement do without
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(before)), (before, after)), shape=(len(tracklets),) * 2)
    return connected_components(graph, directed=False)[1]


def _fit_lines(
    time: np.ndarray, values: np.ndarray, which: np.ndarray, reach: float, prior: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line through the boxes of each tracklet that are nearest to one of its ends, by ridge regression.

    Args:
        time: [N] frames from that end.
        values: [N, 3] centre x, centre y, height.
        which: [N] index of the tracklet.
        reach: frames from the end that take part.
        prior: added to the spread of the times, in frames^2.

    Returns:
        [T, 3] the values at the end, the height without a slope, and [T, 2] the slope of the first two.
    """
    near = np.abs(time) <= reach
    time, values, which = time[near], values[near], which[near]
    count = np.bincount(which)
    mean_time = np.bincount(which, time) / count
    mean = np.stack([np.bincount(which, column) / count for column in values.T], axis=1)
    offset = time - mean_time[which]
    spread = np.bincount(which, offset**2) + prior
    slope = np.stack([np.bincount(which, offset * column) / spread for column in values.T[:2]], axis=1)
    mean[:, :2] -= slope * mean_time[:, None]
    return mean, slope


def _embedding_distances(embeddings: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances [P] of pairs of rows; equal rows give exactly 0."""
    distances = np.empty(len(rows))
    for at in range(0, len(rows), CHUNK):
        some = slice(at, at + CHUNK)
        difference = embeddings[rows[some]] - embeddings[columns[some]]
        distances[some] = np.sqrt(np.einsum("pd,pd->p", difference, difference))
    return distances


def _negative_distances(tracklets: Tracklets) -> np.ndarray:
    """Return embedding distances [S] of tracklets of the same time, an even sample of them where there are many."""
    order = np.flatnonzero(tracklets.known)
    order = order[np.argsort(tracklets.first[order], kind="stable")]
    # tracklets that start before this one ends come right after it
    place = np.arange(len(order))
    count = np.searchsorted(tracklets.first[order], tracklets.last[order], side="right") - place - 1
    ends = np.cumsum(count)
    total = int(count.sum())
    chosen = np.linspace(0, total - 1, min(total, MAX_NEGATIVE_PAIRS)).astype(np.int64)
    row = np.searchsorted(ends, chosen, side="right")
    column = row + 1 + chosen - (ends - count)[row]
    return _embedding_distances(tracklets.embeddings, order[row], order[column])


def _plausible_pairs(tracklets: Tracklets, settings: RefineSettings, farthest: float) -> _TrackletPairs:
    """Return the pairs that time, position and size allow, and that agree in either appearance or motion.

    Args:
        tracklets: all of them.
        settings: the largest gaps and speed.
        farthest: embedding distance from which on a pair cannot even be a rival.
    """
    by_first = np.argsort(tracklets.first, kind="stable")
    by_last = np.argsort(tracklets.last, kind="stable")
    first = tracklets.first[by_first]
    reach = tracklets.frames(max(settings.relink_seconds, settings.motion_seconds))
    blocks = [_pairs_of(tracklets, settings, farthest, by_last[:0], by_first[:0])]
    for at in range(0, len(tracklets), BLOCK):
        before = by_last[at : at + BLOCK]
        last = tracklets.last[before]
        after = by_first[np.searchsorted(first, last[0], "right") : np.searchsorted(first, last[-1] + reach, "right")]
        gap = tracklets.first[after] - last[:, None]
        row, column = np.nonzero((gap > 0) & (gap <= reach))
        blocks.append(_pairs_of(tracklets, settings, farthest, before[row], after[column]))
    return _TrackletPairs(*(np.concatenate(columns) for columns in zip(*(vars(pairs).values() for pairs in blocks))))


def _pairs_of(
    tracklets: Tracklets, settings: RefineSettings, farthest: float, before: np.ndarray, after: np.ndarray
) -> _TrackletPairs:
    """Return those of the given pairs that are plausible, see `_plausible_pairs`."""
    gap = tracklets.first[after] - tracklets.last[before]  # frame periods
    seconds = gap / tracklets.frame_rate
    end, start = tracklets.end[before], tracklets.start[after]
    height = (end[:, 2] + start[:, 2]) / 2
    step = start[:, :2] - end[:, :2]

    def heights(vector: np.ndarray) -> np.ndarray:
        return np.hypot(vector[:, 0], vector[:, 1]) / height

    forward = heights(step - tracklets.end_velocity[before] * gap[:, None])
    backward = heights(step - tracklets.start_velocity[after] * gap[:, None])
    miss = np.maximum(forward, backward)
    # a person who stops or turns while hidden is still near one of these three positions
    off = np.minimum(heights(step), np.minimum(forward, backward))
    growth = np.abs(np.log(start[:, 2] / end[:, 2]))

    plausible = gap <= tracklets.frames(settings.relink_seconds)
    plausible &= off <= BASE_RADIUS + settings.relink_speed * seconds
    plausible &= growth <= np.log(MAX_SIZE_RATIO) + np.log(SIZE_GROWTH) * seconds
    plausible &= tracklets.known[before] & tracklets.known[after]
    by_motion = gap <= tracklets.frames(settings.motion_seconds)
    by_motion &= (miss <= MAX_MOTION_MISS) & (growth <= np.log(MAX_SIZE_RATIO))

    compare = np.flatnonzero(plausible | (by_motion & tracklets.known[before] & tracklets.known[after]))
    distance = np.full(len(before), np.inf)
    distance[compare] = _embedding_distances(tracklets.embeddings, before[compare], after[compare])
    pairs = _TrackletPairs(before, after, distance, miss, by_motion)
    return pairs.take((plausible & (distance < farthest)) | by_motion)


def _unrivalled(
    tracklets: Tracklets, pairs: _TrackletPairs, cost: np.ndarray, wanted: np.ndarray, ratio: float
) -> np.ndarray:
    """Return which of the wanted pairs, [P] bool, cost less than this part of what any rival costs.

    A rival is another pair of one of the two tracklets, with a partner that is certainly a different person because it
    overlaps in time with the partner it would replace. A partner at another time is no rival: it may be a third
    tracklet of the same person.
    """
    clear = wanted.copy()
    for mine, theirs in ((pairs.before, pairs.after), (pairs.after, pairs.before)):
        order = np.argsort(mine, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(mine[order])) + 1):
            these = group[clear[group]]
            if not len(these) or len(group) == 1:
                continue
            rivals = tracklets.overlap(theirs[these, None], theirs[group]) & (these[:, None] != group)
            clear[these] = cost[these] < ratio * np.where(rivals, cost[group], np.inf).min(axis=1)
    return clear


def _assign(before: np.ndarray, after: np.ndarray, cost: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the joins of least total cost, where each tracklet has one successor and one predecessor at most."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, row = np.unique(before, return_inverse=True)
    alone = np.arange(len(rows))
    # the columns beyond the tracklets stand for having no successor, one for each row
    graph = coo_matrix(
        (
            np.concatenate([cost, np.full(len(rows), UNMATCHED_COST)]),
            (np.concatenate([row, alone]), np.concatenate([after, count + alone])),
        ),
        shape=(len(rows), count + len(rows)),
    )
    row, column = min_weight_full_bipartite_matching(graph.tocsr())
    joined = column < count
    return rows[row[joined]], column[joined]
