"""Made-up pictures: what they are made of, who hides whom, and that chance alone does not decide."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.training.packed_sets import make_cutout
from training.data import composed, looks
from training.data.composed import Cutout, Material, compose

HEIGHT, WIDTH = 96, 168


def noise(*size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def person(height=60, weight=1.0):
    image, mask = make_cutout(height, height * 2 // 5)
    return Cutout(image, np.uint8(mask * 255), weight)


MATERIAL = Material([noise(120, 90), noise(70, 200, seed=1)], [noise(60, 80, seed=2)], [person(), person(90, 0.2)])


def made(seed, material=MATERIAL, height=HEIGHT, width=WIDTH):
    return compose(material, height, width, np.random.default_rng(seed))


def test_a_seed_makes_the_same_picture_again():
    for seed in range(5):
        first, again = made(seed), made(seed)
        for name in ("image", "boxes", "visible"):
            np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert (made(seed + 1).image != first.image).any()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(64, 160), st.integers(64, 160)),
    picture=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    of_clip=st.booleans(),
)
def test_boxes_lie_inside_whatever_the_sizes(seed, size, picture, of_clip):
    images = [noise(*picture)]
    material = Material([] if of_clip else images, images if of_clip else [], [person(40)])
    result = made(seed, material, *size)
    assert result.image.shape == (*size, 3) and result.image.dtype == np.uint8
    assert len(result.boxes) == len(result.visible) < 40
    assert ((result.boxes[:, :2] >= 0) & (result.boxes[:, 2:] <= size[::-1])).all()
    assert (result.boxes[:, 2:] - result.boxes[:, :2] >= composed.LEAST_SHOWN[::-1]).all()
    assert ((result.visible >= 0) & (result.visible <= 1)).all()


def test_crowds_and_empty_streets_in_perspective():
    results = [made(seed) for seed in range(30)]
    counts = [len(result.boxes) for result in results]
    assert 0 in counts and max(counts) > 20
    assert any((result.visible < 0.5).sum() > 5 for result in results), "they hide each other"
    assert all((np.diff(result.boxes[:, 3]) >= 0).all() for result in results), "the farthest are pasted first"
    trends = []
    for result in results:
        whole = result.boxes[(result.boxes[:, 3] < HEIGHT) & (result.boxes[:, 1] > 0)]
        tall = whole[:, 3] - whole[:, 1]
        if len(whole) > 8 and tall.std() > 1:  # not all at the least height
            trends.append(np.corrcoef(whole[:, 3], tall)[0, 1])
    assert len(trends) > 5 and np.median(trends) > 0.6, "who is nearer stands lower and is taller"


def canvas_with(*places, height=40):
    canvas = composed._Canvas(np.full((100, 100, 3), 200, np.float32))
    mask = np.zeros((height, 20), np.float32)
    mask[:, 5:15] = 1
    for x, foot in places:
        canvas.paste(np.zeros((height, 20, 3), np.float32), mask, x, foot)
    return canvas


def test_the_last_one_hides_those_before():
    boxes, visible = canvas_with((50, 60), (55, 70), (20, 60)).people()
    np.testing.assert_array_equal(boxes, [[45, 21, 55, 61], [50, 31, 60, 71], [15, 21, 25, 61]])
    np.testing.assert_allclose(visible, [1 - 5 * 30 / 400, 1, 1])


def test_a_box_holds_all_that_was_painted():
    canvas = canvas_with((98, 110))
    (box,), (visible,) = canvas.people()
    np.testing.assert_array_equal(box, [93, 71, 100, 100])
    assert visible == pytest.approx(7 * 29 / 400)
    rows, columns = np.nonzero(canvas.image[..., 0] < 200)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (71, 100, 93, 100)


def test_who_would_not_be_seen_is_not_there():
    assert len(canvas_with((-20, 50), (50, 142), (108, 50)).people()[0]) == 0


def test_people_of_few_pixels_are_not_blown_up():
    small, large = person(20), person(200)
    large.image[:] = (0, 255, 0)
    material = Material([noise(50, 50)], [], [small] * 30 + [large])
    taken = []
    dressed = composed._dressed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            composed, "_dressed", lambda who, tall, *rest: taken.append((who, tall)) or dressed(who, tall, *rest)
        )
        for seed in range(12):
            made(seed, material, 200, 200)
    assert {id(who) for who, tall in taken if tall > 60} == {id(large)}
    assert sum(who is small for who, _ in taken) > len(taken) / 3


def test_people_of_clips_are_taken_less_often():
    still, moving = person(), person(weight=composed.MOVING)
    material = Material([noise(50, 50)], [], [still] * 5 + [moving] * 5)
    taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composed, "_dressed", lambda who, *_: taken.append(who is moving) or (who.image, who.mask / 255))
        for seed in range(30):
            made(seed, material)
    assert len(taken) > 200 and np.mean(taken) == pytest.approx(0.15 / 1.15, abs=0.06)


@pytest.mark.parametrize("kind", [0.0, 0.6, 0.9], ids=["colour", "pattern", "hue"])
def test_clothes_change_where_the_person_is_and_nowhere_else(monkeypatch, kind):
    class Chance:
        random = staticmethod(lambda: kind)
        beta = staticmethod(lambda *_: 0.9)
        integers = staticmethod(lambda *_: 60)
        uniform = staticmethod(lambda low, high: high)

    image, mask = make_cutout(100, 40)
    image[:, :20] //= 2
    changed = looks._exchange(image.astype(np.float32), mask, 0.2, 0.6, lambda h, w: noise(h, w), Chance)
    worn = np.zeros(mask.shape, bool)
    worn[22:58] = mask[22:58] > 0
    assert np.abs(changed - image)[worn].max(axis=1).mean() > 20
    outside = mask == 0
    outside[:18], outside[62:] = True, True
    np.testing.assert_array_equal(changed[outside], image[outside])
    if kind == 0.9:
        assert np.ptp(changed[worn], axis=1).mean() > 60, "as full a colour as before"
    if kind != 0.6:
        row = changed[40][mask[40] > 0].mean(axis=1)
        assert row[-1] > row[0], "light and shadow stay"


def test_colours_are_of_any_hue():
    random = np.random.default_rng(0)
    colours = np.uint8([[looks.random_colour(random) for _ in range(200)]])
    hues = np.bincount(cv2.cvtColor(colours, cv2.COLOR_BGR2HSV)[0, :, 0] // 30, minlength=6)
    assert (hues > 10).all()


def test_a_picture_stays_the_same_picture_in_other_light():
    image = np.float32(cv2.resize(noise(6, 8), (160, 120)))
    differences, likenesses = [], []
    for seed in range(40):
        changed = looks.change_picture(image, np.random.default_rng(seed))
        assert changed.shape == image.shape and changed.dtype == np.uint8
        differences.append(np.abs(changed - image).mean())
        likenesses.append(np.corrcoef(changed.mean(axis=2).ravel(), image.mean(axis=2).ravel())[0, 1])
    assert min(differences) > 1 and max(differences) > 20 and min(likenesses) > 0.85
