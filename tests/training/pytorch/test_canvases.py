"""Canvases: boxes lie on what is drawn, through scaling, mirroring and pasting; and are the same for the same step."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.training.packed_sets import write_small
from training.pytorch import canvases
from training.pytorch.canvases import PADDING, Canvases, warp
from training.pytorch.packed import IGNORED, PERSON, read_packed

CPU = torch.device("cpu")


@pytest.fixture
def packed(tmp_path):
    return read_packed(write_small(tmp_path / "set.npz"))


def dark(image, box):
    """Share of the pixels in the middle of a box that are darker than any background."""
    left, top, right, bottom = (int(side) for side in box)
    x, y = (right - left) // 4, (bottom - top) // 4
    middle = image[:, top + y : bottom - y, left + x : right - x]
    return float((middle.mean(dim=0) < 135).float().mean())


@pytest.fixture
def plain(monkeypatch):
    """No change of colours, so that people are told from the background."""
    monkeypatch.setattr(Canvases, "_recolor", lambda self, image: image)


def test_boxes_lie_on_people(packed, plain, monkeypatch):
    monkeypatch.setattr(canvases, "PASTE", 0)
    made = Canvases(packed, (160, 224), CPU)
    seen = 0
    for step in range(12):
        batch = made.batch(step, 2)
        assert batch.images.shape == (2, 3, 160, 224) and batch.images.dtype == torch.float32
        for image, boxes, kinds in zip(batch.images, batch.boxes, batch.kinds):
            for box in boxes[kinds == PERSON]:
                if (box[2] - box[0]) > 0.28 * (box[3] - box[1]) and box[2] - box[0] > 8:  # hardly cut off
                    seen += 1
                    assert dark(image, box) > 0.9
            assert ((boxes >= 0) & (boxes <= torch.tensor([224, 160] * 2))).all()
    assert seen > 20


def test_a_step_makes_the_same_canvases_always(packed):
    first, again = (Canvases(packed, (96, 160), CPU, seed=3) for _ in range(2))
    again.batch(0, 3)
    for a, b in zip(vars(first.batch(7, 3)).values(), vars(again.batch(7, 3)).values()):
        assert torch.equal(a, b)
    assert not torch.equal(first.batch(8, 3).images, again.batch(7, 3).images)


def test_pasted_people_have_boxes_and_hide_others(packed, plain, monkeypatch):
    monkeypatch.setattr(canvases, "PASTE", 1)
    monkeypatch.setattr(canvases, "MOSAIC", 0)
    made = Canvases(packed, (160, 224), CPU)
    pasted = hidden = 0
    for step in range(10):
        batch = made.batch(step, 1)
        image, boxes, kinds = batch.images[0], batch.boxes[0], batch.kinds[0]
        green = (image[1] > 190) & (image[0] < 40)  # the colour of the person who is pasted
        if green.any():
            rows, columns = green.nonzero(as_tuple=True)
            within = torch.zeros_like(green)
            for left, top, right, bottom in boxes.round().int().tolist():
                within[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = True
            assert within[rows, columns].all()
            pasted += 1
        hidden += int((kinds == IGNORED).sum())
    assert pasted > 5 and hidden > 0


def test_nobody_there(packed, monkeypatch):
    import dataclasses

    empty = dataclasses.replace(
        packed,
        boxes=np.zeros((0, 4), np.float32),
        kinds=np.zeros(0, np.uint8),
        vector_of=np.zeros(0, int),
        box_starts=np.zeros(len(packed.frames) + 1, int),
        cutouts=[],
        masks=[],
    )
    batch = Canvases(empty, (96, 160), CPU).batch(0, 2)
    assert (batch.kinds == PADDING).all() and batch.boxes.shape == (2, 1, 4)


@pytest.mark.parametrize("scale", [0.2, 0.7, 1.0, 1.7])
def test_warp_puts_a_point_where_its_box_goes(scale):
    frame = torch.zeros(3, 200, 300, dtype=torch.uint8)
    frame[:, 80:120, 100:160] = 250
    size, shift = np.array([260, 180]), np.array([-30.0, 12.0])
    rows, columns = (warp(frame, size, scale, shift)[0] > 125).nonzero(as_tuple=True)
    box = np.array([100, 80, 160, 120]) * scale + np.tile(shift, 2)
    expected = box.clip(0, np.tile(size, 2))
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(np.array(found, float), expected, atol=0.51 + 0.3 / scale)
