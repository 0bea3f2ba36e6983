"""Tracks as data sets: MOTChallenge ground truth, COCO with videos, YOLO."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from ..sinks.mot_text import FRAME, HEIGHT, ID, LEFT, SCORE
from .recording import LABEL, Recording


def image_name(frame: int) -> str:
    """Return the name, without ending, that a frame from 1 has in data sets: CVAT's, which counts from 0."""
    return f"frame_{frame - 1:06d}"


def write_mot(recording: Recording, folder: Path) -> tuple[Path, int]:
    """Write a ZIP of ground truth of the MOTChallenge as CVAT reads it: ``gt/gt.txt`` and ``gt/labels.txt``.

    A line is frame (from 1), id, left, top, width, height, 1 (not ignored), 1 (class), 1 (visibility).

    Returns:
        The file, and the number of boxes.
    """
    path = folder / f"{recording.name}_mot.zip"
    lines = []
    for row in recording.table:
        box = ",".join(f"{side:.2f}" for side in row[LEFT : HEIGHT + 1])
        lines.append(f"{row[FRAME]:.0f},{row[ID]:.0f},{box},1,1,1\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("gt/gt.txt", "".join(lines)), ("gt/labels.txt", f"{LABEL}\n")):
            archive.writestr(zipfile.ZipInfo(name), text)  # without the time of day: the same bytes twice
    return path, len(lines)


def write_coco(recording: Recording, folder: Path) -> tuple[Path, int]:
    """Write a folder with ``annotations/instances_default.json``: COCO, with ``videos`` and ``track_id`` (CocoVID).

    ``frame_id`` counts from 0. Boxes end at the border of the picture.

    Returns:
        The folder, and the number of boxes.
    """
    path = folder / f"{recording.name}_coco"
    file = path / "annotations" / "instances_default.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    (path / "images" / "default").mkdir(parents=True, exist_ok=True)  # readers want it, with pictures or without
    width, height = recording.size
    video = {"id": 1, "name": recording.name, "width": width, "height": height, "fps": recording.frame_rate}
    head = {
        "info": {},
        "licenses": [],
        "categories": [{"id": 1, "name": LABEL, "supercategory": ""}],
        "videos": [video],
    }
    boxes = 0
    with file.open("w", encoding="utf-8") as out:  # piece by piece: there may be millions
        out.write(json.dumps(head)[:-1] + ', "images": [')
        for number, (frame, _) in enumerate(recording.frames()):
            image = {"id": frame, "file_name": f"{image_name(frame)}.jpg", "width": width, "height": height}
            image |= {"video_id": 1, "frame_id": frame - 1}
            out.write((",\n" if number else "\n") + json.dumps(image))
        out.write('\n], "annotations": [')
        for _, rows in recording.frames():
            for row in recording.clipped(rows).tolist():
                boxes += 1
                box = [round(side, 2) for side in row[LEFT : HEIGHT + 1]]
                track = {"track_id": int(row[ID]), "attributes": {"track_id": int(row[ID])}}
                annotation = {"id": boxes, "image_id": int(row[FRAME]), "category_id": 1, "bbox": box}
                annotation |= {"area": round(box[2] * box[3], 2), "iscrowd": 0, "segmentation": [], **track}
                annotation["score"] = round(row[SCORE], 4)
                out.write((",\n" if boxes > 1 else "\n") + json.dumps(annotation))
        out.write("\n]}\n")
    return path, boxes


def write_yolo(recording: Recording, folder: Path) -> tuple[Path, int]:
    """Write a folder in the layout of Ultralytics: ``data.yaml``, and ``labels/train/`` with a text for each frame.

    A line is the class 0, and centre and size of the box as fractions of the picture, at whose border boxes end.
    Frames without people have an empty text. YOLO has no identities.

    Returns:
        The folder, and the number of boxes.
    """
    path = folder / f"{recording.name}_yolo"
    labels = path / "labels" / "train"
    labels.mkdir(parents=True, exist_ok=True)
    (path / "data.yaml").write_text(
        f"path: .\ntrain: images/train\nval: images/train\nnames:\n  0: {LABEL}\n", encoding="utf-8"
    )
    width, height = recording.size
    boxes = 0
    for frame, rows in recording.frames():
        lines = []
        for left, top, wide, high in recording.clipped(rows)[:, LEFT : HEIGHT + 1].tolist():
            middle = ((left + wide / 2) / width, (top + high / 2) / height)
            lines.append(f"0 {middle[0]:.6f} {middle[1]:.6f} {wide / width:.6f} {high / height:.6f}\n")
        boxes += len(lines)
        (labels / f"{image_name(frame)}.txt").write_text("".join(lines), encoding="utf-8")
    return path, boxes
