"""Who is hidden in which frame: low scores, gaps, both ways or only after, and the people chosen."""

import numpy as np
import pytest

from tracker.errors import OptionError
from tracker.privacy import cover as module
from tracker.privacy.cover import Cover, Hiding, read_hiding
from tracker.privacy.hide import covered
from tracker.structures import Detections, Frame, SequenceInfo, Tracks

RATE = 10.0
BOX = (40.0, 20.0, 20.0, 60.0)  # left, top, width, height
SHAPE = (120, 400)


@pytest.fixture
def masks(monkeypatch):
    """A function that takes frames through a cover and returns where each was hidden, by its index."""

    def run(hiding, frames, delay=True, rate=RATE, **options):
        found = []
        monkeypatch.setattr(module, "hide", lambda image, boxes, how: found.append(covered(SHAPE, boxes, how)) or image)
        cover, order, waits = Cover(hiding, SequenceInfo("street", rate), delay, **options), [], []
        for index, (tracked, detected) in enumerate(frames):
            ready = cover.add(
                Frame(index, index / rate, np.zeros((1, 1, 3), np.uint8)), tracks(tracked), seen(detected)
            )
            order += [frame.index for frame, _ in ready]
            waits.append(index + 1 - len(order))
        order += [frame.index for frame, _ in cover.rest()]
        assert order == list(range(len(frames)))
        return found, waits

    return run


def tracks(boxes):
    return Tracks(
        np.array(list(boxes), np.int64), np.array([*boxes.values()], float).reshape(-1, 4), np.ones(len(boxes))
    )


def seen(boxes):
    rows = np.array(boxes, float).reshape(-1, 5)
    corners = rows[:, :4].copy()
    corners[:, 2:] += corners[:, :2]
    return Detections(corners, rows[:, 4], np.zeros((len(rows), 0), np.float32))


def moved(box, x):
    return (box[0] + x, *box[1:])


def is_hidden(mask, box):
    left, top, width, height = (int(side) for side in box)
    head = mask[top : top + height // 7, left + width // 3 : left + width - width // 3]
    return bool(head.all())


def test_everybody_detected_is_hidden_from_low_scores_on(masks):
    low, lower = (*BOX, 0.11), (*moved(BOX, 200), 0.09)
    found, waits = masks(Hiding("head"), [({}, [low, lower])] * 3)
    assert all(is_hidden(mask, BOX) and not is_hidden(mask, moved(BOX, 200)) for mask in found)
    assert waits == [1, 2, 3]


def test_a_model_may_say_from_which_score_on(masks):
    low, lower = (*BOX, 0.21), (*moved(BOX, 200), 0.19)
    found, _ = masks(Hiding("head"), [({}, [low, lower])] * 3, least=0.2)
    assert all(is_hidden(mask, BOX) and not is_hidden(mask, moved(BOX, 200)) for mask in found)


@pytest.mark.parametrize("delay", [True, False])
def test_half_a_second_before_and_after(masks, delay):
    frames = [({}, [])] * 10 + [({}, [(*BOX, 0.3)])] * 2 + [({}, [])] * 10
    found, waits = masks(Hiding("body"), frames, delay)
    hidden = [index for index, mask in enumerate(found) if is_hidden(mask, BOX)]
    assert hidden == list(range(5 if delay else 10, 17))
    assert max(waits) == (5 if delay else 0)


def test_a_gap_is_hidden_on_the_way_between(masks):
    """Eight frames without detection, in which somebody walks on by their own width a frame: no hold reaches them."""
    frames = [({1: moved(BOX, 10 * n)}, []) if not 5 <= n < 13 else ({}, []) for n in range(20)]
    found, _ = masks(Hiding("head"), frames)
    shown = [n for n in range(20) if not is_hidden(found[n], moved(BOX, 10 * n))]
    assert [n for n in shown if n >= 8] == [] and len(shown) <= 3  # those were let go before the gap ended


def test_the_box_of_somebody_out_of_sight_gets_wider(masks):
    found, _ = masks(Hiding("body"), [({1: BOX}, [])] + [({}, [])] * 6, delay=False)
    assert [int(mask.sum()) for mask in found[:6]] == sorted(int(mask.sum()) for mask in found[:6])
    assert found[5].sum() > 2 * found[0].sum() and not found[6].any()


def test_only_leaves_one_clear_but_where_others_are_in_front(masks):
    near = moved(BOX, 15)
    frames = [({7: BOX, 8: near}, [(*BOX, 0.9), (*near, 0.9)])] * 4 + [({7: BOX}, [(*BOX, 0.9)])] * 12
    found, _ = masks(Hiding("body", only=(7,)), frames)
    for mask in found[:4]:
        assert is_hidden(mask, near) and not mask[:, 40:44].any()
    assert not found[12].any()
    assert not masks(Hiding("body", only=(7,)), [({7: BOX}, [(*BOX, 0.9)])] * 4)[0][2].any()


def test_who_is_shown_is_shown_from_the_frame_in_which_they_are_known(masks):
    frames = [({}, [(*BOX, 0.9)])] * 3 + [({7: BOX}, [(*BOX, 0.9)])] * 3
    found, _ = masks(Hiding("body", only=(7,)), frames)
    assert [is_hidden(mask, BOX) for mask in found] == [True] * 3 + [False] * 3


def test_except_hides_those_alone_also_where_they_are_lost(masks):
    far = moved(BOX, 200)
    frames = [({7: BOX, 8: far}, [])] * 3 + [({8: far}, [(*BOX, 0.2)])] * 3 + [({8: far}, [])] * 8
    found, _ = masks(Hiding("head", except_=(7,)), frames)
    assert [is_hidden(mask, BOX) for mask in found] == [True] * 11 + [False] * 3
    assert not any(is_hidden(mask, far) for mask in found)


def test_a_stranger_near_a_track_is_not_taken_for_it(masks):
    """Half behind somebody who is shown: an overlap that is no identity."""
    behind = moved(BOX, 10)
    found, _ = masks(Hiding("head", only=(7,)), [({7: BOX}, [(*BOX, 0.9), (*behind, 0.15)])] * 3)
    assert all(is_hidden(mask, behind) for mask in found)


def test_frames_do_not_pile_up_where_time_stands_still():
    cover = Cover(Hiding("head"), SequenceInfo("street", 10.0), delay=True)
    frames = [Frame(n, 1.0, np.zeros((4, 4, 3), np.uint8)) for n in range(100)]
    waiting = 0
    for frame in frames:
        waiting += 1 - len(cover.add(frame, tracks({}), seen([])))
        assert waiting <= 13


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how": "faces"}, "anonymise must be one of head, body, solid, not 'faces'"),
        ({"how": None, "only": 7}, "give anonymise too"),
        ({"how": "head", "only": 7, "except_": 8}, "cannot be combined"),
        ({"how": "head", "only": "7"}, "only must be a whole number"),
        ({"how": "head", "except_": []}, "except_ must name at least one"),
        ({"how": "head", "except_": [1.5]}, "except_ must be a whole number"),
    ],
)
def test_what_is_not_accepted(options, message):
    with pytest.raises(OptionError, match=message):
        read_hiding(**options)


def test_who_is_hidden_is_told():
    assert read_hiding(None) is None
    assert str(read_hiding("head")) == "everybody (head)"
    assert str(read_hiding("body", only=(7, 9))) == "everybody but 7 and 9 (body)"
    assert str(read_hiding("solid", except_=7)) == "7 (solid)"
