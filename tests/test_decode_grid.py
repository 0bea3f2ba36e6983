"""Embeddings read from a grid over a box: the samples against scipy's, their order, and what lies beyond the image."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decode import WHOLE, candidates_at, model_config

from tracker.decode import gather_rows
from tracker.letterbox import Placement

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

PLACE = st.floats(-150, 250, width=32)
LENGTH = st.one_of(st.just(0.0), st.floats(0, 300, width=32))


@settings(max_examples=100, deadline=None)
@given(
    cells=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.permutations([4, 8, 16, 32]).flatmap(
        lambda levels: st.tuples(st.just(levels), st.lists(st.sampled_from(levels), min_size=1, unique=True))
    ),
    grid=st.tuples(st.integers(1, 6), st.integers(1, 3)),
    boxes=st.lists(st.tuples(PLACE, PLACE, LENGTH, LENGTH), min_size=1, max_size=4),
    image=st.tuples(*[st.floats(0, 1)] * 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_points_of_a_grid_are_read_as_scipy_reads_them(cells, strides, grid, boxes, image, seed):
    """Maps of single cells, boxes beyond the image and boxes without extent are among them."""
    levels, read = strides
    random = np.random.default_rng(seed)
    height, width = 32 * cells[0], 32 * cells[1]
    config = model_config([(s, [(s, s)]) for s in levels], read="box_grid", strides=read, grid=grid)
    features = {s: random.normal(size=(1, s % 3 + 1, height // s, width // s)).astype(np.float32) for s in read}
    left, top = int(image[0] * (width - 1)), int(image[1] * (height - 1))
    size = 1 + int(image[2] * (width - 1 - left)), 1 + int(image[3] * (height - 1 - top))
    placement = Placement(left, top, *size, scale_x=1.0, scale_y=1.0)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32)
    nowhere = [0] * len(boxes)  # the cell of a box does not matter
    groups, place = gather_rows(
        [features[s] for s in levels if s in read], candidates_at(nowhere, nowhere, nowhere, boxes), placement, config
    )
    expected = []
    for x1, y1, x2, y2 in boxes.tolist():
        row = []
        for i in range(grid[0]):
            for j in range(grid[1]):
                x = min(max(x1 + (x2 - x1) * (j + 0.5) / grid[1], left), left + size[0])
                y = min(max(y1 + (y2 - y1) * (i + 0.5) / grid[0], top), top + size[1])
                for s in read:
                    where = [[y / s - 0.5], [x / s - 0.5]]
                    for channel in features[s][0].astype(np.float64):
                        row.extend(scipy.ndimage.map_coordinates(channel, where, order=1, mode="nearest"))
        expected.append(row)
    assert len(groups) == 1 and place.tolist() == list(range(len(boxes)))
    assert groups[0].dtype == np.float32
    np.testing.assert_allclose(groups[0], expected, atol=1e-3)


def ramps(size, stride):
    """A map [1, 2, h, w] whose values are the place of a cell's middle in pixels: x, y."""
    y, x = (np.mgrid[: size[0] // stride, : size[1] // stride] + 0.5) * stride
    return np.stack([x, y])[None].astype(np.float32)


def grid_rows(boxes, placement, **options):
    """Rows of boxes from maps of strides 16 and 8 that tell where they were read, the finer one negative."""
    config = model_config([(s, [(s, s)]) for s in (32, 16, 8)], read="box_grid", **options)
    nowhere = [0] * len(boxes)
    features = [ramps((64, 96), 16), -ramps((64, 96), 8)]
    (rows,), _ = gather_rows(features, candidates_at(nowhere, nowhere, nowhere, boxes), placement, config)
    return rows


def test_a_row_goes_from_part_to_part_and_map_to_map():
    row = grid_rows([(20, 10, 60, 46)], WHOLE, strides=(8, 16), grid=(3, 2))
    parts = [(x, y) for y in (16, 28, 40) for x in (30, 50)]
    np.testing.assert_allclose(row, [[value for x, y in parts for value in (-x, -y, x, y)]], atol=1e-4)
    row = grid_rows([(20, 10, 60, 46)], WHOLE, strides=(16, 8), grid=(2, 1))
    np.testing.assert_allclose(row, [[40, 19, -40, -19, 40, 37, -40, -37]], atol=1e-4)


def test_a_grid_of_one_part_is_the_centre():
    boxes = [(20, 10, 60, 46), (30, 20, 30, 20)]
    np.testing.assert_allclose(
        grid_rows(boxes, WHOLE, strides=(8, 16)), [[-40, -28, 40, 28], [-30, -20, 30, 20]], atol=1e-4
    )


def test_a_box_without_extent_is_read_at_one_point():
    row = grid_rows([(33, 21, 33, 21)], WHOLE, strides=(8, 16), grid=(6, 3))
    np.testing.assert_allclose(row, [[-33, -21, 33, 21] * 18], atol=1e-4)


def test_points_stay_within_the_image():
    placement = Placement(left=20, top=10, width=56, height=40, scale_x=1.0, scale_y=1.0)
    boxes = [(-20, 14, 40, 34), (60, 40, 100, 80), (-1e9, -1e9, 1e9, 1e9), (1e15, 1e15, 1e15, 1e15)]
    rows = grid_rows(boxes, placement, strides=(8, 16), grid=(1, 2))[:, [2, 3, 6, 7]]  # of the coarser map
    expected = [[20, 24, 25, 24], [70, 50, 76, 50], [20, 10, 76, 10], [76, 50, 76, 50]]
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_no_boxes_have_no_rows():
    assert grid_rows(np.zeros((0, 4)), WHOLE, strides=(8, 16), grid=(6, 3)).shape == (0, 18 * 4)
