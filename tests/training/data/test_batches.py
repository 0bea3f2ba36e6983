"""Batches: the same again for the same seed, step and process; identities of several datasets kept apart."""

import dataclasses
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.training_setups import Crops, Frames
from tracker.errors import DataError
from training.data.batches import BatchStream
from training.data.samples import NOBODY
from training.settings import AugmentSettings

SIZES = [[64, 96], [96, 64], [64, 64]]
AUGMENT = AugmentSettings(reference=(96, 128), pasted_height=(20, 50), mosaic=0.5, paste=1)


def stream(seed=5, rank=0, frames=None, crops=None, augment=AUGMENT, sizes=SIZES, count=2):
    frames = [(Frames(), 1.0)] if frames is None else frames
    crops = [(Crops(), 1.0)] if crops is None else crops
    return BatchStream(frames, crops, augment, sizes, count, seed, rank)


def equal(a, b):
    """Whether two batches are the same in every bit."""
    for name in ("images", "boxes", "identities", "ignored", "teacher_embeddings"):
        for x, y in zip(getattr(a, name), getattr(b, name), strict=True):
            if x.dtype != y.dtype or x.shape != y.shape or not (x == y).all():
                return False
    return True


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), step=st.integers(0, 10**6), rank=st.integers(0, 7))
def test_seed_step_and_process_say_everything(seed, step, rank):
    batch = stream(seed, rank).batch(step)
    other = stream(seed, rank)
    other.batch(step + 1)
    assert equal(batch, other.batch(step))
    for changed in (stream(seed + 1, rank).batch(step), stream(seed, rank).batch(step + 1)):
        assert not equal(batch, changed)
    elsewhere = stream(seed, rank + 1).batch(step)
    assert not equal(batch, elsewhere)
    assert batch.images.shape == elsewhere.images.shape, "all processes take the same size"


def test_a_resumed_stream_goes_on_as_the_first():
    whole = list(stream().batches(0, 9))
    assert len(whole) == 9
    for start, stop in ((0, 1), (4, 9), (8, 9), (2, 4)):
        part = list(stream().batches(start, stop))
        assert len(part) == stop - start
        assert all(equal(a, b) for a, b in zip(whole[start:stop], part))
    assert list(stream().batches(9, 9)) == list(stream().batches(12, 9)) == []


def test_all_sizes_are_drawn_and_arrays_are_as_promised():
    shapes = set()
    for batch in stream(count=3).batches(0, 12):
        shapes.add(batch.images.shape[1:3])
        assert batch.images.shape[0] == 3 and batch.images.dtype == np.uint8
        height, width = batch.images.shape[1:3]
        parts = (batch.boxes, batch.identities, batch.ignored, batch.teacher_embeddings)
        assert {len(part) for part in parts} == {3}
        for boxes, identities, ignored, vectors in zip(*parts):
            assert boxes.shape == (len(boxes), 4) and vectors.shape == (len(boxes), 4)
            kinds = [array.dtype for array in (boxes, identities, ignored, vectors)]
            assert kinds == [np.float32, np.int64, bool, np.float32]
            assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
            assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert shapes == {tuple(size) for size in SIZES}


def test_identities_of_datasets_do_not_collide():
    """Each dataset is seen alone, by its weight, within one and the same set of datasets."""
    sets = [Frames(seed=1), Frames(count=15, identities=7, seed=2), Frames(identities=0, seed=3)]
    pasted = [Crops(), Crops(count=3, identities=3)]
    seen = []
    for number in range(5):
        frames = [(dataset, float(number == place)) for place, dataset in enumerate(sets)]
        crops = [(dataset, float(number == 3 + place)) for place, dataset in enumerate(pasted)]
        if number >= 3:
            frames[2] = (sets[2], 1.0)  # that names nobody
        augment = AUGMENT if number >= 3 else dataclasses.replace(AUGMENT, paste=0)
        made = stream(frames=frames, crops=crops, augment=augment, sizes=[[96, 128]])
        assert made.identities == 3 + 7 + 0 + 5 + 3
        found = np.concatenate([who for batch in made.batches(0, 12) for who in batch.identities])
        seen.append(set(found.tolist()) - {NOBODY})
    assert seen[2] == set(), "unknown people stay unknown"
    assert seen[0] == set(range(3)) and seen[1] == set(range(3, 10))
    assert seen[3] == set(range(10, 15)) and seen[4] == set(range(15, 18))


def test_vectors_stay_with_their_people():
    made = stream(crops=[(Crops(identities=5), 1.0)], frames=[(Frames(identities=0, people=1), 1.0)])
    pairs = 0
    for batch in made.batches(0, 15):
        for identities, vectors, ignored in zip(batch.identities, batch.teacher_embeddings, batch.ignored):
            for identity, vector in zip(identities[identities >= 0], vectors[identities >= 0]):
                assert (vector == identity + 1).all()
                pairs += 1
            assert ignored[identities >= 0].all(), "a pasted crop is nothing to learn boxes from"
    assert pairs > 20


def test_weights_say_how_often_a_dataset_is_drawn():
    one, two = Frames(seed=1), Frames(seed=2)
    made = stream(frames=[(one, 3.0), (two, 1.0)], crops=[], sizes=[[96, 128]], count=8)
    found = np.concatenate([who for batch in made.batches(0, 12) for who in batch.identities])
    first, second = ((found >= 0) & (found < 3)).sum(), (found >= 3).sum()
    assert 2 < first / second < 4.5


def test_without_crops_nothing_is_pasted():
    for batch in stream(crops=[], frames=[(Frames(people=0, teacher_dimension=0), 1.0)]).batches(0, 4):
        assert not any(len(boxes) for boxes in batch.boxes)
        assert [vectors.shape for vectors in batch.teacher_embeddings] == [(0, 0), (0, 0)]


def test_an_error_reaches_who_asks_and_no_thread_is_left():
    class Broken(Frames):
        def __getitem__(self, index):
            if threading.current_thread().name.startswith("batches"):
                raise DataError("gone.jpg: is missing")
            return super().__getitem__(index)

    with pytest.raises(DataError, match=r"gone\.jpg"):
        list(stream(frames=[(Broken(), 1.0)]).batches(0, 3))
    early = stream().batches(0, 100)
    next(early)
    early.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
