"""Storage of a sequence's detections in a file, and tracking from such a file without any network.

The file is an ``.npz`` archive of arrays, in the first two of which a row is a person in a frame:

    detections: [N, 6] float32: frame (from 1), left, top, width, height (pixels of the original image), score (0 to 1)
    embeddings: [N, D] float16, L2-normalised; absent where the detector has no embeddings
    frames: [F] int32 numbers of the frames that were processed; absent where that is every frame from 1 on
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from ..association.base import SequenceTracker
from ..boxes import ltrb_to_ltwh, ltwh_to_ltrb
from ..errors import OutputError, SourceError
from ..models.npz import load_source_npz
from ..refinement.refine import AppearanceLog, refine_file
from ..settings.tracking import TrackerConfig
from ..sinks.mot_text import MotWriter
from ..structures import Detections, Tracks

FRAME, LEFT, TOP, WIDTH, HEIGHT, SCORE = range(6)
LAST_FRAME = 1_000_000  # nine hours at 30 frames/s; a larger number is damage, and would exhaust the memory
LENGTH_ERROR = 0.01  # of an embedding in float16
SMALLEST = 0.01  # pixels; what is smaller is written as 0


def read_detections(path: Path) -> dict[int, Detections]:
    """Read the detections of a sequence.

    Returns:
        The detections of every frame that was processed, by its number, in order. They are best first, boxes as left,
        top, right, bottom in pixels of the original image; embeddings are [N, D] float32, with D = 0 where the file has
        none. Without an array ``frames``, all frames from 1 to the last one with a detection count as processed.

    Raises:
        SourceError: the file is missing or damaged, or is not of the format above.
    """
    path = Path(path)
    arrays = load_source_npz(path, "detections", "expected an .npz file of detections")
    if "detections" not in arrays:
        raise SourceError(f"{path}: has no array 'detections', only {', '.join(map(repr, arrays)) or 'nothing'}")
    rows = arrays["detections"]
    embeddings = arrays.get("embeddings", np.zeros((rows.shape[0] if rows.ndim else 0, 0), np.float16))
    problem = _problem(rows, embeddings) or _frames_problem(arrays.get("frames"), rows)
    if problem:
        raise SourceError(f"{path}: {problem}")

    order = np.lexsort((-rows[:, SCORE], rows[:, FRAME]))
    rows, embeddings = rows[order].astype(np.float32), embeddings[order].astype(np.float32)
    numbers, starts = np.unique(rows[:, FRAME].astype(np.int64), return_index=True)
    seen = arrays.get("frames", np.arange(1, numbers.max(initial=0) + 1))
    frames = {int(number): Detections.empty(embeddings.shape[1]) for number in seen}
    boxes = ltwh_to_ltrb(rows[:, LEFT : HEIGHT + 1])
    for number, start, end in zip(numbers, starts, [*starts[1:], len(rows)]):
        frames[int(number)] = Detections(boxes[start:end], rows[start:end, SCORE], embeddings[start:end])
    return frames


def write_detections(path: Path, frames: Mapping[int, Detections]) -> None:
    """Write the detections of a sequence.

    Args:
        path: ``.npz`` file to write.
        frames: detections of one detector by the numbers, from 1, of the frames that were processed, in order.

    Raises:
        OutputError: the file cannot be written, a detection is not fit to be stored (not finite, say), or the numbers
            of the frames are not whole numbers from 1 that increase.
    """
    path = Path(path)
    parts = [np.zeros((0, 6))]
    for number, frame in frames.items():
        boxes = ltrb_to_ltwh(np.asarray(frame.boxes, np.float64))
        parts.append(np.column_stack([np.full(len(frame), number), boxes, frame.scores]))
    arrays = {"detections": np.concatenate(parts).astype(np.float32)}
    numbers = np.array(list(frames)) if frames else np.zeros(0, np.int32)
    embeddings = np.concatenate([frame.embeddings for frame in frames.values()]) if frames else np.zeros((0, 0))
    problem = _problem(arrays["detections"], embeddings) or _frames_problem(numbers, arrays["detections"])
    if problem:
        raise OutputError(f"{path} is not written: {problem}")
    arrays["frames"] = numbers.astype(np.int32)
    if embeddings.shape[1]:
        arrays["embeddings"] = embeddings.astype(np.float16)
    try:
        with path.open("wb") as file:  # numpy would add a suffix to a path
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def _problem(rows: np.ndarray, embeddings: np.ndarray) -> str | None:
    """Say what keeps two arrays from being stored detections; None if nothing does."""
    for name, array, shape, kinds in (("detections", rows, "[N, 6]", "fiu"), ("embeddings", embeddings, "[N, D]", "f")):
        if array.dtype.kind not in kinds:
            return f"{name} must be numbers as float{16 if kinds == 'f' else 32}, got {array.dtype}"
        if array.ndim != 2 or (name == "detections" and array.shape[1] != 6):
            return f"{name} must be of shape {shape}, got {list(array.shape)}"
    if len(embeddings) != len(rows):
        return f"every detection needs its embedding, got {len(rows)} and {len(embeddings)}"
    frame, score = rows[:, FRAME], rows[:, SCORE]
    with np.errstate(over="ignore"):  # beyond float32 is infinite and refused as that; newer numpy warns besides
        finite = np.isfinite(rows.astype(np.float32)).all(axis=1)
        length = np.linalg.norm(embeddings.astype(np.float32), axis=1, keepdims=True)
    # zeros stand for an unknown embedding; without columns all lengths are 0
    of_length_1 = ((np.abs(length - 1) <= LENGTH_ERROR) | (length == 0)).all(axis=1)
    for rule, kept, values in (
        ("every value must be finite", finite, rows),
        ("the frame must be a whole number from 1", (frame >= 1) & (np.floor(frame) == frame), rows),
        (f"no frame beyond {LAST_FRAME} is taken", frame <= LAST_FRAME, rows),
        ("width and height must not be negative", (rows[:, WIDTH] >= 0) & (rows[:, HEIGHT] >= 0), rows),
        ("the score must be from 0 to 1", (score >= 0) & (score <= 1), rows),
        ("the embedding must be L2-normalised, of length 1", of_length_1, length),
    ):
        if not kept.all():
            first = int(np.argmin(kept))
            return f"row {first} of detections: {rule}, got {', '.join(f'{value:g}' for value in values[first])}"
    return None


def _frames_problem(frames: np.ndarray | None, rows: np.ndarray) -> str | None:
    """Say what keeps an array from being the numbers of the frames of some detections; None if nothing does."""
    if frames is None:
        return None
    if frames.ndim != 1 or frames.dtype.kind not in "iu":
        return f"frames must be whole numbers of shape [F], got {frames.dtype} {list(frames.shape)}"
    in_range = ((frames >= 1) & (frames <= LAST_FRAME)).all()
    if not (in_range and (np.diff(frames.astype(np.int64)) > 0).all()):
        return f"frames must be numbers from 1 to {LAST_FRAME} that increase"
    missing = np.setdiff1d(rows[:, FRAME], frames)
    return f"frame {missing[0]:g} has detections but is not one of frames" if len(missing) else None


def without_appearance(detections: Detections) -> Detections:
    """Return the detections with one unit vector as the embedding of all: a control that shows what embeddings add."""
    shape = detections.embeddings.shape
    return dataclasses.replace(detections, embeddings=np.full(shape, max(shape[1], 1) ** -0.5, np.float32))


def with_size(tracks: Tracks) -> Tracks:
    """Return the tracks whose boxes can be written and scored.

    A network at the beginning of its training may predict boxes of any size, and a Kalman filter that follows them may
    predict a negative one.
    """
    kept = np.isfinite(tracks.boxes).all(axis=1) & (tracks.boxes[:, 2:] >= SMALLEST).all(axis=1)
    return Tracks(tracks.ids[kept], tracks.boxes[kept], tracks.scores[kept])


def run_association(
    frames: Mapping[int, Detections],
    config: TrackerConfig,
    frame_rate: float,
    path: Path,
    last_frame: int = 0,
    refine: bool = False,
) -> None:
    """Track a sequence by its detections and write the MOT text. The camera is assumed to stand still.

    Args:
        frames: the detections by the numbers of the frames that were processed, in order.
        config: names the association and holds its settings.
        frame_rate: frames per second of the sequence.
        path: text file to write.
        last_frame: number of the sequence's last frame; frames after the last of ``frames`` count as without people.
        refine: whether to refine the tracks at the end.

    Raises:
        OutputError: the file cannot be written.
    """
    tracker, appearance_log = SequenceTracker(config, frame_rate), AppearanceLog()
    empty = Detections.empty(max((frame.embeddings.shape[1] for frame in frames.values()), default=0))
    rest = dict.fromkeys(range(max(frames, default=0) + 1, last_frame + 1), empty)
    with closing(MotWriter(path)) as text:
        for number, detections in {**frames, **rest}.items():
            tracks = tracker.update((number - 1) / frame_rate, detections)
            if refine:
                appearance_log.add(tracks)
            text.write(number, with_size(tracks))
    if refine:
        refine_file(path, path, appearance_log, frame_rate, config.refine)
