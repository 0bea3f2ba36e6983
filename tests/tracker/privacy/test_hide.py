"""What is left of people in a picture: blocks, or nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.privacy.hide import BLOCKS, COLOR, HOW, covered, hide

BOX = np.array([[60.0, 60, 60, 150]])


@pytest.fixture(scope="module")
def picture(clip_frames):
    return clip_frames[0]


def details(image, mask):
    """What is left of a picture where a mask is, once the mean of every 8 x 8 pixels is taken away."""
    blocks = image.astype(float).mean(2)
    small = blocks[: blocks.shape[0] // 8 * 8, : blocks.shape[1] // 8 * 8].reshape(blocks.shape[0] // 8, 8, -1, 8)
    rough = small.mean(axis=(1, 3), keepdims=True) + 0 * small
    return (blocks - rough.reshape(small.shape[0] * 8, -1))[mask]


@pytest.mark.parametrize("how", HOW)
def test_of_a_person_there_are_few_values_and_no_details(picture, how):
    given = picture.copy()
    hidden = hide(picture, BOX, how)
    mask = covered(picture.shape[:2], BOX, how)
    assert (picture == given).all() and (hidden[~mask] == picture[~mask]).all()
    values = np.unique(hidden[mask], axis=0)
    assert len(values) <= BLOCKS * BLOCKS
    if how == "solid":
        assert (values == COLOR).all()
    else:
        assert abs(np.corrcoef(details(hidden, mask), details(picture, mask))[0, 1]) < 0.35
        assert len(values) > 4


@pytest.mark.parametrize("how", HOW)
def test_the_head_is_hidden_whatever_is_hidden(picture, how):
    mask = covered(picture.shape[:2], BOX, how)
    left, top, width, height = BOX[0]
    head = mask[
        int(top) : int(top + height / 7), int(left + width / 2 - height / 16) : int(left + width / 2 + height / 16)
    ]
    assert head.all()
    legs = mask[int(top + height * 0.6) : int(top + height), int(left) : int(left + width)]
    assert not legs.any() if how == "head" else legs.all()


def test_where_people_overlap_nobody_shows_through(picture):
    both = np.array([[60.0, 60, 60, 150], [90, 70, 60, 150]])
    mask = covered(picture.shape[:2], both, "body")
    hidden = hide(picture, both, "body")
    assert len(np.unique(hidden[mask], axis=0)) <= 2 * BLOCKS * BLOCKS
    one, other = (covered(picture.shape[:2], box[None], "body") for box in both)
    assert (mask == one | other).all()


@settings(max_examples=80, deadline=None)
@given(
    boxes=st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True, width=32)] * 4), max_size=4),
    how=st.sampled_from(HOW),
)
def test_any_boxes_are_taken(boxes, how):
    picture = np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)
    hidden = hide(picture, np.array(boxes, float).reshape(-1, 4), how)
    assert hidden.shape == picture.shape and hidden.dtype == np.uint8
    everywhere = hide(picture, np.array([[-100, -100, 1e4, 1e5]]), how)
    assert len(np.unique(everywhere.reshape(-1, 3), axis=0)) <= BLOCKS * BLOCKS
