"""Files of the MOTChallenge: boxes as text, which of them count, and the files of a sequence.

A sequence folder holds gt/gt.txt and seqinfo.ini, which states its length and frame rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import OptionError, OutputError, SourceError
from ..sources.seqinfo import SEQINFO, SeqInfo, read_seqinfo

MIN_COLUMNS, MAX_COLUMNS = 7, 10
FRAME, ID, LEFT, WIDTH, HEIGHT, FLAG, CLASS, VISIBILITY = 0, 1, 2, 4, 5, 6, 7, 8
BOX = slice(LEFT, HEIGHT + 1)
MAX_VALUE = 2**53  # ids are exact in float64 up to here

PEDESTRIAN, CLASSES = 1, range(1, 14)
DISTRACTORS = (2, 7, 8, 12)  # person on a vehicle, static person, distractor, reflection


def read_mot(path: Path) -> np.ndarray:
    """Read a MOTChallenge text file, ground truth or result.

    Returns:
        [N, 10] float64, a row for each box in the order of the file: frame (from 1), id, left, top, width, height
        (pixels), then flag, class and visibility (ground truth of MOT16 and later), or flag and world coordinates
        (MOT15), or score and -1 (results). Columns that the file lacks are -1.

    Raises:
        SourceError: the file cannot be read, or a line is malformed or repeats an id in its frame.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as text ({getattr(error, 'strerror', None) or error})") from error
    rows: list[list[float]] = []
    line_of: dict[tuple[float, float], int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _parse(line, f"{path}, line {number}")
        key = (row[FRAME], row[ID])
        if key in line_of:
            raise SourceError(
                f"{path}, line {number}: id {row[ID]:.0f} is in frame {row[FRAME]:.0f} already, on line {line_of[key]}"
            )
        line_of[key] = number
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(-1, MAX_COLUMNS)


def _parse(line: str, where: str) -> list[float]:
    """Parse a line into the `MAX_COLUMNS` values of a box; ``where`` names the line in errors."""
    fields = line.split(",")
    try:
        row = [float(field) for field in fields]
    except ValueError:
        raise SourceError(f"{where}: expected numbers between commas, got {line.strip()!r}") from None
    if not MIN_COLUMNS <= len(row) <= MAX_COLUMNS:
        raise SourceError(f"{where}: expected {MIN_COLUMNS} to {MAX_COLUMNS} columns, got {len(row)}")
    if not all(abs(value) < MAX_VALUE for value in row):
        raise SourceError(f"{where}: every value must be finite and below 2^53, got {line.strip()!r}")
    if not (row[FRAME].is_integer() and row[ID].is_integer() and row[FRAME] >= 1):
        raise SourceError(f"{where}: frame (from 1) and id must be whole numbers, got {fields[FRAME]} and {fields[ID]}")
    if not (row[WIDTH] > 0 and row[HEIGHT] > 0):
        raise SourceError(f"{where}: width and height must be positive, got {fields[WIDTH]} and {fields[HEIGHT]}")
    return row + [-1.0] * (MAX_COLUMNS - len(row))


def read_ground_truth(gt_file: Path) -> tuple[np.ndarray, int]:
    """Read the ground truth that results are scored against.

    Returns:
        The boxes [N, 10] as `read_mot` returns them, and the number of the last frame (from 1): that of the last box,
        or what seqinfo.ini states if that is more.

    Raises:
        SourceError: the file is missing or malformed, or none of its boxes counts.
    """
    gt = read_mot(gt_file)
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
    """Return the ground truth file of a sequence folder, or the file itself."""
    return gt / "gt" / "gt.txt" if gt.is_dir() else gt


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
