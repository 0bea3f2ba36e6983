"""Assignment and losses of the detector on cells counted by hand."""

import pytest

torch = pytest.importorskip("torch")

from training.pytorch.canvases import PADDING
from training.pytorch.detection_losses import assign, cells, detection_losses
from training.pytorch.packed import IGNORED, PERSON

SIZES = [torch.Size([3, 4]), torch.Size([6, 8]), torch.Size([12, 16])]
CORNERS, STRIDES = cells(SIZES, torch.device("cpu"))
MIDDLES = CORNERS + STRIDES[:, None] / 2
CELLS = len(STRIDES)


def maps_of(boxes, score):
    """Maps in which every cell predicts the box whose centre is nearest; the logit is positive inside of it."""
    boxes = torch.tensor(boxes, dtype=torch.float32)
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    nearest = torch.cdist(MIDDLES, centre).argmin(dim=1)
    raw = torch.zeros(CELLS, 6)
    raw[:, :2] = (centre[nearest] - CORNERS) / STRIDES[:, None]
    raw[:, 2:4] = (size[nearest] / STRIDES[:, None]).log()
    inside = ((boxes[nearest, :2] < MIDDLES) & (boxes[nearest, 2:] > MIDDLES)).all(dim=1)
    raw[:, 5] = torch.where(inside, score, -score)
    parts = raw.T[None].split([rows * columns for rows, columns in SIZES], dim=2)
    return [part.reshape(1, 6, *size) for part, size in zip(parts, SIZES)]


def batch_of(*people):
    return torch.tensor([[box for box, _ in people]], dtype=torch.float32), torch.tensor([[kind for _, kind in people]])


def losses(maps, *people):
    return {name: value.item() for name, value in detection_losses(maps, *batch_of(*people)).items()}


ONE, TWO = [10, 10, 40, 80], [60, 20, 90, 90]


def test_boxes_that_are_right_cost_nothing():
    right = losses(maps_of([ONE, TWO], 6.0), (ONE, PERSON), (TWO, PERSON))
    moved = losses(maps_of([[16, 14, 46, 84], TWO], 6.0), (ONE, PERSON), (TWO, PERSON))
    assert abs(right["box"]) < 1e-4 < moved["box"]


def test_padding_is_nobody():
    maps = maps_of([ONE, TWO], 2.0)
    with_padding = losses(maps, (ONE, PERSON), (TWO, PERSON), ([0, 0, 0, 0], PADDING), ([5, 5, 60, 60], PADDING))
    assert with_padding == pytest.approx(losses(maps, (ONE, PERSON), (TWO, PERSON)))


def test_what_is_ignored_costs_nothing():
    maps = maps_of([ONE, TWO], 2.0)
    missing = losses(maps, (ONE, PERSON))
    ignored = losses(maps, (ONE, PERSON), (TWO, IGNORED))
    both = losses(maps, (ONE, PERSON), (TWO, PERSON))
    assert ignored["score"] < missing["score"] and ignored["box"] == pytest.approx(missing["box"])
    assert both["score"] != pytest.approx(ignored["score"])


def test_each_person_has_its_own_cells():
    boxes, kinds = batch_of((ONE, PERSON), (TWO, PERSON), ([20, 15, 50, 85], PERSON))
    predicted = torch.cat([MIDDLES - torch.tensor([15, 35]), MIDDLES + torch.tensor([15, 35])], dim=1)[None]
    targets = assign(predicted, torch.full((1, CELLS), 0.5), boxes, kinds, MIDDLES, STRIDES)
    for person in range(3):
        own = (targets.quality[0] > 0) & (targets.person[0] == person)
        assert 1 <= own.sum() <= 10
        x, y = MIDDLES[own].T
        left, top, right, bottom = boxes[0, person]
        assert ((x > left) & (x < right) & (y > top) & (y < bottom)).all()
    assert targets.quality.max() <= 1 and targets.counted.all()


def test_a_person_smaller_than_a_cell_is_learnt():
    tiny = [33, 33, 36, 39]
    boxes, kinds = batch_of((tiny, PERSON))
    predicted = torch.cat([MIDDLES - 3, MIDDLES + 3], dim=1)[None]
    assert (assign(predicted, torch.full((1, CELLS), 0.1), boxes, kinds, MIDDLES, STRIDES).quality > 0).any()


def test_a_box_that_moves_to_its_neighbour_is_pushed_back():
    near = [28, 10, 58, 80]
    there = losses(maps_of([ONE, near], 3.0), (ONE, PERSON), (near, PERSON))
    towards = losses(maps_of([[16, 10, 46, 80], near], 3.0), (ONE, PERSON), (near, PERSON))
    away = losses(maps_of([[4, 10, 34, 80], near], 3.0), (ONE, PERSON), (near, PERSON))
    assert towards["repulsion"] > 0.02 > 1e-4 > there["repulsion"] and away["repulsion"] == pytest.approx(0, abs=1e-4)


def test_losses_can_be_learnt():
    maps = [x.requires_grad_() for x in maps_of([[14, 5, 48, 70], [50, 30, 80, 95]], 0.1)]
    optimizer = torch.optim.Adam(maps, lr=0.1)
    boxes, kinds = batch_of((ONE, PERSON), (TWO, PERSON))
    first = None
    for _ in range(30):
        parts = detection_losses(maps, boxes, kinds)
        total = parts["score"] + 2 * parts["box"]
        first = first or total.item()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert total.item() < 0.5 * first


def test_nobody_there():
    maps = [x.requires_grad_() for x in maps_of([ONE], 1.0)]
    parts = detection_losses(maps, torch.zeros(1, 1, 4), torch.full((1, 1), PADDING))
    assert parts["box"].item() == parts["repulsion"].item() == 0 < parts["score"].item()
    sum(parts.values()).backward()
