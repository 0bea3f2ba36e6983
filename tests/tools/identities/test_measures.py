"""The figures of remembering, joining and finding, on cases whose figures are known."""

import numpy as np
import pytest

from tools.identities.absences import Recorded
from tools.identities.across import measure as measure_across
from tools.identities.across import sightings_of
from tools.identities.remembering import Associated, measure
from tracker.appearance.recogniser import Recogniser
from tracker.settings.tracking import TrackerConfig
from tracker.structures import Detections

CONFIG = TrackerConfig(association="byte", conf_thres=0.5, memory=1.0)


def unit(*seeds):
    vectors = np.random.default_rng(seeds).normal(size=(1, 32))
    return (vectors / np.linalg.norm(vectors)).astype(np.float32)


def recorded(looks):
    """Two people who stand beside each other for ten seconds; `looks` by lane and whether it is the second half."""
    frames, gt = {}, []
    for frame in range(1, 101):
        boxes = np.array([[100.0, 100, 160, 260], [300.0, 100, 360, 260]])
        vectors = np.concatenate([unit(looks[lane, frame > 50]) for lane in (0, 1)])
        frames[frame] = Detections(boxes, np.full(2, 0.9), vectors)
        gt += [[frame, lane + 1, *boxes[lane, :2], 60, 160, 1, -1, -1, -1] for lane in (0, 1)]
    return Recorded("made", 10.0, frames, np.array(gt, float), (640, 480))


def remembered(looks, remember=60.0):
    _, middle, _ = recorded(looks).with_holes([5.0])
    associated = Associated.of(middle, CONFIG)
    return measure(associated, Recogniser(remember, associated.memory))


def test_who_is_known_again_counts_as_right():
    found = remembered({(0, False): 1, (0, True): 1, (1, False): 2, (1, True): 2})
    assert (found.people, found.absences, found.right, found.wrong) == (2, 2, 2, 0)
    assert found.recall == found.precision == 1
    assert found.idf1 > 0.9
    assert found.idf1_off == pytest.approx(0.5, abs=0.03)


def test_who_gets_the_number_of_somebody_else_counts_as_wrong():
    found = remembered({(0, False): 1, (0, True): 2, (1, False): 2, (1, True): 1})
    assert (found.right, found.wrong) == (0, 2)
    assert found.idf1 < 0.6


def test_cameras_in_which_people_look_the_same_are_joined_without_a_fault():
    people = {person: {camera: unit(person) for camera in (1, 2, 3)} for person in range(1, 11)}
    found = measure_across(*sightings_of(people), 0.001)
    assert (found.sightings, found.people) == (30, 10)
    assert (found.rank1, found.mean_ap, found.idf1, found.precision, found.recall) == (1, 1, 1, 1, 1)


def test_one_look_for_everybody_finds_nobody():
    people = {person: {camera: unit(0) for camera in (1, 2)} for person in range(1, 21)}
    found = measure_across(*sightings_of(people), 0.001)
    assert found.rank1 == 0
    assert found.mean_ap < 0.1
    assert found.idf1 == pytest.approx(0.5)
