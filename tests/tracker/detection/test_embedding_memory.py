"""Whose embedding is carried over from the frame before: who walks alone, for some frames, and nobody else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.fake_models import WHOLE, model_config
from tracker.boxes import box_iou
from tracker.detection.decode import Decoder
from tracker.detection.detector import JDEDetector, Model
from tracker.detection.embedding_memory import RIVAL_SCORE, EmbeddingMemory
from tracker.models.locate import COMPACT
from tracker.settings.runtime import RuntimeOptions


def person(left, top=100.0, width=40.0, height=100.0):
    return [left, top, left + width, top + height]


def walk(memory, frames, min_score=0.6):
    """Who is known in each frame, of people given as (box, score); each frame's embeddings are its number."""
    known = []
    for number, people in enumerate(frames, start=1):
        boxes, scores = np.array([box for box, _ in people]).reshape(-1, 4), np.array([score for _, score in people])
        embeddings = np.zeros((len(people), 2), np.float32)
        known.append(memory.recall(boxes, scores, min_score, embeddings))
        embeddings[~known[-1]] = number
        memory.keep(embeddings)
    return [list(found) for found in known], embeddings[:, 0].tolist()


def test_who_walks_alone_keeps_an_embedding_for_some_frames():
    frames = [[(person(100 + 4 * i), 0.9), (person(500 - 5 * i), 0.8)] for i in range(8)]
    known, last = walk(EmbeddingMemory(3), frames)
    assert known == [[bool(i % 3)] * 2 for i in range(8)]
    assert last == [7, 7]  # of the seventh frame


def test_one_frame_is_no_memory():
    known, _ = walk(EmbeddingMemory(1), [[(person(100), 0.9)]] * 4)
    assert known == [[False]] * 4


@pytest.mark.parametrize("score", [0.5, 0.9])
def test_who_has_others_near_gets_an_embedding(score):
    """Also while the other is hardly seen, and in the frame after they have parted."""
    alone, beside = [(person(100), 0.9)], [(person(100), 0.9), (person(118), score)]
    assert walk(EmbeddingMemory(), [alone, alone, beside, alone, alone])[0] == [
        [False],
        [True],
        [False, False],
        [False],
        [True],
    ]


def test_faint_boxes_are_nobody():
    frames = [[(person(100), 0.9), (person(118), 0.45)]] * 2
    assert walk(EmbeddingMemory(), frames)[0] == [[False, False], [True, False]]


def test_who_had_no_embedding_gets_one():
    frames = [[(person(100), 0.9)], [(person(100), 0.5)], [(person(100), 0.9)], [(person(100), 0.9)]]
    assert walk(EmbeddingMemory(), frames)[0] == [[False], [False], [False], [True]]


def test_who_jumps_gets_an_embedding_and_empty_frames_are_taken():
    frames = [[(person(100), 0.9)], [(person(130), 0.9)], [], [(person(130), 0.9)]]
    assert walk(EmbeddingMemory(), frames)[0] == [[False], [False], [], [False]]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), people=st.integers(1, 12))
def test_whoever_is_known_has_the_embedding_of_the_one_person_near(seed, people):
    """In random crowds, of the last frame's people."""
    random = np.random.default_rng(seed)
    memory, last = EmbeddingMemory(4), None
    places = random.uniform(0, 300, people)
    for _ in range(6):
        places += random.normal(0, 5, people)
        boxes, scores = np.array([person(place) for place in places]), random.uniform(0.1, 1, people)
        embeddings = np.zeros((people, 2), np.float32)
        known = memory.recall(boxes, scores, 0.6, embeddings)
        assert not known[scores <= 0.6].any()
        if known.any():
            overlap = box_iou(boxes[known], last[0])
            nearest = overlap.argmax(axis=1)
            np.testing.assert_array_equal(embeddings[known], last[1][nearest])
            assert (overlap.max(axis=1) > 0.6).all() and (last[2][nearest] > 0.6).all()
            assert len(set(nearest)) == known.sum()
        embeddings[~known] = random.normal(size=(people, 2))[~known]
        memory.keep(embeddings)
        seen = scores > RIVAL_SCORE * 0.6  # who is fainter is nobody
        last = boxes[seen], embeddings[seen], scores[seen]


class Counting:
    """The parts of a network that a detector uses, with the number of people that were embedded at each call."""

    def __init__(self):
        self.counts = []
        self.description, self.folder, self.max_in_flight = "none", None, 1

    def embed(self, groups):
        self.counts.append(len(groups[0]))
        return np.ones((len(groups[0]), 2), np.float32)


@pytest.mark.parametrize(("memory", "counts"), [(None, [1, 1, 1]), (EmbeddingMemory(2), [1, 1])])
def test_a_detector_embeds_no_one_twice_who_is_known(memory, counts):
    config = model_config([(32, [(32, 32)])], read="crop", strides=[], grid=(4, 2))
    network = Counting()
    detector = JDEDetector(network, config, Decoder(config), memory)
    raw = np.zeros((1, 6, 2, 3), np.float32)
    raw[0, 4], raw[0, 4, 1, 1] = 8, -8
    for _ in range(3):
        found = detector.embed(detector.decode([raw], WHOLE), [raw], WHOLE, 0.5)
        np.testing.assert_allclose(found.embeddings, [[0.5**0.5] * 2], atol=1e-6)
    assert network.counts == counts


def test_detectors_of_one_model_remember_each_for_itself():
    model = Model(COMPACT, RuntimeOptions(precision="fp32"))
    memories = [model.detector(remember=True)._memory for _ in range(2)]
    assert memories[0] is not memories[1] and model.detector()._memory is None
