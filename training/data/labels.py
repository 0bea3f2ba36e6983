"""Label files: their paths and their boxes.

Every function here raises `DataError`, naming file and line, for a file that is missing or malformed.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from tracker.boxes import ltwh_to_ltrb
from tracker.errors import DataError
from tracker.settings.checks import shown
from training.data.samples import NOBODY

PERSON = 0  # class of a person in label files of JDE and YOLO
MAX_VALUE = 2**53  # whole numbers are exact in float64 up to here
IGNORED = 1  # class under which a JDE label file gets an ignored region
PENN_FUDAN_BOX = re.compile(
    r'Bounding box for object \d+ "(\w*)" \(Xmin, Ymin\) - \(Xmax, Ymax\) : '
    r"\((\d{1,9}), (\d{1,9})\) - \((\d{1,9}), (\d{1,9})\)"
)


def label_path(image: Path, folder: str) -> Path:
    """Return the path of an image's label file: its folder `images` replaced by `folder`, its suffix by .txt."""
    # the last folder of that name: one above the dataset may be called images as well
    parts = list(image.parts[:-1])
    if "images" not in parts:
        raise DataError(f"{image}: is in no folder named images, beside which its labels are expected in {folder}")
    parts[len(parts) - 1 - parts[::-1].index("images")] = folder
    return Path(*parts, f"{image.stem}.txt")


def read_text(path: Path, expected: str) -> str:
    """Read a text file; `expected` tells in the error message what it should be."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise DataError(f"{path}: cannot be read as {expected} ({reason})") from None


def _numbers(line: str, where: str, columns: str) -> list[float]:
    """Parse a line of as many finite numbers as `columns` has words, the last two of them positive sizes."""
    try:
        values = [float(field) for field in line.replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) != len(columns.split()) or not all(map(math.isfinite, values)) or min(values[-2:]) <= 0:
        raise DataError(f"{where}: expected {columns!r} with positive size, got {line.strip()[:80]!r}")
    return values


def read_relative(path: Path, columns: str) -> np.ndarray:
    """Read a label file with a box a line.

    Args:
        path: The file.
        columns: Names of the numbers in a line, separated by blanks; the last four are a box, the others are whole.

    Returns:
        [N, columns] float64.
    """
    rows = []
    for number, line in enumerate(read_text(path, "labels").splitlines(), start=1):
        if line.strip():
            rows.append(_numbers(line, f"{path}, line {number}", columns))
            if not all(value.is_integer() and NOBODY <= value < MAX_VALUE for value in rows[-1][:-4]):
                raise DataError(f"{path}, line {number}: class and identity must be whole numbers, got {line[:80]!r}")
    return np.array(rows, dtype=np.float64).reshape(-1, len(columns.split()))


def to_pixels(boxes: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Convert boxes [N, 4] of relative centre and size to [N, 4] left, top, right, bottom in pixels of the image."""
    height, width = image.shape[:2]
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.hstack([centre - half, centre + half]) * (width, height, width, height)


def read_penn_fudan(path: Path, text: str) -> tuple[list[list[int]], list[bool]]:
    """Read the annotation of Penn-Fudan.

    Args:
        path: The file, for messages.
        text: Its contents.

    Returns:
        Left, top, right, bottom of people as written, and which of them are ignored.
    """
    stated = re.search(r"^Objects with ground truth : (\d{1,9})\b", text, re.MULTILINE)
    objects = PENN_FUDAN_BOX.findall(text)
    if stated is None or int(stated[1]) != len(objects):
        raise DataError(f"{path}: expected PASCAL annotation with {stated[1] if stated else 'a count of'} objects")
    boxes = [list(map(int, corners)) for label, *corners in objects if "person" in label.lower()]
    return boxes, [False] * len(boxes)


def read_voc(path: Path, text: str) -> tuple[list[list[float]], list[bool]]:
    """Read the XML of PASCAL VOC.

    Args:
        path: The file, for messages.
        text: Its contents.

    Returns:
        Left, top, right, bottom of people as written, and which of them are ignored.
    """
    boxes, ignored = [], []
    try:
        for item in ElementTree.fromstring(text).iter("object"):
            if item.findtext("name", "").strip() == "person":
                corners = [float(item.findtext(f"bndbox/{name}", "")) for name in ("xmin", "ymin", "xmax", "ymax")]
                boxes.append(corners)
                ignored.append(item.findtext("difficult", "0").strip() == "1")
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as PASCAL VOC annotation ({error})") from None
    return boxes, ignored


def read_siwr(path: Path) -> dict[str, np.ndarray]:
    """Read bboxes_gt.txt: image name -> boxes [N, 4] float64, left, top, right, bottom in pixels."""
    lines = [(n, line) for n, line in enumerate(read_text(path, "boxes").splitlines(), start=1) if line.strip()]
    boxes, rest = {}, iter(lines)
    for _, name in rest:
        number, count = next(rest, (len(lines), ""))
        if not re.fullmatch(r"\s*\d{1,9}\s*", count):
            raise DataError(
                f"{path}, line {number}: expected the number of boxes of {shown(name.strip())}, got {shown(count)}"
            )
        rows = []
        for _ in range(int(count)):
            number, line = next(rest, (number, ""))
            rows.append(_numbers(line, f"{path}, line {number}", "link left top width height"))
        boxes[name.strip()] = ltwh_to_ltrb(np.array(rows, dtype=np.float64).reshape(-1, 5)[:, 1:])
    return boxes
