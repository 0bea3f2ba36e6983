"""A detector of one's own in the API, and options that are checked although nothing is written."""

import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tracker.detection.base import FunctionDetector
from tracker.errors import OptionError
from tracker.predictor import Predictor
from tracker.structures import Detections


def test_with_ones_own_detector_nothing_asks_for_a_backend():
    class Empty(FakeDetector):
        def __len__(self):
            return 0

    predictor = Predictor(backend="openvino", precision="int8", detector=Empty())
    with predictor.stream_mode(None, use_gpu=True) as stream:
        (frame,) = stream.predict(numbered(1))
    assert frame.ids.tolist() == [1] and stream.result().model == "nobody"


@pytest.mark.parametrize("detector", [lambda image: None, FakeDetector, "yolo", object()])
def test_what_is_no_detector_is_refused(detector):
    with pytest.raises(OptionError, match="FunctionDetector"):
        Predictor(detector=detector)


def test_a_function_is_a_detector():
    detections = Detections(np.array([[10, 10, 40, 80]]), np.array([0.9]), np.zeros((1, 0)))
    with Predictor(detector=FunctionDetector(lambda image: detections)).stream_mode(None) as stream:
        assert [frame.ids.tolist() for frame in stream.predict(numbered(2))] == [[1], [1]]


@pytest.mark.parametrize("options", [{"draw_threshold": 2}, {"visualization": "no"}, {"refine": 1}])
def test_options_of_the_output_are_checked_also_where_there_is_none(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        Predictor(detector=FakeDetector()).stream_mode(None, **options)
