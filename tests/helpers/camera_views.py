"""Frames as a moving camera would see them, and what is estimated from them."""

import cv2
import numpy as np
from hypothesis import strategies as st

from tracker.association.camera_motion import CameraMotion

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
