"""Cut the people out of labelled images, as crops to make new people of.

    python tools/cut_people.py --output DATASET/people --every 4 DATASET/ETH-Bahnhof.train
    python tools/cut_people.py --output DATASET/people --every 2 --boxes yolox.onnx DATASET/walking.train

The lists are those of tools/prepare_data.py. The output is a folder an identity, and one a crop where the identity is
unknown, for an entry `{kind: recomposed, path: people, times: 5}` in a training configuration. More lists may be added
to it later. Crops higher than 256 pixels are made as small as that: no more is seen of anybody.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the script runs from any folder, installed or not

import cv2
import numpy as np
from tqdm import tqdm

from tracker.detection.backends.network import default_threads
from tracker.errors import DataError, OutputError, TrackingError
from tracker.settings.checks import check_whole
from training.data.readers import JdeList
from training.data.samples import NOBODY, Sample
from training.data.writer import save_image
from training.onnx_networks import REID_INPUT
from training.settings import TeacherSettings
from training.teachers import BoxTeacher

LEAST_WIDTH, LEAST_HEIGHT = 20, 60  # pixels
BEYOND = 0.1  # of its size, so much of a box may lie outside of the image


def people_of(sample: Sample, teacher: BoxTeacher | None) -> list[tuple[int, np.ndarray]]:
    """Everybody who is large and whole enough: the identity, -1 where unknown, and the crop [H, W, 3] uint8 BGR.

    Args:
        sample: an image.
        teacher: finds the people of images without labels.

    Raises:
        DataError: the image has no labels, and there is no teacher.
    """
    boxes, identities = sample.boxes[~sample.ignored], sample.identities[~sample.ignored]
    if not sample.labelled:
        if teacher is None:
            raise DataError(f"{sample.path} has no labels: --boxes names a network that finds people")
        boxes, scores = teacher(sample.image)
        boxes = boxes[scores > TeacherSettings().sure]
        identities = np.full(len(boxes), NOBODY)
    size = np.array(sample.image.shape[1::-1], np.float32)
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    large = (width >= LEAST_WIDTH) & (height >= LEAST_HEIGHT) & (width <= height)
    margin = BEYOND * (boxes[:, 2:] - boxes[:, :2])
    whole = (boxes[:, :2] >= -margin).all(axis=1) & (boxes[:, 2:] <= size + margin).all(axis=1)
    crops = []
    for number in np.flatnonzero(large & whole):
        left, top, right, bottom = np.rint(boxes[number].clip(0, np.tile(size, 2))).astype(int)
        crops.append((int(identities[number]), _at_most(sample.image[top:bottom, left:right], REID_INPUT[1])))
    return crops


def _at_most(crop: np.ndarray, height: int) -> np.ndarray:
    if len(crop) <= height:
        return crop
    width = max(1, round(crop.shape[1] * height / len(crop)))
    return cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)


def cut(lists: Sequence[Path], output: Path, every: int, teacher: BoxTeacher | None) -> int:
    """Write the people of every so many-th image of some lists.

    Returns:
        How many crops were written.

    Raises:
        DataError: a list cannot be read, or an image of it has no labels and there is no teacher.
        OutputError: the output cannot be written.
    """
    check_whole("every", every)
    datasets = [JdeList(path) for path in lists]
    count = 0
    for dataset in datasets:
        for index in tqdm(range(0, len(dataset), every), desc=dataset.name, unit=" images", leave=False, disable=None):
            try:
                sample = dataset[index]
            except DataError as error:
                tqdm.write(f"skipped: {error}", file=sys.stderr)
                continue
            for number, (identity, crop) in enumerate(people_of(sample, teacher)):
                name = f"{index:06d}_{number}"
                who = f"{dataset.name}-{identity if identity >= 0 else f'unknown-{name}'}"
                target = output / who / name
                try:
                    save_image(Path(name), crop, target)  # no file of its own: a JPEG
                except OSError as error:
                    raise OutputError(f"{target} cannot be written: {error.strerror}") from error
                count += 1
    return count


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns 0, or 2 after one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", metavar="LIST", type=Path, nargs="+", help="NAME.train of a dataset folder")
    parser.add_argument("--output", type=Path, required=True, help="folder of the crops")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th image (default: %(default)s)")
    parser.add_argument("--boxes", type=Path, help="YOLOX .onnx file that finds the people of images without labels")
    arguments = parser.parse_args(argv)
    try:
        teacher = BoxTeacher(arguments.boxes, default_threads()) if arguments.boxes else None
        count = cut(arguments.lists, arguments.output, arguments.every, teacher)
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{count} people in {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
