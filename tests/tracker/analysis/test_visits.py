"""Zones: visits and their length, how many are inside, loitering, crowds, queues, doors, things that never move."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.analysis.walks import RATE, Answered, crowd, still, straight, together, walk

SQUARE = [[0.3, 0.25], [0.7, 0.25], [0.7, 0.75], [0.3, 0.75]]  # (300, 200) to (700, 600)
INSIDE, OUTSIDE = (500, 400), (900, 400)


def scene(**more):
    return {"zones": {"till": {"points": SQUARE, **more}}}


def stay(*parts):
    """Points for (place, seconds) after another."""
    return np.concatenate([np.repeat([place], round(seconds * RATE), axis=0) for place, seconds in parts])


def test_a_visit_is_from_the_first_point_inside_to_the_last():
    answered = Answered(scene(), walk(1, stay((OUTSIDE, 2), (INSIDE, 4), (OUTSIDE, 3))))
    (visit,) = answered.visits
    assert visit == ("till", 1, 2.0, 5.96, pytest.approx(3.96), 0)
    assert [event["event"] for event in answered.events] == ["appeared", "entered", "left"]


def test_half_a_second_makes_a_visit_and_less_does_not():
    assert not Answered(scene(), walk(1, stay((OUTSIDE, 1), (INSIDE, 0.4), (OUTSIDE, 3)))).visits
    assert Answered(scene(), walk(1, stay((OUTSIDE, 1), (INSIDE, 0.56), (OUTSIDE, 3)))).visits


def test_a_foot_that_flickers_over_the_border_is_one_visit():
    feet = stay((OUTSIDE, 1), *[((690, 400), 0.12), ((710, 400), 0.12)] * 40, (OUTSIDE, 3))
    (visit,) = Answered(scene(), walk(1, feet)).visits
    assert visit.dwell == pytest.approx(80 * 0.12, abs=0.3)


def test_outside_for_less_than_the_grace_is_the_same_visit():
    for away, visits in ((1.2, 1), (1.8, 2)):
        answered = Answered(scene(), walk(1, stay((INSIDE, 2), (OUTSIDE, away), (INSIDE, 2), (OUTSIDE, 3))))
        assert len(answered.visits) == visits
    assert answered.visits[0].dwell == answered.visits[1].dwell == pytest.approx(1.96)


@pytest.mark.parametrize(("away", "visits"), [(1, 1), (3, 2)])
def test_lost_inside_for_less_than_the_grace_is_the_same_visit(away, visits):
    frames = [*range(1, 51), *range(51 + 25 * away, 101 + 25 * away)]
    assert len(Answered(scene(), walk(1, stay((INSIDE, 4)), frames=frames), end=20).visits) == visits


def test_two_people_who_swap_places_are_two_visits():
    answered = Answered(
        scene(), together(walk(1, stay((INSIDE, 3), (OUTSIDE, 6))), walk(2, stay((OUTSIDE, 3), (INSIDE, 6))))
    )
    assert [(visit.id, visit.open) for visit in answered.visits] == [(1, 0), (2, 1)]


def test_overlapping_zones_have_visits_of_their_own_and_borders_belong_to_zones():
    left, right = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]
    zones = {"zones": {"left": {"points": left}, "right": {"points": right}}}
    assert {visit.zone for visit in Answered(zones, walk(1, still((500, 400), 3))).visits} == {"left", "right"}
    assert {visit.zone for visit in Answered(zones, walk(1, still((499, 400), 3))).visits} == {"left"}


@given(st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_the_length_of_all_visits_is_the_integral_of_who_is_inside(seed):
    answered = Answered(scene(), crowd(seed), interval=3.0)
    end = answered.analysis.end / 1000
    lengths = [min(3.0, end - row.start) for row in answered.zone_counts]
    inside = sum(row.mean_inside * length for row, length in zip(answered.zone_counts, lengths))
    dwell = sum(visit.dwell for visit in answered.visits)
    assert inside <= dwell + 1e-6 + 1.5 * sum(visit.open for visit in answered.visits)
    # each counts as inside from when it became a visit, which half a second inside, with a grace between, makes
    assert inside >= sum(max(visit.dwell - 2, 0) for visit in answered.visits) - 1e-6
    assert sum(row.entries for row in answered.zone_counts) == len(answered.visits)
    assert sum(row.exits for row in answered.zone_counts) == sum(not visit.open for visit in answered.visits)


def test_loitering_is_told_at_the_threshold_and_at_twice_of_it():
    answered = Answered(scene(loitering=5), walk(1, stay((INSIDE, 30), (OUTSIDE, 3))))
    told = [event for event in answered.events if event["event"] == "loitering"]
    assert [(event["seconds"], event["id"], event["zone"]) for event in told] == [(5, 1, "till"), (10, 1, "till")]


def test_a_crowd_is_told_once_when_it_has_lasted():
    people = [walk(n, stay((OUTSIDE, n), (INSIDE, 20 - n), (OUTSIDE, 3))) for n in range(1, 5)]
    told = [event for event in Answered(scene(crowd=2), together(*people)).events if event["event"] == "crowd"]
    assert len(told) == 1 and told[0]["people"] in (3, 4) and told[0]["seconds"] == pytest.approx(3.5 + 2, abs=0.1)
    kinds = {event["event"] for event in Answered(scene(crowd=4), together(*people)).events}
    assert "entered" in kinds and "crowd" not in kinds


def test_a_queue_tells_how_long_to_wait_by_littles_law():
    people = [walk(n + 1, stay((INSIDE, 8), (OUTSIDE, 3)), first=1 + 50 * n) for n in range(29)]
    rows = Answered(scene(queue=True), together(*people)).zone_counts
    assert rows[0].served == rows[0].exits == pytest.approx(26, abs=1)
    assert rows[0].expected_wait == pytest.approx(8, rel=0.15)
    assert Answered(scene(), together(*people)).zone_counts[0].expected_wait is None


def test_doors_and_room_are_compared():
    room = {"points": [[0.0, 0.5], [1, 0.5], [1, 1], [0, 1]], "doors": ["door"]}
    asked = {"lines": {"door": {"points": [[0.0, 0.5], [1, 0.5]]}}, "zones": {"room": room}}
    ways = [straight((100 + 100 * n, 300), (100 + 100 * n, 600), 5) for n in range(4)]
    ways[3] = np.concatenate([ways[3], ways[3][::-1]])
    row = Answered(asked, together(*(walk(n + 1, way) for n, way in enumerate(ways))), end=20).zone_counts[0]
    assert (row.net, row.drift) == (3, 3), "three who came in were lost inside"
    stayed = [np.concatenate([way, np.repeat(way[-1:], 300 - len(way), axis=0)]) for way in ways]
    row = Answered(asked, together(*(walk(n + 1, way) for n, way in enumerate(stayed)))).zone_counts[0]
    assert (row.net, row.drift) == (3, 0)


def test_a_thing_that_never_moves_is_left_out():
    poster, guard = still((400, 300), 60, noise=1), still((600, 500), 60, noise=1)
    guard[700] = (600, 520)
    guard[700:] += (30, 0)
    answered = Answered({**scene(), "still": 40}, together(walk(1, poster), walk(2, guard)))
    assert answered.analysis.things == {1}
    assert [visit.id for visit in answered.visits] == [2]
    (told,) = [event for event in answered.events if event["event"] == "still"]
    assert told["id"] == 1 and told["seconds"] == pytest.approx(40, abs=2)


def test_regions_leave_out_whose_foot_is_there():
    rows = together(walk(1, still((500, 400), 3)), walk(2, still((900, 400), 3)))
    assert len(Answered({"ignore": [SQUARE]}, rows).analysis.people) == 1
    assert {event["id"] for event in Answered({"only": [SQUARE]}, rows).events} == {1}
