"""Writer of a dataset in the layouts that `JdeList` and `IdentityFolders` read."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tracker.errors import DataError
from training.data.labels import IGNORED, PERSON
from training.data.readers import MotSequence
from training.data.samples import NOBODY, Sample, read_image

COPIED = (".jpg", ".jpeg", ".png")  # image files of other kinds become PNG
JPEG_QUALITY = 95
SMALLEST = 1e-8  # relative size; smaller ones would be 0 with the decimals of a label


@dataclass(frozen=True)
class Found:
    """A dataset within a source.

    Attributes:
        kind: Key of `READERS`, or video.
        name: Name of the dataset in the output.
        path: The folder or video to read.
        origin: The source as the user named it.
        unpacked: Temporary folder that an archive was unpacked to; None for other sources.
    """

    kind: str
    name: str
    path: Path
    origin: str
    unpacked: Path | None = None

    def shown(self, error: DataError | str) -> str:
        """Return an error as text that names files of an archive by their paths in the archive."""
        if self.unpacked is None:
            return str(error)
        return str(error).replace(f"{self.unpacked}/", f"{self.origin}: ").replace(str(self.unpacked), self.origin)


class Writer:
    """Writer of one dataset NAME of the output, which also counts for the manifest.

    Args:
        found: The dataset to write.
        root: The output folder, for all datasets.

    Attributes:
        skipped: One line for each file that could not be used.
        held_back: The manifest's entry of the held-back sequence; None without one.
    """

    def __init__(self, found: Found, root: Path) -> None:
        self.found = found
        self.root = root
        self.skipped: list[str] = []
        self.held_back: dict[str, object] | None = None
        self._folder = root / found.name
        self._list: list[str] = []
        self._stems: set[str] = set()
        self._numbers: dict[int | str, int] = {}
        self._boxes = self._ignored = 0

    def add(self, sample: Sample) -> None:
        """Write an image and its labels, with identities numbered in the order of their first sample."""
        target = self._folder / "images" / self._unique(sample.path.stem)
        self._list.append(save_image(sample.path, sample.image, target).relative_to(self.root).as_posix())
        if sample.labelled:
            known = sample.identities[sample.identities >= 0].tolist()
            numbers = {identity: self._numbers.setdefault(identity, len(self._numbers)) for identity in known}
            labels = self._folder / "labels_with_ids" / f"{target.name}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            identities = [numbers.get(identity, NOBODY) for identity in sample.identities.tolist()]
            labels.write_text(format_labels(sample.boxes, identities, sample.ignored, sample.image.shape))
        self._ignored += int(sample.ignored.sum())
        self._boxes += int((~sample.ignored).sum())

    def add_crop(self, path: Path, label: str) -> None:
        """Copy the crop of a person."""
        image = read_image(path)
        target = self._folder / "identities" / file_name(label) / self._unique(path.stem)
        self._list.append(save_image(path, image, target).name)
        self._numbers.setdefault(label, len(self._numbers))

    def skip(self, error: DataError | str) -> None:
        """Record and report a file that cannot be used."""
        line = self.found.shown(error)
        self.skipped.append(line)
        tqdm.write(f"skipped: {line}", file=sys.stderr)

    def hold_back(self, sequence: MotSequence, indices: Sequence[int]) -> None:
        """Write samples of a sequence, in their order, as a new sequence with frames numbered from 1.

        Args:
            sequence: The sequence.
            indices: Indices of the samples.

        Raises:
            DataError: None of the samples can be read.
        """
        folder = self.root / "validation" / self.found.name
        numbers, shape, suffix = {}, (), ""
        for index in indices:
            try:
                sample = sequence[index]
            except DataError as error:
                self.skip(error)
                continue
            numbers[sequence.frames[index]] = len(numbers) + 1
            written = save_image(sample.path, sample.image, folder / "img1" / f"{len(numbers):06d}")
            shape, suffix = sample.image.shape, written.suffix
        if not numbers:
            raise DataError(f"{self.found.name} of {self.found.origin}: no image to hold back can be read")
        # of a line only the frame changes: which boxes are ignored depends on columns that a sample does not have
        lines = (line.strip().split(",", 1) for line in sequence.gt_file.read_text("utf-8-sig").splitlines())
        kept = [(numbers.get(int(float(frame))), *rest) for frame, *rest in lines if frame]
        kept = [f"{number},{rest}\n" for number, rest in kept if number is not None]
        (folder / "gt").mkdir()
        (folder / "gt" / "gt.txt").write_text("".join(kept))
        rate = f"frameRate={sequence.frame_rate:g}\n" if sequence.frame_rate else ""
        (folder / "seqinfo.ini").write_text(
            f"[Sequence]\nname={self.found.name}\nimDir=img1\n{rate}seqLength={len(numbers)}\n"
            f"imWidth={shape[1]}\nimHeight={shape[0]}\nimExt={suffix}\n",
            encoding="utf-8",
        )
        self.held_back = {
            "folder": f"validation/{self.found.name}",
            "frames": len(numbers),
            "first_frame": min(numbers),
            "last_frame": max(numbers),
            "lines": len(kept),
        }

    def finish(self, licence: str) -> dict[str, object]:
        """Write the list of images.

        Args:
            licence: Licence of the dataset.

        Returns:
            The entry of the manifest.

        Raises:
            DataError: No image could be read.
        """
        if not self._list and self.held_back is None:
            raise DataError(f"{self.found.name} of {self.found.origin}: no image can be read ({self.skipped[0]})")
        if self._list and self.found.kind != "identities":
            (self.root / f"{self.found.name}.train").write_text("".join(f"{line}\n" for line in self._list), "utf-8")
        return {
            "name": self.found.name,
            "kind": self.found.kind,
            "origin": self.found.origin,
            "licence": licence,
            "images": len(self._list),
            "boxes": self._boxes,
            "ignored_boxes": self._ignored,
            "identities": len(self._numbers),
            "held_back": self.held_back,
            "skipped": self.skipped,
        }

    def _unique(self, stem: str) -> str:
        # unique without the suffix: a.jpg and a.png would share a label file
        stem, wanted, number = file_name(stem), file_name(stem), 1
        while stem.lower() in self._stems:
            number += 1
            stem = f"{wanted}_{number}"
        self._stems.add(stem.lower())
        return stem


def format_labels(boxes: np.ndarray, identities: Sequence[int], ignored: np.ndarray, shape: Sequence[int]) -> str:
    """Format the label file of one image.

    Args:
        boxes: [N, 4] left, top, right, bottom in pixels.
        identities: [N]; -1 unknown.
        ignored: [N] bool.
        shape: Shape of the image, height and width first.

    Returns:
        One line per box, `class identity cx cy w h`, relative to the size of the image. Eight decimals keep corners to
        a thousandth of a pixel in images of up to 60,000 pixels.
    """
    size = np.array([shape[1], shape[0]], dtype=np.float64)
    start, end = boxes[:, :2].astype(np.float64) / size, boxes[:, 2:].astype(np.float64) / size
    rows = np.hstack([(start + end) / 2, np.maximum(end - start, SMALLEST)])
    kinds = [IGNORED if is_ignored else PERSON for is_ignored in ignored]
    return "".join(
        f"{kind} {identity} {cx:.8f} {cy:.8f} {w:.8f} {h:.8f}\n"
        for kind, identity, (cx, cy, w, h) in zip(kinds, identities, rows.tolist())
    )


def save_image(path: Path, image: np.ndarray, target: Path) -> Path:
    """Save an image: as a copy of its file if that is a JPEG or PNG.

    Args:
        path: Its file; one that does not exist for a frame of a video.
        image: [H, W, 3] uint8 BGR.
        target: Path to save to, without suffix.

    Returns:
        The path with suffix.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.suffix.lower() in COPIED:
        return Path(shutil.copyfile(path, f"{target}{path.suffix.lower()}"))
    # a frame of a video was compressed with losses already
    suffix, options = (".png", []) if path.is_file() else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    data = cv2.imencode(suffix, image, options)[1]
    written = Path(f"{target}{suffix}")
    written.write_bytes(data.tobytes())
    return written


def file_name(text: str) -> str:
    """Return a text as a file name without blanks and special characters."""
    return re.sub(r"[^\w.-]+", "_", text).strip(".") or "unnamed"
