"""How well two networks agree: pairs of their detections, and what is counted of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.fake_models import FakeNetwork
from tools.quantization.agreement import compare, match
from tracker.models.locate import COMPACT
from tracker.settings.model import ModelConfig
from tracker.structures import Detections


def people(*boxes):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), 0.9), np.eye(len(boxes), 8, dtype=np.float32))


corners = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 20)] * 2).map(
    lambda v: (v[0], v[1], v[0] + v[2], v[1] + v[3])
)


@given(st.lists(corners, max_size=8), st.lists(corners, max_size=8), st.randoms())
def test_pairs_are_of_one_each_and_as_many_as_can_be(ours, theirs, random):
    reference, candidate = people(*ours), people(*theirs)
    pairs, overlap = match(reference, candidate)
    assert (overlap >= 0.5).all()
    assert all(len({*column}) == len(pairs) for column in pairs.T)
    assert len(match(candidate, reference)[0]) == len(pairs), "as many either way"
    shuffled = random.sample(theirs, len(theirs))
    assert len(match(reference, people(*shuffled))[0]) == len(pairs)
    itself, full = match(reference, reference)
    assert len(itself) == len(reference) and (full == 1).all()


def test_no_pair_is_given_up_for_a_better_one():
    # the first of ours fits both of theirs, and the better one is the only one that fits the second of ours
    reference, candidate = people((0, 0, 10, 10), (0, 4, 10, 14)), people((0, 1, 10, 11), (0, -3, 10, 7))
    pairs, overlap = match(reference, candidate)
    assert pairs.tolist() == [[0, 1], [1, 0]]
    np.testing.assert_allclose(overlap, [7 / 13, 7 / 13])


def test_two_networks_are_compared():
    config = ModelConfig.load(COMPACT)
    images = [np.zeros((608, 1088, 3), np.uint8)] * 3
    reference, candidate = FakeNetwork(config, 4), FakeNetwork(config, 3, seconds=0.01, turn=np.pi / 3)
    result = compare(reference, candidate, images, config)
    assert (result.images, result.reference, result.candidate, result.matched) == (3, 12, 9, 9)
    assert (result.precision, result.recall, round(result.f1, 6)) == (1, 0.75, round(6 / 7, 6))
    assert result.iou == 1 and result.cosine == pytest.approx(0.5)
    assert result.candidate_ms > 10 > result.reference_ms
    assert reference.passes == candidate.passes == 4, "one to warm up"
    nobody = compare(FakeNetwork(config, 0), FakeNetwork(config, 0), images, config)
    assert all(np.isnan(value) for value in (nobody.f1, nobody.precision, nobody.recall, nobody.iou, nobody.cosine))
    assert compare(FakeNetwork(config, 2), FakeNetwork(config, 0), images, config).f1 == 0
