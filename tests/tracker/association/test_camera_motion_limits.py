"""The camera's motion where it cannot be told: cuts, blank pictures, crowds, odd sizes and boxes, memory."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.camera_views import (
    NOBODY,
    assert_same_motion,
    estimates,
    noisy,
    resized,
    similarity,
    warped,
)
from tracker.association import camera_motion
from tracker.association.camera_motion import CameraMotion

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def frame(clip_frames):
    return clip_frames[0]


def test_a_cut(frame):
    size = frame.shape[:2]
    other = np.ascontiguousarray(frame[::-1, ::-1])
    shift = similarity(size, 8, -3)
    found = estimates([frame, warped(frame, shift), other, warped(other, shift), warped(other, shift)])
    assert found[0] is found[2] is found[4] is None
    assert_same_motion(found[1], shift, size)
    assert_same_motion(found[3], shift, size)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_frame(frame, value):
    blank = np.full_like(frame, value)
    shift = similarity(frame.shape[:2], 8, -3)
    *rest, found = estimates([frame, blank, blank, frame, warped(frame, shift)])
    assert rest == [None] * 4
    assert_same_motion(found, shift, frame.shape[:2])


def test_noise_alone(frame):
    pure = [noisy(np.full_like(frame, 128), i, 60) for i in range(6)]
    faint = [noisy(np.full_like(frame, 128), i, 3) for i in range(6)]
    assert estimates(pure + faint) == [None] * 12


def test_without_texture():
    ramp = np.broadcast_to(np.linspace(0, 255, 640)[:, None], (480, 640, 3)).astype(np.uint8)
    stripes = np.zeros((480, 640, 3), np.uint8)
    stripes[:, ::40] = stripes[:, 1::40] = 255  # where motion along the stripes cannot be seen
    for image in (ramp, stripes):
        shift = similarity(image.shape[:2], 0, 4)
        assert estimates([image, image, warped(image, shift), image]) == [None] * 4


def test_corners_are_where_corners_are():
    picture = np.full((216, 384), 90, np.uint8)
    squares = [(33, 41), (75, 150), (222, 18), (301, 189), (350, 90)]  # left, top
    for left, top in squares:
        picture[top : top + 12, left : left + 12] = 200
    background = np.ones(picture.shape, bool)
    background[80:110, 340:370] = False
    corners = camera_motion._find_corners(picture, background)
    tips = np.array([(x + dx, y + dy) for x, y in squares[:-1] for dx in (0, 11) for dy in (0, 11)])
    far = np.abs(corners[:, None] - tips).max(axis=2)
    assert far.min(axis=1).max() <= 2 and (far <= 2).any(axis=0).reshape(-1, 4).any(axis=1).all()


def test_a_few_things_on_a_blank_wall(frame):
    wall = np.full_like(frame, 120)
    for left, top in [(100, 100), (600, 130), (380, 400)]:
        wall[top : top + 20, left : left + 20] = frame[:20, :20] // 2
    assert estimates([wall, warped(wall, similarity(wall.shape[:2], 6, 6))]) == [None, None]


def test_near_and_far_move_differently(frame):
    """Parallax: the similarity is true for few corners, but the few of a caption do not make the camera a still one."""
    size = frame.shape[:2]
    images = [frame.copy(), warped(frame, similarity(size, 6, 0))]
    near = warped(frame, similarity(size, 10, 0))
    for left in range(0, 768, 64):
        images[1][:, left : left + 32] = near[:, left : left + 32]
    for image in images:
        for bottom in (30, 560):
            cv2.putText(image, "2009-06-25 13:57:10", (20, bottom), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
    assert_same_motion(estimates(images)[1], similarity(size, 8, 0), size, 3.0)


def test_strips_that_move_apart(frame):
    """The motion of a few is not the camera's."""
    image = frame.copy()
    for i, left in enumerate(range(0, 768, 128)):
        apart = warped(frame, similarity(frame.shape[:2], 0, 12 * (i - 2.5)))
        image[:, left : left + 128] = apart[:, left : left + 128]
    assert estimates([frame, image]) == [None, None]


@pytest.mark.parametrize("motion", [{"zoom": 1.25}, {"zoom": 0.78}, {"turn": 0.24}, {"turn": -0.24}])
def test_what_no_camera_does_is_refused(frame, motion):
    size = frame.shape[:2]
    image = warped(frame, similarity(size, **motion))
    shift = similarity(size, 5, 5)
    first, refused, found = estimates([frame, image, warped(image, shift)])
    assert first is None and refused is None
    assert_same_motion(found, shift, size)  # and followed on from there


def test_another_size_starts_anew(frame):
    size = (360, 480)
    small = resized(frame, size)
    turned = np.ascontiguousarray(small.transpose(1, 0, 2))
    shift = similarity(size, 6, 3)
    found = estimates([frame, small, warped(small, shift), turned, frame, frame])
    assert [motion is None for motion in found] == [True, True, False, True, True, True]
    assert_same_motion(found[2], shift, size)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=4),
    repeats=st.integers(1, 3),
)
@example(sizes=[(1, 1)], repeats=3)
@example(sizes=[(1, 5000), (5000, 1), (2, 3000)], repeats=2)
@example(sizes=[(32, 32), (25, 60)], repeats=2)
def test_tiny_images(sizes, repeats):
    camera = CameraMotion()
    random = np.random.default_rng(0)
    for height, width in sizes:
        for _ in range(repeats):
            image = random.integers(0, 256, (height, width, 3), np.uint8)
            assert camera.estimate(image, np.array([[0, 0, width / 2, height]])) is None


ANY = st.one_of(st.floats(-2000, 3000), st.floats(allow_nan=True, allow_infinity=True))


@settings(max_examples=25, deadline=None)
@given(boxes=st.lists(st.tuples(ANY, ANY, ANY, ANY), max_size=6))
@example(boxes=[(0, 0, np.nan, 576), (-np.inf, 0, np.inf, 576), (1e300, -1e300, 1e308, 1e300)])
@example(boxes=[(500, 500, 100, 100), (-900, -900, -10, -10), (800, 10, 900, 50), (30, 30, 30, 30)])
def test_odd_boxes(frame, boxes):
    """Nothing but a covered background keeps the motion from being found."""
    size = frame.shape[:2]
    shift = similarity(size, 9, 4)
    people = np.array(boxes).reshape(-1, 4)
    camera = CameraMotion()
    camera.estimate(frame, people)
    found = camera.estimate(warped(frame, shift), people)
    seen = np.ones(size, bool)
    for left, top, right, bottom in boxes:
        if np.isfinite([left, top, right, bottom]).all():
            left, top, right, bottom = (round(min(max(0, value), 768)) for value in (left, top, right, bottom))
            seen[top:bottom, left:right] = False
    if found is not None:
        assert_same_motion(found, shift, size, 3.0)
    else:
        assert seen.mean() < 0.5


@pytest.mark.parametrize("boxes", [[], np.empty((0, 4), np.float32), np.array([[1, 2, 30, 40]]), [(1, 2, 30, 40)]])
def test_boxes_of_any_type(frame, boxes):
    shift = similarity(frame.shape[:2], 9, 4)
    assert_same_motion(estimates([frame, warped(frame, shift)], boxes)[1], shift, frame.shape[:2])


def test_people_before_all_of_it(frame):
    size = frame.shape[:2]
    shift = similarity(size, 7, 7)
    images = [frame, warped(frame, shift), frame, warped(frame, shift), frame]
    everywhere = np.array([[-5, -5, 800, 600]])
    people = [NOBODY, everywhere, everywhere, NOBODY, NOBODY]
    for still in (0, 2):
        camera = CameraMotion()
        assert [camera.estimate(frame, NOBODY) for _ in range(still)] == [None] * still
        *before, found = (camera.estimate(*pair) for pair in zip(images, people, strict=True))
        assert before == [None] * 4
        assert_same_motion(found, similarity(size, -7, -7), size)


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[:, ::-1],
        lambda image: image[::-1],
        lambda image: image[..., ::-1],
        lambda image: image[::2, ::2],
        lambda image: image[50:450, 100:600],
        lambda image: np.asfortranarray(image),
        lambda image: image.transpose(1, 0, 2),
    ],
)
def test_memory_in_another_order(frame, view):
    images = [frame, warped(frame, similarity(frame.shape[:2], 6, 4))]
    views = [view(image) for image in images]
    for image in views:
        image.flags.writeable = False
    expected = estimates([np.ascontiguousarray(image) for image in views])[1]
    assert expected is not None
    np.testing.assert_array_equal(estimates(views)[1], expected)


def test_the_caller_may_use_the_image_and_boxes_again(frame):
    """A decoder may write each frame into the same memory."""
    small = resized(frame, (180, 240))  # which is not shrunk
    for image in (small, frame):
        shift = similarity(image.shape[:2], 5, 3)
        expected = estimates([image, warped(image, shift)])[1]
        camera, memory, people = CameraMotion(), image.copy(), np.array([[10.5, 20, 40, 60]])
        camera.estimate(memory, NOBODY)
        np.testing.assert_array_equal(memory, image)
        memory[:] = warped(image, shift)
        np.testing.assert_array_equal(camera.estimate(memory, NOBODY), expected)
        camera.estimate(memory, people)
        np.testing.assert_array_equal(people, [[10.5, 20, 40, 60]])


def test_the_same_again_whatever_runs_besides(clip_frames):
    size = clip_frames[0].shape[:2]
    moving = [warped(image, similarity(size, 5 * i, 2 * i, 0.01 * i)) for i, image in enumerate(clip_frames[:6])]
    expected = estimates(moving)
    threads = cv2.getNumThreads()
    try:
        cv2.setRNGSeed(12345)
        cv2.setNumThreads(1)
        one, other = CameraMotion(), CameraMotion()
        for i, image in enumerate(moving):
            np.testing.assert_array_equal(one.estimate(image, NOBODY), expected[i])
            other.estimate(clip_frames[-1 - i], NOBODY)
    finally:
        cv2.setNumThreads(threads)
    assert sum(motion is not None for motion in expected) == 5
