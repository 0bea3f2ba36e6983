"""Files of the MOTChallenge: boxes as text, which of them count, and the files of a sequence.

A sequence folder holds gt/gt.txt and seqinfo.ini, which states its length and frame rate.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import OptionError, OutputError, SourceError, printable
from ..sinks.mot_text import FRAME, HEIGHT, ID, LEFT, WIDTH, read_mot
from ..sources.seqinfo import SEQINFO, SeqInfo, find_sequence, read_seqinfo

logger = logging.getLogger(__name__)

FLAG, CLASS, VISIBILITY = 6, 7, 8  # columns of ground truth
BOX = slice(LEFT, HEIGHT + 1)

PEDESTRIAN, CLASSES = 1, range(1, 14)
DISTRACTORS = (2, 7, 8, 12)  # person on a vehicle, static person, distractor, reflection


def read_boxes(path: Path) -> np.ndarray:
    """Read a MOTChallenge text file to be scored, or to score against.

    Returns:
        [N, 10] as `read_mot` returns them.

    Raises:
        SourceError: the file cannot be read, or a line is malformed, has a box without area, or repeats an id in its
            frame.
    """
    boxes = read_mot(path)
    thin = np.flatnonzero((boxes[:, [WIDTH, HEIGHT]] <= 0).any(axis=1))
    if len(thin):
        frame, track, *_, width, height = boxes[thin[0], : HEIGHT + 1]
        raise SourceError(
            f"{path}: width and height must be positive, got {width:g} and {height:g} for id {track:.0f} in frame "
            f"{frame:.0f}"
        )
    order = np.lexsort((boxes[:, ID], boxes[:, FRAME]))
    twice = np.flatnonzero((np.diff(boxes[order][:, [FRAME, ID]], axis=0) == 0).all(axis=1))
    if len(twice):
        frame, track = boxes[order[twice[0]], [FRAME, ID]]
        raise SourceError(f"{path}: id {track:.0f} is twice in frame {frame:.0f}")
    return boxes


def read_ground_truth(gt_file: Path) -> tuple[np.ndarray, int]:
    """Read the ground truth that results are scored against.

    Returns:
        The boxes [N, 10] as `read_mot` returns them, and the number of the last frame (from 1): that of the last box,
        or what seqinfo.ini states if that is more.

    Raises:
        SourceError: the file is missing or malformed, or none of its boxes counts.
    """
    gt = read_boxes(gt_file)
    if not roles(gt)[0].any():
        raise SourceError(f"{gt_file}: no box counts (flag 1, pedestrian), there is nothing to score against")
    return gt, max(int(gt[:, FRAME].max()), stated_length(gt_file))


def roles(gt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell which true boxes count and which are ignored; boxes of other classes are neither.

    MOT16 and later have the class in column 8 and the visibility in column 9, where MOT15 has world coordinates in
    metres, or -1. A file is of the newer kind if every row has a whole number from 1 to 13 in column 8 and a value
    from 0 to 1 in column 9: world coordinates are fractions all over the ground plane, and -1 is outside both ranges.

    Args:
        gt: [N, 10] as `read_mot` returns it.

    Returns:
        Two [N] bool: whether a box counts, and whether it is ignored.
    """
    flagged, kind, visibility = gt[:, FLAG] != 0, gt[:, CLASS], gt[:, VISIBILITY]
    if not (np.isin(kind, CLASSES).all() and ((visibility >= 0) & (visibility <= 1)).all()):
        return flagged, ~flagged
    person = kind == PEDESTRIAN
    return person & flagged, (person & ~flagged) | np.isin(kind, DISTRACTORS)


def stated_length(gt_file: Path) -> int:
    """Return the number of frames that the sequence's seqinfo.ini states, or 0 without one."""
    return _seqinfo(gt_file).length or 0


def stated_frame_rate(gt_file: Path) -> float | None:
    """Return the frames per second that the sequence's seqinfo.ini states, or None without one."""
    return _seqinfo(gt_file).frame_rate


def _seqinfo(gt_file: Path) -> SeqInfo:
    """Return what the sequence's seqinfo.ini states; it belongs to the file gt/gt.txt alone."""
    folder = gt_file.absolute().parent
    path = folder.parent / SEQINFO
    return read_seqinfo(path) if folder.name == "gt" and path.exists() else SeqInfo(path, {})


def gt_path(gt: Path) -> Path:
    """Return the ground truth file of a sequence, given as that file, its folder, or a folder in it (img1, gt)."""
    if not gt.is_dir():
        return gt
    if (gt / "gt.txt").is_file():
        return gt / "gt.txt"
    sequence = find_sequence(gt)
    return (gt if sequence is None else sequence.path) / "gt" / "gt.txt"


def check_frames_meet(gt: np.ndarray, result: np.ndarray, gt_file: Path, result_file: Path) -> None:
    """Refuse a result that has no frame in common with its ground truth, and warn where most of its frames have none.

    Such a result is of another video or counts its frames from another one; its scores would say nothing of the tracks.

    Args:
        gt: [N, 10], at least one row, as `read_boxes` returns it.
        result: [M, 10] likewise; one without any box passes.
        gt_file: where they come from, for the message.
        result_file: likewise.

    Raises:
        SourceError: both have boxes, but never in the same frame.
    """
    frames = np.unique(result[:, FRAME])
    shared = np.isin(frames, gt[:, FRAME]).sum()
    if len(frames) and not shared:
        ranges = [f"{rows[:, FRAME].min():.0f} to {rows[:, FRAME].max():.0f}" for rows in (result, gt)]
        raise SourceError(
            f"{result_file}: no frame is in both, it has boxes in frames {ranges[0]} and {gt_file} in {ranges[1]}; "
            "is it the result of another video, or counted from another frame?"
        )
    if shared < len(frames) / 2:
        files = printable(str(result_file)), printable(str(gt_file))
        logger.warning("%s: only %d of its %d frames have boxes in %s", files[0], shared, len(frames), files[1])


def find_pairs(gt: Path, path: Path, suffix: str = ".txt") -> list[tuple[str, Path, Path]]:
    """List the sequences that two paths of the command line stand for.

    Args:
        gt: ground truth file, sequence folder, or folder of sequence folders.
        path: file to compare with the ground truth, or folder of files SEQUENCE + ``suffix``.
        suffix: of those files.

    Returns:
        Name, ground truth file, and file to compare with it, of each sequence.

    Raises:
        SourceError: a folder holds no sequence, or a single file is given for a folder of sequences.
    """
    if gt.is_dir() and not gt_path(gt).is_file():
        files = sorted(gt.glob("*/gt/gt.txt"))
        if not files:
            raise SourceError(f"{gt}: holds neither gt/gt.txt nor any SEQUENCE/gt/gt.txt")
        if not path.is_dir():
            raise SourceError(f"{path}: must be a folder of SEQUENCE{suffix}, because {gt} is a folder of sequences")
    else:
        files = [gt_path(gt)]
    pairs = []
    for file in files:
        folder = file.absolute().parent
        name = file.stem if file.stem != "gt" else folder.parent.name if folder.name == "gt" else folder.name
        pairs.append((name, file, path / f"{name}{suffix}" if path.is_dir() else path))
    return pairs


def make_folder(path: Path, names: Sequence[str] = ()) -> Path:
    """Make a folder, unless it is there already, for a file of each sequence.

    Args:
        path: the folder.
        names: of the sequences.

    Returns:
        The folder.

    Raises:
        OptionError: two sequences have the same name.
        OutputError: the folder cannot be made.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise OptionError(f"two sequences are called {twice!r} and would share a file in {path}; rename one")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made ({error.strerror}); choose another folder") from error
    return path
