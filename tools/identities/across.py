"""Cameras whose people are known: figures of finding somebody again, and of one number over all cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tracker.appearance.calibration import FalseMatches
from tracker.appearance.views import View, Views
from tracker.library.identities.compare import PRIOR_PAIRS, Sightings
from tracker.library.identities.join import cluster

PAIRS_A_CAMERA = 300  # of people who may have been seen at once


@dataclass(frozen=True)
class Figures:
    """What vectors are worth over cameras.

    Attributes:
        sightings: people, counted in every camera.
        people: different ones.
        rank1: share of sightings whose most alike sighting in another camera is of the same person.
        mean_ap: mean average precision of the order in which the others are found.
        idf1: of the global numbers, each sighting once: harmonic mean of the shares that the best one-to-one mapping of
            numbers to people gets right.
        precision: of the pairs of sightings with one number, how many are of one person.
        recall: of the pairs of sightings of one person, how many have one number.
    """

    sightings: int
    people: int
    rank1: float
    mean_ap: float
    idf1: float
    precision: float
    recall: float


def sightings_of(people: Mapping[int, Mapping[int, np.ndarray]]) -> tuple[Sightings, np.ndarray]:
    """Return the sightings of people, and who each is.

    Args:
        people: all vectors [N, D] by camera by person; up to eight unlike ones are kept of each.
    """
    rows = sorted((camera, person) for person, cameras in people.items() for camera in cameras)
    kept = []
    for camera, person in rows:
        views = Views(tuple(View(vector.astype(np.float16), 0.5) for vector in people[person][camera]))
        kept.append(views.vectors())
    starts = np.cumsum([0, *map(len, kept)])[:-1].astype(np.int64)
    cameras, truth = (np.array(column, np.int64) for column in zip(*rows))
    return Sightings(cameras, truth, np.concatenate(kept), starts), truth


def measure(
    sightings: Sightings, truth: np.ndarray, rate: float, together: np.ndarray | None = None, seed: int = 0
) -> Figures:
    """Look for everybody in the other cameras, and join the cameras.

    Args:
        sightings: people of cameras.
        truth: [P] who each is.
        rate: share of the pairs of different people that may be as alike.
        together: [P, P] bool, who was seen at once; None to draw pairs of each camera at random.
        seed: of the random numbers.
    """
    alike = sightings.similarities()
    same, other = truth[:, None] == truth, sightings.cameras[:, None] != sightings.cameras
    hits, precisions = [], []
    for row in range(len(truth)):
        rest = np.flatnonzero(other[row])
        right = same[row, rest]
        if right.any():
            # ties count against us: of equals the wrong ones come first
            order = np.lexsort((right, -alike[row, rest]))
            found = right[order]
            hits.append(bool(found[0]))
            precisions.append(float((np.cumsum(found) / np.arange(1, len(found) + 1))[found].mean()))
    if together is None:
        together = np.zeros(same.shape, bool)
        rng = np.random.default_rng(seed)
        for camera in np.unique(sightings.cameras):
            here = np.flatnonzero(sightings.cameras == camera)
            one, two = rng.choice(here, PAIRS_A_CAMERA), rng.choice(here, PAIRS_A_CAMERA)
            together[one[one != two], two[one != two]] = True
        together |= together.T
    strangers = FalseMatches(PRIOR_PAIRS)
    strangers.add(alike[np.triu(together)])
    groups = cluster(alike, ~other & ~np.eye(len(truth), dtype=bool), strangers.threshold(rate))
    joined = groups[:, None] == groups
    upper = np.triu(np.ones(same.shape, bool), 1)
    both = int((joined & same & upper).sum())
    return Figures(
        sightings=len(truth),
        people=len(np.unique(truth)),
        rank1=float(np.mean(hits)),
        mean_ap=float(np.mean(precisions)),
        idf1=_idf1(groups, truth),
        precision=both / max(int((joined & upper).sum()), 1),
        recall=both / max(int((same & upper).sum()), 1),
    )


def _idf1(groups: np.ndarray, truth: np.ndarray) -> float:
    from scipy.optimize import linear_sum_assignment

    _, one = np.unique(groups, return_inverse=True)
    _, two = np.unique(truth, return_inverse=True)
    table = np.zeros((one.max() + 1, two.max() + 1))
    np.add.at(table, (one, two), 1)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(truth))
