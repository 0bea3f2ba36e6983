"""Training canvases: parts of frames at random scales side by side, with people pasted in, in changed colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tracker.boxes import intersection
from tracker.errors import OptionError
from tracker.settings.checks import check_number, check_positive, check_whole
from training.data.samples import NOBODY, Sample

PAD = 114
# of what is cut off by the border of a tile, so much has to remain to be learnt as a person
VISIBLE = 0.4
LEAST_SIDE = 3.0  # pixels; smaller boxes are ignored
PROPORTION = 0.5  # width to height of a crop, when a place is looked for


@dataclass(frozen=True)
class AugmentSettings:
    """How canvases are made; probabilities and ranges.

    Attributes:
        mosaic: probability that a canvas shows parts of four frames.
        scale: least and largest factor on the scale that would fit the frame into ``reference``.
        reference: height and width of the network's input when it is used, in pixels.
        rotation: largest angle in degrees.
        flip: probability of mirroring.
        color: strength of changes in brightness, contrast, saturation; 0 none, 1 extreme.
        hue: largest shift in degrees of 180.
        dusk: probability of a darker, noisier picture.
        blur: probability of a blur.
        paste: probability that crops are pasted.
        pasted: most crops on one canvas.
        pasted_height: least and largest height of a pasted crop, in pixels.
        hidden: share of anybody's box that pasted crops may hide. What tells who it is stays as it was: an embedding
            of what is still to be seen is learnt.
    """

    mosaic: float = 0.4
    scale: tuple[float, float] = (0.5, 1.6)
    reference: tuple[int, int] = (608, 1088)
    rotation: float = 3.0
    flip: float = 0.5
    color: float = 0.4
    hue: float = 4.0
    dusk: float = 0.15
    blur: float = 0.15
    paste: float = 0.6
    pasted: int = 24
    pasted_height: tuple[float, float] = (36, 320)
    hidden: float = 0.15

    def __post_init__(self) -> None:
        for name in ("mosaic", "flip", "dusk", "blur", "paste", "hidden"):
            check_number(f"augment.{name}", getattr(self, name), 0, 1)
        for name in ("rotation", "color", "hue"):
            check_number(f"augment.{name}", getattr(self, name), 0)
        for name in ("scale", "reference", "pasted_height"):
            value = getattr(self, name)
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                raise OptionError(f"augment.{name} must be a pair of numbers, not {value!r}")
            for number in value:
                check_positive(f"augment.{name}", number)
            if name != "reference" and value[0] > value[1]:
                raise OptionError(f"augment.{name} must be the smaller number first, not {value!r}")
        check_whole("augment.pasted", self.pasted)


@dataclass
class Canvas:
    """An image being made, and who is in it; fields as in `Batch`, of one image, and ``hidden`` [N], the share of each
    box that pasted crops hide.
    """

    image: np.ndarray
    boxes: np.ndarray
    identities: np.ndarray
    ignored: np.ndarray
    vectors: np.ndarray
    hidden: np.ndarray

    @classmethod
    def empty(cls, height: int, width: int, dimension: int) -> Canvas:
        """A grey canvas with nobody in it; ``dimension`` is the length of the teacher's vectors."""
        return cls(
            np.full((height, width, 3), PAD, np.uint8),
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.int64),
            np.zeros(0, bool),
            np.zeros((0, dimension), np.float32),
            np.zeros(0, np.float32),
        )

    def add(self, boxes: np.ndarray, identities: np.ndarray, ignored: np.ndarray, vectors: np.ndarray) -> None:
        """Add people, whom nothing hides."""
        self.boxes = np.concatenate([self.boxes, boxes.astype(np.float32)])
        self.identities = np.concatenate([self.identities, identities])
        self.ignored = np.concatenate([self.ignored, ignored])
        self.vectors = np.concatenate([self.vectors, vectors.astype(np.float32)])
        self.hidden = np.concatenate([self.hidden, np.zeros(len(boxes), np.float32)])


def draw_frame(
    canvas: Canvas,
    tile: tuple[int, int, int, int],
    sample: Sample,
    vectors: np.ndarray,
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> None:
    """Draw a part of a frame into a tile of a canvas.

    Args:
        canvas: to draw on.
        tile: left, top, right, bottom in pixels of the canvas.
        sample: the frame.
        vectors: [N, T] of its boxes.
        settings: of scale, rotation, flip and colours.
        rng: random numbers.
    """
    left, top, right, bottom = tile
    size = np.array([right - left, bottom - top], np.float32)
    image, boxes = sample.image, sample.boxes
    height, width = image.shape[:2]
    fit = min(settings.reference[0] / height, settings.reference[1] / width)
    scale = fit * np.exp(rng.uniform(*np.log(settings.scale)))
    if scale < 0.6:  # bilinear sampling alone would skip pixels
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        shrunk = np.array([image.shape[1] / width, image.shape[0] / height])
        boxes = boxes * np.tile(shrunk, 2)
        scale, (height, width) = scale / shrunk[1], image.shape[:2]
    image = recolor(image, settings, rng)  # before it is placed: the padding around it never changes colour
    people = np.flatnonzero(~sample.ignored)
    if len(people) and rng.random() < 0.8:  # look where somebody is
        centre = boxes[people[rng.integers(len(people))]].reshape(2, 2).mean(axis=0)
        target = size * rng.uniform(0.2, 0.8, 2)
    else:
        centre, target = rng.uniform(0, [width, height]), size / 2
    # where the frame is larger than the tile it covers it, where smaller it stays within
    free = size - np.array([width, height]) * scale
    shift = np.clip(target - centre * scale, np.minimum(free, 0), np.maximum(free, 0))
    angle = rng.uniform(-1, 1) * settings.rotation
    matrix = cv2.getRotationMatrix2D((0, 0), angle, scale)
    matrix[:, 2] = shift + centre * scale - matrix[:, :2] @ centre
    if rng.random() < settings.flip:
        matrix[0] *= -1
        matrix[0, 2] += size[0]
    # OpenCV counts from the middle of the first pixel, boxes from its corner
    of_middles = matrix.copy()
    of_middles[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    warped = cv2.warpAffine(
        image, of_middles, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR, borderValue=(PAD, PAD, PAD)
    )
    canvas.image[top:bottom, left:right] = warped
    moved = transform_boxes(boxes, matrix)
    inside = moved.clip(0, np.tile(size, 2))
    seen = (inside[:, 2:] - inside[:, :2]).clip(min=0)
    share = seen.prod(axis=1) / np.maximum((moved[:, 2:] - moved[:, :2]).prod(axis=1), 1e-6)
    there = seen.min(axis=1) > 1
    lost = (share < VISIBLE) | (seen.min(axis=1) < LEAST_SIDE)
    identities = np.where(lost, NOBODY, sample.identities)
    vectors = np.where((share < 0.8)[:, None], 0, vectors)  # the teacher saw all of the person
    canvas.add(
        inside[there] + [left, top, left, top],
        identities[there],
        (sample.ignored | lost)[there],
        vectors[there],
    )


def transform_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """[N, 4] boxes moved by a 2x3 matrix. Of a slightly turned person the size is kept, not the box around its corners,
    which would grow.
    """
    centre = boxes.reshape(-1, 2, 2).mean(axis=1) @ matrix[:, :2].T + matrix[:, 2]
    half = (boxes[:, 2:] - boxes[:, :2]) * np.sqrt(abs(np.linalg.det(matrix[:, :2]))) / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def find_place(canvas: Canvas, settings: AugmentSettings, rng: np.random.Generator) -> np.ndarray | None:
    """Look once for a place where a crop would hide nobody, or not too much of them.

    Returns:
        [4] left, top, right, bottom in whole pixels, of a person's usual proportions; None where it is taken.
    """
    height = int(np.exp(rng.uniform(*np.log(settings.pasted_height))))
    width = max(4, int(height * PROPORTION))
    rows, columns = canvas.image.shape[:2]
    if height >= rows or width >= columns:
        return None
    left, top = int(rng.integers(columns - width)), int(rng.integers(rows - height))
    place = np.array([left, top, left + width, top + height], np.float32)
    return place if _is_free(canvas, _hides(canvas, place), settings) else None


def paste(
    canvas: Canvas,
    place: np.ndarray,
    crop: np.ndarray,
    identity: int,
    vector: np.ndarray,
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> bool:
    """Paste the crop of a person. Its frame is nothing to learn boxes from, its appearance is.

    Args:
        canvas: to paste on.
        place: [4] from `find_place`. Its height and its middle are taken, and the width as the crop's proportions ask.
        crop: [H, W, 3] uint8 BGR.
        identity, vector: whose crop it is.
        settings: of how much it may hide.
        rng: random numbers.

    Returns:
        Whether the crop found room there.
    """
    columns = canvas.image.shape[1]
    left, top, right, bottom = place.astype(int)
    height = bottom - top
    width = max(4, int(height * crop.shape[1] / crop.shape[0] * rng.uniform(0.9, 1.1)))
    left = min(max((left + right - width) // 2, 0), columns - width)
    box = np.array([left, top, left + width, bottom], np.float32)
    hides = _hides(canvas, box)
    if width >= columns or not _is_free(canvas, hides, settings):
        return False
    canvas.hidden += hides
    shrinks = height < crop.shape[0]
    person = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        person = person[:, ::-1]
    # soft edges: a sharp frame would be what is learnt
    mask = np.zeros((height, width, 1), np.float32)
    border = max(1, width // 12)
    mask[border:-border, border:-border] = 1
    mask = cv2.blur(mask, (2 * border + 1, 2 * border + 1))[:, :, None]
    region = canvas.image[top:bottom, left : left + width]
    region[:] = (person * mask + region * (1 - mask)).astype(np.uint8)
    canvas.add(box[None], np.array([identity]), np.array([True]), vector[None])
    return True


def _is_free(canvas: Canvas, hides: np.ndarray, settings: AugmentSettings) -> bool:
    """Whether a place that hides these shares [N] of people has room for a crop."""
    return not (canvas.hidden + hides > settings.hidden)[hides > 0].any()


def _hides(canvas: Canvas, box: np.ndarray) -> np.ndarray:
    """[N] share of each person's box that lies in a box [4]."""
    areas = (canvas.boxes[:, 2:] - canvas.boxes[:, :2]).prod(axis=1)
    return intersection(box, canvas.boxes) / np.maximum(areas, 1e-6)


def recolor(image: np.ndarray, settings: AugmentSettings, rng: np.random.Generator) -> np.ndarray:
    """Change light, colours and sharpness of [H, W, 3] uint8 BGR."""
    strength = settings.color
    gain = np.exp(rng.uniform(-strength, strength))
    bias = rng.uniform(-60, 60) * strength
    balance = np.exp(rng.uniform(-0.2, 0.2, 3) * strength)
    values = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.uniform(-strength, strength))
    noise = rng.uniform(0, 4)
    if rng.random() < settings.dusk:
        gain, noise = gain * rng.uniform(0.35, 0.8), noise + rng.uniform(2, 8)
    table = (values**gamma * 255)[:, None] * gain * balance + bias
    image = cv2.LUT(image, table.clip(0, 255).astype(np.uint8)[None])
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    saturation = np.exp(rng.uniform(-strength, strength))
    shift = rng.uniform(-1, 1) * settings.hue
    steps = np.arange(256)
    table = np.stack([(steps + shift) % 180, (steps * saturation).clip(0, 255), steps], axis=1).astype(np.uint8)
    image = cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2BGR)
    if rng.random() < settings.blur:
        side = int(rng.integers(1, 3)) * 2 + 1
        image = cv2.GaussianBlur(image, (side, side), 0)
    if rng.random() < 0.3:
        grain = rng.normal(scale=noise, size=image.shape[:2]).astype(np.float32)[:, :, None]
        image = (image + grain).clip(0, 255).astype(np.uint8)
    return image
