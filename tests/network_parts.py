"""Inputs of the bundled model at random, what its outputs are compared by, and a network that says what it is told."""

import time

import numpy as np

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
        self.passes = 0

    def run(self, pixels):
        time.sleep(self.seconds)
        self.passes += 1
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
