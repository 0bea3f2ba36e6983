"""Costs against plain loops and SciPy, and the assignment against two other solvers."""

import lap
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from tracker.association import kalman
from tracker.association.matching import (
    CandidatePairs,
    Matching,
    appearance_and_motion,
    assign_pairs,
    embedding_distance,
    linear_assignment,
    normalised,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.integers(0, 8), st.sampled_from([1e-6, 1.0, 1e6]), st.integers(0, 2**32 - 1))
def test_normalised_has_length_one(count, dimension, size, seed):
    vectors = size * np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    before = vectors.copy()
    found = normalised(vectors)
    assert found.shape == vectors.shape and found.dtype == np.float32
    if dimension:
        np.testing.assert_allclose(found, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(vectors, before)


def test_normalised_leaves_what_is_of_length_one():
    unit = unit_vectors(np.random.default_rng(0), 5)
    assert normalised(unit) is unit
    for factor in (0.9999, 1.0001):
        np.testing.assert_allclose(np.linalg.norm(normalised(unit * np.float32(factor)), axis=1), 1, atol=2e-6)
        one = np.ones((5, 1), np.float32)
        one[2] = factor
        np.testing.assert_allclose(np.linalg.norm(normalised(unit * one), axis=1), 1, atol=2e-6)


def test_normalised_makes_something_of_everything():
    odd = np.array([[0, 0, 0], [np.nan, 3, 4], [np.inf, 0, -2], [np.nan] * 3, [-np.inf] * 3, [0, 6, 8]], np.float32)
    expected = [[0, 0, 0], [0, 0.6, 0.8], [0, 0, -1], [0, 0, 0], [0, 0, 0], [0, 0.6, 0.8]]
    np.testing.assert_allclose(normalised(odd), expected, atol=1e-6)
    assert np.isnan(odd[3]).all()  # what goes in stays


def unit_vectors(random, count, dimension=32):
    made = random.normal(size=(count, dimension)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("pairs", [0, 1, 40, 200, 201, 600])
def test_embedding_distance_equals_scipy(pairs):
    """Up to 4 * (20 + 30) pairs are computed one by one, more of them by one matrix product."""
    random = np.random.default_rng(pairs)
    tracks, detections = unit_vectors(random, 20), unit_vectors(random, 30)
    detections[7] = tracks[3]
    every = random.permutation(600)[:pairs]
    rows, columns = every // 30, every % 30
    found = embedding_distance(tracks, detections, rows, columns)
    assert found.dtype == np.float64 and found.shape == (pairs,)
    expected = cdist(tracks.astype(np.float64), detections.astype(np.float64))[rows, columns]
    np.testing.assert_allclose(found, expected, atol=2e-7)


def test_cost_of_appearance_and_motion():
    random = np.random.default_rng(9)
    z = np.concatenate([random.uniform(0, 150, (12, 2)), np.tile([0.4, 100.0], (12, 1))], axis=1)
    mean, covariance = kalman.predict(*kalman.initiate(z))
    measured = z[:9] + random.normal(0, [10, 10, 0.05, 5], (9, 4))
    tracks, detections = unit_vectors(random, 12), unit_vectors(random, 9)
    cost = appearance_and_motion(tracks, detections, mean, covariance, measured)
    assert cost.shape == (12, 9)
    innovation = covariance[:, 0] + np.array([5, 5, 0.1, 5]) ** 2
    motion = ((measured[None] - mean[:, None, :4]) ** 2 / innovation[:, None]).sum(axis=2)
    blend = 0.98 * cdist(tracks, detections) + 0.02 * motion
    np.testing.assert_allclose(cost, np.where(motion <= 9.4877, blend, np.inf), atol=1e-6)
    assert 10 < np.isfinite(cost).sum() < 100


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0)])
def test_nobody_on_one_side(n, m):
    mean, covariance = kalman.initiate(np.ones((n, 4)))
    cost = appearance_and_motion(np.ones((n, 8)), np.ones((m, 8)), mean, covariance, np.ones((m, 4)))
    assert cost.shape == (n, m)
    pairs, rows, columns = linear_assignment(cost, 0.7)
    assert pairs.shape == (0, 2)
    assert rows.tolist() == list(range(n)) and columns.tolist() == list(range(m))


def random_costs(random, n, m, forbidden, clustered):
    cost = random.random((n, m))
    if clustered:  # little crowds that have nothing to do with each other
        cost[random.integers(0, 4, n)[:, None] != random.integers(0, 4, m)[None]] = np.inf
    cost[random.random((n, m)) < forbidden] = np.inf
    return cost


def total(cost, pairs, limit):
    """The sum that is least: cost of the pairs, and limit / 2 for everybody alone."""
    alone = sum(cost.shape) - 2 * len(pairs)
    return cost[pairs[:, 0], pairs[:, 1]].sum() + alone * limit / 2


COSTS = {
    "n": st.integers(0, 12),
    "m": st.integers(0, 12),
    "forbidden": st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    "clustered": st.booleans(),
    "limit": st.sampled_from([0.05, 0.3, 0.7, 2.0]),
    "seed": st.integers(0, 2**32 - 1),
}


@settings(max_examples=150, deadline=None)
@given(**COSTS, steps=st.sampled_from([None, 2, 10]))
def test_assignment_has_the_least_cost(n, m, forbidden, clustered, limit, seed, steps):
    cost = random_costs(np.random.default_rng(seed), n, m, forbidden, clustered)
    if steps:
        cost = np.round(cost * steps) / steps  # many equal costs
    pairs, rows, columns = linear_assignment(cost, limit)
    assert sorted([*pairs[:, 0], *rows]) == list(range(n)) and sorted([*pairs[:, 1], *columns]) == list(range(m))
    assert list(pairs[:, 0]) == sorted(pairs[:, 0])
    assert list(rows) == sorted(rows) and list(columns) == sorted(columns)
    assert (cost[pairs[:, 0], pairs[:, 1]] <= limit).all()
    extended = np.full((n + m, n + m), limit / 2)
    extended[:n, :m] = np.minimum(cost, 1e6)
    extended[n:, m:] = 0
    best = extended[linear_sum_assignment(extended)].sum()
    assert total(cost, pairs, limit) == pytest.approx(best, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(**COSTS)
def test_assignment_equals_the_solver_on_the_whole(n, m, forbidden, clustered, limit, seed):
    cost = random_costs(np.random.default_rng(seed), n, m, forbidden, clustered)
    pairs, _, _ = linear_assignment(cost, limit)
    if n and m:
        _, x, _ = lap.lapjv(cost, extend_cost=True, cost_limit=limit)
        assert pairs.tolist() == [[row, column] for row, column in enumerate(x) if column >= 0]
    else:
        assert not len(pairs)


@pytest.mark.parametrize("seed", range(20))
def test_a_cost_that_is_no_number_makes_no_pair(seed):
    random = np.random.default_rng(seed)
    cost = random.random((8, 7))
    cost[random.random((8, 7)) < 0.3] = np.nan
    cost[4] = np.nan
    pairs, rows, _ = linear_assignment(cost, 0.7)
    assert len(pairs) and 4 in rows
    expected, _, _ = linear_assignment(np.where(np.isnan(cost), np.inf, cost), 0.7)
    assert pairs.tolist() == expected.tolist()


def test_assignment_leaves_the_costs_as_they_were():
    cost = np.array([[0.1, 0.2], [0.15, np.inf], [0.9, 0.3]], np.float32)
    before = cost.copy()
    pairs, rows, columns = linear_assignment(cost, 0.7)
    assert pairs.tolist() == [[0, 1], [1, 0]] and rows.tolist() == [2] and columns.tolist() == []
    np.testing.assert_array_equal(cost, before)


def least_total(pairs, limit, n, m):
    """Least sum of costs over all ways to pair, leaving a row or a column alone for limit / 2; by trying them all."""
    best = (n + m) * limit / 2
    for place, (row, column, cost) in enumerate(pairs):
        rest = [pair for pair in pairs[place + 1 :] if pair[0] != row and pair[1] != column]
        best = min(best, cost + least_total(rest, limit, n - 1, m - 1))
    return best


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(0, 4),
    m=st.integers(0, 4),
    lowest=st.sampled_from([0.0, -0.75]),  # what somebody looks like may be worth more than a perfect overlap
    share=st.sampled_from([0.3, 0.7, 1.0]),
    limit=st.sampled_from([0.3, 0.9]),
    steps=st.sampled_from([None, 4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_pairs_are_made_at_the_least_cost(n, m, lowest, share, limit, steps, seed):
    random = np.random.default_rng(seed)
    possible = random.permutation(np.flatnonzero(random.random(n * m) < share))  # in any order
    cost = random.uniform(lowest, limit, len(possible))
    if steps:
        cost = np.floor(cost * steps) / steps  # many equal costs
    rows, columns = possible // max(m, 1), possible % max(m, 1)
    made = assign_pairs(rows, columns, cost, (n, m), limit)
    assert len(set(rows[made])) == len(set(columns[made])) == len(made)
    assert rows[made].tolist() == sorted(rows[made])
    total = cost[made].sum() + (n + m - 2 * len(made)) * limit / 2
    assert total == pytest.approx(least_total(list(zip(rows, columns, cost)), limit, n, m), abs=1e-9)


def some_pairs():
    return CandidatePairs(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 1, 2]), np.array([0.9, 0.2, 0.8, 0.7, 0.1]))


def test_pairs_of_marked_rows_and_columns():
    pairs = some_pairs().where(np.array([True, False, True]), np.array([False, True, True]))
    assert (pairs.rows.tolist(), pairs.columns.tolist(), pairs.overlap.tolist()) == (
        [0, 2, 2],
        [1, 1, 2],
        [0.2, 0.7, 0.1],
    )
    assert pairs.take(np.array([2])).overlap.tolist() == [0.1]


def test_a_matching_round_by_round():
    pairs, matching = some_pairs(), Matching(3, 4)
    assert matching.unmatched_tracks.all() and matching.unmatched_detections.all()
    made = matching.assign(pairs, 1 - pairs.overlap, 0.5)
    assert made.tolist() == [0, 2] and matching.detection.tolist() == [0, 1, -1]
    assert matching.unmatched_tracks.tolist() == [False, False, True] and matching.unmatched_detections.tolist() == [
        False,
        False,
        True,
        True,
    ]
    rest = pairs.where(matching.unmatched_tracks, matching.unmatched_detections)
    assert matching.assign(rest, 1 - rest.overlap, 0.9).tolist() == []  # a cost of the limit is too much
    assert matching.assign(rest, 1 - rest.overlap, 0.91).tolist() == [0]
    assert matching.detection.tolist() == [0, 1, 2] and matching.unmatched_detections.tolist() == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("worthless", [np.nan, np.inf])
def test_a_matching_makes_no_pair_of_a_cost_that_is_no_number(worthless):
    matching = Matching(3, 3)
    assert matching.assign(some_pairs(), np.array([worthless, 0.5, worthless, worthless, worthless]), 1).tolist() == [1]


def test_a_matching_of_nobody():
    matching = Matching(0, 2)
    nothing = np.zeros(0, np.int64)
    assert not len(matching.assign(CandidatePairs(nothing, nothing, np.zeros(0)), np.zeros(0), 0.9))
    assert matching.unmatched_detections.all() and not len(matching.unmatched_tracks)
