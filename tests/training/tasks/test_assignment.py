"""Which cells answer for whom: properties of every case, and SimOTA written out in plain loops."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from training.tasks.assignment import CANDIDATES, CENTRE, INSIDE, IOU_WEIGHT, assign

SIZE = (64, 96)  # height and width of the picture
LEVELS = (32, 16, 8)


def cells():
    """Middles [M, 2] and strides [M] of all cells of the picture."""
    middles, strides = [], []
    for stride in LEVELS:
        y, x = np.mgrid[: SIZE[0] // stride, : SIZE[1] // stride].reshape(2, -1)
        middles.append(np.stack([x, y], axis=1) * stride + stride / 2)
        strides.append(np.full(len(x), stride))
    return np.concatenate(middles).astype(np.float32), np.concatenate(strides).astype(np.float32)


MIDDLES, STRIDES = cells()
BOX = st.tuples(
    st.floats(-20, 90, width=32), st.floats(-20, 60, width=32), st.floats(1, 70, width=32), st.floats(1, 70, width=32)
).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
PEOPLE = st.lists(st.tuples(BOX, st.booleans()), max_size=5)
SEED = st.integers(0, 2**32 - 1)


def guess(seed, boxes=()):
    """Predicted boxes of all cells, half of them close to a box where there is one, and logits."""
    random = np.random.default_rng(seed)
    half = STRIDES[:, None] * np.exp(random.uniform(-1, 1, (len(STRIDES), 2))) / 2
    centre = MIDDLES + random.normal(size=MIDDLES.shape) * STRIDES[:, None] / 2
    predicted = np.concatenate([centre - half, centre + half], axis=1)
    if len(boxes):
        near = random.random(len(STRIDES)) < 0.5
        chosen = np.asarray(boxes)[random.integers(len(boxes), size=near.sum())]
        predicted[near] = chosen + random.normal(size=chosen.shape) * 2
        predicted[:, 2:] = np.maximum(predicted[:, 2:], predicted[:, :2] + 0.5)
    return predicted.astype(np.float32), random.normal(scale=3, size=len(STRIDES)).astype(np.float32)


def run(people, seed, middles=MIDDLES, strides=STRIDES):
    boxes = np.array([box for box, _ in people], np.float32).reshape(-1, 4)
    ignored = np.array([ignored for _, ignored in people], bool)
    predicted, logits = guess(seed, boxes)
    return assign(boxes, ignored, predicted, logits, middles, strides), boxes, ignored, predicted, logits


def shared(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a, b):
    return shared(a, b) / max(area(a) + area(b) - shared(a, b), 1e-6)


def near(box, middle, stride):
    """Inside the box and within some cells of its centre, or the cell that the centre lies in."""
    away = [abs(middle[axis] - (box[axis] + box[axis + 2]) / 2) for axis in (0, 1)]
    inside = all(box[axis] < middle[axis] < box[axis + 2] for axis in (0, 1))
    return (inside and max(away) < CENTRE * stride) or max(away) < stride / 2


def by_hand(people, predicted, logits):
    """Cell to person, in plain loops; None where two costs are too close to call."""
    reachable = [[near(box, m, s) for m, s in zip(MIDDLES.tolist(), STRIDES.tolist())] for box in people]
    candidates = [cell for cell in range(len(STRIDES)) if any(row[cell] for row in reachable)]

    def cost(person, cell):
        confidence = 1 / (1 + math.exp(-float(logits[cell])))
        return -math.log(confidence) - IOU_WEIGHT * math.log(iou(people[person], predicted[cell]) + 1e-8)

    claims = {}
    for person, box in enumerate(people):
        overlaps = sorted((iou(box, predicted[cell]) for cell in candidates), reverse=True)
        if abs(sum(overlaps[:CANDIDATES]) - round(sum(overlaps[:CANDIDATES]))) < 1e-4:
            return None  # rounding decides
        count = max(1, int(sum(overlaps[:CANDIDATES])))
        mine = sorted((cost(person, cell), cell) for cell in candidates if reachable[person][cell])
        if len(mine) > count and mine[count][0] - mine[count - 1][0] < 1e-3:
            return None
        for _, cell in mine[:count]:
            claims.setdefault(cell, []).append(person)
    answers = {}
    for cell, who in claims.items():
        # several want it: it goes to the one it costs least, be that one of them or another who is near
        ranks = sorted((cost(p, cell), p) for p in range(len(people)) if reachable[p][cell])
        if len(who) > 1 and ranks[1][0] - ranks[0][0] < 1e-3:
            return None
        answers[cell] = who[0] if len(who) == 1 else ranks[0][1]
    return answers


@settings(max_examples=150, deadline=None)
@given(boxes=st.lists(BOX, min_size=1, max_size=4), seed=SEED)
def test_equals_the_choice_by_hand(boxes, seed):
    found, boxes, _, predicted, logits = run([(box, False) for box in boxes], seed)
    expected = by_hand(boxes.tolist(), predicted.astype(np.float64).tolist(), logits)
    assume(expected is not None)
    assert dict(zip(found.cells.tolist(), found.people.tolist())) == expected


@settings(max_examples=150, deadline=None)
@given(people=PEOPLE, seed=SEED)
def test_rules_that_hold_for_everybody(people, seed):
    found, boxes, ignored, predicted, _ = run(people, seed)
    assert len(found.cells) == len(found.people) == len(found.ious) and found.counted.shape == STRIDES.shape
    assert len(set(found.cells.tolist())) == len(found.cells), "a cell answers for one person only"
    assert not ignored[found.people].any(), "nobody answers for an ignored region"
    for cell, person, value in zip(found.cells, found.people, found.ious):
        assert near(boxes[person].tolist(), MIDDLES[cell].tolist(), STRIDES[cell])
        assert value == pytest.approx(iou(boxes[person].astype(float), predicted[cell].astype(float)), abs=1e-4)
    answering = set(found.cells.tolist())
    for cell, box in enumerate(predicted.astype(np.float64)):
        shares = [shared(region, box) / area(box) for region in boxes[ignored].astype(np.float64)]
        if shares and abs(max(shares) - INSIDE) < 1e-4:
            continue
        within = bool(shares) and max(shares) > INSIDE
        assert found.counted[cell] == (cell in answering or not within)


@settings(max_examples=60, deadline=None)
@given(people=PEOPLE, seed=SEED)
def test_ignored_regions_change_no_choice(people, seed):
    found, boxes, ignored, predicted, logits = run(people, seed)
    alone = assign(boxes[~ignored], np.zeros((~ignored).sum(), bool), predicted, logits, MIDDLES, STRIDES)
    np.testing.assert_array_equal(found.cells, alone.cells)
    np.testing.assert_array_equal(found.people, np.flatnonzero(~ignored)[alone.people])
    assert alone.counted.all()


@settings(max_examples=60, deadline=None)
@given(boxes=st.lists(BOX, min_size=1, max_size=4), seed=SEED, order=st.randoms(use_true_random=False))
def test_the_order_of_cells_and_people_does_not_matter(boxes, seed, order):
    found, boxes, ignored, predicted, logits = run([(box, False) for box in boxes], seed)
    assume(by_hand(boxes.tolist(), predicted.astype(np.float64).tolist(), logits) is not None)
    cell_order, person_order = list(range(len(STRIDES))), list(range(len(boxes)))
    order.shuffle(cell_order)
    order.shuffle(person_order)
    turned = assign(
        boxes[person_order],
        ignored,
        predicted[cell_order],
        logits[cell_order],
        MIDDLES[cell_order],
        STRIDES[cell_order],
    )
    pairs = {(cell_order[cell], person_order[person]) for cell, person in zip(turned.cells, turned.people)}
    assert pairs == set(zip(found.cells.tolist(), found.people.tolist()))


@settings(max_examples=60, deadline=None)
@given(box=BOX, seed=SEED)
def test_somebody_alone_whose_centre_is_in_the_picture_is_answered_for(box, seed):
    assume(0.5 < (box[0] + box[2]) / 2 < SIZE[1] - 0.5 and 0.5 < (box[1] + box[3]) / 2 < SIZE[0] - 0.5)
    centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    assume(all(value % 8 > 0.01 for value in centre))  # on the border of cells it lies in none
    found = run([(box, False)], seed)[0]
    assert len(found.cells) >= 1


def test_a_person_smaller_than_a_cell():
    found, *_ = run([((41, 25, 43, 28), False)], 0)
    assert len(found.cells) == 1
    assert (np.abs(MIDDLES[found.cells[0]] - [42, 26.5]) < STRIDES[found.cells[0]] / 2).all()


@pytest.mark.parametrize("people", [[], [((0, 0, 96, 64), True)], [((-300, -300, -200, -200), False)]])
def test_nobody_in_the_picture(people):
    found, _, ignored, *_ = run(people, 1)
    assert found.cells.dtype == found.people.dtype == np.int64 and found.ious.dtype == np.float32
    assert len(found.cells) == len(found.people) == len(found.ious) == 0
    assert found.counted.all() == (not ignored.any())


def test_two_identical_people_share_nothing():
    box = (20, 10, 60, 60)
    found, *_ = run([(box, False), (box, False)], 2)
    assert len(set(found.cells.tolist())) == len(found.cells) > 0
    assert set(found.people.tolist()) <= {0, 1}


def test_the_better_the_boxes_the_more_cells_answer():
    """As many as the sum of the ten best overlaps: one cell while all boxes are wrong, ten when all are right."""
    box = np.array([[8, 8, 88, 56]], np.float32)
    logits, nobody = np.zeros(len(STRIDES), np.float32), np.zeros(1, bool)
    exact = np.repeat(box, len(STRIDES), axis=0)
    wrong = np.repeat(box + 500, len(STRIDES), axis=0)
    for predicted, count in ((exact, 10), (wrong, 1)):
        found = assign(box, nobody, predicted, logits, MIDDLES, STRIDES)
        assert len(found.cells) == count
        assert found.ious == pytest.approx(np.full(count, float(predicted is exact)), abs=1e-6)


def test_confidence_decides_among_equal_boxes():
    box, nobody = np.array([[8, 8, 88, 56]], np.float32), np.zeros(1, bool)
    predicted = np.repeat(box + 500, len(STRIDES), axis=0)
    for best in np.flatnonzero([near(box[0].tolist(), m, s) for m, s in zip(MIDDLES, STRIDES)]):
        logits = np.full(len(STRIDES), -200, np.float32)  # its exponential is beyond float32
        logits[best] = -150
        assert assign(box, nobody, predicted, logits, MIDDLES, STRIDES).cells.tolist() == [best]


def test_a_person_in_an_ignored_region_is_still_learnt():
    person, region = (20, 10, 50, 60), (-10, -10, 200, 200)
    found, *_ = run([(region, True), (person, False)], 3)
    assert len(found.cells) and (found.people == 1).all()
    assert np.flatnonzero(found.counted).tolist() == sorted(found.cells.tolist())
