"""Distances of embeddings and their calibration: against plain formulas, and on embeddings good and useless."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.association.appearance import (
    NEGATIVE_RATE,
    POSITIVE_RATE,
    EmbeddingCalibration,
    RunningMoments,
    cosine_distance,
)


def unit_vectors(random, count, dimension=32):
    made = random.normal(size=(count, dimension)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def calibration_of(different, same):
    """The calibration after batches of distances."""
    calibration = EmbeddingCalibration()
    for batch in different:
        calibration.update_negatives(np.asarray(batch))
    for batch in same:
        calibration.update_positives(np.asarray(batch))
    return calibration


def batches_around(mean, spread, seed=0, count=40):
    """Batches of five distances."""
    return np.random.default_rng(seed).normal(mean, spread, (count, 5))


@pytest.mark.parametrize("pairs", [0, 1, 40, 100, 101, 600])
def test_cosine_distance_equals_the_formula(pairs):
    """Up to 2 * (20 + 30) pairs are computed one by one, more of them by one matrix product."""
    random = np.random.default_rng(pairs)
    tracks, detections = unit_vectors(random, 20), unit_vectors(random, 30)
    tracks[3], detections[7], detections[8] = 0, tracks[4], -tracks[4]
    every = random.permutation(600)[:pairs]
    rows, columns = every // 30, every % 30
    found = cosine_distance(tracks, detections, rows, columns)
    expected = 1 - (tracks.astype(np.float64) @ detections.T.astype(np.float64))[rows, columns]
    assert found.shape == (pairs,)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_cosine_distance_of_known_vectors():
    a = np.array([[1, 0], [0.6, 0.8], [0, 0]], np.float32)
    for repeats in (1, 20):  # by either way
        rows, columns = np.tile([0, 0, 1, 2], repeats), np.tile([0, 1, 0, 1], repeats)
        np.testing.assert_allclose(cosine_distance(a, a, rows, columns), np.tile([0, 0.4, 0.4, 1], repeats), atol=1e-6)


BATCHES = st.lists(st.lists(st.floats(0, 2), min_size=1, max_size=6), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(BATCHES)
def test_young_moments_are_those_of_all_batches_alike(batches):
    moments = RunningMoments(1 / 30)
    for batch in batches:
        moments.add(np.array(batch))
    mean = np.mean([np.mean(batch) for batch in batches])
    square = np.mean([np.mean(np.square(batch)) for batch in batches])
    assert moments.mean == pytest.approx(mean, abs=1e-12)
    assert moments.variance == pytest.approx(max(square - mean**2, 0), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 2), min_size=1, max_size=30), st.integers(1, 5))
def test_moments_of_equal_batches_are_numpys(batch, times):
    moments = RunningMoments(0.01)
    assert not moments
    for _ in range(times):
        moments.add(np.array(batch))
    assert moments
    assert moments.mean == pytest.approx(np.mean(batch), abs=1e-12)
    assert moments.variance == pytest.approx(np.var(batch), abs=1e-9) and moments.variance >= 0


@pytest.mark.parametrize("rate", [NEGATIVE_RATE, POSITIVE_RATE])
def test_old_moments_forget_at_their_rate(rate):
    moments, young = RunningMoments(rate), round(1 / rate)
    for _ in range(young):
        moments.add(np.zeros(3))
    for times in range(1, 300):
        moments.add(np.ones(3))
        assert moments.mean == pytest.approx(1 - (1 - rate) ** times)


@pytest.mark.parametrize(
    ("different", "same"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([[0.9, 1.1]], [], id="strangers only"),
        pytest.param([], [[0.1]], id="one person only"),
        pytest.param([[]], [[]], id="empty batches"),
        pytest.param([[0.9]], [[]], id="an empty batch"),
    ],
)
def test_nothing_is_known_at_the_start(different, same):
    assert calibration_of(different, same).separability == 0


@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_looks_that_never_differ_are_useless(constant):
    noise = 1e-7 * np.random.default_rng(0).normal(size=(2, 40, 5))  # of float32
    assert calibration_of(constant + noise[0], constant + noise[1]).separability == 0
    assert calibration_of([[constant]] * 9, [[constant]] * 9).separability == 0


def test_looks_at_random_are_useless():
    random = np.random.default_rng(2)
    embeddings = unit_vectors(random, 400)
    pairs = random.integers(0, 400, (2, 2, 100, 4))
    different, same = ([cosine_distance(embeddings, embeddings, a, b) for a, b in zip(*kind)] for kind in pairs)
    assert calibration_of(different, same).separability == 0


def test_looks_that_put_one_person_farther_apart_than_two_are_useless():
    assert calibration_of(batches_around(0.2, 0.01), batches_around(0.9, 0.01, seed=1)).separability == 0


@pytest.mark.parametrize("shrunk", [1.0, 0.1, 0.02])
def test_looks_that_tell_people_apart_count_in_full(shrunk):
    """Whatever the network's calibration of distances."""
    calibration = calibration_of(shrunk * batches_around(1.0, 0.1), shrunk * batches_around(0.2, 0.1, seed=1))
    assert calibration.separability == 1


@pytest.mark.parametrize(
    ("contrast", "separability"), [(0.05, 0), (0.1, 0), (0.145, 0.3), (0.175, 0.5), (0.25, 1), (0.4, 1)]
)
def test_separability_rises_with_the_contrast_in_standard_deviations(contrast, separability):
    """From none at d' = 1 to all at 2.5; each kind of distance has a standard deviation of 0.1 here."""
    around = np.array([[-0.1, 0.1]])
    assert calibration_of(0.5 + contrast + around, 0.5 + around).separability == pytest.approx(separability, abs=1e-3)


@pytest.mark.parametrize(("different", "same"), [([0.1, 0.7], [0.1, 0.1]), ([0.4, 0.4], [-0.2, 0.4])])
def test_separability_takes_the_mean_of_both_variances(different, same):
    """A contrast of 0.3, where one kind has a standard deviation of 0.3 and the other none."""
    d_prime = 0.3 / np.sqrt(0.3**2 / 2)
    assert calibration_of([different], [same]).separability == pytest.approx((d_prime - 1) / 1.5, abs=1e-3)


def test_normalised_cost_is_a_cost_between_typical_distances():
    calibration = calibration_of([[0.7, 0.9]], [[0.1, 0.3]])  # means of 0.8 and 0.2
    distances = np.array([0.2, 0.5, 0.8, 0.35, 0.0, -0.1, -5, 1.09, 1.1, 1.2, 2.0])
    expected = np.array([-0.5, 0, 0.5, -0.25, -0.8333, -1, -1, 0.9833, 1, 1, 1])
    np.testing.assert_allclose(calibration.normalised_cost(distances), expected, atol=1e-4)
    assert calibration.normalised_cost(np.zeros(0)).shape == (0,)


def test_z_score_is_in_standard_deviations_of_strangers():
    calibration = calibration_of([[0.7, 0.9]], [[0.1, 0.3]])
    np.testing.assert_allclose(calibration.z_score(np.array([0.8, 0.7, 0.2, 1.0])), [0, 1, 6, -2], atol=1e-9)
    assert calibration.z_score(np.zeros(0)).shape == (0,)


def test_strangers_are_never_taken_to_be_all_alike():
    """With two people there is one distance, and its deviation of 0 would make everything significant."""
    calibration = calibration_of([[0.8]] * 50, [[0.1, 0.3]])
    np.testing.assert_allclose(calibration.z_score(np.array([0.78, 0.4])), [1, 20], atol=1e-6)


def test_the_scale_follows_the_video():
    calibration = calibration_of(batches_around(1.0, 0.1), batches_around(0.2, 0.1))
    for batch in batches_around(0.4, 0.01, count=800):  # people in uniforms came
        calibration.update_negatives(batch)
    assert calibration.z_score(np.array([0.4])) == pytest.approx(0, abs=0.1)
    assert calibration.z_score(np.array([0.2])) == pytest.approx(10, rel=0.1)
