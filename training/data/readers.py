"""Readers of training data: one class for each layout, and `open_dataset` for the entries of a configuration.

An image, and a label file for one image alone, is read when its sample is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from tracker.boxes import ltwh_to_ltrb
from tracker.errors import DataError, SourceError
from tracker.evaluation.mot_files import BOX, FRAME, ID, read_mot, roles
from tracker.sources.images import find_images, is_image, natural_order
from training.data.crops import IdentityFolders, RecomposedPeople
from training.data.labels import (
    PERSON,
    label_path,
    read_penn_fudan,
    read_relative,
    read_siwr,
    read_text,
    read_voc,
    to_pixels,
)
from training.data.samples import NOBODY, Dataset, Identities, Sample, make_sample, need_folder, read_image

IMAGE_FOLDERS = ("images", "jpegimages", "pngimages")  # in lower case


class MotSequence:
    """A MOTChallenge sequence: img1/000001.jpg ..., gt/gt.txt and seqinfo.ini (which may be absent).

    Pedestrians with flag 1 are people, with identities 0, 1, ... in the order of their numbers. Boxes with flag 0 are
    ignored and, in MOT16 and later, people on vehicles, static people, distractors and reflections. Other classes
    (cars, occluders) are left out.

    Attributes:
        frames: Number of each sample's frame in the ground truth.
        frame_rate: Frames per second by seqinfo.ini; None without one.
        gt_file: The ground truth.

    Raises:
        DataError: A part of the sequence is missing or malformed.
    """

    def __init__(self, folder: Path | str) -> None:
        folder = need_folder(folder, "a MOTChallenge sequence: img1/ and gt/gt.txt")
        self.name = folder.resolve().name
        self.gt_file = folder / "gt" / "gt.txt"
        try:
            images = find_images(folder)
            gt = read_mot(self.gt_file)
        except SourceError as error:
            raise DataError(str(error)) from None
        if not images.files:
            raise DataError(f"{folder}: has no images; expected img1/000001.jpg and so on")
        if images.numbers is None:
            raise DataError(f"{images.files[0].parent}: expected images named by frame, 000001.jpg and so on")
        self._files, self.frames, self.frame_rate = images.files, images.numbers, images.frame_rate
        if len(gt) and gt[:, FRAME].max() > max(self.frames):
            raise DataError(f"{self.gt_file}: has frame {gt[:, FRAME].max():.0f}, images end at {max(self.frames)}")
        people, ignored = roles(gt)
        numbers, compact = np.unique(gt[people, ID], return_inverse=True)
        self.identities = len(numbers)
        identities = np.full(len(gt), NOBODY)
        identities[people] = compact
        kept = people | ignored
        self._frame_of, self._boxes = gt[kept, FRAME], ltwh_to_ltrb(gt[kept, BOX])
        self._identities, self._ignored = identities[kept], ignored[kept]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        file, here = self._files[index], self._frame_of == self.frames[index]
        image = read_image(file)
        return make_sample(file, image, self._boxes[here], self._identities[here], self._ignored[here])


class JdeList:
    """A list of images in the layout of Towards-Realtime-MOT: a text file with one image path per line.

    A label file has the path of its image with the folder `images` replaced by `labels_with_ids` and suffix .txt.
    It has one box per line, `class identity cx cy w h`, relative to the size of the image; identity -1 is unknown.
    Class 0 is a person, any other class an ignored region, which the original layout does not have. An image with an
    empty label file shows nobody, one without a label file is not annotated.

    Args:
        list_file: The list.
        root: Folder that the paths start from; None for that of the list.

    Raises:
        DataError: The list is missing or empty, or a path is in no folder `images`.
    """

    def __init__(self, list_file: Path | str, root: Path | str | None = None) -> None:
        list_file = Path(list_file)
        self.name = list_file.stem
        root = list_file.parent if root is None else need_folder(root, "the images that the list names")
        lines = read_text(list_file, "a list of images").splitlines()
        self._files = [root / line.strip() for line in lines if line.strip()]
        if not self._files:
            raise DataError(f"{list_file}: lists no image; expected one path per line")
        self._label_files = [label_path(file, "labels_with_ids") for file in self._files]

    @cached_property
    def identities(self) -> int:
        """How many identities there are, by all label files; damaged ones raise an error when their sample is read."""
        largest = NOBODY
        for file in self._label_files:
            try:
                if file.is_file():
                    largest = max([largest, *(int(row[1]) for row in read_relative(file, "class identity cx cy w h"))])
            except DataError:
                continue
        return largest + 1

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        file, label_file = self._files[index], self._label_files[index]
        image = read_image(file)
        if not label_file.is_file():
            return make_sample(file, image, labelled=False)
        labels = read_relative(label_file, "class identity cx cy w h")
        ignored = labels[:, 0] != PERSON
        return make_sample(file, image, to_pixels(labels[:, 2:], image), labels[:, 1], ignored)


class YoloImages:
    """Images below images/ with label files at the same place below labels/.

    A label file has one box per line, `class cx cy w h`, relative to the size of the image. Class 0 is a person, other
    classes are left out. An image with an empty label file shows nobody, one without a label file is not annotated.
    Identities are unknown.

    Raises:
        DataError: The folder is missing or has no images.
    """

    identities = 0

    def __init__(self, folder: Path | str) -> None:
        folder = need_folder(folder, "images/ and labels/")
        self.name = folder.resolve().name
        self._files = _images(folder / "images", recursive=True)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        file = self._files[index]
        image, label_file = read_image(file), label_path(file, "labels")
        if not label_file.is_file():
            return make_sample(file, image, labelled=False)
        labels = read_relative(label_file, "class cx cy w h")
        return make_sample(file, image, to_pixels(labels[labels[:, 0] == PERSON, 1:], image))


class PascalImages:
    """Images with an annotation file each, in the text form of Penn-Fudan or the XML of PASCAL VOC.

    Images are in images/, JPEGImages/ or PNGImages/, annotations in annotation/ or Annotations/ under the same stem.
    Both count pixels from 1, and the right and bottom pixel is inside the box. Objects other than people are left out;
    people that VOC marks as difficult are ignored. An image without a file is not annotated. Identities are unknown.

    Raises:
        DataError: The folder, its images or its annotations are missing.
    """

    identities = 0

    def __init__(self, folder: Path | str) -> None:
        folder = need_folder(folder, "images/ and annotation/")
        self.name = folder.resolve().name
        parts = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
        labels = parts.get("annotation") or parts.get("annotations")
        if labels is None:
            raise DataError(f"{folder}: has no annotation/; expected a .txt or .xml file for each image there")
        self._files = _images(next((parts[name] for name in IMAGE_FOLDERS if name in parts), folder / "images"))
        self._label_files = {file.stem: file for file in sorted(labels.iterdir()) if file.suffix in (".txt", ".xml")}

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        file = self._files[index]
        image, label_file = read_image(file), self._label_files.get(file.stem)
        if label_file is None:
            return make_sample(file, image, labelled=False)
        read = read_voc if label_file.suffix == ".xml" else read_penn_fudan
        boxes, ignored = read(label_file, read_text(label_file, "an annotation"))
        boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        if not ((boxes[:, 2:] >= boxes[:, :2]).all() and np.isfinite(boxes).all()):
            raise DataError(f"{label_file}: has a box that ends before it starts")
        return make_sample(file, image, boxes - (1, 1, 0, 0), ignored=ignored)


class SiwrStreet:
    """Images with one bboxes_gt.txt: the name of an image, a count, then as many lines `link left top width height`.

    Values are separated by blanks or commas, boxes are in pixels. The link to a box of the image before is not used:
    identities are unknown. Images are searched for in the whole folder. Those without an entry are not annotated, and
    entries without an image are left out.

    Raises:
        DataError: The folder, the file or all images are missing, or the file is malformed.
    """

    identities = 0

    def __init__(self, folder: Path | str) -> None:
        folder = need_folder(folder, "images and bboxes_gt.txt")
        self.name = folder.resolve().name
        self._files = _images(folder, recursive=True)
        self._boxes = read_siwr(folder / "bboxes_gt.txt")

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        file = self._files[index]
        boxes = self._boxes.get(file.name)
        return make_sample(file, read_image(file), () if boxes is None else boxes, labelled=boxes is not None)


READERS = {
    "mot": MotSequence,
    "jde": JdeList,
    "identities": IdentityFolders,
    "pascal": PascalImages,
    "yolo": YoloImages,
    "siwr": SiwrStreet,
    "recomposed": RecomposedPeople,
}
OPTIONS = {"jde": ("root",), "recomposed": ("times",)}  # settings of an entry beside kind and path


def open_dataset(spec: Mapping[str, object]) -> Dataset | Identities:
    """Open the dataset that an entry of a configuration describes.

    Args:
        spec: `kind`, a key of `READERS`; `path`, its folder or list; optionally `root`, for kind jde alone, or
            `times`, for kind recomposed alone.

    Raises:
        DataError: A setting is missing, unknown or of another type, or the dataset cannot be opened.
    """
    if not isinstance(spec, Mapping):
        raise DataError(f"a dataset must be given as kind and path, got {spec!r}")
    kind = spec.get("kind")
    if not isinstance(kind, str) or kind not in READERS:
        raise DataError(f"dataset kind {kind!r} is unknown; known are {', '.join(READERS)}")
    known = ("kind", "path", *OPTIONS.get(kind, ()))
    unknown = [str(key) for key in spec if key not in known]
    if unknown:
        raise DataError(f"a dataset of kind {kind} has no setting {unknown[0]!r}; known are {', '.join(known)}")
    settings = {key: value for key, value in spec.items() if key != "kind"}
    path = settings.pop("path", None)
    for key, value in {"path": path, "root": settings.get("root", path)}.items():
        if not isinstance(value, (str, Path)):
            raise DataError(f"{key} of a dataset of kind {kind} must be a path, got {value!r}")
    return READERS[kind](path, **settings)


def _images(folder: Path, recursive: bool = False) -> list[Path]:
    files = need_folder(folder, "images").glob("**/*" if recursive else "*")
    images = sorted(filter(is_image, files), key=natural_order)
    if not images:
        raise DataError(f"{folder}: has no images; expected .jpg, .png or the like there")
    return images
