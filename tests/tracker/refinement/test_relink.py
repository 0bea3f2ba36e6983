"""Tracklets of one person are joined, those of different people are not."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.tables_of_tracks import OFF, people_of, random_embeddings, strangers, tagged, walk
from tracker.refinement.refine import refine

RATE = 10.0
BY_LOOKS = dataclasses.replace(OFF, relink_seconds=2.0)
BY_MOTION = dataclasses.replace(OFF, motion_seconds=0.3)
BOTH = dataclasses.replace(OFF, relink_seconds=2.0, motion_seconds=0.3)


def joined(pieces, embeddings, limits=BY_LOOKS, crowd=6, rate=RATE):
    """Ids after the refinement of each id before it: {id: id}; so many strangers are there all the time."""
    table, seen = np.concatenate(pieces), dict(embeddings)
    if crowd:
        others, their_looks = strangers(crowd, int(table[:, 0].max()))
        table, seen = np.concatenate([table, others]), seen | their_looks
    table = tagged(table)
    people = people_of(table, refine(table, seen, rate, limits))
    assert all(len(ids) == 1 for ids in people.values()), "a track came apart"
    return {track: ids.pop() for track, ids in people.items()}


def two_pieces(gap=10, **second):
    """Somebody out of sight for so many frames, known as 1 before and as 2 after."""
    return [walk(1, range(1, 31)), walk(2, range(30 + gap, 61 + gap), **second)]


ONE, OTHER = random_embeddings(2, seed=5)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(5, 10),
    noise=st.sampled_from([0.0, 0.05]),
    common=st.sampled_from([0.0, 1.0, 5.0]),
)
def test_cut_tracks_are_whole_again(seed, people, noise, common):
    """Whatever the scale of distances: a share common to all appearances moves all people closer together."""
    random = np.random.default_rng(seed)
    pieces, embeddings, owner = [], {}, {}
    for person, embedding in enumerate(random_embeddings(people, 64, seed)):
        cuts = [1, *(int(c) for c in np.cumsum(random.integers(20, 60, random.integers(1, 5))))]
        for start, stop in itertools.pairwise(cuts):
            track = len(owner) + 1
            owner[track] = person
            pieces.append(
                walk(track, range(start, stop - random.integers(1, 18)), top=300.0 * person, velocity=(2, person / 5))
            )
            vector = embedding + random.normal(0, noise / 8, 64) + common / 8
            embeddings[track] = (vector / np.linalg.norm(vector)).astype(np.float32)
    ids = joined(pieces, embeddings, crowd=0)
    for track, person in owner.items():
        assert {ids[t] for t in owner if owner[t] == person} == {ids[track]}
        assert {ids[t] for t in owner if owner[t] != person}.isdisjoint({ids[track]})


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    tracks=st.integers(1, 25),
    kinds=st.sampled_from([1, 2, 5, 25]),
    seconds=st.sampled_from([0.5, 2.0, 60.0]),
)
def test_overlapping_tracklets_stay_apart(seed, tracks, kinds, seconds):
    """Even if all are in one place and look the same."""
    random = np.random.default_rng(seed)
    types = random_embeddings(kinds, 8, seed)
    pieces, embeddings = [], {}
    for track in range(1, tracks + 1):
        start = int(random.integers(1, 100))
        pieces.append(walk(track, range(start, start + int(random.integers(1, 40))), velocity=(0, 0)))
        embeddings[track] = types[random.integers(kinds)]
    limits = dataclasses.replace(BOTH, relink_seconds=seconds, motion_seconds=min(seconds, 5), relink_quantile=0.5)
    ids = joined(pieces, embeddings, limits, crowd=0)
    for a in pieces:
        for b in pieces:
            if a is not b and a[0, 0] <= b[-1, 0] and b[0, 0] <= a[-1, 0]:
                assert ids[a[0, 1]] != ids[b[0, 1]]


def test_same_looks_are_joined_and_other_looks_are_not():
    ids = joined(two_pieces(), {1: ONE, 2: ONE})
    assert ids[1] == ids[2]
    ids = joined(two_pieces(), {1: ONE, 2: OTHER})
    assert ids[1] != ids[2]


@pytest.mark.parametrize(("gap", "rate", "same"), [(20, 10, True), (21, 10, False), (50, 25, True), (51, 25, False)])
def test_longest_gap_is_in_seconds(gap, rate, same):
    ids = joined(two_pieces(gap), {1: ONE, 2: ONE}, rate=rate)
    assert (ids[1] == ids[2]) == same


@pytest.mark.parametrize("crowd", [0, 6])
@pytest.mark.parametrize("embeddings", [{}, {1: ONE}, {1: np.zeros(32), 2: np.zeros(32)}, {1: ONE, 2: ONE * np.nan}])
def test_unknown_looks_join_nothing(embeddings, crowd):
    ids = joined(two_pieces(), embeddings, crowd=crowd)
    assert ids[1] != ids[2]
    ids = joined(two_pieces(gap=2), embeddings, BOTH, crowd)
    assert ids[1] == ids[2], "motion needs no appearance"


def test_embeddings_of_no_length():
    ids = joined(two_pieces(), {1: np.zeros(0, np.float32), 2: np.zeros(0, np.float32)}, BOTH, crowd=0)
    assert ids[1] != ids[2]


def test_unknown_looks_are_no_strangers():
    unknown = [walk(track, range(1, 70), top=500.0 * track) for track in range(11, 25)]
    ids = joined([*two_pieces(), *unknown], {1: ONE, 2: ONE})
    assert ids[1] == ids[2]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), gap=st.integers(4, 20), spread=st.sampled_from([0.0, 1e-9, 1e-7]))
def test_constant_embeddings_join_nothing_after_long(seed, gap, spread):
    """Also with the noise of arithmetic on top, whose quantiles mean nothing."""
    random = np.random.default_rng(seed)
    pieces = [
        walk(10 * n + k, r, top=200.0 * n) for n in range(8) for k, r in enumerate([range(1, 30), range(29 + gap, 70)])
    ]
    same = np.full(64, 1 / 8)
    embeddings = {int(p[0, 1]): (same + random.normal(0, spread + 1e-30, 64)).astype(np.float32) for p in pieces}
    ids = joined(pieces, embeddings, BOTH, crowd=0)
    assert len(set(ids.values())) == len(pieces)


def test_random_embeddings_join_nothing():
    """They differ as much within a person as between people; some pairs are below any quantile of that."""
    pieces = [
        walk(10 * n + k, r, top=200.0 * n) for n in range(30) for k, r in enumerate([range(1, 30), range(40, 70)])
    ]
    for seed in range(5):
        vectors = random_embeddings(len(pieces), 128, seed)
        embeddings = {int(piece[0, 1]): vector for piece, vector in zip(pieces, vectors)}
        limits = dataclasses.replace(BY_LOOKS, relink_quantile=0.2)
        assert len(set(joined(pieces, embeddings, limits, crowd=0).values())) == len(pieces)


@pytest.mark.parametrize(("crowd", "same"), [(0, False), (2, False), (3, False), (4, True)])
def test_with_few_strangers_looks_mean_nothing(crowd, same):
    """With the two pieces they make 0, 5, 9 and 14 pairs."""
    ids = joined(two_pieces(), {1: ONE, 2: ONE}, crowd=crowd)
    assert (ids[1] == ids[2]) == same


def test_people_who_dress_alike_raise_the_bar():
    """As many pairs of strangers as the quantile counts out must be farther apart than a pair that is joined."""
    alike = {20: ONE, 21: ONE + 0.5 * OTHER, 22: -ONE, 23: -ONE + 0.5 * OTHER}
    others = [walk(track, range(1, 70), top=500.0 * track) for track in alike]
    second = -OTHER + 0.7 * ONE
    for quantile, same in ((0.02, False), (0.5, True)):
        limits = dataclasses.replace(BY_LOOKS, relink_quantile=quantile)
        ids = joined([*two_pieces(), *others], {1: -OTHER, 2: second, **alike}, limits)
        assert (ids[1] == ids[2]) == same


def test_twins_are_not_told_apart():
    """Two people who look like the lost one, both there now: either may be it."""
    twin = walk(3, range(40, 70), left=140.0)
    ids = joined([*two_pieces(), twin], {1: ONE, 2: ONE, 3: ONE})
    assert len({ids[1], ids[2], ids[3]}) == 3
    before = walk(3, range(1, 29), left=140.0)
    ids = joined([*two_pieces(), before], {1: ONE, 2: ONE, 3: ONE})
    assert len({ids[1], ids[2], ids[3]}) == 3


@pytest.mark.parametrize(("start", "apart"), [(59, True), (60, True), (61, False)])
def test_one_frame_together_is_enough_to_be_a_rival(start, apart):
    """The second piece is there to frame 60."""
    twin = walk(3, range(start, 70), left=110.0)
    limits = dataclasses.replace(BY_LOOKS, relink_seconds=4.0)
    ids = joined([walk(1, range(1, 31)), walk(2, range(40, 61)), twin], {1: ONE, 2: ONE, 3: ONE}, limits)
    assert (len({ids[1], ids[2], ids[3]}) == 3) == apart


def test_later_piece_is_no_rival():
    pieces = [walk(1, range(1, 31)), walk(2, range(33, 39)), walk(3, range(41, 60))]
    ids = joined(pieces, {1: ONE, 2: ONE, 3: ONE})
    assert ids[1] == ids[2] == ids[3]


@pytest.mark.parametrize(
    ("second", "same"),
    [({"left": 220}, True), ({"left": 700}, False), ({"height": 140}, True), ({"height": 240}, False)],
)
def test_place_and_size_must_be_plausible(second, same):
    """After a second: one body height of 120 aside is fine, five are not."""
    ids = joined(two_pieces(**second), {1: ONE, 2: ONE})
    assert (ids[1] == ids[2]) == same


def test_speed_makes_up_for_a_long_way():
    """Somebody fast is where the velocity leads, before the gap or after it."""
    fast = [walk(1, range(1, 31), velocity=(40, 0)), walk(2, range(45, 61), velocity=(40, 0))]
    ids = joined(fast, {1: ONE, 2: ONE})
    assert ids[1] == ids[2]


@pytest.mark.parametrize(
    ("second", "same"),
    [
        ({"gap": 3}, True),
        ({"gap": 4}, False),
        ({"gap": 2, "left": 130}, True),
        ({"gap": 2, "left": 180}, False),
        ({"gap": 2, "height": 200, "top": 60, "left": 84}, False),
    ],
)
def test_motion_alone(second, same):
    ids = joined(two_pieces(**second), {}, BY_MOTION)
    assert (ids[1] == ids[2]) == same


def test_motion_alone_needs_likeness_where_it_is_known():
    ids = joined(two_pieces(gap=2), {1: ONE, 2: -ONE}, BY_MOTION)
    assert ids[1] != ids[2]
    ids = joined(two_pieces(gap=2), {1: ONE}, BY_MOTION)
    assert ids[1] == ids[2]


def test_motion_alone_needs_to_be_clear():
    aside = walk(3, range(32, 50), left=110.0)
    ids = joined([*two_pieces(gap=2, left=90.0), aside], {}, BY_MOTION)
    assert len({ids[1], ids[2], ids[3]}) == 3
