"""Training canvases: parts of frames at random scales side by side, with pasted people and changed colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tracker.boxes import intersection
from training.data.samples import NOBODY, Sample
from training.settings import AugmentSettings

PAD = 114
VISIBLE = 0.4  # share of a box within its tile below which it is ignored
TEACHABLE = 0.8  # share of a box within its tile below which the teacher embedding, of the whole person, is dropped
LEAST_SIDE = 3.0  # pixels; boxes with a smaller side are ignored
ASPECT = 0.5  # width to height of the place that is searched for a crop


@dataclass
class Canvas:
    """An image being made, and the people in it.

    Attributes:
        image: [H, W, 3] uint8 BGR.
        boxes: [N, 4] float32, left, top, right, bottom in pixels.
        identities: [N] int64; -1 unknown.
        ignored: [N] bool, as in `Batch`.
        teacher_embeddings: [N, T] float32; zeros where there is none.
        hidden: [N] float32, share of each box that pasted crops hide.
    """

    image: np.ndarray
    boxes: np.ndarray
    identities: np.ndarray
    ignored: np.ndarray
    teacher_embeddings: np.ndarray
    hidden: np.ndarray

    @classmethod
    def empty(cls, height: int, width: int, dimension: int) -> Canvas:
        """Make a grey canvas without people; ``dimension`` is the length of a teacher embedding."""
        return cls(
            np.full((height, width, 3), PAD, np.uint8),
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.int64),
            np.zeros(0, bool),
            np.zeros((0, dimension), np.float32),
            np.zeros(0, np.float32),
        )

    def add(
        self, boxes: np.ndarray, identities: np.ndarray, ignored: np.ndarray, teacher_embeddings: np.ndarray
    ) -> None:
        """Add people with nothing of them hidden; arrays as the attributes."""
        self.boxes = np.concatenate([self.boxes, boxes.astype(np.float32)])
        self.identities = np.concatenate([self.identities, identities])
        self.ignored = np.concatenate([self.ignored, ignored])
        self.teacher_embeddings = np.concatenate([self.teacher_embeddings, teacher_embeddings.astype(np.float32)])
        self.hidden = np.concatenate([self.hidden, np.zeros(len(boxes), np.float32)])


def draw_frame(
    canvas: Canvas,
    tile: tuple[int, int, int, int],
    sample: Sample,
    teacher_embeddings: np.ndarray,
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> None:
    """Draw a part of a frame into a tile of a canvas.

    Args:
        canvas: The canvas.
        tile: Left, top, right, bottom in pixels of the canvas.
        sample: The frame and the N people in it.
        teacher_embeddings: [N, T], of the same people.
        settings: Ranges of scale, rotation, flip and colours.
        rng: Random number generator.
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
    image = recolor(image, settings, rng)  # before the warp: the padding keeps its colour
    people = np.flatnonzero(~sample.ignored)
    if len(people) and rng.random() < 0.8:  # centre on a person
        centre = boxes[people[rng.integers(len(people))]].reshape(2, 2).mean(axis=0)
        target = size * rng.uniform(0.2, 0.8, 2)
    else:
        centre, target = rng.uniform(0, [width, height]), size / 2
    # a frame larger than the tile covers it, a smaller one stays within
    free = size - np.array([width, height]) * scale
    shift = np.clip(target - centre * scale, np.minimum(free, 0), np.maximum(free, 0))
    angle = rng.uniform(-1, 1) * settings.rotation
    matrix = cv2.getRotationMatrix2D((0, 0), angle, scale)
    matrix[:, 2] = shift + centre * scale - matrix[:, :2] @ centre
    if rng.random() < settings.flip:
        matrix[0] *= -1
        matrix[0, 2] += size[0]
    # OpenCV has its origin in the middle of the first pixel, boxes in its corner
    pixel_matrix = matrix.copy()
    pixel_matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    warped = cv2.warpAffine(
        image, pixel_matrix, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR, borderValue=(PAD, PAD, PAD)
    )
    canvas.image[top:bottom, left:right] = warped
    moved = transform_boxes(boxes, matrix)
    inside = moved.clip(0, np.tile(size, 2))
    visible = (inside[:, 2:] - inside[:, :2]).clip(min=0)
    share = visible.prod(axis=1) / np.maximum((moved[:, 2:] - moved[:, :2]).prod(axis=1), 1e-6)
    present = visible.min(axis=1) > 1
    lost = (share < VISIBLE) | (visible.min(axis=1) < LEAST_SIDE)
    identities = np.where(lost, NOBODY, sample.identities)
    teacher_embeddings = np.where((share < TEACHABLE)[:, None], 0, teacher_embeddings)
    canvas.add(
        inside[present] + [left, top, left, top],
        identities[present],
        (sample.ignored | lost)[present],
        teacher_embeddings[present],
    )


def transform_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Transform boxes by a similarity: centres move, sides are scaled.

    A slightly rotated person keeps the size of the box. The box around the rotated corners would be larger.

    Args:
        boxes: [N, 4] left, top, right, bottom.
        matrix: [2, 3] rotation, scale, flip and shift.

    Returns:
        [N, 4] float32 left, top, right, bottom.
    """
    centre = boxes.reshape(-1, 2, 2).mean(axis=1) @ matrix[:, :2].T + matrix[:, 2]
    half = (boxes[:, 2:] - boxes[:, :2]) * np.sqrt(abs(np.linalg.det(matrix[:, :2]))) / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def find_place(canvas: Canvas, settings: AugmentSettings, rng: np.random.Generator) -> np.ndarray | None:
    """Draw a random place for a crop, and check that it hides nobody by more than is allowed.

    Args:
        canvas: The canvas.
        settings: Range of heights, and how much may be hidden.
        rng: Random number generator.

    Returns:
        [4] left, top, right, bottom in whole pixels, with the usual proportions of a person; None if it hides too much.
    """
    height = int(np.exp(rng.uniform(*np.log(settings.pasted_height))))
    width = max(4, int(height * ASPECT))
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
    teacher_embedding: np.ndarray,
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> bool:
    """Paste the crop of a person, for its appearance: its box is ignored, since a pasted border is no real one.

    Args:
        canvas: The canvas.
        place: [4] from `find_place`. Height and centre are kept, the width follows the crop's proportions.
        crop: [H, W, 3] uint8 BGR.
        identity: Identity of the person; -1 unknown.
        teacher_embedding: [T] float32 of the crop.
        settings: How much may be hidden.
        rng: Random number generator.

    Returns:
        Whether there was room for the crop.
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
    # soft edges, as a network recognises sharp ones
    mask = np.zeros((height, width, 1), np.float32)
    border = max(1, width // 12)
    mask[border:-border, border:-border] = 1
    mask = cv2.blur(mask, (2 * border + 1, 2 * border + 1))[:, :, None]
    region = canvas.image[top:bottom, left : left + width]
    region[:] = (person * mask + region * (1 - mask)).astype(np.uint8)
    canvas.add(box[None], np.array([identity]), np.array([True]), teacher_embedding[None])
    return True


def _is_free(canvas: Canvas, hides: np.ndarray, settings: AugmentSettings) -> bool:
    """Return whether a crop may hide these further shares [N] of people."""
    return not (canvas.hidden + hides > settings.hidden)[hides > 0].any()


def _hides(canvas: Canvas, box: np.ndarray) -> np.ndarray:
    """Return the share [N] of each person's box that lies in a box [4]."""
    areas = (canvas.boxes[:, 2:] - canvas.boxes[:, :2]).prod(axis=1)
    return intersection(box, canvas.boxes) / np.maximum(areas, 1e-6)


def recolor(image: np.ndarray, settings: AugmentSettings, rng: np.random.Generator) -> np.ndarray:
    """Change light, colours and sharpness at random.

    Args:
        image: [H, W, 3] uint8 BGR; stays as it is.
        settings: Strengths and probabilities.
        rng: Random number generator.

    Returns:
        [H, W, 3] uint8 BGR.
    """
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
