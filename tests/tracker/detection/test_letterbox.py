"""The network's input: where the image lies in it, what lies around it, and the way back of boxes."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker.detection.backends.network import to_floats
from tracker.detection.letterbox import Letterbox
from tracker.settings.model import LetterboxConfig

HEIGHT, WIDTH = 96, 160
PLACES = ("center", "top_left")


def letterbox_of(place="center", color="BGR", scale=1.0, interpolation="linear", pad_value=114, size=(HEIGHT, WIDTH)):
    return Letterbox(LetterboxConfig(*size, color, scale, place, pad_value, interpolation))


def area_of(transform):
    rows = slice(transform.top, transform.top + transform.height)
    return rows, slice(transform.left, transform.left + transform.width)


SIDE = st.one_of(st.integers(1, 40), st.integers(1, 3000))
LETTERBOX = st.fixed_dictionaries(
    {
        "place": st.sampled_from(PLACES),
        "color": st.sampled_from(["BGR", "RGB"]),
        "interpolation": st.sampled_from(["linear", "area"]),
        "pad_value": st.sampled_from([114, 127.5]),
    }
)


@settings(max_examples=60, deadline=None)
@given(height=SIDE, width=SIDE, options=LETTERBOX)
@example(height=1, width=10000, options={"place": "center", "interpolation": "area"})
@example(height=10000, width=1, options={"place": "top_left", "color": "RGB"})
def test_image_in_its_place_and_padding_around_it(height, width, options):
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colour = (10, 120, 250)
    pixels, transform = letterbox_of(**options)(image)
    assert pixels.shape == (1, HEIGHT, WIDTH, 3) and pixels.dtype == np.uint8 and pixels.flags.c_contiguous

    expected = np.full((HEIGHT, WIDTH, 3), 128 if options.get("pad_value") == 127.5 else 114)
    expected[area_of(transform)] = colour[::-1] if options.get("color") == "RGB" else colour
    np.testing.assert_array_equal(pixels[0], expected)

    # as large as it fits, aspect ratio unchanged but for whole pixels
    assert transform.width == WIDTH or transform.height == HEIGHT
    ratio = min(WIDTH / width, HEIGHT / height)
    assert abs(transform.width - width * ratio) <= 0.5 or transform.width == 1
    assert abs(transform.height - height * ratio) <= 0.5 or transform.height == 1
    right, bottom = WIDTH - transform.left - transform.width, HEIGHT - transform.top - transform.height
    if options["place"] == "center":
        assert 0 <= right - transform.left <= 1 and 0 <= bottom - transform.top <= 1
    else:
        assert transform.left == transform.top == 0 and right >= 0 and bottom >= 0


@settings(max_examples=60, deadline=None)
@given(
    height=SIDE,
    width=SIDE,
    place=st.sampled_from(PLACES),
    share=st.lists(st.tuples(*[st.floats(-0.5, 1.5)] * 4), min_size=1, max_size=5),
)
def test_boxes_find_their_way_back(height, width, place, share):
    _, transform = letterbox_of(place)(np.zeros((height, width, 3), np.uint8))
    boxes = np.array(share) * [width, height, width, height]
    scale = np.array([transform.width / width, transform.height / height] * 2)
    inside = boxes * scale + [transform.left, transform.top] * 2
    np.testing.assert_allclose(transform.to_image(inside), boxes, atol=1e-6)
    # and within the pixel that rounding costs in the network's input
    assert (np.abs(transform.to_image(inside.round()) - boxes) <= 0.5 / scale + 1e-6).all()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (700, 333), (60, 100)])
def test_a_bright_patch_is_found_where_it_is(size, place):
    height, width = size
    box = np.array([width // 5, height // 4, width // 2, height - 9])
    image = np.zeros((height, width, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    pixels, transform = letterbox_of(place, pad_value=0, size=(304, 544))(image)
    row, column = np.nonzero(pixels[0, :, :, 1] > 127)
    found = transform.to_image(np.array([[column.min(), row.min(), column.max() + 1, row.max() + 1]]))
    pixel = max(1 / transform.scale_x, 1 / transform.scale_y)
    assert np.abs(found - box).max() <= pixel


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=2, max_size=6),
    place=st.sampled_from(PLACES),
)
def test_nothing_stays_of_the_images_before(sizes, place):
    random = np.random.default_rng(1)
    used = letterbox_of(place)
    for size in sizes:
        image = random.integers(0, 256, (*size, 3), np.uint8)
        pixels, transform = used(image)
        fresh, expected = letterbox_of(place)(image)
        assert transform == expected
        np.testing.assert_array_equal(pixels, fresh)


def test_pixels_become_the_floats_of_the_graph():
    pixels = np.random.default_rng(3).integers(0, 256, (1, 5, 7, 3), np.uint8)
    floats = to_floats(pixels, 1 / 255)
    assert floats.shape == (1, 3, 5, 7) and floats.dtype == np.float32 and floats.flags.c_contiguous
    np.testing.assert_allclose(floats[0, 2, 4], pixels[0, 4, :, 2] / 255, rtol=1e-6)
    kept = np.empty((1, 3, 5, 7), np.float32)
    assert to_floats(pixels, 1.0, kept) is kept
    np.testing.assert_array_equal(kept.transpose(0, 2, 3, 1), pixels)


def test_the_buffer_is_kept_and_the_image_left_as_it_was():
    letterbox = letterbox_of()
    image = np.random.default_rng(2).integers(0, 256, (50, 70, 3), np.uint8)
    before = image.copy()
    assert letterbox(image)[0] is letterbox(image)[0]
    np.testing.assert_array_equal(image, before)
    turned = np.asfortranarray(image)  # memory in another order gives the same
    np.testing.assert_array_equal(letterbox_of()(turned)[0], letterbox(image)[0])


def test_buffers_take_turns_and_each_knows_its_padding():
    """Images of two shapes in turn, then one of them twice: no buffer keeps a strip of the image before."""
    config = letterbox_of(place="top_left").config
    wide, tall = np.full((20, 90, 3), 7, np.uint8), np.full((90, 20, 3), 9, np.uint8)
    several, one = Letterbox(config, buffers=2), Letterbox(config)
    before = None
    for image in (wide, tall, tall, wide, wide, wide, tall, wide, tall, tall):
        pixels, transform = several(image)
        expected, same = one(image)
        assert transform == same
        np.testing.assert_array_equal(pixels, expected)
        assert pixels is not before, "the network may still be reading it"
        before = pixels
