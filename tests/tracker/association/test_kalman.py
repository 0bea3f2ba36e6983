"""The filter over a table of tracks against a textbook one: a track at a time, 8x8 matrices."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracker.association import kalman

F = np.eye(8) + np.eye(8, k=4)
H = np.eye(4, 8)


class Dense:
    """Kalman filter of one track (x, y, a, h and their changes), equations as in any textbook."""

    def __init__(self, z):
        self.x = np.concatenate([z, np.zeros(4)])
        first = [self.deviations(2 / 20, 1e-2), self.deviations(10 / 160, 1e-5)]
        self.P = np.diag(np.concatenate(first) ** 2)

    def deviations(self, weight, constant):
        height = weight * self.x[3]
        return np.array([height, height, constant, height])

    def predict(self):
        noise = [self.deviations(1 / 20, 1e-2), self.deviations(1 / 160, 1e-5)]
        self.x = F @ self.x
        self.P = F @ self.P @ F.T + np.diag(np.concatenate(noise) ** 2)

    def innovation(self, noise_scale=1.0):
        return H @ self.P @ H.T + noise_scale * np.diag(self.deviations(1 / 20, 1e-1) ** 2)

    def update(self, z, noise_scale=1.0):
        S = self.innovation(noise_scale)
        K = self.P @ H.T @ np.linalg.inv(S)
        self.x = self.x + K @ (z - H @ self.x)
        self.P = self.P - K @ S @ K.T

    def distance(self, z):
        y = z - H @ self.x
        return y @ np.linalg.inv(self.innovation()) @ y


class DenseSize(Dense):
    """The same of (x, y, w, h): noise across grows with the width, noise along with the height."""

    def deviations(self, weight, constant):
        return weight * self.x[[2, 3, 2, 3]]


def dense_covariance(blocks):
    """[3, 4] to [8, 8]."""
    position, cross, velocity = (np.diag(part) for part in blocks)
    return np.block([[position, cross], [cross, velocity]])


def assert_equal_states(mean, covariance, filters):
    for x, blocks, dense in zip(mean, covariance, filters):
        np.testing.assert_allclose(x, dense.x, rtol=1e-8, atol=1e-7)
        np.testing.assert_allclose(dense_covariance(blocks), dense.P, rtol=1e-6, atol=1e-7)


BOX = st.tuples(st.floats(-1000, 4000), st.floats(-1000, 4000), st.floats(0.05, 5), st.floats(2, 2000))
STEP = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-0.02, 0.02), st.floats(-1, 1))


@settings(max_examples=60, deadline=None)
@given(first=st.lists(BOX, min_size=1, max_size=4), steps=st.lists(st.tuples(STEP, st.booleans()), max_size=12))
def test_equals_the_dense_filter(first, steps):
    z = np.array(first)
    mean, covariance = kalman.initiate(z)
    filters = [Dense(box) for box in z]
    assert_equal_states(mean, covariance, filters)
    for step, seen in steps:
        z = z + step
        assume((z[:, 3] > 1).all() and (z[:, 2] > 0).all())
        inputs = mean.copy(), covariance.copy()
        ahead = kalman.predict(mean, covariance)
        np.testing.assert_array_equal(mean, inputs[0])  # what goes in stays
        np.testing.assert_array_equal(covariance, inputs[1])
        mean, covariance = ahead
        for dense in filters:
            dense.predict()
        if seen:
            mean, covariance = kalman.update(mean, covariance, z)
            for dense, box in zip(filters, z):
                dense.update(box)
        assert_equal_states(mean, covariance, filters)


SIZE_BOX = st.tuples(st.floats(-1000, 4000), st.floats(-1000, 4000), st.floats(2, 900), st.floats(2, 2000))
SIZE_STEP = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-1, 1), st.floats(-1, 1))
KINDS = {
    "aspect": (kalman.ASPECT, Dense, BOX, STEP),
    "size": (kalman.SIZE, DenseSize, SIZE_BOX, SIZE_STEP),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_equals_the_dense_filter_with_every_noise_and_scale(kind, data):
    noise, dense_filter, boxes, steps = KINDS[kind]
    z = np.array(data.draw(st.lists(boxes, min_size=1, max_size=4)))
    mean, covariance = kalman.initiate(z, noise)
    filters = [dense_filter(box) for box in z]
    assert_equal_states(mean, covariance, filters)
    for step in data.draw(st.lists(steps, max_size=8)):
        z = z + step
        assume((z[:, 2:] > 1e-3).all() and (z[:, 3] > 1).all())
        mean, covariance = kalman.predict(mean, covariance, noise)
        noise_scale = np.array(data.draw(st.lists(st.floats(0.1, 2), min_size=len(z), max_size=len(z))))[:, None]
        inputs = mean.copy(), covariance.copy(), noise_scale.copy()
        after = kalman.update(mean, covariance, z, noise, noise_scale)
        assert all(np.array_equal(x, y) for x, y in zip((mean, covariance, noise_scale), inputs))  # what goes in stays
        mean, covariance = after
        for dense, box, factor in zip(filters, z, noise_scale[:, 0]):
            dense.predict()
            dense.update(box, factor)
        assert_equal_states(mean, covariance, filters)


def test_one_noise_scale_for_all_is_the_same_for_each():
    z = np.array([[50.0, 60, 40, 100], [300, 200, 20, 60]])
    mean, covariance = kalman.predict(*kalman.initiate(z, kalman.SIZE), kalman.SIZE)
    for each, one in zip(
        kalman.update(mean, covariance, z + 5, kalman.SIZE, np.full((2, 1), 0.5)),
        kalman.update(mean, covariance, z + 5, kalman.SIZE, 0.5),
    ):
        np.testing.assert_array_equal(each, one)


def test_less_noise_brings_the_state_closer_to_the_box():
    z = np.array([[50.0, 60, 40, 100]])
    mean, covariance = kalman.predict(*kalman.initiate(z, kalman.SIZE), kalman.SIZE)
    updates = [kalman.update(mean, covariance, z + 10, kalman.SIZE, noise_scale) for noise_scale in (0.1, 1.0, 2.0)]
    distances = [np.abs(state[:, :4] - (z + 10)).max() for state, _ in updates]
    assert 0 < distances[0] < distances[1] < distances[2] < 10
    assert (updates[0][1][:, 0] < updates[2][1][:, 0]).all()  # and leaves it surer


@settings(max_examples=80, deadline=None)
@given(
    tracks=st.integers(0, 8),
    boxes=st.integers(0, 8),
    spread=st.floats(0.1, 60),
    ages=st.integers(0, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_gate_gives_the_pairs_within_the_quantile(tracks, boxes, spread, ages, seed):
    random = np.random.default_rng(seed)
    z = random.uniform([0, 0, 0.3, 50], [100, 100, 0.5, 150], (tracks, 4))
    mean, covariance = kalman.initiate(z)
    filters = [Dense(box) for box in z]
    for _ in range(ages):
        mean, covariance = kalman.predict(mean, covariance)
        for dense in filters:
            dense.predict()
    measured = random.uniform([0, 0, 0.3, 50], [100, 100, 0.5, 150], (boxes, 4))
    if tracks:
        near = z[random.integers(0, tracks, boxes)] + random.normal(0, [spread, spread, 0.1, spread / 3], (boxes, 4))
        measured = np.where(random.random((boxes, 1)) < 0.8, near, measured)
    full = np.array([[dense.distance(box) for box in measured] for dense in filters]).reshape(tracks, boxes)
    assume((np.abs(full - 9.4877) > 1e-6).all())
    rows, columns, distance = kalman.gate(mean, covariance, measured)
    expected = np.nonzero(full <= 9.4877)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(columns, expected[1])
    np.testing.assert_allclose(distance, full[expected], rtol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("coordinate", range(4))
def test_what_is_not_finite_passes_no_gate(bad, coordinate):
    z = np.array([[50.0, 60, 0.4, 100], [52, 61, 0.4, 100]])
    mean, covariance = kalman.initiate(z)
    odd = z.copy()
    odd[0, coordinate] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        rows, columns, distance = kalman.gate(mean, covariance, odd)
        assert list(zip(rows, columns)) == [(0, 1), (1, 1)] and np.isfinite(distance).all()
        state = mean.copy()
        state[0, coordinate] = bad
        rows, columns, distance = kalman.gate(state, covariance, z)
        assert list(zip(rows, columns)) == [(1, 0), (1, 1)] and np.isfinite(distance).all()


ASPECT_STARTS = [[100.0, 200, 0.4, 80], [5, 5, 0.2, 3], [3000, 2000, 2, 1900], [50, 50, 0.5, 40]]
SIZE_STARTS = [[100.0, 200, 32, 80], [5, 5, 2, 9], [3000, 2000, 2800, 1900], [50, 50, 20, 40]]


@pytest.mark.parametrize(
    ("noise", "starts", "jitter"),
    [
        pytest.param(kalman.ASPECT, ASPECT_STARTS, [2, 2, 0.01, 0.2], id="aspect"),
        pytest.param(kalman.SIZE, SIZE_STARTS, [2, 2, 0.1, 0.2], id="size"),
    ],
)
@pytest.mark.parametrize("noise_scale", [0.1, 1.0, 2.0])
def test_covariances_stay_positive_for_long(noise, starts, jitter, noise_scale):
    random, start = np.random.default_rng(8), np.array(starts)
    mean, covariance = kalman.initiate(start, noise)
    for frame in range(1000):
        mean, covariance = kalman.predict(mean, covariance, noise)
        assert_positive(covariance)
        seen = np.array([True, frame % 3 == 0, random.random() < 0.5, False])
        measured = start[seen] + random.normal(0, jitter, (seen.sum(), 4))
        mean[seen], covariance[seen] = kalman.update(mean[seen], covariance[seen], measured, noise, noise_scale)
        assert_positive(covariance)
    assert np.isfinite(mean).all()
    assert np.abs(mean[:3, :4] - start[:3]).max() < 20  # they did not run away


def assert_positive(covariance):
    position, cross, velocity = covariance[:, 0], covariance[:, 1], covariance[:, 2]
    assert (position > 0).all() and (velocity > 0).all() and (position * velocity > cross**2).all()


def test_no_track_is_no_trouble():
    mean, covariance = kalman.initiate(np.zeros((0, 4)))
    assert mean.shape == (0, 8) and covariance.shape == (0, 3, 4)
    mean, covariance = kalman.update(*kalman.predict(mean, covariance), np.zeros((0, 4)))
    assert mean.shape == (0, 8) and covariance.shape == (0, 3, 4)
    assert [len(part) for part in kalman.gate(mean, covariance, np.ones((3, 4)))] == [0, 0, 0]
