"""Crops of people with the teacher's vectors, made on the device, and the losses of embeddings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tracker.errors import DataError
from training.pytorch.packed import PERSON, PackedSet

MARGIN = 0.125  # of a box's sides that crops are kept larger by, on each side, for boxes that move
JITTER = (0.025, 0.03)  # standard deviations of shift and scale, as parts of the box
LOW_RESOLUTION = 0.25  # probability that a batch is seen as if from afar
HIDDEN = 0.1  # probability that another crop covers a part
SAMPLE = 30_000  # vectors that directions are computed from


class People:
    """Crops of all people of a packed set who have a vector, and batches of them.

    Args:
        packed: The set.
        grid: Rows and columns of a crop.
        device: Where the crops are.
        threads: Processor threads that decode frames.
        seed: Of all random numbers.

    Raises:
        DataError: Nobody has a vector, or a frame is damaged.
    """

    def __init__(
        self, packed: PackedSet, grid: tuple[int, int], device: torch.device, threads: int = 1, seed: int = 0
    ) -> None:
        self._grid, self._device, self._seed = grid, device, seed
        known = np.flatnonzero((packed.kinds == PERSON) & (packed.vector_of >= 0))
        if not len(known):
            raise DataError("nobody in the packed set has a vector: pack it with a network that makes them")
        frame_of = np.searchsorted(packed.box_starts, known, side="right") - 1
        self._kept = tuple(round(side * (1 + 2 * MARGIN)) for side in grid)
        crops = np.empty((len(known), *self._kept, 3), np.uint8)

        def cut(frame: int) -> None:
            image = packed.frame(frame)
            for row in np.flatnonzero(frame_of == frame):
                crops[row] = self._cut(image, packed.boxes[known[row]])

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(cut, np.unique(frame_of).tolist()))
        self._crops = torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous().to(device)
        self.vectors = torch.from_numpy(packed.vectors[packed.vector_of[known]].astype(np.float32)).to(device)
        source = packed.source[frame_of]
        odds = 1 / np.sqrt(np.bincount(source)[source])
        self._odds = odds / odds.sum()

    def _cut(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Crop a box and its margin, with the image's border going on beyond it."""
        size = np.tile(box[2:] - box[:2], 2) * MARGIN
        left, top, right, bottom = np.rint(box + size * [-1, -1, 1, 1]).astype(int)
        height, width = image.shape[:2]
        rows = np.arange(top, max(bottom, top + 1)).clip(0, height - 1)
        columns = np.arange(left, max(right, left + 1)).clip(0, width - 1)
        crop = image[rows[:, None], columns]
        large = crop.shape[0] >= self._kept[0] and crop.shape[1] >= self._kept[1]
        return cv2.resize(crop, self._kept[::-1], interpolation=cv2.INTER_AREA if large else cv2.INTER_LINEAR)

    def batch(self, step: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw ``count`` people; return crops [K, 3, rows, columns] float32 and vectors [K, T]."""
        rng = np.random.default_rng([self._seed, 1, step])
        index = torch.from_numpy(rng.choice(len(self._odds), count, p=self._odds)).to(self._device)
        crops = self._moved(self._crops[index].float(), rng)
        return self._recolored(self._worse(crops, rng), rng), self.vectors[index]

    def plain(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw people as they are, as `batch`."""
        index = np.random.default_rng(self._seed).choice(len(self._odds), count, p=self._odds)
        top, left = ((kept - side) // 2 for kept, side in zip(self._kept, self._grid))
        crops = self._crops[torch.from_numpy(index).to(self._device)]
        return crops[:, :, top : top + self._grid[0], left : left + self._grid[1]].float(), self.vectors[index]

    def _moved(self, crops: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Mirror half of the crops, and move and scale all of them a little, as a detector does."""
        count, inner = len(crops), 1 / (1 + 2 * MARGIN)
        theta = np.zeros((count, 2, 3), np.float32)
        for axis in (0, 1):
            theta[:, axis, axis] = inner * (1 + rng.normal(scale=JITTER[1], size=count))
            theta[:, axis, 2] = 2 * inner * rng.normal(scale=JITTER[0], size=count)
        theta[:, 0, 0] *= rng.choice([-1, 1], count)
        size = [count, 3, *self._grid]
        grid = F.affine_grid(torch.from_numpy(theta).to(self._device), size, align_corners=False)
        return F.grid_sample(crops, grid, padding_mode="border", align_corners=False)

    def _worse(self, crops: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Take resolution from a quarter of the crops, and cover a part of a tenth of them by others."""
        count, (rows, columns) = len(crops), self._grid
        far = torch.from_numpy(rng.random(count) < LOW_RESOLUTION).to(self._device)
        height = int(rng.integers(rows * 9 // 20, rows))
        size = (height, max(height * columns // rows, 4))
        small = F.interpolate(crops, size=size, mode="bilinear", antialias=True)
        crops = torch.where(far[:, None, None, None], F.interpolate(small, size=self._grid, mode="bilinear"), crops)
        y, x = torch.arange(rows, device=self._device)[:, None], torch.arange(columns, device=self._device)
        below, side = int(rng.integers(rows * 3 // 5, rows)), int(rng.integers(columns // 8, columns * 3 // 8))
        how = torch.from_numpy(rng.integers(3, size=count)).to(self._device)[:, None, None, None]
        covered = torch.where(how == 0, y >= below, torch.where(how == 1, x < side, x >= columns - side))
        some = torch.from_numpy(rng.random(count) < HIDDEN).to(self._device)
        return torch.where(some[:, None, None, None] & covered, crops.roll(1, dims=0), crops)

    def _recolored(self, crops: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        def number(center: float, scale: float, channels: int = 1) -> torch.Tensor:
            values = rng.normal(center, scale, (len(crops), channels, 1, 1)).astype(np.float32)
            return torch.from_numpy(values).to(self._device)

        mean = crops.mean(dim=(1, 2, 3), keepdim=True)
        return (((crops - mean) * number(1, 0.1) + mean + number(0, 10)) * number(1, 0.03, 3)).clamp(0, 255)


class Directions(nn.Module):
    """From the teacher's vectors [K, T] to targets of embeddings [K, D], L2-normalised.

    The mean, which says nothing about anybody, is taken off, and the principal directions are kept (singular value
    decomposition), turned to those that the network's embeddings have by now (orthogonal Procrustes problem).

    Args:
        dimension: Length D of a target.
        teacher: Length T of a vector.
    """

    def __init__(self, dimension: int, teacher: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(teacher))
        self.register_buffer("directions", torch.zeros(teacher, dimension))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the targets."""
        return F.normalize((vectors - self.mean) @ self.directions, dim=1)

    def fit(self, vectors: torch.Tensor, head: nn.Module, crops: torch.Tensor, own_vectors: torch.Tensor) -> None:
        """Compute mean and directions.

        Args:
            vectors: [K, T] of all people.
            head: The embedding head.
            crops: Some people's, [k, 3, rows, columns].
            own_vectors: [k, T], theirs.
        """
        some = vectors[torch.randperm(len(vectors), generator=torch.Generator().manual_seed(0))[:SAMPLE]].double()
        self.mean.copy_(some.mean(dim=0))
        rows = torch.linalg.svd(some - some.mean(dim=0), full_matrices=False).Vh
        rank = min(len(rows), self.directions.shape[1])
        self.directions[:, :rank] = rows[:rank].T.float()
        head.eval()
        with torch.no_grad():
            own = F.normalize(head(crops), dim=1).double()
            left, _, right = torch.linalg.svd(self(own_vectors).double().T @ own)
            self.directions.copy_((self.directions.double() @ (left @ right)).float())


def embedding_losses(embeddings: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compare embeddings [K, D] of any length with targets [K, D].

    Returns:
        ``vector``, 1 - cosine; ``relation``, the squared difference between the cosines among all of either.
    """
    embeddings = F.normalize(embeddings.float(), dim=1)
    difference = embeddings @ embeddings.T - targets @ targets.T
    return {"vector": (1 - (embeddings * targets).sum(dim=1)).mean(), "relation": (difference**2).mean()}
