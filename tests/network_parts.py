"""Inputs of the bundled model at random, and what its outputs are compared by."""

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
