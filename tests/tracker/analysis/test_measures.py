"""People, heat and floor, and that nothing depends on how the frames come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.analysis.walks import SIZE, Answered, crowd, still, straight, together, walk
from tracker.analysis.floor.plan import FloorPlan
from tracker.analysis.floor.plane import Floor
from tracker.analysis.measures.heat import HeatMap, draw_flow, draw_heat
from tracker.analysis.rows import FloorPoint
from tracker.analysis.scene import Plane
from tracker.analysis.trajectories import Trajectories
from tracker.errors import OptionError

EVERYTHING = {
    "lines": {
        "a": {"points": [[0.5, 0.1], [0.5, 0.9]]},
        "b": {"points": [[0.2, 0.2], [0.5, 0.4], [0.8, 0.3]]},
        "c": {"points": [[0.1, 0.6], [0.9, 0.6]], "anchor": "head"},
    },
    "zones": {
        "one": {
            "points": [[0.1, 0.1], [0.6, 0.1], [0.6, 0.6], [0.1, 0.6]],
            "loitering": 2,
            "crowd": 2,
            "queue": True,
            "doors": ["a"],
        },
        "two": {"points": [[0.4, 0.4], [1, 0.4], [1, 1], [0.4, 1]], "crowd": 1},
    },
    "still": 3,
    "ignore": [[[0, 0], [0.1, 0], [0.1, 0.1], [0, 0.1]]],
    "plane": {"points": [[0.3, 0.5], [0.7, 0.5], [1, 1], [0, 1]], "metres": [[0, 0], [4, 0], [4, 6], [0, 6]]},
}


@given(st.integers(0, 10_000), st.data())
@settings(max_examples=12, deadline=None)
def test_rows_are_the_same_however_the_frames_are_cut(seed, data):
    rows = crowd(seed, frames=data.draw(st.integers(30, 150)), people=data.draw(st.integers(1, 6)))
    frames = np.unique(rows[:, 1])
    cuts = sorted(data.draw(st.sets(st.integers(0, len(frames)), max_size=20)))
    ways = [Answered(EVERYTHING, rows, c, interval=4.0) for c in (np.arange(1, len(frames)), cuts, [])]
    for other in ways[1:]:
        for name, value in vars(ways[0].step).items():
            assert value == getattr(other.step, name), name
        assert ways[0].analysis.people.everybody() == other.analysis.people.everybody()
        assert ways[0].analysis.totals == other.analysis.totals
        for made in ("time", "people"):
            assert np.array_equal(getattr(ways[0].analysis.heat, made)(), getattr(other.analysis.heat, made)())


def test_a_person_is_one_row_also_after_a_long_absence():
    rows = together(
        walk(7, straight((100, 400), (300, 400), 4)), walk(7, straight((300, 400), (500, 400), 4), first=1000)
    )
    answered = Answered({}, rows)
    (person,) = answered.analysis.people.everybody()
    assert (person.id, person.first_seen, person.frames) == (7, 0, 102)
    assert person.last_seen == pytest.approx((999 + 50) / 25)
    assert person.seconds == pytest.approx(4.0) and person.path_px == pytest.approx(400, abs=2)
    assert person.path_m is None and person.mean_score == pytest.approx(0.9)
    assert len(answered.people) == 1, "told when gone; the second time the recording ends"


def test_heat_is_the_time_of_everybody_in_sight():
    rows = together(*(walk(n, straight((100, 200 + 20 * n), (900, 400), 3), height=60 + 9 * n) for n in range(1, 9)))
    answered = Answered({}, rows)
    seconds = sum(person.seconds for person in answered.analysis.people.everybody())
    heat = answered.analysis.heat.time()
    assert heat.sum() == pytest.approx(seconds, rel=1e-3)
    slow = Answered({}, rows[(rows[:, 1] - 1) % 5 == 0])
    assert slow.analysis.heat.time().sum() == pytest.approx(seconds, rel=0.02)
    assert np.corrcoef(heat.ravel(), slow.analysis.heat.time().ravel())[0, 1] > 0.97


def test_the_heat_of_intervals_adds_up_to_that_of_the_whole():
    rows = together(walk(1, straight((100, 200), (900, 400), 0.6)), walk(2, still((500, 300), 40), first=300))
    rows = rows[(rows[:, 1] < 500) | (rows[:, 1] > 540)]  # out of sight over the end of an interval
    whole, parts = HeatMap(SIZE), HeatMap(SIZE, interval=10.0)
    trajectories, made = Trajectories(2.0), {}
    for portion in np.array_split(rows, 40):
        movement = trajectories.update(portion, portion[-1, 0])
        for heat in (whole, parts):
            heat.update(movement)
        made |= dict(parts.parts(movement.horizon - 2000, None))
    end = trajectories.close(rows[-1, 0])
    for heat in (whole, parts):
        heat.update(end)
    assert list(made) == [0, 1, 2, 3, 4]
    made |= dict(parts.parts(np.inf, end.end))
    assert list(made) == [0, 1, 2, 3, 4, 5] and list(parts.parts(np.inf, end.end)) == []
    assert np.allclose(sum(made.values()), whole.time(), atol=1e-4)
    assert np.array_equal(parts.time(), whole.time()) and made[0].sum() == pytest.approx(10, abs=0.1)


def test_one_who_stands_for_an_hour_leaves_the_path_of_a_hundred_visible():
    paths = [walk(n + 2, straight((50, 600), (950, 600), 12), first=1 + 80 * n) for n in range(100)]
    guard = walk(1, still((500, 200), 3600))
    heat = Answered({}, together(guard, *paths)).analysis.heat
    people = heat.people()
    on_path = people[round(600 / heat.cell), people.shape[1] // 4 : 3 * people.shape[1] // 4]
    assert on_path.min() >= 0.3 * people.max()
    assert people.sum() > 0 and heat.time()[round(200 / heat.cell), round(500 / heat.cell)] > 0


def test_heat_of_nobody_is_nought():
    heat = HeatMap(SIZE)
    assert heat.time().sum() == heat.people().sum() == 0 and not np.isnan(heat.time()).any()
    picture = draw_heat(heat.time(), SIZE, "person-s", "0 to 1 s")
    assert picture.shape[0] == SIZE[1] and picture.shape[1] > SIZE[0]
    assert draw_flow(*heat.flow(), SIZE, heat.cell).shape == (SIZE[1], SIZE[0], 3)


def test_flow_points_where_people_walk():
    motion, count = Answered({}, walk(1, straight((100, 400), (900, 400), 8))).analysis.heat.flow()
    assert (count.sum(axis=1) > 0).sum() == 1
    assert motion[count > 0][:, 0] == pytest.approx(8, abs=0.1) and motion[..., 1] == pytest.approx(0)


# a camera 5 m high that looks down by 30 degrees: where points on the floor are in its picture
def seen(metres):
    pitch, focal = np.radians(30), 700
    x, depth = metres[:, 0], metres[:, 1]
    down, forward = 5 * np.cos(pitch) - depth * np.sin(pitch), depth * np.cos(pitch) + 5 * np.sin(pitch)
    return np.column_stack([500 + focal * x / forward, 400 + focal * down / forward])


CORNERS = np.array([[-3, 6], [3, 6], [3, 14], [-3, 14]], float)
CAMERA = {"points": (seen(CORNERS) / SIZE).tolist(), "metres": CORNERS.tolist()}


@pytest.mark.parametrize(("noise", "tolerance"), [(0, 0.03), (2, 0.08)])
def test_walkers_have_their_speed(noise, tolerance):
    random = np.random.default_rng(0)
    ways = [((-3, 7), (3, 9)), ((2, 13), (-1, 6)), ((0, 6), (0, 14)), ((-2, 8), (2.5, 8))]
    for begin, end in ways:
        feet = seen(straight(begin, end, 1.4 / 25))
        rows = walk(1, feet + random.normal(0, noise, feet.shape), height=150)
        answered = Answered({"plane": CAMERA}, rows)
        (person,) = answered.analysis.people.everybody()
        assert person.mean_speed == pytest.approx(1.4, rel=tolerance)
        assert person.path_m == pytest.approx(np.linalg.norm(np.subtract(end, begin)), rel=0.1)
        speeds = [np.hypot(point.vx, point.vy) for point in answered.floor[:-1]]
        assert np.mean(speeds) == pytest.approx(1.4, rel=tolerance)


def test_who_stands_has_next_to_no_speed():
    feet = np.repeat(seen(np.array([[1.0, 10.0]])), 750, axis=0)
    feet += np.random.default_rng(0).normal(0, 2, feet.shape)
    (person,) = Answered({"plane": CAMERA}, walk(1, feet, height=150)).analysis.people.everybody()
    assert person.mean_speed < 0.1


def test_the_floor_ends_at_the_horizon_and_a_poor_fit_is_told():
    floor = Floor(Plane(tuple(map(tuple, CAMERA["points"])), tuple(map(tuple, CAMERA["metres"]))), SIZE)
    assert floor.error == pytest.approx(0, abs=1e-6)
    places = floor.metres(np.array([[500.0, 500.0], [500.0, -2000.0]]))
    assert np.isfinite(places[0]).all() and np.isnan(places[1]).all()
    amiss = (seen(np.array([[0.0, 10.0]])) / SIZE).tolist()
    crooked = {"points": [*CAMERA["points"], *amiss], "metres": [*CAMERA["metres"], [2, 10]]}
    answered = Answered({"plane": crooked}, walk(1, still((500, 500), 2)))
    assert answered.analysis.floor.error > 0.3 and "the plane fits" in answered.analysis.warnings()[0]


def test_the_plan_shows_where_people_were():
    rows = walk(1, seen(straight((-2, 8), (2, 8), 0.02)), height=150)
    plan = Answered({"plane": CAMERA}, rows).analysis.plan.draw()
    nobody = Answered({"plane": CAMERA}, rows[:1]).analysis.plan.draw()
    assert plan.shape == nobody.shape and plan.shape[0] == plan.shape[1] + (8 - 6) * 50  # 16 m in 800 pixels
    y, x = (plan != nobody).any(axis=2).nonzero()
    # the plan begins at x = -7 and y = 2, after an edge of 40 pixels
    assert np.abs((y - 40) / 50 + 2 - 8).max() < 0.5 and np.abs((x - 40) / 50 - 7).max() < 2.5
    assert x.max() - x.min() > 3 * 50


def test_a_plan_does_not_show_what_is_beyond_it():
    plan = FloorPlan(Floor(Plane(tuple(map(tuple, CAMERA["points"])), tuple(map(tuple, CAMERA["metres"]))), SIZE))
    before = plan.draw()
    plan.update([FloorPoint(0, 1, 1, x, y, 0, 0) for x, y in ((-7.1, 8), (1e9, 8), (0, 1.9), (0, -1e9))])
    assert np.array_equal(plan.draw(), before)


def test_very_many_lines_and_zones_answer_as_each_alone():
    rows = crowd(3, frames=60)
    random = np.random.default_rng(0)
    lines = {f"line {n}": {"points": random.uniform(0, 1, (2, 2)).tolist()} for n in range(300)}
    corners = random.uniform(0, 0.5, (500, 2))
    zones = {
        f"zone {n}": {"points": (corner + 0.5 * np.array([[0, 0], [1, 0], [1, 1]])).tolist()}
        for n, corner in enumerate(corners)
    }
    many = Answered({"lines": lines, "zones": zones}, rows)
    assert many.crossings and many.visits
    for n in (0, 150, 299):
        alone = Answered({"lines": {f"line {n}": lines[f"line {n}"]}, "zones": {f"zone {n}": zones[f"zone {n}"]}}, rows)
        assert [row for row in many.crossings if row.line == f"line {n}"] == alone.crossings
        assert [row for row in many.visits if row.zone == f"zone {n}"] == alone.visits


@pytest.mark.parametrize(
    "points", [[[0, 0], [0.5, 0.5], [1, 1], [0.3, 0.9]], [[0, 0], [1, 0], [0, 1], [1, 1]]], ids=["in a line", "folded"]
)
def test_a_plane_that_tells_no_floor_is_refused(points):
    plane = Plane(tuple(map(tuple, points)), ((0, 0), (1, 0), (1, 1), (0, 1)))
    with pytest.raises(OptionError, match="plane"):
        Floor(plane, SIZE)
