"""Drawn images to try a whole training run on, in a minute or two and without data."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from training.settings import DataSettings, Schedule, TeacherSettings, TrainSettings

SIZE = (240, 320)  # height and width of an image, pixels
IDENTITIES = 6
IMAGES = 12  # to train on
FRAMES = 6  # of the sequence to validate on


def smoke_settings(settings: TrainSettings, folder: Path) -> TrainSettings:
    """Return settings for a few small steps on drawn images, with the network, task and augmentation of a run.

    Args:
        settings: Settings of the run.
        folder: Folder that the images are written to.

    Raises:
        OSError: The images cannot be written.
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
        # random weights have no statistics to keep
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
    for number in range(IMAGES):
        image, people = _image(random, random.choice(IDENTITIES, 3, replace=False), random.uniform(0, 1))
        cv2.imwrite(str(images / f"{number:03}.jpg"), image)
        rows = [(0, identity, *(box[:2] + box[2:] / 2) / SIZE[::-1], *box[2:] / SIZE[::-1]) for identity, box in people]
        (labels / f"{number:03}.txt").write_text("".join(" ".join(f"{x:.6g}" for x in row) + "\n" for row in rows))
        names.append(f"drawn/images/{number:03}.jpg\n")
        for identity, (left, top, width, height) in people:
            crops = folder / "identities" / f"{identity:02}"
            crops.mkdir(parents=True, exist_ok=True)
            left, top, right, bottom = (int(x) for x in (left, top, left + width, top + height))
            cv2.imwrite(str(crops / f"{number:03}.jpg"), image[top:bottom, left:right])
    (folder / "drawn.train").write_text("".join(names))
    truth = []
    for frame in range(FRAMES):
        image, people = _image(random, np.arange(3), frame / FRAMES)
        cv2.imwrite(str(sequence / "img1" / f"{frame + 1:06}.jpg"), image)
        truth += [f"{frame + 1},{i + 1},{','.join(f'{x:.1f}' for x in box)},1,-1,-1,-1\n" for i, box in people]
    (sequence / "gt" / "gt.txt").write_text("".join(truth))
    (sequence / "seqinfo.ini").write_text(
        f"[Sequence]\nname=DRAWN\nimDir=img1\nframeRate=10\nseqLength={FRAMES}\n"
        f"imWidth={SIZE[1]}\nimHeight={SIZE[0]}\nimExt=.jpg\n"
    )


def _image(
    random: np.random.Generator, identities: np.ndarray, phase: float
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Draw figures side by side, in colours by identity; return image, identities and left, top, width, height."""
    image = cv2.resize(random.integers(90, 170, (15, 20, 3), dtype=np.uint8), SIZE[::-1])
    boxes = []
    for place, identity in enumerate(identities):
        height = 90 + 10 * place
        width, left, top = height * 0.4, 20 + place * 100 + 30 * phase, SIZE[0] - height - 20
        shirt, trousers = (
            [int(x) for x in np.random.default_rng([identity, part]).integers(0, 256, 3)] for part in (0, 1)
        )
        middle, hip = int(left + width / 2), int(top + height * 0.55)
        cv2.rectangle(image, (int(left), int(top + height * 0.2)), (int(left + width), hip), shirt, -1)
        cv2.rectangle(image, (int(left + 4), hip), (int(left + width - 4), int(top + height)), trousers, -1)
        cv2.circle(image, (middle, int(top + height * 0.1)), int(height * 0.1), (150, 180, 220), -1)
        boxes.append((int(identity), np.array([left, top, width, height])))
    return image, boxes
