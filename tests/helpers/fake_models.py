"""Networks that say what they are told, settings and maps of models, and inputs of the bundled one at random."""

import time

import numpy as np

from tracker.detection.decode import Candidates
from tracker.detection.letterbox import LetterboxedImage, LetterboxTransform
from tracker.settings.model import EmbeddingConfig, LetterboxConfig, LevelConfig, ModelConfig, Thresholds

SIZE = (608, 1088)
LENGTH = 7680  # of a row of the bundled model


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (1, *SIZE, 3), np.uint8)


def rows(seed, count):
    return np.random.default_rng(seed).random((count, LENGTH), np.float32)


def assert_same_maps(found, expected, tolerance=1e-4):
    assert [array.shape for array in found] == [array.shape for array in expected]
    for ours, theirs in zip(found, expected):
        assert ours.dtype == np.float32
        assert np.abs(ours - theirs).max() < tolerance * np.abs(theirs).max()


class FakeNetwork:
    """A network whose maps show as many people as it is told, one beside the other at stride 8."""

    def __init__(self, config, people, seconds=0.0, turn=0.0):
        self.config, self.people, self.seconds, self.turn = config, people, seconds, turn
        self.max_in_flight = 0

    def run(self, pixels):
        time.sleep(self.seconds)
        self.max_in_flight += 1
        maps = [np.zeros((1, 6, 608 // s, 1088 // s), np.float32) for s in (32, 16, 8)]
        for raw in maps:
            raw[0, 4] = 9
        maps[2][0, 2:4, 5, 10 : 10 + 10 * self.people : 10] = np.log([[3], [8]])
        maps[2][0, 5, 5, 10 : 10 + 10 * self.people : 10] = 18
        return maps + [np.zeros((1, 4, 608 // s, 1088 // s), np.float32) for s in (32, 16, 8)]

    def embed(self, groups):
        directions = np.zeros((len(groups[0]), self.config.embedding.dimension), np.float32)
        directions[:, :2] = np.cos(self.turn), np.sin(self.turn)
        return directions


def model_config(levels, read="cell", strides=None, kernel=1, grid=(1, 1), dimension=2, **thresholds):
    limits = {"score": 0.5, "nms": 0.5, "nms_top_k": 100, "keep_top_k": 50, "high_conf_thres": 0.5, **thresholds}
    strides = [stride for stride, _ in levels] if strides is None else strides
    return ModelConfig(
        name="test",
        label="pedestrian",
        letterbox=LetterboxConfig(64, 96, "BGR", 1.0, "center", 114, "linear"),
        levels=tuple(LevelConfig(stride, tuple(anchors)) for stride, anchors in levels),
        thresholds=Thresholds(**limits),
        embedding=EmbeddingConfig(dimension, read, tuple(strides), kernel, grid),
    )


def candidates_at(level, row, column, boxes=None):
    count = len(level)
    boxes = np.zeros((count, 4), np.float32) if boxes is None else np.float32(boxes)
    return Candidates(boxes, np.zeros(count, np.float32), np.array(level), np.array(row), np.array(column))


WHOLE = LetterboxedImage(
    np.zeros((1, 64, 96, 3), np.uint8),
    LetterboxTransform(0, 0, 96, 64, scale_x=1.0, scale_y=1.0),
    np.zeros((64, 96, 3), np.uint8),
)
