"""A MOT text, made into what labelling tools and trainings read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..analysis.edits import EditsLike, best_boxes, load_edits
from ..errors import OptionError, OutputError, SourceError
from ..pipeline.analyse import record_path, results_folder, text_path
from ..settings.checks import check_choice, check_number, check_positive
from ..sinks.files import run_path
from ..sinks.mot_text import FRAME, ID, SCORE, read_mot
from ..sinks.records.run_file import read_run
from ..sources import open_source
from .datasets import image_name, write_coco, write_mot, write_yolo
from .labelling import write_cvat, write_label_studio
from .recording import TOLERANCE, Recording

Writer = Callable[[Recording, Path], tuple[Path, int]]
FORMATS: dict[str, Writer] = {
    "cvat": write_cvat,
    "mot": write_mot,
    "coco": write_coco,
    "labelstudio": write_label_studio,
    "yolo": write_yolo,
}
IMAGES = {"coco": "images/default", "yolo": "images/train"}  # folders of the formats that are about single pictures
LONGEST = 100_000_000  # frames: a number beyond is a mistake


@dataclass(frozen=True)
class ExportResult:
    """What an export made.

    Attributes:
        name: of the text.
        to: the format.
        path: file or folder.
        people: number of identities.
        frames: number of frames.
        boxes: boxes in the text.
        written: boxes written: keyframes, for a format that interpolates between them.
        images: pictures written.
    """

    name: str
    to: str
    path: Path
    people: int
    frames: int
    boxes: int
    written: int
    images: int = 0

    def __str__(self) -> str:
        images = f", {self.images} pictures" if self.images else ""
        return (
            f"{self.name}: {self.people} people in {self.frames} frames, {self.written} boxes of {self.boxes} written"
            f"{images}\n  {self.to}: {self.path}"
        )


def export(
    text: str | os.PathLike,
    to: str,
    *,
    video: str | os.PathLike | None = None,
    frame_rate: float | None = None,
    edits: EditsLike = None,
    tolerance: float = TOLERANCE,
    output_dir: str | os.PathLike | None = None,
) -> ExportResult:
    """Write the tracks of a MOT text in the format of another tool, to ``OUTPUT_DIR/exports``.

    Args:
        text: MOT text, of this package or of any other tool.
        to: ``cvat`` (for video 1.1), ``mot`` (MOTChallenge ground truth, as CVAT reads it), ``coco``,
            ``labelstudio`` or ``yolo``.
        video: the video that was tracked. It tells the size of the picture and the number of frames where
            ``NAME_run.json`` beside the text does not; ``coco`` and ``yolo`` get its pictures, as they are in it.
        frame_rate: frames per second, where neither tells.
        edits: corrections of identities, a file or a mapping, see `tracker.analysis.edits`.
        tolerance: pixels by which a side of a box may be off where ``cvat`` and ``labelstudio`` interpolate it between
            keyframes: the larger, the fewer there are to correct.
        output_dir: None for the folder that ``mot_results/NAME.txt`` is in, else for ``mot_result``.

    Raises:
        OptionError: an option is not accepted, the size of the picture is not known, or pictures are asked for of a
            video in which the run hid people.
        SourceError: the text or the video cannot be read.
        OutputError: a file cannot be written.
    """
    check_choice("to", to, tuple(FORMATS))
    path = text_path(text)
    rate = None if frame_rate is None else check_positive("frame_rate", frame_rate)
    check_number("tolerance", tolerance, 0, 1000)
    corrections = load_edits(edits)
    table = read_mot(path)
    corrections = corrections.resolved([table])
    table = best_boxes(corrections.apply(table))[:, : SCORE + 1]
    recording = _recording(path, table[np.lexsort((table[:, ID], table[:, FRAME]))], video, rate)
    recording = replace(recording, tolerance=tolerance)
    folder = results_folder(path, output_dir) / "exports"
    images = 0
    if video is not None and to in IMAGES and _about(path).get("anonymise"):
        raise OptionError("the run hid people, and pictures of the video would show them: leave video out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made, written = FORMATS[to](recording, folder)
        if video is not None and to in IMAGES:
            images = _write_images(recording, video, made / IMAGES[to])
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}; choose another output_dir") from error
    frames = len(range(recording.first, recording.last + 1, recording.step))
    return ExportResult(path.stem, to, made, recording.people, frames, len(table), written, images)


def _about(text: Path) -> dict[str, Any]:
    """Return what the file of the run beside a text tells; {} without one."""
    path = record_path(text, run_path)
    return read_run(path) if path.exists() else {}


def _recording(text: Path, table: np.ndarray, video: str | os.PathLike | None, frame_rate: float | None) -> Recording:
    last = int(table[-1, FRAME]) if len(table) else 1
    if last > LONGEST:
        raise SourceError(f"{text}: frame {last} would be months after the first: is it a number of frames?")
    about = _about(text)
    if about:
        width, height = about["size"]
        size, rate = (int(width), int(height)), float(about["frame_rate"])
        first, step = int(about.get("first_frame") or 1), int(about["skip_frames"])
        last = max(last, int(about.get("last_frame") or 0))
    elif video is not None:
        with open_source(video) as source:
            frames = iter(source)
            height, width = next(frames).image.shape[:2]
            size, rate, first, step = (width, height), frame_rate or source.frame_rate, source.first_frame, 1
            last = max(last, first - 1 + (source.frame_count or 0))
    else:
        raise OptionError(
            "the size of the picture must be known, and there is no file of the run beside the text: give video"
        )
    return Recording(text.stem, table, size, rate, first, last, step)


def _write_images(recording: Recording, video: str | os.PathLike, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = range(recording.first, recording.last + 1, recording.step)
    made = 0
    with open_source(video) as source:
        for frame in source:
            number = frame.index + 1
            if number in wanted:
                path = folder / f"{image_name(number)}.jpg"
                path.write_bytes(cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
                made += 1
    return made
