"""Crops of people, targets of embeddings and their losses."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.training.packed_sets import TEACHER, write_small
from tracker.errors import DataError
from training.pytorch.packed import read_packed
from training.pytorch.people import Directions, People, embedding_losses

CPU, GRID = torch.device("cpu"), (40, 16)


@pytest.fixture
def packed(tmp_path):
    return read_packed(write_small(tmp_path / "set.npz"))


def test_crops_show_the_people_whose_vectors_they_have(packed):
    people = People(packed, GRID, CPU)
    assert len(people.vectors) == 12
    for crops, vectors in (people.plain(20), people.batch(0, 20)):
        assert crops.shape == (20, 3, *GRID) and crops.min() >= 0 and crops.max() <= 255
        assert vectors.shape == (20, TEACHER)
    crops, vectors = people.plain(40)
    for crop, vector in zip(crops, vectors.numpy()):
        row = np.abs(packed.vectors - vector).max(axis=1).argmin()
        box = int(np.flatnonzero(packed.vector_of == row)[0])
        frame = packed.frame(int(np.searchsorted(packed.box_starts, box, side="right")) - 1)
        left, top, right, bottom = packed.boxes[box].astype(int)
        middle = frame[(top + bottom) // 2, (left + right) // 2]
        np.testing.assert_allclose(crop[:, GRID[0] // 2, GRID[1] // 2], middle, atol=12)


def test_a_step_draws_the_same_people_always(packed):
    first, again = (People(packed, GRID, CPU, seed=2) for _ in range(2))
    again.batch(0, 9)
    for a, b in zip(first.batch(5, 9), again.batch(5, 9)):
        assert torch.equal(a, b)


def test_nobody_has_a_vector(packed):
    with pytest.raises(DataError, match="nobody"):
        People(dataclasses.replace(packed, vector_of=np.full(len(packed.kinds), -1)), GRID, CPU)


def test_targets_are_turned_to_what_the_head_says():
    """A head that says what the teacher does, turned, gets its own embeddings as targets."""
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q
    crops = torch.randn(200, 6, generator=generator) * torch.tensor([3.0, 2, 2, 1, 1, 1])
    head = torch.nn.Linear(6, 6, bias=False)
    head.weight.data.copy_(turn)
    vectors = crops + 5
    directions = Directions(6, 6)
    directions.fit(vectors, head, crops, vectors)
    parts = embedding_losses(head(crops), directions(vectors))
    assert parts["vector"].item() < 0.02 and parts["relation"].item() < 0.02
    other = embedding_losses(head(crops.flip(0)), directions(vectors))
    assert other["vector"].item() > 0.5
