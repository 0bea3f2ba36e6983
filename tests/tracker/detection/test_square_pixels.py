"""The detector sees square pixels; its boxes come back in pixels of the stored picture."""

from fractions import Fraction

import numpy as np
import pytest

from tracker.association.base import SequenceTracker
from tracker.detection.base import FunctionDetector
from tracker.detection.square_pixels import shrink_back, stretch
from tracker.pipeline.sequence import SequenceRun
from tracker.settings.tracking import TrackerConfig
from tracker.structures import Detections, Frame, SequenceInfo


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(2), (100, 40)),
        (Fraction(1, 2), (50, 80)),
        (Fraction(64, 45), (71, 40)),
        (Fraction(1), (50, 40)),
        (Fraction(100, 101), (50, 40)),
        (Fraction(1, 1000), (50, 40)),
        (Fraction(30000), (50, 40)),
    ],
)
def test_image_is_stretched_and_boxes_shrunk_back(aspect, size):
    image = np.zeros((40, 50, 3), np.uint8)
    wide = stretch(image, aspect)
    assert wide.shape[1::-1] == size
    if size == (50, 40):
        assert wide is image
    whole = Detections(np.array([[0, 0, *size]], np.float32), np.ones(1, np.float32), np.zeros((1, 0), np.float32))
    back = shrink_back(whole, image.shape, aspect)
    np.testing.assert_allclose(back.boxes, [[0, 0, 50, 40]], rtol=1e-6)
    assert back.boxes.dtype == np.float32


def test_any_detector_is_given_square_pixels():
    seen = []

    def find(image):
        seen.append(image.shape)
        boxes = np.array([[80, 10, 120, 70]], np.float32)
        return Detections(boxes, np.array([0.9], np.float32), np.zeros((1, 4), np.float32))

    tracker = SequenceTracker(TrackerConfig(), 10.0)
    with SequenceRun(SequenceInfo("a", 10.0), FunctionDetector(find), tracker) as run:
        image = np.zeros((96, 128, 3), np.uint8)
        for index in range(3):
            tracks = run.process(Frame(index, index / 10, image, pixel_aspect=Fraction(2)))
    assert seen == [(96, 256, 3)] * 3
    np.testing.assert_allclose(tracks.boxes, [[40, 10, 20, 60]], atol=1)
