"""Numbers that may be wrong: what is told of whom, and what is not."""

import numpy as np
import pytest

from tests.tracker.analysis.walks import RATE, Answered, crowd, still, straight, together, walk
from tracker.analysis.edits import load_edits


def suspects(*walks, end=60):
    return [(row.kind, row.id, row.other, row.edit) for row in Answered({}, together(*walks), end=end).suspects]


def after(seconds):
    return 1 + round(seconds * RATE)


def test_somebody_lost_and_found_under_another_number_is_told_with_the_edit():
    lost = walk(3, straight((200, 400), (400, 400), 4))  # 2 seconds, amid the picture
    found = walk(9, straight((440, 400), (800, 400), 4), first=after(3))
    assert suspects(lost, found) == [("found", 9, 3, "merge: [[3, 9]]")]
    load_edits({"merge": [[3, 9]]})


@pytest.mark.parametrize(
    "other",
    [
        walk(9, straight((440, 400), (800, 400), 4), first=after(20)),  # much later
        walk(9, straight((440, 750), (800, 750), 4), first=after(3)),  # elsewhere
        walk(9, straight((440, 400), (800, 400), 4), first=after(3), height=250),  # much larger
        walk(9, straight((5, 400), (400, 400), 4), first=after(3)),  # from the border
        walk(9, straight((440, 400), (800, 400), 4), first=after(1)),  # seen at the same time
    ],
    ids=["later", "elsewhere", "larger", "from the border", "at once"],
)
def test_somebody_else_is_not_taken_for_who_was_lost(other):
    lost = walk(3, straight((200, 400), (400, 400), 4))
    assert not suspects(lost, other)


def test_the_nearest_of_several_is_found_and_once_only():
    lost = [walk(n, straight((200, 300 + 60 * n), (400, 300 + 60 * n), 4)) for n in (1, 2)]
    found = [walk(10 + n, straight((430, 300 + 60 * n), (800, 300 + 60 * n), 4), first=after(3)) for n in (1, 2, 3)]
    assert [row[1:3] for row in suspects(*lost, *found)] == [(11, 1), (12, 2)]


def test_a_jump_is_told_and_a_fast_walk_or_a_single_bad_box_is_not():
    walked = straight((200, 400), (600, 400), 4)
    jumped = walk(5, np.concatenate([walked[:50], walked[50:] + np.array([0, 150])]))
    assert suspects(jumped) == [("jumped", 5, None, "split: [{id: 5, frame: 51}]")]
    glitch = walked.copy()
    glitch[50] += (0, 150)
    assert not suspects(walk(5, glitch)) and not suspects(walk(6, straight((100, 400), (900, 400), 30)))


def test_somebody_seen_for_a_moment_is_told_unless_at_the_border():
    assert suspects(walk(4, still((500, 400), 0.5))) == [("short", 4, None, "drop: [4]")]
    assert not suspects(walk(4, still((10, 400), 0.5)))
    assert not suspects(walk(4, still((500, 400), 0.5), first=after(59.8))), "the recording ends"


def test_memory_holds_nobody_who_is_long_gone():
    rows = [walk(n, still((500, 400), 0.5), first=after(20 * n)) for n in range(1, 40)]
    answered = Answered({}, together(*rows), cuts=range(20, 400, 20), end=1000)
    log = answered.analysis._suspects
    assert len(log._lost) <= 2 and not log._new and not log._last
    assert len(answered.suspects) == 39


def test_a_crowd_gives_edits_that_can_be_read():
    answered = Answered({}, crowd(2, frames=600, people=8))
    for row in answered.suspects:
        assert row.kind in ("found", "jumped", "short") and row.edit.split(":")[0] in ("merge", "split", "drop")
