"""What a model's detector says of itself."""

import dataclasses
from types import SimpleNamespace

from tests.helpers.fake_models import model_config
from tracker.detection.decode import Decoder
from tracker.detection.detector import JDEDetector


def test_a_high_confidence_threshold_of_ones_own_is_the_detectors():
    config = model_config([(8, [(4.0, 8.0)])], high_conf_thres=0.5)
    network = SimpleNamespace(description="none", folder=None, max_in_flight=1)
    given = dataclasses.replace(config.thresholds, high_conf_thres=0.7)
    assert JDEDetector(network, config, Decoder(config, given)).high_conf_thres == 0.7
    assert JDEDetector(network, config, Decoder(config)).high_conf_thres == 0.5
