"""What a network is trained on in one step."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.augment import AugmentSettings, Canvas, draw_frame, find_place, paste, recolor
from training.data.samples import NOBODY
from training.teachers import TaughtCrops, TaughtDataset

PREFETCH = 3  # batches made in advance


@dataclass(frozen=True)
class Batch:
    """Network inputs with what is to be found in them.

    Attributes:
        images: [B, H, W, 3] uint8, BGR, before colour order and scaling; H and W are multiples of 32.
        boxes: per image [N, 4] float32, left, top, right, bottom in pixels of the input.
        identities: per image [N] int64, below the number of identities; -1 unknown.
        ignored: per image [N] bool: no box is learnt there. Appearance may be, of a pasted crop for one.
        vectors: per image [N, T] float32, what a teacher of embeddings says; zeros where it said nothing.
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    identities: list[np.ndarray]
    ignored: list[np.ndarray]
    vectors: list[np.ndarray]


class BatchStream:
    """Batches without end, each a function of the seed, the step and the process alone: a resumed run sees the same.

    Args:
        frames: datasets of frames, with the teachers' answers, and how often each is drawn.
        crops: datasets of crops to paste, likewise.
        settings: of the augmentation.
        sizes: heights and widths of the canvases in pixels, multiples of 32; one is drawn for every batch.
        count: canvases of a batch.
        seed: of all random numbers.
        rank: number of this process among those that train together.
    """

    def __init__(
        self,
        frames: Sequence[tuple[TaughtDataset, float]],
        crops: Sequence[tuple[TaughtCrops, float]],
        settings: AugmentSettings,
        sizes: Sequence[tuple[int, int]],
        count: int,
        seed: int,
        rank: int = 0,
    ) -> None:
        self._frames, self._frame_odds = _odds(frames)
        self._crops, self._crop_odds = _odds(crops)
        self._settings, self._sizes, self._count = settings, [tuple(size) for size in sizes], count
        self._seed, self._rank = seed, rank
        # identities count from the one dataset to the next
        datasets = [*self._frames, *self._crops]
        self._first = {id(d): sum(e.identities for e in datasets[:i]) for i, d in enumerate(datasets)}
        self.identities = sum(dataset.identities for dataset in datasets)
        self.vectors = self._frames[0][0][1].shape[1]

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        rng = np.random.default_rng([self._seed, step, self._rank])
        # all processes take the same size, or they would wait for each other
        size = self._sizes[np.random.default_rng([self._seed, step]).integers(len(self._sizes))]
        canvases = [self._canvas(*size, rng) for _ in range(self._count)]
        return Batch(
            np.stack([canvas.image for canvas in canvases]),
            *([getattr(canvas, name) for canvas in canvases] for name in ("boxes", "identities", "ignored", "vectors")),
        )

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of some steps, each made while the one before it is learnt from."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as worker:
            waiting = deque(worker.submit(self.batch, step) for step in range(start, min(start + PREFETCH, stop)))
            for step in range(start, stop):
                batch = waiting.popleft().result()
                if step + PREFETCH < stop:
                    waiting.append(worker.submit(self.batch, step + PREFETCH))
                yield batch

    def _canvas(self, height: int, width: int, rng: np.random.Generator) -> Canvas:
        canvas = Canvas.empty(height, width, self.vectors)
        settings = self._settings
        if rng.random() < settings.mosaic:
            x, y = (int(side * rng.uniform(0.3, 0.7)) for side in (width, height))
            tiles = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        else:
            tiles = [(0, 0, width, height)]
        for tile in tiles:
            dataset = self._frames[rng.choice(len(self._frames), p=self._frame_odds)]
            sample, vectors = dataset[int(rng.integers(len(dataset)))]
            identities = np.where(sample.identities >= 0, sample.identities + self._first[id(dataset)], NOBODY)
            sample = dataclasses.replace(sample, identities=identities)
            draw_frame(canvas, tile, sample, vectors, settings, rng)
        if self._crops and rng.random() < settings.paste:
            for _ in range(int(rng.integers(1, settings.pasted + 1))):
                place = find_place(canvas, settings, rng)
                if place is None:
                    continue  # before a crop is read: on a full canvas most tries end here
                crops = self._crops[rng.choice(len(self._crops), p=self._crop_odds)]
                image, identity, vector = crops[int(rng.integers(len(crops)))]
                crop = recolor(image, settings, rng)
                identity = identity + self._first[id(crops)] if identity >= 0 else NOBODY
                paste(canvas, place, crop, identity, vector, settings, rng)
        return canvas


def _odds(datasets: Sequence[tuple[Any, float]]) -> tuple[list[Any], np.ndarray]:
    weights = np.array([weight for _, weight in datasets], np.float64)
    return [dataset for dataset, _ in datasets], weights / max(weights.sum(), 1e-12)
