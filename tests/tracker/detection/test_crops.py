"""Embeddings read from crops of the image: the order of a row, areas, and what lies beyond the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.fake_models import WHOLE, candidates_at, model_config
from tracker.detection.crops import read_crops
from tracker.detection.decode import gather_rows
from tracker.detection.letterbox import LetterboxedImage, LetterboxTransform

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def ramps(height=64, width=96):
    """A picture [H, W, 3] whose pixels are their column, their row and 7."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 7)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("color", ["BGR", "RGB"])
def test_a_row_goes_from_channel_to_channel(color):
    (row,) = read_crops(ramps(), np.array([[20, 10, 60, 46]]), (3, 2), color)
    x, y, seven = [29.5, 49.5] * 3, [15.5, 15.5, 27.5, 27.5, 39.5, 39.5], [7] * 6
    expected = x + y + seven if color == "BGR" else seven + y + x
    np.testing.assert_allclose(row, expected, atol=0.51)  # rounded to whole values
    assert row.dtype == np.float32


@settings(max_examples=60, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 7), st.integers(1, 5)),
    factor=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    corner=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    offset=st.floats(-0.4, 0.4),
    seed=st.integers(0, 2**32 - 1),
)
def test_parts_of_whole_pixels_are_their_means(grid, factor, corner, offset, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    height, width = grid[0] * factor[0], grid[1] * factor[1]
    top, left = corner
    crop = picture[top : top + height, left : left + width].astype(np.float64)
    expected = crop.reshape(grid[0], factor[0], grid[1], factor[1], 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    # a box is rounded to whole pixels
    box = np.array([[left, top, left + width, top + height]]) + offset * (np.array([left, top, 1, 1]) > 0)
    np.testing.assert_allclose(read_crops(picture, box, grid)[0], expected.ravel(), atol=0.51)


@settings(max_examples=60, deadline=None)
@given(
    boxes=st.lists(st.tuples(*[st.floats(-1e15, 1e15) | st.floats(-20, 60)] * 4), max_size=4),
    grid=st.tuples(st.integers(1, 9), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 30)),
)
def test_any_box_gives_a_crop_of_what_is_there(boxes, grid, size):
    """Boxes without extent, turned round and beyond the picture are among them."""
    picture = np.full((*size, 3), [7, 100, 255], np.uint8)
    rows = read_crops(picture, np.reshape(np.array(boxes, np.float64), (-1, 4)), grid)
    expected = np.repeat([7.0, 100.0, 255.0], grid[0] * grid[1])
    np.testing.assert_array_equal(rows, np.broadcast_to(expected, (len(boxes), len(expected))))


def test_a_small_box_is_enlarged_smoothly():
    (row,) = read_crops(ramps(), np.array([[10, 20, 14, 24]]), (16, 16))
    columns = row.reshape(3, 16, 16)[0, 8]
    assert set(columns) == {10, 11, 12, 13} and (np.diff(columns) >= 0).all()
    edge = np.zeros((20, 20, 3), np.uint8)
    edge[:, 10:] = 240
    (row,) = read_crops(edge, np.array([[8, 8, 12, 12]]), (16, 16))
    assert len(set(row)) > 4  # no mere repetition of pixels


def test_crops_are_read_from_the_image_as_it_was_before_it_was_scaled():
    """An image of 192x128 in an input of 96x64, with a column of padding at the left."""
    config = model_config([(8, [(8, 8)])], read="crop", strides=(), grid=(2, 2))
    image = ramps(128, 192)
    letterboxed = LetterboxedImage(
        np.zeros((1, 64, 96, 3), np.uint8), LetterboxTransform(1, 0, 96, 64, scale_x=0.5, scale_y=0.5), image
    )
    (rows,), place = gather_rows([], candidates_at([0], [0], [0], [(11, 10, 31, 30)]), letterboxed, config)
    np.testing.assert_array_equal(rows, read_crops(image, np.array([[20, 20, 60, 60]]), (2, 2)))
    assert place.tolist() == [0]


def test_no_boxes_have_no_rows():
    config = model_config([(8, [(8, 8)])], read="crop", strides=(), grid=(6, 3))
    (rows,), place = gather_rows([], candidates_at([], [], []), WHOLE, config)
    assert rows.shape == (0, 18 * 3) and place.shape == (0,)
