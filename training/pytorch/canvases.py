"""Training canvases made on the device: frames at random scales, in other colours, with people pasted before others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from tracker.boxes import intersection
from training.pytorch.packed import IGNORED, PERSON, PackedSet, decode

PAD = 114.0
PADDING = 255  # kind of a row without a box
WHOLE = 0.55  # probability that a frame fills the canvas as inference would have it
SCALE = (0.55, 1.6)  # least and largest factor on that otherwise
MOSAIC = 0.25  # probability of parts of four frames
PASTE = 0.5  # probability of pasted people
PASTED = (2, 15)  # how many of them
BESIDE = 0.75  # probability that one is pasted in front of or beside somebody
ALONE = (40, 300)  # least and largest height of one elsewhere, pixels; half the canvas at most
HIDDEN = 0.8  # share of a person that pasted ones may hide
LOST = 0.72  # hidden share from which a person is ignored
FILLED = 0.8  # of its box that a pasted person hides
VISIBLE = 0.35  # share of a box within the canvas below which it is ignored
LEAST_HEIGHT = 12.0  # pixels, of boxes that are not ignored


@dataclass(frozen=True)
class Batch:
    """Network inputs and the people in them.

    Attributes:
        images: [B, 3, H, W] float32, BGR from 0 to 255.
        boxes: [B, G, 4] float32, left, top, right, bottom in pixels.
        kinds: [B, G] uint8: `PERSON`, `IGNORED`, or `PADDING` where there is no box.
    """

    images: torch.Tensor
    boxes: torch.Tensor
    kinds: torch.Tensor


class Frames:
    """The frames of a packed set on a device, [3, H, W] uint8; on a GPU they stay there once they are decoded."""

    def __init__(self, packed: PackedSet, device: torch.device, threads: int) -> None:
        self._packed, self._device = packed, device
        self._kept: list[torch.Tensor] = []
        if device.type == "cuda":
            with ThreadPoolExecutor(threads) as pool:
                self._kept = [self._read(image) for image in pool.map(packed.frame, range(len(packed.frames)))]

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return a frame.

        Raises:
            DataError: It is damaged.
        """
        return self._kept[index] if self._kept else self._read(self._packed.frame(index))

    def _read(self, image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(image).to(self._device).permute(2, 0, 1).contiguous()


class Canvases:
    """Endless batches, each a function of seed and step alone.

    Sources are drawn by the square root of their frames: long clips show the same people again and again.

    Args:
        packed: The set.
        size: Height and width of a canvas in pixels, multiples of 32.
        device: Where the canvases are made.
        threads: Processor threads that decode frames.
        seed: Of all random numbers.
    """

    def __init__(
        self, packed: PackedSet, size: tuple[int, int], device: torch.device, threads: int = 1, seed: int = 0
    ) -> None:
        self._packed, self._size, self._device, self._seed = packed, size, device, seed
        self._frames = Frames(packed, device, threads)
        counts = np.bincount(packed.source)
        odds = 1 / np.sqrt(counts[packed.source])
        self._odds = odds / odds.sum()
        self._cutouts = [self._cutout(*files) for files in zip(packed.cutouts, packed.masks)]
        self._rng = np.random.default_rng(seed)

    def _cutout(self, image: np.ndarray, mask: np.ndarray) -> torch.Tensor:
        pixels = np.dstack([decode(image), decode(mask, cv2.IMREAD_GRAYSCALE)])
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(self._device)

    def batch(self, step: int, count: int) -> Batch:
        """Make ``count`` canvases."""
        self._rng = np.random.default_rng([self._seed, step])
        made = [self._canvas() for _ in range(count)]
        most = max(1, *(len(kinds) for _, _, kinds in made)) if count > 1 else max(1, len(made[0][2]))
        boxes, kinds = np.zeros((count, most, 4), np.float32), np.full((count, most), PADDING, np.uint8)
        for row, (_, some, of_kind) in enumerate(made):
            boxes[row, : len(some)], kinds[row, : len(some)] = some, of_kind
        images = torch.stack([image for image, _, _ in made])
        return Batch(images, torch.from_numpy(boxes).to(self._device), torch.from_numpy(kinds).to(self._device))

    def _canvas(self) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
        height, width = self._size
        image = torch.full((3, height, width), PAD, device=self._device)
        if self._rng.random() < MOSAIC:
            x, y = int(width * self._rng.uniform(0.35, 0.65)), int(height * self._rng.uniform(0.35, 0.65))
            tiles = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        else:
            tiles = [(0, 0, width, height)]
        drawn = [self._draw(image, tile, len(tiles) == 1) for tile in tiles]
        boxes, kinds = (np.concatenate(part) for part in zip(*drawn))
        if self._cutouts and len(tiles) == 1 and self._rng.random() < PASTE:
            boxes, kinds = self._paste_people(image, boxes, kinds)
        return image, boxes, kinds

    def _draw(
        self, canvas: torch.Tensor, tile: tuple[int, int, int, int], may_fit: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw a frame, or a part of it, into a tile of a canvas; return its boxes there and their kinds."""
        index = int(self._rng.choice(len(self._odds), p=self._odds))
        frame, (boxes, kinds) = self._frames[index], self._packed.people(index)
        left, top, right, bottom = tile
        size = np.array([right - left, bottom - top])
        height, width = frame.shape[1:]
        if self._rng.random() < 0.5:
            frame = frame.flip(2)
            boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
        scale, shift = min(self._size[0] / height, self._size[1] / width), np.zeros(2)
        if not (may_fit and self._rng.random() < WHOLE):
            scale *= np.exp(self._rng.uniform(*np.log(SCALE)))
            free = size - np.array([width, height]) * scale
            shift = self._rng.uniform(np.minimum(free, 0), np.maximum(free, 0))
        low = np.maximum(np.rint(shift), 0).astype(int)
        high = np.minimum(np.rint(shift + np.array([width, height]) * scale), size).astype(int)
        part = warp(frame, high - low, scale, shift - low)
        canvas[:, top + low[1] : top + high[1], left + low[0] : left + high[0]] = self._recolor(part)
        moved = boxes * scale + np.tile(shift, 2)
        inside = moved.clip(0, np.tile(size, 2))
        sides = (inside[:, 2:] - inside[:, :2]).clip(min=0)
        share = sides.prod(axis=1) / np.maximum((moved[:, 2:] - moved[:, :2]).prod(axis=1), 1e-6)
        present = sides.min(axis=1, initial=np.inf) > 2
        kinds = np.where((share < VISIBLE) | (sides[:, 1] < LEAST_HEIGHT), IGNORED, kinds)
        return (inside[present] + [left, top, left, top]).astype(np.float32), kinds[present]

    def _recolor(self, image: torch.Tensor) -> torch.Tensor:
        """Change light, colours and sharpness of an image [3, H, W] float at random."""
        rng = self._rng
        if rng.random() < 0.5:
            gain, gamma = np.exp(rng.uniform(-0.3, 0.3)), np.exp(rng.uniform(-0.25, 0.25))
            balance, bias = np.exp(rng.uniform(-0.06, 0.06, 3)), rng.uniform(-12, 12)
            if rng.random() < 0.15:  # dusk
                gain *= rng.uniform(0.35, 0.7)
            factors = torch.tensor(255 * gain * balance, dtype=torch.float32, device=self._device)
            image = ((image / 255) ** gamma * factors[:, None, None] + bias).clamp(0, 255)
        if rng.random() < 0.08:
            image = image.mean(dim=0, keepdim=True).expand_as(image)
        if rng.random() < 0.12:
            image = F.avg_pool2d(image[None], 3, 1, 1, count_include_pad=False)[0]
        return image

    def _paste_people(
        self, canvas: torch.Tensor, boxes: np.ndarray, kinds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        hidden = np.zeros(len(boxes))
        for _ in range(int(self._rng.integers(PASTED[0], PASTED[1] + 1))):
            cutout = self._cutouts[self._rng.integers(len(self._cutouts))]
            place = self._place(cutout.shape[2] / cutout.shape[1], boxes[kinds == PERSON])
            limits = np.array([canvas.shape[2], canvas.shape[1]] * 2)
            inside = place.clip(0, limits)
            sides = place[2:] - place[:2]
            if (inside[2:] - inside[:2] < [4, 8]).any() or not 20 <= sides[1] <= 560 or sides[0] < 6:
                continue
            hides = FILLED * intersection(inside, boxes) / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)
            if (hidden + hides > HIDDEN)[kinds == PERSON].any():
                continue
            self._paste(canvas, cutout, place)
            whole = (inside[2:] - inside[:2]).prod() / sides.prod() > VISIBLE
            hidden = np.append(hidden + hides, 0)
            boxes = np.concatenate([boxes, inside[None].astype(np.float32)])
            kinds = np.append(kinds, PERSON if whole else IGNORED)
        return boxes, np.where(hidden > LOST, IGNORED, kinds)

    def _place(self, aspect: float, people: np.ndarray) -> np.ndarray:
        """Return where to paste somebody, [4] left, top, right, bottom in whole pixels, maybe beyond the canvas."""
        rng, (height, width) = self._rng, self._size
        people = people[people[:, 3] - people[:, 1] > 30]
        if len(people) and rng.random() < BESIDE:
            left, top, right, bottom = people[rng.integers(len(people))]
            tall = (bottom - top) * rng.uniform(0.85, 1.2)
            x = (left + right) / 2 + rng.choice([-1, 1]) * (right - left) * rng.uniform(0.25, 0.9)
            foot = bottom + (bottom - top) * rng.uniform(-0.02, 0.1)
        else:
            tall = np.exp(rng.uniform(*np.log(np.minimum(ALONE, [height / 4, height / 2]))))
            x, foot = rng.uniform(0, width), rng.uniform(tall * 0.8, height)
        wide = int(tall * aspect)
        begin = np.floor([x - wide / 2, foot - int(tall)])
        return np.tile(begin, 2) + np.array([0, 0, wide, int(tall)])

    def _paste(self, canvas: torch.Tensor, cutout: torch.Tensor, place: np.ndarray) -> None:
        left, top, right, bottom = place.astype(int).tolist()
        if self._rng.random() < 0.5:
            cutout = cutout.flip(2)
        size = (bottom - top, right - left)
        resized = F.interpolate(cutout[None].float(), size=size, mode="bilinear", antialias=True)[0]
        rows, columns = (
            slice(max(top, 0), min(bottom, canvas.shape[1])),
            slice(max(left, 0), min(right, canvas.shape[2])),
        )
        shown = resized[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        region, mask = canvas[:, rows, columns], shown[3:] / 255
        region.copy_(self._recolor(shown[:3]) * mask + region * (1 - mask))


def warp(frame: torch.Tensor, size: np.ndarray, scale: float, shift: np.ndarray) -> torch.Tensor:
    """Scale a frame and take a part of it.

    Args:
        frame: [3, H, W] uint8.
        size: Width and height of the part, in pixels of the result.
        scale: Factor from frame to result.
        shift: x and y of the frame's corner in the result, in pixels.

    Returns:
        [3, h, w] float32; beyond the frame its border goes on.
    """
    image = frame[None].float()
    while scale < 0.6:  # bilinear sampling alone would skip pixels
        image, scale = F.avg_pool2d(image, 2), scale * 2
    height, width = image.shape[2:]
    factor = size / (scale * np.array([width, height]))
    offset = factor - 2 * shift / (scale * np.array([width, height])) - 1
    theta = torch.tensor([[[factor[0], 0, offset[0]], [0, factor[1], offset[1]]]], dtype=torch.float32)
    grid = F.affine_grid(theta.to(image.device), [1, 1, int(size[1]), int(size[0])], align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)[0]
