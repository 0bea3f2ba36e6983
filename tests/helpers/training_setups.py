"""Tiny networks, tasks, datasets held in memory and batches, to train with."""

from pathlib import Path

import numpy as np
import paddle
import yaml

from tracker.settings.model import EmbeddingConfig, LetterboxConfig, LevelConfig, ModelConfig, Thresholds
from training.data.batches import Batch
from training.data.samples import NOBODY, make_sample
from training.tasks.compact_task import CompactTask

TINY = {
    "width": 0.125,
    "neck": 8,
    "grid": [12, 6],
    "head": [8, 10, 12],
    "refinements": ["full", "full"],
    "dimension": 8,
}


def tiny_config(folder, **sizes):
    """A configuration of the compact network with few channels."""
    path = folder / "tiny.yml"
    path.write_text(yaml.safe_dump({"architecture": "CompactJDE", "CompactJDE": {**TINY, **sizes}}))
    return path


class Frames:
    """In place of `TaughtDataset`: samples with teacher embeddings. Every box is filled with its own colour."""

    def __init__(self, count=4, people=3, identities=None, teacher_dimension=4, size=(120, 160), seed=0, name="frames"):
        random = np.random.default_rng(seed)
        self.name, self.identities = name, people if identities is None else identities
        self._items = []
        for _ in range(count):
            image = random.integers(90, 140, (*size, 3), dtype=np.uint8)
            boxes = [[8 + 50 * place, 20, 36 + 50 * place, 90] for place in range(people)]
            for left, top, right, bottom in boxes:
                image[top:bottom, left:right] = random.integers(0, 256, 3)
            numbers = random.permutation(self.identities)[:people] if self.identities else np.full(people, NOBODY)
            made = random.normal(size=(people, teacher_dimension)).astype(np.float32)
            self._items.append((make_sample(Path("frame.png"), image, boxes, numbers), made))

    def __len__(self):
        return len(self._items)

    def __getitem__(self, index):
        return self._items[index]


class Crops:
    """In place of `TaughtCrops`: images of one colour each, with identity and teacher embedding."""

    def __init__(self, count=5, identities=5, teacher_dimension=4, name="crops"):
        self.name, self.identities = name, identities
        self._count, self._teacher_dimension = count, teacher_dimension

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        image = np.full((32, 14, 3), 20 + 40 * index, np.uint8)
        return image, index % self.identities, np.full(self._teacher_dimension, index + 1, np.float32)


def make_batch(*people, size=(96, 128), teacher_dimension=4, seed=3):
    """A random image for each list of (box, identity, ignored), with a random teacher embedding for each box."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (len(people), size[0] // 16, size[1] // 16, 3), np.uint8)
    return Batch(
        images=images.repeat(16, 1).repeat(16, 2),
        boxes=[np.array([box for box, *_ in one], np.float32).reshape(-1, 4) for one in people],
        identities=[np.array([identity for _, identity, _ in one], np.int64) for one in people],
        ignored=[np.array([ignored for *_, ignored in one], bool) for one in people],
        teacher_embeddings=[random.normal(size=(len(one), teacher_dimension)).astype(np.float32) for one in people],
    )


SIZE = (96, 128)
ONE, TWO, LOW = [8, 10, 40, 90], [70, 20, 100, 88], [-10, 60, 30, 130]
PEOPLE = [[(ONE, 0, False), (TWO, 1, False)], [(LOW, 2, False), (TWO, -1, False)]]


def make_task(config, teacher_dimension=4, **values):
    paddle.seed(2)
    task = CompactTask(config, {"freeze_statistics": False, **values}, 5, teacher_dimension)
    task.fit_teacher(np.random.default_rng(0).normal(size=(30, teacher_dimension)))
    task.seed([0, 0])
    return task


def numbers(losses):
    return {name: float(value) for name, value in losses.items()}


def model_config(grid):
    return ModelConfig(
        name="test",
        label="pedestrian",
        letterbox=LetterboxConfig(*SIZE, "BGR", 1.0, "top_left", 114, "linear"),
        levels=tuple(LevelConfig(stride, ((stride, stride),)) for stride in (32, 16, 8)),
        thresholds=Thresholds(score=0.0, nms=0.5, nms_top_k=100, keep_top_k=50, high_conf_thres=0.5),
        embedding=EmbeddingConfig(8, "crop", grid=grid),
    )
