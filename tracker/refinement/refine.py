"""Refine tracks once all of them are known: join them, drop ghosts, fill gaps, smooth.

While a video runs, a tracker can only look back. Afterwards the whole file is there: see `relink` for the joining and
`interpolate` for gaps and smoothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..errors import OptionError
from ..settings.checks import check_positive
from ..settings.refinement import RefineSettings
from ..sinks.mot_text import FRAME, HEIGHT, ID, SCORE, WIDTH, read_table, write_table
from ..structures import Tracks
from .interpolate import fill_gaps, smooth
from .relink import Tracklets, relink

COLUMNS = 7  # of a table of tracks

Times = Callable[[np.ndarray], np.ndarray]  # from frame numbers [N] to their times in frame periods


class AppearanceLog:
    """Mean embedding of every identity of a run, summed up frame by frame; it keeps one vector for each identity.

    Attributes:
        numbers: the final number of everybody whose number changed, by the one that they had first.
    """

    def __init__(self) -> None:
        self._sums: dict[int, np.ndarray] = {}
        self.numbers: dict[int, int] = {}

    def add(self, tracks: Tracks) -> None:
        """Add the tracks of a frame; those without embeddings are left out."""
        for one in tracks.recognised:
            self.numbers[one.now] = one.was
            if one.now in self._sums:
                self._sums[one.was] = self._sums.get(one.was, 0) + self._sums.pop(one.now)
        if tracks.embeddings is None or not tracks.embeddings.shape[1]:
            return
        for track_id, embedding in zip(tracks.ids.tolist(), tracks.embeddings):
            if track_id in self._sums:
                self._sums[track_id] += embedding
            else:
                self._sums[track_id] = embedding.astype(np.float32)

    def embeddings(self) -> dict[int, np.ndarray]:
        """Return the L2-normalised mean [D] float32 of each id; an id whose vectors cancel out is left out."""
        lengths = {track_id: float(np.linalg.norm(total)) for track_id, total in self._sums.items()}
        return {track_id: self._sums[track_id] / length for track_id, length in lengths.items() if length > 0}


def refine(
    table: np.ndarray,
    embeddings: Mapping[int, np.ndarray],
    frame_rate: float,
    settings: RefineSettings,
    skip_frames: int = 1,
    times: Times | None = None,
) -> np.ndarray:
    """Refine all tracks of a sequence: join, drop ghosts, fill gaps, smooth.

    Args:
        table: [N, 7] frame (from 1), id, left, top, width, height (pixels of the original image), score, in any order.
        embeddings: mean appearance by id, [D] each, D may be 0; an id may be missing and is then not joined by
            appearance.
        frame_rate: frames per second.
        settings: limits of gaps, distances and lengths, explained in ``config/tracker.yml``.
        skip_frames: 1 where each frame was tracked, n where only every n-th was; the others are filled in.
        times: gives the times of frames in frame periods; None for a constant rate.

    Returns:
        [M, 7] of the same form, sorted by frame, then id. Ids count from 1 without holes in the order of appearance.

    Raises:
        OptionError: the table is not of this form or has an id twice in a frame, the embeddings differ in length, or
            the frame rate is not positive.
    """
    frame_rate = check_positive("frame_rate", frame_rate)
    table = _checked(table)
    if not len(table):
        return table
    ids, which = np.unique(table[:, ID], return_inverse=True)
    vectors, known = _matrix(embeddings, ids)
    place = times or _as_numbered
    table[:, ID] = relink(Tracklets.of(table, vectors, known, frame_rate, place(table[:, FRAME])), settings)[which]
    table = _drop_ghosts(table, settings.ghost_seconds * frame_rate, settings.ghost_quantile, place)
    table = table[np.lexsort((table[:, FRAME], table[:, ID]))]
    # the nearest whole number of frames
    longest = math.floor(settings.fill_seconds * frame_rate + 0.5)
    table = fill_gaps(table, longest, settings.fill_support, skip_frames, place)
    return _numbered(smooth(table, settings.smooth_seconds * frame_rate, place(table[:, FRAME])))


def refine_file(
    source: Path,
    target: Path,
    appearance_log: AppearanceLog,
    frame_rate: float,
    settings: RefineSettings,
    skip_frames: int = 1,
    times: Times | None = None,
) -> None:
    """Refine a MOT text file into another one, or into itself.

    Args:
        source: file to read.
        target: file to write.
        appearance_log: mean embeddings of the run that wrote it.
        frame_rate: frames per second.
        settings: limits of gaps, distances and lengths, explained in ``config/tracker.yml``.
        skip_frames: 1 where each frame was tracked, n where only every n-th was.
        times: as for `refine`.

    Raises:
        OutputError: a file cannot be read or written.
        OptionError: the text holds no tracks.
    """
    table = read_table(source)
    for number, final in appearance_log.numbers.items():
        table[table[:, ID] == number, ID] = final
    table = table[(table[:, [WIDTH, HEIGHT]] > 0).all(axis=1)]  # a box too thin for the digits of the text has size 0
    write_table(target, refine(table, appearance_log.embeddings(), frame_rate, settings, skip_frames, times))


def _as_numbered(frames: np.ndarray) -> np.ndarray:
    """Return the times of frames of a constant rate: their numbers."""
    return frames


def _checked(table: np.ndarray) -> np.ndarray:
    """Return a copy in float64, sorted by id, then frame, of a valid table."""
    table = np.asarray(table, dtype=np.float64)
    if not table.size:
        return table.reshape(0, COLUMNS)
    if table.ndim != 2 or table.shape[1] != COLUMNS:
        raise OptionError(f"tracks to refine must be rows of {COLUMNS} numbers, not an array {list(table.shape)}")
    if not np.isfinite(table).all():
        raise OptionError("tracks to refine must be finite numbers throughout")
    if (table[:, FRAME] < 1).any() or (table[:, :2] % 1).any():
        raise OptionError("tracks to refine must have whole frames from 1 and whole ids")
    if (table[:, [WIDTH, HEIGHT]] <= 0).any():
        raise OptionError("boxes to refine must have a positive width and height")
    table = table[np.lexsort((table[:, FRAME], table[:, ID]))]
    twice = np.flatnonzero((np.diff(table[:, ID]) == 0) & (np.diff(table[:, FRAME]) == 0))
    if len(twice):
        frame, track = table[twice[0], :2]
        raise OptionError(f"tracks to refine have id {track:.0f} twice in frame {frame:.0f}")
    return table


def _matrix(embeddings: Mapping[int, np.ndarray], ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return [T, D] float32 embeddings of the ids, L2-normalised, and [T] bool which of them are known."""
    rows = [embeddings.get(track) for track in ids.astype(np.int64).tolist()]
    lengths = {np.shape(row) for row in rows if row is not None}
    if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths):
        raise OptionError(f"embeddings to refine with must be vectors of one length, not {sorted(lengths)}")
    dimension = lengths.pop()[0] if lengths else 0
    blank = np.zeros(dimension, np.float32)
    vectors = np.array([blank if row is None else row for row in rows], dtype=np.float32).reshape(len(rows), dimension)
    norm = np.linalg.norm(vectors, axis=1)
    known = np.isfinite(norm) & (norm > 0)
    return np.where(known[:, None], vectors, 0) / np.where(known, norm, 1)[:, None], known


def _drop_ghosts(table: np.ndarray, shortest: float, quantile: float, place: Times) -> np.ndarray:
    """Drop the tracks seen for less time, in frame periods, whose mean score is below the quantile of all scores."""
    ids, which, count = np.unique(table[:, ID], return_inverse=True, return_counts=True)
    first, last = np.full(len(ids), np.inf), np.full(len(ids), -np.inf)
    np.minimum.at(first, which, table[:, FRAME])
    np.maximum.at(last, which, table[:, FRAME])
    seen = count * ((place(last) - place(first) + 1) / (last - first + 1))
    mean = np.bincount(which, table[:, SCORE]) / count
    ghost = (seen < shortest) & (mean < np.quantile(table[:, SCORE], quantile))
    return table[~ghost[which]]


def _numbered(table: np.ndarray) -> np.ndarray:
    """Return the table sorted by frame, then id, with ids from 1 in the order of appearance."""
    table = table[np.lexsort((table[:, ID], table[:, FRAME]))]
    _, first, which = np.unique(table[:, ID], return_index=True, return_inverse=True)
    rank = np.empty(len(first))
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    table[:, ID] = rank[which]
    return table[np.lexsort((table[:, ID], table[:, FRAME]))]
