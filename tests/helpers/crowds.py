"""Detections of people who never were, at random or told box by box, and what an association makes of them."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tracker.association.fused_tracker import FusedTracker
from tracker.boxes import box_iou
from tracker.settings.tracking import TrackerConfig
from tracker.structures import Detections

EMBEDDINGS = np.eye(8, dtype=np.float32)  # of 8 identities, as different as embeddings can be


def detections_of(boxes, scores, embeddings):
    return Detections(
        np.asarray(boxes, np.float32).reshape(-1, 4),
        np.asarray(scores, np.float32),
        np.asarray(embeddings, np.float32),
    )


def person(x, identity, y=100.0, score=0.9, height=100.0, embeddings=EMBEDDINGS):
    """(box, score, embedding) of somebody whose feet stand in the middle of (x, y), in pixels."""
    half = 0.2 * height
    return (x - half, y - height, x + half, y), score, embeddings[identity]


def frame_of(*people):
    """The detections of a frame from what `person` gives."""
    boxes, scores, embeddings = zip(*people) if people else ([], [], np.zeros((0, EMBEDDINGS.shape[1])))
    return detections_of(boxes, scores, embeddings)


def with_embeddings(detections, embeddings):
    """The same boxes and scores with other embeddings."""
    return detections_of(detections.boxes, detections.scores, embeddings)


def to_eighths(detections):
    """Boxes in eighths of a pixel, which float32 holds exactly however they are shifted and scaled by powers of two."""
    return detections_of(np.round(detections.boxes * 8) / 8, detections.scores, detections.embeddings)


def crowd(seed, people, frames, miss=0.1, noise=2.0, dimension=16, empty=0.05, width=1920):
    """Frames of people who walk, are missed, leave and come, with false alarms and with frames without anybody."""
    random = np.random.default_rng(seed)
    centre = random.uniform([0, 0], [width, 1080], (people, 2))
    height = random.uniform(40, 400, people)
    velocity = random.normal(0, 4, (people, 2))
    prototypes = random.normal(size=(people, dimension))
    made = []
    for _ in range(frames):
        centre += velocity
        gone = (centre < -50).any(axis=1) | (centre > [width + 50, 1130]).any(axis=1)
        centre[gone] = random.uniform([0, 0], [width, 1080], (gone.sum(), 2))
        prototypes[gone] = random.normal(size=(gone.sum(), dimension))
        seen = random.random(people) > (1.0 if random.random() < empty else miss)
        false_alarms = random.poisson(1)
        size = np.stack([height * 0.4, height], axis=1)[seen] * random.normal(1, 0.02, (seen.sum(), 2))
        middle = centre[seen] + random.normal(0, noise, (seen.sum(), 2))
        boxes = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
        clutter = random.uniform([0, 0, 20, 20], [width, 1080, 200, 300], (false_alarms, 4))
        clutter[:, 2:] += clutter[:, :2]
        scores = random.uniform(0.05, 1, seen.sum() + false_alarms)
        embeddings = np.concatenate(
            [
                prototypes[seen] + random.normal(0, 0.2, (seen.sum(), dimension)),
                random.normal(size=(false_alarms, dimension)),
            ]
        )
        made.append(detections_of(np.concatenate([boxes, clutter]), scores, embeddings))
    return made


def walkers(seed, people, frames, dimension=32):
    """People who walk to and fro across each other, at 30 frames/s, without false alarms.

    The more of somebody is behind another, the lower the score, and the more the embedding is the other's; nobody is
    detected of whom less than a quarter can be seen. Returns detections and the true boxes [people, 4], frame by frame.
    """
    random = np.random.default_rng(seed)
    height = random.uniform(90, 130, people)
    feet = random.uniform(200, 260, people)
    middle, reach = random.uniform(250, 450, people), random.uniform(60, 200, people)
    pace, phase = random.uniform(0.02, 0.05, people), random.uniform(0, 2 * np.pi, people)
    prototypes = random.normal(size=(people, dimension)) / dimension**0.5
    made, truth = [], []
    for number in range(frames):
        x = middle + reach * np.sin(pace * number + phase)
        boxes = np.stack([x - 0.2 * height, feet - height, x + 0.2 * height, feet], axis=1)
        sides = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        shared = np.maximum(sides, 0).prod(axis=2) / (0.4 * height**2)[:, None]
        hidden = np.where(feet[:, None] < feet, shared, 0)
        front, hidden = hidden.argmax(axis=1), hidden.max(axis=1)
        seen = np.flatnonzero(hidden < 0.75)
        mixed = (
            prototypes
            + hidden[:, None] * prototypes[front]
            + 0.4 * random.normal(size=prototypes.shape) / dimension**0.5
        )
        found = boxes + random.normal(0, 1.5, boxes.shape)
        scores = np.clip(0.95 - 0.8 * hidden + random.normal(0, 0.03, people), 0.05, 1)
        made.append(detections_of(found[seen], scores[seen], mixed[seen]))
        truth.append(boxes)
    return made, truth


fused_and_byte = pytest.mark.parametrize("appearance", [True, False], ids=["fused", "byte"])


def track_all(frames, appearance=True, frame_rate=30.0, warps=(), **settings):
    """The tracks of every frame; conf_thres is 0.6 unless the settings say otherwise."""
    tracker = FusedTracker(TrackerConfig(**{"conf_thres": 0.6, **settings}), frame_rate, appearance)
    return [tracker.update(frame, warp) for frame, warp in itertools.zip_longest(frames, warps)]


def ids_at(tracks, *places):
    """The identity shown within 10 pixels of each x, the middle of a box; None where there is nobody."""
    middle = tracks.boxes[:, 0] + tracks.boxes[:, 2] / 2
    found = [tracks.ids[np.abs(middle - x) < 10].tolist() for x in places]
    return [here[0] if here else None for here in found]


def shown(tracks_of_frames, identity=1):
    """For each frame, whether an identity is shown."""
    return [identity in tracks.ids for tracks in tracks_of_frames]


def people_of(tracks_of_frames):
    """How many identities were shown in all."""
    return len({i for tracks in tracks_of_frames for i in tracks.ids.tolist()})


def switches(tracks_of_frames, truth):
    """How often a true person, known by boxes [people, 4] in every frame, gets another identity than last time."""
    last, changes = {}, 0
    for tracks, boxes in zip(tracks_of_frames, truth):
        corners = np.concatenate([tracks.boxes[:, :2], tracks.boxes[:, :2] + tracks.boxes[:, 2:]], axis=1)
        overlap = box_iou(boxes, corners)
        for who, column in zip(*linear_sum_assignment(overlap, maximize=True)):
            if overlap[who, column] > 0.5:
                changes += last.get(who, tracks.ids[column]) != tracks.ids[column]
                last[who] = tracks.ids[column]
    return changes
