"""Small parts of a training run: a tiny compact network, datasets that are held in memory, batches."""

from pathlib import Path

import numpy as np
import yaml

from training.batches import Batch
from training.samples import NOBODY, make_sample

TINY = {"width": 4, "grid": [12, 6], "head": [8, 10, 12], "dimension": 8}


def tiny_config(folder, **sizes):
    """A configuration of the compact network with few channels."""
    path = folder / "tiny.yml"
    path.write_text(yaml.safe_dump({"architecture": "CompactJDE", "CompactJDE": {**TINY, **sizes}}))
    return path


class Frames:
    """What `TaughtDataset` is to others: samples with vectors. Every box is filled with its own colour."""

    def __init__(self, count=4, people=3, identities=None, vectors=4, size=(120, 160), seed=0, name="frames"):
        random = np.random.default_rng(seed)
        self.name, self.identities = name, people if identities is None else identities
        self._items = []
        for _ in range(count):
            image = random.integers(90, 140, (*size, 3), dtype=np.uint8)
            boxes = [[8 + 50 * place, 20, 36 + 50 * place, 90] for place in range(people)]
            for left, top, right, bottom in boxes:
                image[top:bottom, left:right] = random.integers(0, 256, 3)
            numbers = random.permutation(self.identities)[:people] if self.identities else np.full(people, NOBODY)
            made = random.normal(size=(people, vectors)).astype(np.float32)
            self._items.append((make_sample(Path("frame.png"), image, boxes, numbers), made))

    def __len__(self):
        return len(self._items)

    def __getitem__(self, index):
        return self._items[index]


class Crops:
    """What `TaughtCrops` is to others: images of one person each, of one colour, with identity and vector."""

    def __init__(self, count=5, identities=5, vectors=4, name="crops"):
        self.name, self.identities = name, identities
        self._count, self._vectors = count, vectors

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        image = np.full((32, 14, 3), 20 + 40 * index, np.uint8)
        return image, index % self.identities, np.full(self._vectors, index + 1, np.float32)


def make_batch(*people, size=(96, 128), vectors=4, seed=3):
    """A random picture for each list of (box, identity, ignored), with a random vector for each known person."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (len(people), size[0] // 16, size[1] // 16, 3), np.uint8)
    return Batch(
        images=images.repeat(16, 1).repeat(16, 2),
        boxes=[np.array([box for box, *_ in one], np.float32).reshape(-1, 4) for one in people],
        identities=[np.array([who for _, who, _ in one], np.int64) for one in people],
        ignored=[np.array([ignored for *_, ignored in one], bool) for one in people],
        vectors=[random.normal(size=(len(one), vectors)).astype(np.float32) for one in people],
    )
