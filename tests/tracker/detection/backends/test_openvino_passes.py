"""OpenVINO with several passes under way at once."""

import numpy as np
import pytest

from tests.helpers.fake_models import assert_same_maps, pixels, rows
from tracker.detection.backends.choice import open_network
from tracker.detection.backends.openvino_network import OpenVINONetwork
from tracker.detection.detector import Model
from tracker.errors import ModelError
from tracker.models.locate import COMPACT
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions

pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def config():
    return ModelConfig.load(COMPACT)


@pytest.fixture(scope="module")
def network(config):
    return open_network(COMPACT, config, RuntimeOptions(backend="openvino", precision="fp32"))


@pytest.fixture(scope="module")
def sharing(config):
    """Two threads for several passes at once, whatever this processor has."""
    return OpenVINONetwork(COMPACT, config, RuntimeOptions(precision="fp32", threads=2, throughput=True))


def test_several_passes_at_once_give_what_each_gives_alone(network, sharing):
    assert (network.max_in_flight, sharing.max_in_flight) == (1, 2)
    pictures = [pixels(seed) for seed in range(5)]
    expected = [network.run(picture) for picture in pictures]
    waits = [sharing.start(picture) for picture in pictures]
    for number in (3, 0, 4, 2, 1):
        assert_same_maps(waits[number](), expected[number], tolerance=1e-5)
    assert_same_maps(sharing.run(pictures[2]), expected[2], tolerance=1e-5)
    np.testing.assert_allclose(sharing.embed([rows(0, 5)]), network.embed([rows(0, 5)]), atol=1e-5)


def test_an_image_may_be_decoded_while_others_are_preprocessed(clip_frames):
    detector = Model(COMPACT, RuntimeOptions("openvino", "fp32", threads=2, throughput=True)).detector()
    expected = detector(clip_frames[0])
    letterboxed = detector.preprocess(clip_frames[0])
    outputs = detector.start(letterboxed)()
    for number in range(detector.max_in_flight + 1):
        detector.preprocess(clip_frames[20 + number])
    found = detector.embed(detector.decode(outputs, letterboxed), outputs, letterboxed)
    assert len(found) > 3
    np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=1e-5)


def test_one_thread_has_one_pass(config):
    runtime = RuntimeOptions(precision="fp32", threads=1, throughput=True)
    assert OpenVINONetwork(COMPACT, config, runtime).max_in_flight == 1


def test_a_pass_that_nobody_waits_for_does_no_harm(network, sharing):
    expected = network.run(pixels(1))
    for _ in range(20):
        sharing.start(pixels(0))  # its arrays go while it is under way
        kept = sharing.start(pixels(1))
        sharing.start(pixels(2))
        assert_same_maps(kept(), expected, tolerance=1e-5)


def test_a_pass_that_fails_says_so_where_it_is_waited_for(sharing):
    with pytest.raises(ModelError, match="export the model again"):
        sharing.start(np.zeros((1, 64, 64, 3), np.uint8))()
    sharing.run(pixels(0))
