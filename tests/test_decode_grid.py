"""Embeddings read from the parts of a box: the order of a row, and what lies beyond the image."""

import numpy as np
import pytest
from test_decode import WHOLE, candidates_at, model_config

from tracker.decode import gather_rows
from tracker.letterbox import Placement

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def ramps(size, stride):
    """A map [1, 2, h, w] whose values are the place of a cell's middle in pixels: x, y."""
    y, x = (np.mgrid[: size[0] // stride, : size[1] // stride] + 0.5) * stride
    return np.stack([x, y])[None].astype(np.float32)


def grid_rows(boxes, placement, strides, grid):
    """Rows of boxes from maps of the given strides that tell where they were read, that of stride 4 negative."""
    config = model_config([(s, [(s, s)]) for s in (32, 16, 8)], read="box_grid", strides=strides, grid=grid)
    nowhere = [0] * len(boxes)  # the cell of a box does not matter
    features = [ramps((64, 96), stride) * (-1 if stride == 4 else 1) for stride in strides]
    (rows,), place = gather_rows(features, candidates_at(nowhere, nowhere, nowhere, boxes), placement, config)
    assert place.tolist() == list(range(len(boxes))) and rows.dtype == np.float32
    return rows


def test_a_row_goes_from_map_to_map_and_channel_to_channel():
    row = grid_rows([(20, 10, 60, 46)], WHOLE, strides=(4, 16), grid=(3, 2))
    x, y = [30, 50] * 3, [16, 16, 28, 28, 40, 40]
    np.testing.assert_allclose(row, [[-value for value in x + y] + x + y], rtol=1e-5)
    row = grid_rows([(20, 10, 60, 46)], WHOLE, strides=(16, 4), grid=(2, 1))
    np.testing.assert_allclose(row, [[40, 40, 19, 37, -40, -40, -19, -37]], rtol=1e-5)


def test_a_box_without_extent_is_read_at_one_point():
    row = grid_rows([(33, 21, 33, 21)], WHOLE, strides=(8,), grid=(6, 3))
    np.testing.assert_allclose(row, [[33] * 18 + [21] * 18], rtol=1e-5)


def test_of_a_box_what_lies_within_the_image_is_read():
    placement = Placement(left=20, top=10, width=56, height=40, scale_x=1.0, scale_y=1.0)
    boxes = [(-20, 14, 40, 34), (60, 40, 100, 80), (-1e9, -1e9, 1e9, 1e9), (1e15, 1e15, 1e15, 1e15)]
    rows = grid_rows(boxes, placement, strides=(4,), grid=(1, 2))
    expected = [[25, 35, 24, 24], [64, 72, 45, 45], [34, 62, 30, 30], [76, 76, 50, 50]]
    np.testing.assert_allclose(-rows, expected, rtol=1e-5)


def test_no_boxes_have_no_rows():
    assert grid_rows(np.zeros((0, 4)), WHOLE, strides=(8, 16), grid=(6, 3)).shape == (0, 18 * 4)
