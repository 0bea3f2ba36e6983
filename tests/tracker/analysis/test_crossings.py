"""Lines: who crosses and who does not, in which direction, and that nothing else plays a part."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.analysis.walks import RATE, SIZE, Answered, crowd, still, straight, together, walk
from tracker.analysis.measures.crossings import certainty

# from (500, 200) down to (500, 600): who walks down it has the right side of the picture to the left: `in` is leftwards
DOOR = {"lines": {"door": {"points": [[0.5, 0.25], [0.5, 0.75]]}}}
A, B = (460, 400), (540, 400)


def on(*sides):
    """Points on one side or the other, a frame each."""
    return [{"A": A, "B": B}[side] for side in sides]


def test_one_frame_on_the_other_side_is_no_crossing():
    assert Answered(DOOR, walk(1, on(*"AAABAAA"))).both == (0, 0)
    assert Answered(DOOR, walk(1, on(*"AAABBAAA"))).both == (1, 1)


@pytest.mark.parametrize("speed", [5, 15, 25, 40, 60, 120])
def test_whoever_walks_straight_over_it_is_counted_once(speed):
    assert Answered(DOOR, walk(1, straight((200, 410), (800, 390), speed))).both == (0, 1)
    assert Answered(DOOR, walk(1, straight((800, 410), (200, 390), speed))).both == (1, 0)


def test_standing_on_it_counts_once_at_most():
    feet = np.concatenate([straight((300, 400), (500, 400), 10), still((500, 400), 600, noise=3)])
    assert sum(Answered(DOOR, walk(1, feet)).both) <= 1
    assert sum(Answered(DOOR, walk(1, still((500, 400), 600, noise=3), height=30)).both) <= 1


@pytest.mark.parametrize("y", [180, 620])
def test_a_way_around_the_end_does_not_count(y):
    corners = [(400, 400), (400, y), (600, y), (600, 400)]
    feet = np.concatenate([straight(*pair, 10) for pair in pairwise(corners)])
    assert Answered(DOOR, walk(1, feet)).both == (0, 0)
    # the same way cut short counts: the end of the line is what matters
    assert Answered(DOOR, walk(1, straight((400, 400), (600, 400), 10))).both == (0, 1)


@pytest.mark.parametrize(
    ("points", "start", "end", "seen"),
    [
        ([[0.1, 0.0125], [0.9, 0.0125]], (500, 60), (500, 2), False),  # never beyond the band
        ([[0.01, 0.1], [0.01, 0.9]], (80, 400), (-20, 400), True),
        ([[0.99, 0.1], [0.99, 0.9]], (920, 400), (1020, 400), True),
        ([[0.1, 0.9875], [0.9, 0.9875]], (500, 720), (500, 815), True),
        ([[0.1, 0.9875], [0.9, 0.9875]], (500, 720), (500, 797), False),
    ],
)
def test_near_the_border_who_was_seen_on_both_sides_is_counted_and_a_warning_tells(points, start, end, seen):
    scene = {"lines": {"door": {"points": points}}}
    answered = Answered(scene, walk(1, np.concatenate([straight(start, end, 7), [end]])))
    assert sum(answered.both) == seen
    assert "line door is nearer to the border than half a box (50 pixels)" in answered.analysis.warnings()[0]


def test_a_line_that_begins_at_the_border_is_no_reason_to_warn():
    scene = {"lines": {"door": {"points": [[0.0, 0.5], [0.5, 0.5]]}}}
    assert Answered(scene, walk(1, still((500, 400), 1))).analysis.warnings() == []


@given(st.integers(0, 500))
@settings(max_examples=8, deadline=None)
def test_the_line_turned_round_swaps_in_and_out(seed):
    points = np.random.default_rng(seed).uniform(0.1, 0.9, (3, 2)).tolist()
    scenes = [{"lines": {"door": {"points": way}}} for way in (points, points[::-1])]
    forwards, backwards = (Answered(scene, crowd(seed)).both for scene in scenes)
    assert forwards == backwards[::-1]


@given(st.integers(0, 500))
@settings(max_examples=8, deadline=None)
def test_the_numbers_of_others_play_no_part(seed):
    rows = crowd(seed)
    mine = Answered(DOOR, rows[rows[:, 2] == 1]).crossings
    shuffled = rows.copy()
    shuffled[:, 2] = np.where(rows[:, 2] == 1, 1, 100 - rows[:, 2])
    for others in (rows, shuffled):
        assert [row for row in Answered(DOOR, others).crossings if row.id == 1] == mine


def test_in_is_to_the_right_of_the_line_and_downwards_for_one_from_left_to_right():
    scene = {"lines": {"door": {"points": [[0.2, 0.5], [0.8, 0.5]], "in": "entered", "out": "left"}}}
    down, up = straight((500, 300), (500, 500), 10), straight((500, 500), (500, 300), 10)
    answered = Answered(scene, together(walk(1, down), walk(2, up)))
    assert [(row.direction, row.id) for row in answered.crossings] == [("entered", 1), ("left", 2)]
    row = answered.crossings[0]
    assert (row.line, row.time, row.x, row.y) == ("door", None, 500, 400)
    assert row.frame == 13 and row.seconds == 12 / RATE  # 420, the first more than 10 pixels, a tenth of the height


@pytest.mark.parametrize(("anchor", "y"), [("foot", 400), ("centre", 350), ("head", 300)])
def test_the_anchor_is_what_crosses(anchor, y):
    height = y / SIZE[1]
    scene = {"lines": {"door": {"points": [[0.2, height], [0.8, height]], "anchor": anchor}}}
    assert Answered(scene, walk(1, straight((500, 340), (500, 460), 5))).both == (1, 0)
    assert Answered(scene, walk(1, straight((500, 340), (500, 385), 5))).both == (0, 0)


def test_lost_on_one_side_and_found_on_the_other_within_the_memory_is_less_certain():
    def crossed(frames_away):
        frames = [*range(1, 11), *range(11 + frames_away, 21 + frames_away)]
        return Answered(DOOR, walk(1, on(*"A" * 10, *"B" * 10), frames=frames)).crossings

    seen, unseen = crossed(0), crossed(30)
    assert len(seen) == len(unseen) == 1 and seen[0].certainty > 0.9 > 0.8 > unseen[0].certainty > 0.4
    assert crossed(60) == [], "who is away for longer than the memory may have come back any way"


def test_who_begins_within_the_band_has_no_side_until_they_leave_it():
    assert Answered(DOOR, walk(1, straight((495, 400), (700, 400), 4))).both == (0, 0)
    assert Answered(DOOR, walk(1, np.concatenate([straight((495, 400), (540, 400), 4), on(*"BBAAA")]))).both == (1, 0)


def test_back_and_forth_are_two_and_unique_counts_a_person_once():
    feet = np.concatenate([on(*"AAAA", *"BBBB") * 3, on(*"AAAA")])
    answered = Answered(DOOR, walk(1, feet))
    assert answered.both == (3, 3)
    (count,) = answered.counts
    assert (count.in_, count.out, count.net, count.unique_in, count.unique_out) == (3, 3, 0, 1, 1)


def test_a_line_with_a_bend_counts_on_both_of_its_parts_and_a_way_over_both_is_none():
    scene = {"lines": {"door": {"points": [[0.3, 0.3], [0.5, 0.6], [0.7, 0.3]]}}}
    for x in (350, 400, 500, 600, 650):
        assert Answered(scene, walk(1, straight((x, 100), (x, 700), 9))).both == (1, 0), x
    assert Answered(scene, walk(1, [*[(300, 420)] * 3, *[(700, 420)] * 3])).both == (0, 0)


def test_intervals_add_up_to_the_crossings_and_empty_ones_are_there():
    rows = crowd(3, frames=700, people=8)
    answered = Answered(DOOR, rows, interval=5.0, end=60)
    assert [row.start for row in answered.counts] == [5.0 * n for n in range(13)]
    assert (sum(row.in_ for row in answered.counts), sum(row.out for row in answered.counts)) == answered.both
    assert sum(answered.both) > 5 and answered.counts[-1][3:] == (0, 0, 0, 0, 0)
    people = {(row.direction, row.id) for row in answered.crossings}
    assert sum(row.unique_in + row.unique_out for row in answered.counts) == len(people)
    for row in answered.ranges:
        assert 0 <= row.low <= row.counted <= row.high


def test_the_frame_rate_changes_no_count():
    rows = crowd(5, frames=400, people=8)
    slow = rows[(rows[:, 1] - 1) % 5 == 0]
    crossing = straight((200, 400), (800, 400), 8)
    extra = [walk(100 + n, crossing + np.array([0, 10 * n - 50]), first=1 + 20 * n) for n in range(10)]
    every, fifth = together(*extra), together(*(part[(part[:, 1] - 1) % 5 == 0] for part in extra))
    assert Answered(DOOR, every).both == Answered(DOOR, fifth).both == (0, 10)
    assert len(slow) and Answered(DOOR, slow).both[0] >= 0


def test_a_doubtful_crossing_widens_the_range():
    sure = Answered(DOOR, walk(1, straight((200, 400), (800, 400), 8)))
    doubtful = Answered(DOOR, walk(1, on(*"AAA", *"BBB"), score=0.1))
    assert sure.analysis.totals[1] == ("door", "out", 1, 1, 1)
    assert doubtful.analysis.totals[1][2:] != (1, 1, 1) and doubtful.crossings[0].certainty < 0.85
    # a track that breaks off at the line, and another that begins on its other side
    broken = Answered(
        DOOR,
        together(walk(1, straight((200, 400), (470, 400), 10)), walk(2, straight((530, 400), (800, 400), 10), 40)),
        end=20,
    )
    assert broken.both == (0, 0) and broken.analysis.totals[1] == ("door", "out", 0, 0, 1)


@pytest.mark.parametrize(
    "doubt", [{"score": 0.5}, {"reach": 1.1}, {"gap": 1500.0}, {"jump": 1.5}, {"end": 0.05}, {"end": 0.0}]
)
def test_each_doubt_makes_a_crossing_less_certain(doubt):
    sure = {"score": 0.9, "reach": 9.0, "gap": 40.0, "jump": 0.2, "end": 2.0}
    assert certainty(**sure) == pytest.approx(0.976, abs=1e-3)
    assert 0.03 < certainty(**sure | doubt) < 0.96
    worst = certainty(0.0, 1.0, 1e6, 9.0, 0.0)
    assert 0 < worst < 0.01
