"""A detector of one's own in the API, and options that are checked although nothing is written."""

import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tracker.association import base
from tracker.detection.base import FunctionDetector
from tracker.errors import OptionError
from tracker.predictor import Predictor
from tracker.sinks import annotated_video
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


class LowScores(FakeDetector):
    """Gives a person 0.4, which is much for it."""

    high_conf_thres = 0.35

    def __init__(self):
        super().__init__()
        self.tracker_settings = {"conf_thres": 0.35, "low_thres": 0.05, "sure_margin": 0.0}

    def embed(self, decoded, raw_outputs, preprocessed, min_score):
        return Detections(decoded, np.array([0.4]), np.ones((1, 1), np.float32))


@pytest.fixture
def used(monkeypatch):
    """The settings of every tracker that was made."""
    made, fused = [], base.ASSOCIATIONS["fused"]
    monkeypatch.setitem(base.ASSOCIATIONS, "fused", lambda config, rate: made.append(config) or fused(config, rate))
    return made


def test_settings_that_a_model_states_are_used_unless_others_are_given(used, tmp_path):
    (tmp_path / "own.yml").write_text("low_thres: 0.2\n")
    for options, expected in (
        ({}, (0.35, 0.05, 0.0, 0.2)),
        ({"conf_thres": 0.3}, (0.3, 0.05, 0.0, 0.2)),
        ({"sure_margin": 0.05, "confirm_evidence": 0.1}, (0.35, 0.05, 0.05, 0.1)),
        ({"tracker_config": tmp_path / "own.yml"}, (0.35, 0.2, 0.0, 0.2)),
    ):
        Predictor(detector=LowScores()).stream_mode(None, **options).close()
        config = used[-1]
        assert (config.conf_thres, config.low_thres, config.sure_margin, config.confirm_evidence) == expected
    Predictor(detector=FakeDetector()).stream_mode(None).close()
    assert (used[-1].conf_thres, used[-1].low_thres, used[-1].sure_margin) == (0.5, 0.15, 0.05)


@pytest.mark.parametrize(("options", "drawn"), [({}, True), ({"draw_threshold": 0.45}, False)])
def test_whom_a_model_is_sure_of_is_drawn_whatever_its_scores(options, drawn, tmp_path, monkeypatch):
    seen, draw = [], annotated_video.draw_tracks

    def watched(image, ids, boxes, scores, least, names):
        seen.append(least)
        return draw(image, ids, boxes, scores, least, names)

    monkeypatch.setattr(annotated_video, "draw_tracks", watched)
    with Predictor(detector=LowScores()).stream_mode(tmp_path, **options) as stream:
        assert len(stream.predict(numbered(9))) == 9
    assert [least <= 0.4 for least in seen] == [drawn] * 9
