"""The association over a whole sequence at once, and what became of whom."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tracker.fused_tracker import FusedTracker
from tracker.matching import iou_distance
from tracker.tracker_config import TrackerConfig

fused_and_byte = pytest.mark.parametrize("appearance", [True, False], ids=["fused", "byte"])


def run(frames, appearance=True, frame_rate=30.0, cameras=(), **settings):
    """The tracks of every frame; a detection is sure above 0.6 unless the settings say otherwise."""
    tracker = FusedTracker(TrackerConfig(**{"conf_thres": 0.6, **settings}), frame_rate, appearance)
    return [tracker.update(frame, camera) for frame, camera in itertools.zip_longest(frames, cameras)]


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
        overlap = 1 - iou_distance(boxes, corners)
        for who, column in zip(*linear_sum_assignment(overlap, maximize=True)):
            if overlap[who, column] > 0.5:
                changes += last.get(who, tracks.ids[column]) != tracks.ids[column]
                last[who] = tracks.ids[column]
    return changes
