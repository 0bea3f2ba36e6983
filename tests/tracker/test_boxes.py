"""Formats and overlap of boxes, against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.boxes import (
    box_iou,
    intersection,
    jde_iou_distance,
    ltrb_to_ltwh,
    ltwh_to_ltrb,
    ltwh_to_xyah,
    overlapping,
    paired_iou,
    xyah_to_ltwh,
)

WHOLE = st.integers(-4, 4)  # so that many boxes touch, or lie within each other
REAL = st.floats(-50, 300, width=32)


def boxes_of(corner, size):
    return st.tuples(corner, corner, size, size).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


BOX = st.one_of(boxes_of(WHOLE, st.integers(1, 5)), boxes_of(REAL, st.floats(0.125, 200, width=32)))
BOXES = st.lists(BOX, max_size=6).map(lambda boxes: np.array(boxes, np.float64).reshape(-1, 4))


def slow_intersection(a, b):
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)


def slow_iou(a, b):
    shared = slow_intersection(a, b)
    area_a, area_b = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (area_a + area_b - shared)


def each_with_each(function, a, b):
    return np.array([[function(x, y) for y in b] for x in a]).reshape(len(a), len(b))


def test_formats_of_known_boxes():
    ltrb, ltwh, xyah = np.array([[10.0, 20, 40, 80]]), np.array([[10.0, 20, 30, 60]]), np.array([[25.0, 50, 0.5, 60]])
    np.testing.assert_array_equal(ltrb_to_ltwh(ltrb), ltwh)
    np.testing.assert_array_equal(ltwh_to_ltrb(ltwh), ltrb)
    np.testing.assert_array_equal(ltwh_to_xyah(ltwh), xyah)
    np.testing.assert_array_equal(xyah_to_ltwh(xyah), ltwh)
    assert (ltrb.tolist(), ltwh.tolist()) == ([[10, 20, 40, 80]], [[10, 20, 30, 60]]), "the arguments were changed"


@settings(max_examples=80, deadline=None)
@given(BOXES, BOXES)
def test_every_overlap_equals_the_loop(a, b):
    np.testing.assert_allclose(intersection(a[:, None], b), each_with_each(slow_intersection, a, b), atol=1e-9)
    expected = each_with_each(slow_iou, a, b)
    np.testing.assert_allclose(box_iou(a, b), expected, atol=1e-9)
    count = min(len(a), len(b))
    np.testing.assert_allclose(paired_iou(a[:count], b[:count]), expected.diagonal(), atol=1e-9)
    # each with each, of boxes that cover their last pixel too
    last_pixel = np.array([0, 0, 1, 1])
    found = jde_iou_distance(a, b)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1 - each_with_each(slow_iou, a + last_pixel, b + last_pixel), atol=1e-4)


def test_overlap_of_known_boxes():
    """A box ends where it ends, ten pixels wide from 0 to 10; for JDE it is eleven."""
    box = np.array([[0.0, 0, 10, 10]])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 7, 6], [500, 500, 510, 510]])
    np.testing.assert_allclose(intersection(box, others), [100, 50, 0, 20, 0])
    np.testing.assert_allclose(box_iou(box, others), [[1, 1 / 3, 0, 0.2, 0]])
    np.testing.assert_allclose(paired_iou(np.repeat(box, 5, axis=0), others), [1, 1 / 3, 0, 0.2, 0])
    assert [part.tolist() for part in overlapping(box, others)] == [[0, 0, 0], [0, 1, 3]]
    np.testing.assert_allclose(
        jde_iou_distance(box, others), [[0, 1 - 66 / 176, 1 - 11 / 231, 1 - 30 / 121, 1]], atol=1e-6
    )


@settings(max_examples=80, deadline=None)
@given(BOXES, BOXES)
def test_overlapping_gives_the_pairs_with_a_common_area_row_by_row(a, b):
    a, b = a.astype(np.float32), b.astype(np.float32)
    rows, columns = overlapping(a, b)
    expected = np.nonzero(each_with_each(slow_intersection, a, b) > 0)
    assert (rows.tolist(), columns.tolist()) == (expected[0].tolist(), expected[1].tolist())


@given(BOXES)
def test_a_box_overlaps_itself_by_exactly_one(boxes):
    np.testing.assert_array_equal(paired_iou(boxes, boxes), np.ones(len(boxes)))


def test_boxes_without_area_overlap_nothing():
    point, box = np.array([[3.0, 3, 3, 3]]), np.array([[0.0, 0, 9, 9]])
    assert box_iou(point, point) == box_iou(point, box) == 0


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0)])
def test_no_box_on_one_side(n, m):
    a, b = np.ones((n, 4)), np.ones((m, 4))
    assert box_iou(a, b).shape == jde_iou_distance(a, b).shape == (n, m)
    assert [len(part) for part in overlapping(a, b)] == [0, 0]
