"""How canvases are made: what is drawn lies under its box, and what is cut off or pasted in is known as such."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from training.data.augment import (
    LEAST_SIDE,
    PAD,
    VISIBLE,
    Canvas,
    draw_frame,
    find_place,
    paste,
    recolor,
    transform_boxes,
)
from training.data.samples import NOBODY, make_sample
from training.settings import AugmentSettings

SEED = st.integers(0, 2**32 - 1)
RED = (0, 0, 255)
BACK = (200, 0, 0)
PLAIN = AugmentSettings(scale=(0.5, 1.6), reference=(96, 160), rotation=0, color=0, hue=0, dusk=0, blur=0)


def sample_with(boxes, size=(120, 200), identities=None, ignored=None):
    """A picture with red rectangles where the boxes are."""
    image = np.full((*size, 3), BACK, np.uint8)
    for left, top, right, bottom in boxes:
        image[top:bottom, left:right] = RED
    return make_sample(Path("drawn.png"), image, boxes, identities, ignored)


def red_share(image):
    """[H, W] how red each pixel is, from 0 for the background and grey to 1."""
    image = image.astype(np.float64)
    return ((image[:, :, 2] - image[:, :, 1]) / 255).clip(0)


def extent(mass):
    """Left, top, right, bottom of an upright rectangle, from the share of it in each pixel."""
    columns, rows = mass.max(axis=0), mass.max(axis=1)
    return [columns.argmax(), rows.argmax(), len(columns) - columns[::-1].argmax(), len(rows) - rows[::-1].argmax()]


def drawn(sample, seed, settings=PLAIN, size=(96, 160), tile=None, vectors=None):
    canvas = Canvas.empty(*size, 2)
    vectors = np.ones((len(sample.boxes), 2), np.float32) if vectors is None else vectors
    draw_frame(canvas, tile or (0, 0, size[1], size[0]), sample, vectors, settings, np.random.default_rng(seed))
    return canvas


@settings(max_examples=150, deadline=None)
@given(seed=SEED, flip=st.booleans(), large=st.booleans(), left=st.integers(0, 150), top=st.integers(0, 70))
def test_what_is_drawn_lies_under_its_box(seed, flip, large, left, top):
    box, factor = [left, top, left + 45, top + 49], 4 if large else 1  # the large picture is halved first
    sample = sample_with([[factor * side for side in box]], (factor * 120 + large, factor * 200 + large))
    canvas = drawn(sample, seed, dataclasses.replace(PLAIN, flip=float(flip)))
    red = red_share(canvas.image)
    if not len(canvas.boxes):
        assert red.sum() < 100
        return
    found = np.array(extent(red > 0.5))
    assert np.abs(found - canvas.boxes[0]).max() < 1.5
    width, height = canvas.boxes[0, 2:] - canvas.boxes[0, :2]
    assert red.sum() == pytest.approx(width * height, abs=1.5 * (width + height))


def test_mirrored_or_not_a_box_is_exact_on_average():
    """No half pixel is lost on the way, which would teach the network to shift its boxes."""
    sample = sample_with([[70, 40, 110, 80]])
    for flip in (0.0, 1.0):
        kept = dataclasses.replace(PLAIN, flip=flip)
        errors = []
        for seed in range(80):
            canvas = drawn(sample, seed, kept)
            mass = red_share(canvas.image)
            if len(canvas.boxes) and (canvas.boxes[0] > 1).all() and (canvas.boxes[0, 2:] < [159, 95]).all():
                y, x = (np.mgrid[:96, :160] + 0.5) * mass / mass.sum()
                errors.append([x.sum(), y.sum()] - canvas.boxes[0].reshape(2, 2).mean(axis=0))
        assert len(errors) > 20 and np.abs(np.mean(errors, axis=0)).max() < 0.1


@pytest.mark.parametrize(("factor", "odd"), [(1, 0), (2, 1), (4, 0), (0.5, 0)])
def test_a_frame_is_scaled_to_the_size_it_has_in_use(factor, odd):
    """Whether it is large, and halved first, or small: it fills a canvas of the reference size, and no more."""
    exact = dataclasses.replace(PLAIN, scale=(1, 1))
    box = np.array([40, 20, 60, 70]) * factor
    size = (int(96 * factor) + odd, int(160 * factor) + odd)
    plain = drawn(sample_with([box.astype(int)], size), 1, dataclasses.replace(exact, flip=0))
    np.testing.assert_allclose(plain.boxes, [[40, 20, 60, 70]], atol=0.6 if odd else 1e-3)
    inner = plain.image[1:-1, 1:-1]
    assert not (inner == PAD).all(axis=2).any(), "nothing beside it"
    mirrored = drawn(sample_with([box.astype(int)], size), 1, dataclasses.replace(exact, flip=1))
    np.testing.assert_allclose(mirrored.boxes, [[100, 20, 120, 70]], atol=1.2 if odd else 1e-3)
    if not odd:
        difference = mirrored.image[:, ::-1].astype(int) - plain.image
        assert np.abs(difference).max() <= 8, "but for noise of the recoloring"


@settings(max_examples=60, deadline=None)
@given(seed=SEED, rotation=st.floats(0, 10))
def test_a_turned_person_is_under_the_box(seed, rotation):
    canvas = drawn(sample_with([[80, 30, 110, 90]]), seed, dataclasses.replace(PLAIN, rotation=rotation))
    if not len(canvas.boxes) or canvas.ignored[0]:
        return
    red = red_share(canvas.image)
    left, top, right, bottom = np.rint(canvas.boxes[0]).astype(int)
    assert red[top:bottom, left:right].sum() > 0.8 * red.sum() and red[top:bottom, left:right].mean() > 0.75


@settings(max_examples=80, deadline=None)
@given(
    seed=SEED,
    angle=st.floats(-180, 180),
    scale=st.floats(0.1, 4),
    flip=st.booleans(),
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
def test_boxes_move_as_their_points(seed, angle, scale, flip, shift):
    random = np.random.default_rng(seed)
    corner, side = random.uniform(-50, 300, (5, 2)), random.uniform(1, 100, (5, 2))
    boxes = np.concatenate([corner, corner + side], axis=1)
    matrix = cv2.getRotationMatrix2D((0, 0), angle, scale)
    matrix[:, 2] = shift
    if flip:
        matrix[0] *= -1
    moved = transform_boxes(boxes, matrix)
    middle = np.concatenate([corner + side / 2, np.ones((5, 1))], axis=1) @ matrix.T
    np.testing.assert_allclose((moved[:, :2] + moved[:, 2:]) / 2, middle, atol=1e-3)
    np.testing.assert_allclose(moved[:, 2:] - moved[:, :2], side * scale, rtol=1e-3, atol=1e-3)


@settings(max_examples=100, deadline=None)
@given(seed=SEED, x=st.integers(40, 120), y=st.integers(30, 70), place=st.integers(0, 3))
def test_tiles_keep_to_themselves(seed, x, y, place):
    left, top, right, bottom = [(0, 0, x, y), (x, 0, 160, y), (0, y, x, 96), (x, y, 160, 96)][place]
    boxes = [[10, 10, 60, 100], [90, 0, 110, 60], [150, 50, 199, 119]]
    canvas = drawn(sample_with(boxes), seed, AugmentSettings(reference=(96, 160)), tile=(left, top, right, bottom))
    assert (canvas.boxes >= [left, top, left, top]).all() and (canvas.boxes <= [right, bottom, right, bottom]).all()
    assert ((canvas.boxes[:, 2:] - canvas.boxes[:, :2]) > 1).all()
    outside = np.ones((96, 160), bool)
    outside[top:bottom, left:right] = False
    assert (canvas.image[outside] == PAD).all()


@settings(max_examples=100, deadline=None)
@given(seed=SEED)
def test_people_cut_off_are_ignored_and_lose_identity_and_vector(seed):
    """How much is cut off shows in the aspect ratio, at least when it is cut on one side alone."""
    boxes = [[0, 0, 60, 60], [70, 30, 100, 119], [120, 60, 200, 120], [100, 4, 104, 12]]
    sample = sample_with(boxes, identities=[5, 6, 7, 8])
    near = dataclasses.replace(PLAIN, scale=(1.5, 4))
    canvas = drawn(sample, seed, near)
    columns = (canvas.boxes, canvas.identities, canvas.ignored, canvas.teacher_embeddings)
    for box, identity, ignored, vector in zip(*columns):
        assert (identity == NOBODY) == ignored, "all of these people are known while they are seen"
        if ignored:
            assert not vector.any()
        if identity == NOBODY:
            continue
        number = identity - 5
        width, height = box[2:] - box[:2]
        assert min(width, height) >= LEAST_SIDE - 1e-3
        aspect = (boxes[number][2] - boxes[number][0]) / (boxes[number][3] - boxes[number][1])
        least = min(width / height / aspect, aspect * height / width)
        if least < 0.79:
            assert not vector.any()
        inner = (box[:2] > 0.01).all() and (box[2:] < [159.99, 95.99]).all()
        if inner:
            assert vector.all()
        assert least >= VISIBLE - 0.01 or not inner


@pytest.mark.parametrize(
    ("hidden", "ignored", "taught"),
    [(0.1, False, True), (0.3, False, False), (0.55, False, False), (0.65, True, False)],
)
def test_how_much_of_a_person_must_be_seen(hidden, ignored, taught):
    """The picture fits the tile exactly; a part of the person lies beyond it."""
    width = 40
    inside = round(width * (1 - hidden))
    box = [160 - inside, 10, 160 - inside + width, 90]
    sample = make_sample(Path("x"), np.zeros((96, 160, 3), np.uint8), [box], [3])
    canvas = drawn(sample, 0, dataclasses.replace(PLAIN, scale=(1, 1), flip=0))
    assert canvas.boxes.tolist() == [[160 - inside, 10, 160, 90]]
    assert canvas.ignored.tolist() == [ignored] and canvas.identities.tolist() == [NOBODY if ignored else 3]
    assert canvas.teacher_embeddings.any() == taught


def test_ignored_boxes_stay_ignored_and_the_rest_of_a_tile_is_exactly_grey():
    sample = sample_with([[50, 20, 90, 80], [120, 20, 160, 80]], ignored=[False, True], identities=[1, -1])
    for seed in range(30):
        canvas = drawn(sample, seed, AugmentSettings(scale=(0.2, 0.5), reference=(96, 160), rotation=0, color=1))
        assert canvas.ignored.tolist() == [False, True]
        rows, columns = np.nonzero((canvas.image != PAD).any(axis=2))
        assert len(rows) < 0.3 * canvas.image.shape[0] * canvas.image.shape[1]
        # the picture is one upright rectangle of at most half the tile's sides
        assert np.ptp(rows) <= 49 and np.ptp(columns) <= 82


@settings(max_examples=100, deadline=None)
@given(seed=SEED, hidden=st.sampled_from([0, 0.15, 0.5, 1]))
@example(seed=2822, hidden=0.5)  # one of the people drawn lies beyond the border
def test_pasted_people_hide_no_more_of_anybody_than_they_may(seed, hidden):
    rng = np.random.default_rng(seed)
    canvas = drawn(sample_with([[10, 10, 60, 100], [90, 0, 110, 60]]), seed)
    kept, drawn_people = dataclasses.replace(PLAIN, pasted_height=(20, 60), hidden=hidden), len(canvas.boxes)
    for number in range(12):
        before = dataclasses.replace(canvas, image=canvas.image.copy(), hidden=canvas.hidden.copy())
        crop = np.full((30, 12, 3), 250, np.uint8)
        vector = np.full(2, number, np.float32)
        place = find_place(canvas, kept, rng)
        if place is None or not paste(canvas, place, crop, 40 + number, vector, kept, rng):
            assert len(canvas.boxes) == len(before.boxes)
            np.testing.assert_array_equal(canvas.image, before.image)
            np.testing.assert_array_equal(canvas.hidden, before.hidden)
            continue
        assert (canvas.identities[-1], canvas.ignored[-1]) == (40 + number, True)
        assert (canvas.teacher_embeddings[-1] == number).all()
        left, top, right, bottom = canvas.boxes[-1].astype(int)
        assert (left, top) >= (0, 0) and right <= 160 and bottom <= 96 and 20 <= bottom - top <= 60
        changed = (canvas.image != before.image).any(axis=2)
        changed[top:bottom, left:right] = False
        assert not changed.any()
    for i, person in enumerate(canvas.boxes):
        shares = [share_within(person, other) for other in canvas.boxes[max(i + 1, drawn_people) :]]
        assert canvas.hidden[i] == pytest.approx(sum(shares), abs=1e-4) and sum(shares) <= hidden + 1e-4


def share_within(box, other):
    sides = (np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])).clip(0)
    return sides.prod() / (box[2:] - box[:2]).prod()


def test_where_much_may_be_hidden_more_find_room():
    def count(hidden):
        rng, kept = np.random.default_rng(1), dataclasses.replace(PLAIN, pasted_height=(20, 60), hidden=hidden)
        canvas = Canvas.empty(96, 160, 0)
        for _ in range(300):
            place = find_place(canvas, kept, rng)
            if place is not None:
                paste(canvas, place, np.full((30, 12, 3), 250, np.uint8), 0, np.zeros(0, np.float32), kept, rng)
        return len(canvas.boxes), float(canvas.hidden.max())

    assert count(0)[0] < count(0.5)[0]
    assert count(0)[1] == 0 and 0.3 < count(0.5)[1] <= 0.5


def test_a_crop_larger_than_the_canvas_is_not_pasted():
    canvas, rng = Canvas.empty(64, 64, 0), np.random.default_rng(0)
    assert find_place(canvas, dataclasses.replace(PLAIN, pasted_height=(64, 320)), rng) is None
    place = find_place(canvas, dataclasses.replace(PLAIN, pasted_height=(40, 60)), rng)
    wide = np.zeros((20, 90, 3), np.uint8)
    assert not paste(canvas, place, wide, 0, np.zeros(0, np.float32), PLAIN, rng)
    assert len(canvas.boxes) == 0 and (canvas.image == PAD).all()


def test_a_pasted_crop_keeps_its_proportions_and_the_middle_of_its_place():
    canvas, rng = Canvas.empty(200, 300, 0), np.random.default_rng(0)
    for proportion in (0.3, 0.5, 0.8):
        place = np.array([100, 20, 150, 120], np.float32)
        canvas.boxes, canvas.hidden = canvas.boxes[:0], canvas.hidden[:0]
        assert paste(canvas, place, np.zeros((100, int(100 * proportion), 3), np.uint8), 0, np.zeros(0), PLAIN, rng)
        left, top, right, bottom = canvas.boxes[-1]
        assert (top, bottom) == (20, 120) and abs((left + right) / 2 - 125) <= 1
        assert 0.89 * proportion <= (right - left) / 100 <= 1.1 * proportion


@settings(max_examples=60, deadline=None)
@given(seed=SEED, height=st.integers(1, 40), width=st.integers(1, 40), strength=st.floats(0, 1))
def test_recolor_keeps_the_form_of_an_image(seed, height, width, strength):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = image.copy()
    changed = recolor(image, AugmentSettings(color=strength, dusk=0.5, blur=0.5, hue=20), rng)
    assert changed.shape == image.shape and changed.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


def test_recolor_without_strength_changes_next_to_nothing():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    noisy = 0
    for seed in range(40):
        difference = recolor(image, PLAIN, np.random.default_rng(seed)).astype(float) - image
        assert abs(difference.mean()) < 1
        noisy += np.abs(difference).max() > 5
    assert 3 < noisy < 25, "three in ten get noise"


def test_recolor_with_strength_changes_a_lot():
    image = np.full((8, 8, 3), (40, 120, 200), np.uint8)
    means = [recolor(image, AugmentSettings(), np.random.default_rng(seed)).mean(axis=(0, 1)) for seed in range(40)]
    assert (np.std(means, axis=0) > 15).all()


@settings(max_examples=60, deadline=None)
@given(seed=SEED, strength=st.floats(0, 1))
def test_what_is_lighter_stays_lighter(seed, strength):
    """No number goes over the edge from white to black."""
    ramp = np.tile(np.arange(0, 256, dtype=np.uint8)[None, :, None], (64, 1, 3))
    changed = recolor(ramp, AugmentSettings(color=strength, dusk=0.5, hue=0), np.random.default_rng(seed))
    assert np.diff(changed.astype(float).mean(axis=(0, 2))).min() > -8
