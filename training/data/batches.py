"""Batches: what a network is trained on in one step."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.augment import Canvas, draw_frame, find_place, paste, recolor
from training.data.samples import NOBODY
from training.settings import AugmentSettings
from training.teachers.answers import TaughtCrops, TaughtDataset

PREFETCH = 3  # batches made in advance


@dataclass(frozen=True)
class Batch:
    """Network inputs and the people in them.

    Attributes:
        images: [B, H, W, 3] uint8, BGR, before colour order and scaling; H and W are multiples of 32.
        boxes: Per image [N, 4] float32, left, top, right, bottom in pixels of the input.
        identities: Per image [N] int64, below the number of identities; -1 unknown.
        ignored: Per image [N] bool: neither person nor background for the detector. Embeddings may still be trained
            there, as with a pasted crop.
        teacher_embeddings: Per image [N, T] float32, embeddings by the teacher; zeros where there is none.
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    identities: list[np.ndarray]
    ignored: list[np.ndarray]
    teacher_embeddings: list[np.ndarray]


class BatchStream:
    """Endless batches, each a function of seed, step and process alone, so that a resumed run gets the same.

    Args:
        frames: Datasets of frames with the teachers' answers, and how often each is drawn.
        crops: Datasets of crops to paste, likewise.
        settings: How canvases are made.
        sizes: Heights and widths of canvases in pixels, multiples of 32; one is drawn for every batch.
        count: Canvases of a batch.
        seed: Seed of all random numbers.
        rank: Number of this process among those that train together.

    Attributes:
        identities: How many identities all datasets have together.
        teacher_dimension: Length of a teacher embedding; 0 without a teacher.
    """

    def __init__(
        self,
        frames: Sequence[tuple[TaughtDataset, float]],
        crops: Sequence[tuple[TaughtCrops, float]],
        settings: AugmentSettings,
        sizes: Sequence[Sequence[int]],
        count: int,
        seed: int,
        rank: int = 0,
    ) -> None:
        self._frames, self._frame_odds = _odds(frames)
        self._crops, self._crop_odds = _odds(crops)
        self._settings, self._sizes, self._count = settings, [tuple(size) for size in sizes], count
        self._seed, self._rank = seed, rank
        # identities are numbered across datasets
        datasets = [*self._frames, *self._crops]
        self._first = {id(d): sum(e.identities for e in datasets[:i]) for i, d in enumerate(datasets)}
        self.identities = sum(dataset.identities for dataset in datasets)
        self.teacher_dimension = self._frames[0][0][1].shape[1]

    def batch(self, step: int) -> Batch:
        """Make the batch of a step."""
        rng = np.random.default_rng([self._seed, step, self._rank])
        # the same size in all processes, which would otherwise wait for the one with the largest
        size = self._sizes[np.random.default_rng([self._seed, step]).integers(len(self._sizes))]
        canvases = [self._canvas(*size, rng) for _ in range(self._count)]
        return Batch(
            np.stack([canvas.image for canvas in canvases]),
            *(
                [getattr(canvas, name) for canvas in canvases]
                for name in ("boxes", "identities", "ignored", "teacher_embeddings")
            ),
        )

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """Yield the batches of steps from ``start`` up to, and without, ``stop``; a thread makes them in advance."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as worker:
            pending = deque(worker.submit(self.batch, step) for step in range(start, min(start + PREFETCH, stop)))
            for step in range(start, stop):
                batch = pending.popleft().result()
                if step + PREFETCH < stop:
                    pending.append(worker.submit(self.batch, step + PREFETCH))
                yield batch

    def _canvas(self, height: int, width: int, rng: np.random.Generator) -> Canvas:
        canvas = Canvas.empty(height, width, self.teacher_dimension)
        settings = self._settings
        if rng.random() < settings.mosaic:
            x, y = (int(side * rng.uniform(0.3, 0.7)) for side in (width, height))
            tiles = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        else:
            tiles = [(0, 0, width, height)]
        for tile in tiles:
            dataset = self._frames[rng.choice(len(self._frames), p=self._frame_odds)]
            sample, teacher_embeddings = dataset[int(rng.integers(len(dataset)))]
            identities = np.where(sample.identities >= 0, sample.identities + self._first[id(dataset)], NOBODY)
            sample = dataclasses.replace(sample, identities=identities)
            draw_frame(canvas, tile, sample, teacher_embeddings, settings, rng)
        if self._crops and rng.random() < settings.paste:
            for _ in range(int(rng.integers(1, settings.pasted + 1))):
                place = find_place(canvas, settings, rng)
                if place is None:
                    continue  # before a crop is read: on a full canvas this is the usual case
                crops = self._crops[rng.choice(len(self._crops), p=self._crop_odds)]
                image, identity, teacher_embedding = crops[int(rng.integers(len(crops)))]
                crop = recolor(image, settings, rng)
                identity = identity + self._first[id(crops)] if identity >= 0 else NOBODY
                paste(canvas, place, crop, identity, teacher_embedding, settings, rng)
        return canvas


def _odds(datasets: Sequence[tuple[Any, float]]) -> tuple[list[Any], np.ndarray]:
    weights = np.array([weight for _, weight in datasets], np.float64)
    return [dataset for dataset, _ in datasets], weights / max(weights.sum(), 1e-12)
