"""Boxes and labels: where they are, what colour they have, and that no input breaks them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.sinks.draw import draw_tracks, track_color


def _changed(image, drawn):
    """[H, W] bool: pixels that differ."""
    return (image != drawn).any(2)


def _luminance(color):
    blue, green, red = (np.array(color) / 255) ** 2.2
    return 0.0722 * blue + 0.7152 * green + 0.2126 * red


def test_color_is_stable_and_valid():
    for track_id in (0, 1, 7, -3, 10**12, np.int64(7)):
        color = track_color(track_id)
        assert color == track_color(track_id)
        assert all(type(value) is int and 0 <= value <= 255 for value in color)
    assert track_color(np.int64(7)) == track_color(7)


def test_colors_of_neighbouring_ids_are_far_apart():
    lab = cv2.cvtColor(np.array([[track_color(i) for i in range(300)]], np.uint8), cv2.COLOR_BGR2LAB)[0].astype(float)
    for step, least in ((1, 25), (2, 25), (3, 25), (4, 25), (5, 12), (8, 8), (13, 8)):
        assert np.linalg.norm(lab[step:] - lab[:-step], axis=1).min() > least, step
    assert len({track_color(i) for i in range(300)}) > 290


def test_colors_are_never_dark():
    assert min(_luminance(track_color(i)) for i in range(1000)) > 0.15


def test_box_is_where_it_was_asked_for():
    image = np.full((240, 320, 3), 90, np.uint8)
    drawn = draw_tracks(image, np.array([4]), np.array([[100.0, 80.0, 40.0, 100.0]]), np.array([0.9]))
    assert drawn.shape == image.shape and drawn.dtype == np.uint8
    assert (image == 90).all(), "the input was painted on"
    for x, y in ((100, 130), (140, 130), (120, 180), (130, 80)):
        assert tuple(drawn[y, x]) == track_color(4)
    inside = _changed(image, drawn)[85:176, 105:136]
    assert not inside.any(), "the box is filled"
    rows, columns = np.nonzero(_changed(image, drawn))
    assert rows.max() <= 181 and columns.min() >= 99


def test_label_is_above_and_inside_at_the_top():
    image = np.full((240, 320, 3), 90, np.uint8)
    low, high = (draw_tracks(image, [4], [[100, top, 90, 100]], [0.9]) for top in (80, 0))
    assert _changed(image, low)[69:79, 105:140].all()
    assert _changed(image, high)[1:11, 105:140].all()
    assert not _changed(image, low)[85:100, 105:140].any()


@pytest.mark.parametrize("left", [-30.0, 300.0])
def test_label_stays_within_the_picture(left):
    image = np.full((240, 320, 3), 90, np.uint8)
    changed = _changed(image, draw_tracks(image, [123], [[left, 100, 60, 100]], [0.5]))
    label = changed[88:97].all(0)  # columns the label covers
    reference = _changed(image, draw_tracks(image, [123], [[100, 100, 60, 100]], [0.5]))[88:97].all(0)
    assert label.sum() == reference.sum() > 50


def test_text_contrasts_with_its_label():
    image = np.full((240, 320, 3), 90, np.uint8)
    inks = set()
    for track_id in range(40):
        label = draw_tracks(image, [track_id], [[100, 100, 80, 100]], [0.88])[86:98, 101:130].reshape(-1, 3)
        fill = _luminance(track_color(track_id))
        ratios = [(max(_luminance(p), fill) + 0.05) / (min(_luminance(p), fill) + 0.05) for p in label]
        assert max(ratios) > 3.5, track_id
        inks.add(int(label[int(np.argmax(ratios))].sum()) > 382)
    assert inks == {True, False}, "both black and white text are used"


def test_label_shows_id_and_score():
    image = np.full((240, 320, 3), 90, np.uint8)
    draw = [
        draw_tracks(image, [i], [[100, 100, 80, 100]], [s]) for i, s in ((4, 0.871), (4, 0.869), (4, 0.5), (14, 0.87))
    ]
    assert (draw[0] == draw[1]).all(), "two decimals"
    assert (draw[0] != draw[2]).any()
    assert _changed(image, draw[3])[88:97].all(0).sum() > _changed(image, draw[0])[88:97].all(0).sum()


def test_threshold_hides_lower_scores_only():
    image = np.full((240, 320, 3), 90, np.uint8)
    boxes = np.array([[20.0, 80, 40, 100], [200.0, 80, 40, 100]])
    drawn = draw_tracks(image, [1, 2], boxes, [0.5, 0.4999], draw_threshold=0.5)
    changed = _changed(image, drawn)
    assert changed[:, :160].any() and not changed[:, 160:].any()


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_nearer_people_are_drawn_over_those_behind(order):
    image = np.full((240, 320, 3), 90, np.uint8)
    ids = np.array([1, 2])
    boxes = np.array([[100.0, 60, 60, 100], [100.0, 60, 60, 150]])  # same top line and label place; 2 is nearer
    drawn = draw_tracks(image, ids[order], boxes[order], np.array([0.8, 0.8]))
    assert tuple(drawn[60, 155]) == track_color(2)
    assert tuple(drawn[47, 101]) == track_color(2)


def test_no_line_crosses_a_label():
    image = np.full((240, 320, 3), 90, np.uint8)
    behind, front = [100.0, 100, 80, 60], [110.0, 60, 100, 160]  # the front box's left side crosses the label behind
    alone = draw_tracks(image, [1], [behind], [0.8])
    both = draw_tracks(image, [1, 2], [behind, front], [0.8, 0.8])
    assert (alone[88:99, 102:140] == both[88:99, 102:140]).all()


@pytest.mark.parametrize(("width", "height"), [(320, 240), (768, 576), (1920, 1080), (3840, 2160)])
def test_sizes_follow_the_picture(width, height):
    image = np.full((height, width, 3), 90, np.uint8)
    box = [width * 0.4, height * 0.4, width * 0.3, height * 0.4]
    changed = _changed(image, draw_tracks(image, [8], [box], [0.88]))
    line = changed[int(height * 0.6), : width // 2].sum()
    label = changed[: int(height * 0.4) - line, round(width * 0.4) + 2 * line].sum()
    assert line >= 1 and 0.002 < line / width < 0.007
    assert label >= 10 and 0.015 < label / height < 0.07


@pytest.mark.parametrize(
    "box",
    [
        [np.nan, 10, 20, 20],
        [10, 10, np.inf, 20],
        [1e308, 10, 1e308, 20],
        [10, 10, 0, 20],
        [10, 10, 20, -5],
        [-50, 10, 50, 20],
        [320, 10, 20, 20],
        [10, 1e9, 20, 20],
    ],
)
def test_invisible_boxes_are_left_out(box):
    image = np.full((240, 320, 3), 90, np.uint8)
    assert (draw_tracks(image, [1], [box], [0.9]) == image).all()


def test_scores_that_are_not_numbers_are_left_out():
    image = np.full((240, 320, 3), 90, np.uint8)
    assert (draw_tracks(image, [1, 2], [[9, 9, 99, 99]] * 2, [np.nan, np.inf]) == image).all()


def test_huge_box_shows_its_visible_side():
    image = np.full((240, 320, 3), 90, np.uint8)
    drawn = draw_tracks(image, [1], [[100.0, -1e9, 1e9, 3e9]], [0.9])
    assert tuple(drawn[200, 100]) == track_color(1)
    assert not _changed(image, drawn)[30:, 110:].any()


def test_nothing_to_draw_gives_a_copy():
    image = np.full((24, 32, 3), 90, np.uint8)
    drawn = draw_tracks(image, np.zeros(0, int), np.zeros((0, 4)), np.zeros(0))
    assert (drawn == image).all() and not np.shares_memory(drawn, image)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (50, 1, 3), (16, 16, 3)])
def test_tiny_pictures(shape):
    image = np.zeros(shape, np.uint8)
    assert draw_tracks(image, [1], [[-5, -5, 50, 50]], [0.9]).shape == shape


def test_pictures_that_are_views():
    image = np.zeros((120, 160, 3), np.uint8)[::-1, ::2]
    image.flags.writeable = False
    assert draw_tracks(image, [1], [[10, 30, 30, 50]], [0.9]).any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(width=64)] * 4), max_size=4),
    st.integers(1, 64),
    st.integers(1, 64),
)
def test_any_box_is_survived(boxes, height, width):
    image = np.zeros((height, width, 3), np.uint8)
    count = len(boxes)
    drawn = draw_tracks(image, np.arange(count), np.array(boxes).reshape(-1, 4), np.full(count, 0.5))
    assert drawn.shape == image.shape
