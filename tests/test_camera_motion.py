"""The camera's motion: found as it was made, not found where there is none, never led astray by people."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker import camera_motion
from tracker.camera_motion import CameraMotion

pytestmark = pytest.mark.filterwarnings("error")

NOBODY = np.empty((0, 4))
MOTIONS = st.tuples(st.floats(-40, 40), st.floats(-40, 40), st.floats(-0.06, 0.06), st.floats(0.94, 1.06))
SIZES = ((576, 768), (1080, 1920), (333, 702), (240, 320))


def similarity(size, right=0.0, down=0.0, turn=0.0, zoom=1.0):
    """[2, 3] in the coordinates of boxes: about the picture's middle by turn (radians) and zoom, then shifted."""
    middle = np.array([size[1], size[0]]) / 2
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.column_stack([linear, middle - linear @ middle + [right, down]])


def warped(image, motion):
    """The image after a motion of the camera."""
    # OpenCV counts from the centre of the first pixel, boxes from its edge
    motion = np.column_stack([motion[:, :2], motion[:, 2] + motion[:, :2] @ [0.5, 0.5] - 0.5])
    return cv2.warpAffine(image, motion, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def noisy(image, seed, deviation=4):
    cv2.setRNGSeed(seed)
    noise = cv2.randn(np.empty(image.shape, np.int16), 0, deviation)
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def compressed(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)


def resized(image, size):
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def estimates(images, people=NOBODY):
    camera = CameraMotion()
    return [camera.estimate(image, people) for image in images]


def assert_same_motion(found, expected, size, tolerance=1.0):
    """No corner of the picture, nor its middle, goes elsewhere by more pixels."""
    assert found is not None and found.shape == (2, 3) and found.dtype == np.float64
    height, width = size
    points = np.array([[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 2]])
    off = points @ (found - expected)[:, :2].T + (found - expected)[:, 2]
    assert np.linalg.norm(off, axis=1).max() < tolerance, (found, expected)


@pytest.fixture(scope="module")
def frame(clip_frames):
    return clip_frames[0]


@pytest.fixture
def followed(monkeypatch):
    """The numbers of corners followed, call by call."""
    counts = []
    follow = camera_motion._follow

    def counting(reference, picture, corners, background):
        counts.append(len(corners))
        return follow(reference, picture, corners, background)

    monkeypatch.setattr(camera_motion, "_follow", counting)
    return counts


@settings(max_examples=25, deadline=None)
@given(motion=MOTIONS, size=st.sampled_from(SIZES))
@example(motion=(40.0, -40.0, 0.06, 0.94), size=SIZES[1])
@example(motion=(0.0, 0.0, 0.0, 1.06), size=SIZES[3])
def test_known_motion(frame, motion, size):
    image = resized(frame, size)
    right, down, turn, zoom = motion
    motion = similarity(size, right * size[1] / 768, down * size[1] / 768, turn, zoom)
    first, second = estimates([image, noisy(warped(image, motion), 0, 2)])
    assert first is None
    if second is None:  # hardly any: a quarter of a pixel of the shrunk picture, on the average
        assert_same_motion(similarity(size), motion, size, 1.5 * max(1, size[1] / 384))
    else:
        assert_same_motion(second, motion, size, max(1, size[1] / 768))


def test_each_motion_is_from_the_frame_before(frame):
    steps = [(9, 2), (-4, 8), (12, 0), (3, -5)]
    steps = [similarity(frame.shape[:2], *step, turn=0.01 * i, zoom=1 + 0.01 * i) for i, step in enumerate(steps)]
    whole, images = np.eye(3), [frame]
    for step in steps:
        whole = np.vstack([step, [0, 0, 1]]) @ whole
        images.append(warped(frame, whole[:2]))
    for found, step in zip(estimates(images)[1:], steps, strict=True):
        assert_same_motion(found, step, frame.shape[:2])


def test_frames_of_a_video_seen_by_a_moving_camera(clip_frames):
    size = clip_frames[0].shape[:2]
    images = [warped(image, similarity(size, 7 * i, 3 * i)) for i, image in enumerate(clip_frames[:12])]
    for found in estimates(images)[1:]:
        assert_same_motion(found, similarity(size, 7, 3), size)


@settings(max_examples=30, deadline=None)
@given(
    scale=st.tuples(st.floats(1, 8), st.floats(1, 8)).map(np.array),
    motion=MOTIONS.map(lambda motion: similarity((200, 300), *motion)),
)
def test_from_the_shrunk_picture_to_the_image(scale, motion):
    points = np.random.default_rng(0).uniform(0, 300, (5, 2))  # counted from the centre of the first pixel
    moved = points @ motion[:, :2].T + motion[:, 2]
    image = camera_motion._to_image(motion, scale)
    np.testing.assert_allclose((points + 0.5) * scale @ image[:, :2].T + image[:, 2], (moved + 0.5) * scale, atol=1e-9)


@pytest.mark.parametrize("damage", [lambda image, i: image, noisy, lambda image, i: compressed(noisy(image, i, 2))])
def test_a_still_camera(clip_frames, damage):
    assert estimates([damage(image, i) for i, image in enumerate(clip_frames)]) == [None] * len(clip_frames)


@pytest.mark.parametrize("size", SIZES)
def test_still_at_any_size(clip_frames, size):
    images = [noisy(resized(image, size), i, 2) for i, image in enumerate(clip_frames[:8])]
    assert estimates(images) == [None] * 8


def test_a_still_camera_costs_little(clip_frames, followed):
    camera = CameraMotion()
    for image in clip_frames[:10]:
        camera.estimate(image, NOBODY)
    # all corners once, then a few, without a second look
    assert len(followed) == 9 and followed[0] > 100 and max(followed[1:]) < 50


def test_a_dimming_light_is_no_motion(frame):
    images = [np.clip(frame * np.float64(1 - i / 60), 0, 255).astype(np.uint8) for i in range(40)]
    shift = similarity(frame.shape[:2], 5, 2)
    *before, found = estimates([*images, warped(images[-1], shift)])
    assert before == [None] * 40
    assert_same_motion(found, shift, frame.shape[:2])


def test_a_start_is_seen_at_once_and_a_stop(clip_frames):
    size = clip_frames[0].shape[:2]
    shifts = [0] * 8 + [4, 8, 12] + [12] * 5
    found = estimates([warped(image, similarity(size, x, -x)) for image, x in zip(clip_frames, shifts)])
    assert found[:8] == [None] * 8 and found[11:] == [None] * 5
    for motion in found[8:11]:
        assert_same_motion(motion, similarity(size, 4, -4), size)


@pytest.mark.parametrize("step", [(0.2, 0.0), (-0.1, 0.15), (0.05, -0.05)])
def test_a_creeping_camera(frame, step):
    size = (288, 384)
    frame = resized(frame, size)
    at = [similarity(size, step[0] * i, step[1] * i) for i in range(40)]
    found = estimates([noisy(warped(frame, motion), i, 2) for i, motion in enumerate(at)])
    whole = np.eye(3)
    for motion, expected in zip(found, at, strict=True):
        if motion is not None:
            whole = np.vstack([motion, [0, 0, 1]]) @ whole
            assert_same_motion(whole[:2], expected, size, 1.5)
    assert_same_motion(whole[:2], at[-1], size, 2.0)  # but for what is too little to count
    # now and then, not at each frame
    assert 2 <= sum(motion is not None for motion in found) <= 25


def foreground(frame, motion, box):
    """The frame after a motion, but its part inside a box [left, top, right, bottom] filled with other texture."""
    left, top, right, bottom = box
    image = warped(frame, motion)
    texture = np.random.default_rng(5).integers(0, 256, (30, 40, 3), np.uint8)
    image[top:bottom, left:right] = cv2.resize(texture, (right - left, bottom - top), interpolation=cv2.INTER_CUBIC)
    return image


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("shift", [(6, 2), (0, 0)])
def test_people_do_not_pull(frame, shift, late):
    size = frame.shape[:2]
    boxes = [np.array([100, 20, 700, 500]), np.array([110, 36, 710, 516])]
    motions = [similarity(size), similarity(size, *shift)]
    images = [foreground(frame, motion, box) for motion, box in zip(motions, boxes, strict=True)]

    def run(people):
        camera = CameraMotion()
        return [camera.estimate(*pair) for pair in zip(images, people, strict=True)][1]

    led_astray = run([NOBODY, NOBODY])
    assert_same_motion(led_astray, similarity(size, 10, 16), size)
    # late: someone is found only in the second frame, so the first has corners on them
    found = run([NOBODY if late else boxes[0][None], boxes[1][None]])
    if any(shift):
        assert_same_motion(found, motions[1], size)
    else:
        assert found is None


def test_a_crowd_without_boxes_on_a_still_background(frame):
    """Every second strip moves by little: the fit to all is neither still nor right."""
    crowd = warped(frame, similarity(frame.shape[:2], 0, 2.5))
    image = frame.copy()
    for left in range(0, 768, 96):
        image[:, left : left + 48] = crowd[:, left : left + 48]
    assert estimates([frame, image]) == [None, None]


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
