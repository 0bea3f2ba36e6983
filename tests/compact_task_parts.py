"""A small task of the compact network, people for it, and the same network to inference."""

import numpy as np
import paddle

from tracker.config import EmbeddingConfig, LetterboxConfig, LevelConfig, ModelConfig, Thresholds
from training.compact_task import CompactTask

SIZE = (96, 128)
ONE, TWO, LOW = [8, 10, 40, 90], [70, 20, 100, 88], [-10, 60, 30, 130]
PEOPLE = [[(ONE, 0, False), (TWO, 1, False)], [(LOW, 2, False), (TWO, -1, False)]]


def make_task(config, vectors=4, **values):
    paddle.seed(2)
    task = CompactTask(config, {"freeze_statistics": False, **values}, 5, vectors)
    task.fit_teacher(np.random.default_rng(0).normal(size=(30, vectors)))
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
        thresholds=Thresholds(score=0.0, nms=0.5, nms_top_k=100, keep_top_k=50, confident=0.5),
        embedding=EmbeddingConfig(8, "crop", grid=grid),
    )
