"""A handful of drawn pictures to try the whole training on, in a minute or two and without any data."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from training.settings import DataSettings, TrainSettings
from training.teachers import TeacherSettings
from training.trainer import Schedule

SIZE = (240, 320)  # of a picture: height, width in pixels
PEOPLE = 6
PICTURES = 12
FRAMES = 6  # of the sequence to validate on


def smoke_settings(settings: TrainSettings, folder: Path) -> TrainSettings:
    """The same network, task and augmentation on drawn pictures, for a few small steps from fresh weights.

    Args:
        settings: of the run that is to be tried.
        folder: where the pictures are written to.

    Raises:
        OSError: they cannot be written.
    """
    draw_dataset(folder)
    return dataclasses.replace(
        settings,
        data=DataSettings(
            frames=[{"kind": "jde", "path": "drawn.train"}],
            crops=[{"kind": "identities", "path": "identities"}],
            validation=["validation/DRAWN"],
            root=str(folder),
        ),
        pretrain_weights=None,
        teachers=TeacherSettings(),
        # fresh weights have no statistics that could be kept
        task={**settings.task, "freeze_statistics": False},
        augment=dataclasses.replace(settings.augment, reference=(160, 224)),
        sizes=[[96, 160], [128, 128]],
        batch=2,
        schedule=Schedule(
            steps=4, learning_rate=1e-4, warmup=1, log_every=1, save_every=2, validate_every=4, average=0.5
        ),
    )


def draw_dataset(folder: Path) -> None:
    """Write a JDE list with its images and labels, crops by identity, and a MOTChallenge sequence."""
    random = np.random.default_rng(0)
    images, labels = folder / "drawn" / "images", folder / "drawn" / "labels_with_ids"
    sequence = folder / "validation" / "DRAWN"
    for path in (images, labels, sequence / "img1", sequence / "gt"):
        path.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(PICTURES):
        image, people = _picture(random, random.choice(PEOPLE, 3, replace=False), random.uniform(0, 1))
        cv2.imwrite(str(images / f"{number:03}.jpg"), image)
        rows = [(0, who, *(box[:2] + box[2:] / 2) / SIZE[::-1], *box[2:] / SIZE[::-1]) for who, box in people]
        (labels / f"{number:03}.txt").write_text("".join(" ".join(f"{x:.6g}" for x in row) + "\n" for row in rows))
        names.append(f"drawn/images/{number:03}.jpg\n")
        for who, (left, top, width, height) in people:
            crops = folder / "identities" / f"{who:02}"
            crops.mkdir(parents=True, exist_ok=True)
            left, top, right, bottom = (int(x) for x in (left, top, left + width, top + height))
            cv2.imwrite(str(crops / f"{number:03}.jpg"), image[top:bottom, left:right])
    (folder / "drawn.train").write_text("".join(names))
    truth = []
    for frame in range(FRAMES):
        image, people = _picture(random, np.arange(3), frame / FRAMES)
        cv2.imwrite(str(sequence / "img1" / f"{frame + 1:06}.jpg"), image)
        truth += [f"{frame + 1},{who + 1},{','.join(f'{x:.1f}' for x in box)},1,-1,-1,-1\n" for who, box in people]
    (sequence / "gt" / "gt.txt").write_text("".join(truth))
    (sequence / "seqinfo.ini").write_text(
        f"[Sequence]\nname=DRAWN\nimDir=img1\nframeRate=10\nseqLength={FRAMES}\n"
        f"imWidth={SIZE[1]}\nimHeight={SIZE[0]}\nimExt=.jpg\n"
    )


def _picture(
    random: np.random.Generator, people: np.ndarray, phase: float
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """A picture with figures side by side, each dressed by its number, and their boxes (left, top, width, height)."""
    image = cv2.resize(random.integers(90, 170, (15, 20, 3), dtype=np.uint8), SIZE[::-1])
    boxes = []
    for place, who in enumerate(people):
        height = 90 + 10 * place
        width, left, top = height * 0.4, 20 + place * 100 + 30 * phase, SIZE[0] - height - 20
        shirt, trousers = ([int(x) for x in np.random.default_rng([who, part]).integers(0, 256, 3)] for part in (0, 1))
        middle, hip = int(left + width / 2), int(top + height * 0.55)
        cv2.rectangle(image, (int(left), int(top + height * 0.2)), (int(left + width), hip), shirt, -1)
        cv2.rectangle(image, (int(left + 4), hip), (int(left + width - 4), int(top + height)), trousers, -1)
        cv2.circle(image, (middle, int(top + height * 0.1)), int(height * 0.1), (150, 180, 220), -1)
        boxes.append((int(who), np.array([left, top, width, height])))
    return image, boxes
