"""Cut the people out of labelled images: crops from which new training images are composed.

    python tools/cut_people.py --output DATASET/people --every 4 DATASET/ETH-Bahnhof.train
    python tools/cut_people.py --output DATASET/people --every 2 --boxes A.xml --boxes B.xml:1 DATASET/walking.train

The lists are those of tools/prepare_data.py. The output has one folder an identity, and one a crop where the identity
is unknown, for an entry `{kind: recomposed, path: people, times: 5}` in a training configuration. Further lists may be
added to it later. Crops higher than 256 pixels are scaled down to that, the input height of the ReID networks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

import cv2
import numpy as np

from tools.cli import announce, progress, run_tool
from tracker.detection.backends.network import thread_count
from tracker.errors import DataError, OutputError
from tracker.settings.checks import check_whole
from training.data.readers import JdeList
from training.data.samples import NOBODY, Sample
from training.data.writer import save_image
from training.settings import TeacherSettings
from training.teachers.consensus import BoxTeachers
from training.teachers.reid import CROP

MIN_WIDTH, MIN_HEIGHT = 20, 60  # of a box, pixels
MAX_OUTSIDE = 0.1  # of its width or height: how far a box may reach beyond the image


def crops_of(sample: Sample, teacher: BoxTeachers | None) -> list[tuple[int, np.ndarray]]:
    """Crop everybody in an image who is large enough and not cut off by its border.

    Args:
        sample: the image and its labels.
        teacher: detects the people of images without labels; None where all images have labels.

    Returns:
        Identity, -1 where it is unknown, and crop [H, W, 3] uint8 BGR of each.

    Raises:
        DataError: the image has no labels, and there is no teacher.
    """
    boxes, identities = sample.boxes[~sample.ignored], sample.identities[~sample.ignored]
    if not sample.labelled:
        if teacher is None:
            raise DataError(f"{sample.path} has no labels: --boxes names a network that finds people")
        people = teacher(sample.image)
        boxes = people.boxes[people.sure]
        identities = np.full(len(boxes), NOBODY)
    size = np.array(sample.image.shape[1::-1], np.float32)
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    large = (width >= MIN_WIDTH) & (height >= MIN_HEIGHT) & (width <= height)
    margin = MAX_OUTSIDE * (boxes[:, 2:] - boxes[:, :2])
    whole = (boxes[:, :2] >= -margin).all(axis=1) & (boxes[:, 2:] <= size + margin).all(axis=1)
    crops = []
    for index in np.flatnonzero(large & whole):
        left, top, right, bottom = np.rint(boxes[index].clip(0, np.tile(size, 2))).astype(int)
        crops.append((int(identities[index]), _scale_down(sample.image[top:bottom, left:right], CROP[0])))
    return crops


def _scale_down(crop: np.ndarray, max_height: int) -> np.ndarray:
    if len(crop) <= max_height:
        return crop
    width = max(1, round(crop.shape[1] * max_height / len(crop)))
    return cv2.resize(crop, (width, max_height), interpolation=cv2.INTER_AREA)


def cut(lists: Sequence[Path], output: Path, every: int, teacher: BoxTeachers | None) -> int:
    """Write crops of the people in the images of some lists.

    Args:
        lists: ``NAME.train`` files of a dataset folder.
        output: folder of the crops.
        every: take images 0, every, 2 * every, ... of each list.
        teacher: detects the people of images without labels; None where all images have labels.

    Returns:
        Number of crops written.

    Raises:
        DataError: a list cannot be read, or an image of it has no labels and there is no teacher.
        OptionError: ``every`` is not a whole number of at least 1.
        OutputError: the output cannot be written.
    """
    check_whole("every", every)
    datasets = [JdeList(path) for path in lists]
    count = 0
    for dataset in datasets:
        for index in progress(range(0, len(dataset), every), dataset.name, "images"):
            try:
                sample = dataset[index]
            except DataError as error:
                announce(f"skipped: {error}")
                continue
            for number, (identity, crop) in enumerate(crops_of(sample, teacher)):
                name = f"{index:06d}_{number}"
                label = f"{dataset.name}-{identity if identity >= 0 else f'unknown-{name}'}"
                target = output / label / name
                try:
                    save_image(Path(name), crop, target)  # there is no image file to copy, so it becomes a JPEG
                except OSError as error:
                    raise OutputError(f"{target} cannot be written: {error.strerror}") from error
                count += 1
    return count


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("lists", metavar="LIST", type=Path, nargs="+", help="NAME.train of a dataset folder")
    parser.add_argument("--output", type=Path, required=True, help="folder of the crops")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth image (default: %(default)s)")
    parser.add_argument(
        "--boxes",
        action="append",
        default=[],
        metavar="FILE[:CLASS][@WxH]",
        help="network that finds the people of images without labels, see teachers.boxes of training; repeatable",
    )


def run(arguments: argparse.Namespace) -> None:
    """Cut out the people that the command line asks for."""
    settings = TeacherSettings(boxes=arguments.boxes)
    teacher = BoxTeachers(settings, thread_count(None)) if arguments.boxes else None
    count = cut(arguments.lists, arguments.output, arguments.every, teacher)
    print(f"{count} people in {arguments.output}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
