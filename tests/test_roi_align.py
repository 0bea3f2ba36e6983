"""Means of the parts of boxes: against Paddle's operator, against the definition, and where a map tells its places."""

import math

import numpy as np
import paddle
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.roi_align import roi_align

pytestmark = [pytest.mark.filterwarnings("error::RuntimeWarning"), pytest.mark.usefixtures("dynamic_mode")]

GRID = st.tuples(st.integers(1, 7), st.integers(1, 4))
SEED = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(size=st.tuples(st.integers(1, 30), st.integers(1, 40)), grid=GRID, seed=SEED)
def test_boxes_within_the_map_are_read_as_paddle_reads_them(size, grid, seed):
    random = np.random.default_rng(seed)
    feature = random.normal(size=(3, *size)).astype(np.float32)
    corners = np.sort(random.uniform(0, 1, (5, 2, 2)) * size[::-1], axis=1)
    boxes = corners.reshape(5, 4).astype(np.float32)
    expected = paddle.vision.ops.roi_align(
        paddle.to_tensor(feature[None]), paddle.to_tensor(boxes), paddle.to_tensor(np.array([5], np.int32)), grid
    )
    np.testing.assert_allclose(roi_align(feature, boxes, grid), expected.numpy(), atol=1e-4)


PLACE = st.floats(-20, 60, width=32)
LENGTH = st.one_of(st.just(0.0), st.floats(0, 50, width=32))


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    grid=GRID,
    box=st.tuples(PLACE, PLACE, LENGTH, LENGTH),
    seed=SEED,
)
def test_a_part_is_the_mean_of_samples_at_most_a_cell_apart(size, grid, box, seed):
    """Boxes without extent and beyond the map are among them, which Paddle's operator takes for empty."""
    feature = np.random.default_rng(seed).normal(size=(2, *size)).astype(np.float32)
    left, top, width, height = box
    (found,) = roi_align(feature, np.array([[left, top, left + width, top + height]]), grid)
    rows, columns = (max(1, math.ceil(side / parts)) for side, parts in ((height, grid[0]), (width, grid[1])))
    for i in range(grid[0]):
        for j in range(grid[1]):
            y = [top + height / grid[0] * (i + (k + 0.5) / rows) - 0.5 for k in range(rows)]
            x = [left + width / grid[1] * (j + (k + 0.5) / columns) - 0.5 for k in range(columns)]
            where = np.stack(np.meshgrid(y, x, indexing="ij")).reshape(2, -1)
            for channel in range(2):
                plane = feature[channel].astype(np.float64)
                expected = scipy.ndimage.map_coordinates(plane, where, order=1, mode="nearest").mean()
                assert found[channel, i, j] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("height", [3, 24, 100])
def test_every_part_lies_where_it_should(height):
    """On a map that tells the place of each cell the mean of a part is the place of its middle."""
    y, x = np.mgrid[:120, :80].astype(np.float32) + 0.5
    (found,) = roi_align(np.stack([x, y]), np.array([[10, 15, 50, 15 + height]]), (6, 4))
    columns, rows = 10 + 40 * (np.arange(4) + 0.5) / 4, 15 + height * (np.arange(6) + 0.5) / 6
    np.testing.assert_allclose(found[0], np.tile(columns, (6, 1)), rtol=1e-5)
    np.testing.assert_allclose(found[1], np.tile(rows[:, None], (1, 4)), rtol=1e-5)


def test_no_boxes_have_no_parts():
    found = roi_align(np.zeros((5, 3, 4), np.float32), np.zeros((0, 4)), (6, 2))
    assert found.shape == (0, 5, 6, 2) and found.dtype == np.float32
