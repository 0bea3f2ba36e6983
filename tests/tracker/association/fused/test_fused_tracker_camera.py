"""The associations fused and byte: the camera's own motion, and two tracks of one person."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.crowds import (
    crowd,
    detections_of,
    frame_of,
    fused_and_byte,
    ids_at,
    people_of,
    person,
    shown,
    to_eighths,
    track_all,
)


def camera_of(scale=1.0, angle=0.0, shift=(0.0, 0.0)):
    """[2, 3] of a zoom, a rotation (degrees) about the origin, and a shift (pixels)."""
    turn = scale * np.array([[np.cos(a := np.radians(angle)), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.concatenate([turn, np.reshape(shift, (2, 1))], axis=1)


def seen_by(camera, detections):
    """What the detections are after the camera's motion: centres moved, sizes scaled."""
    boxes = detections.boxes.astype(np.float64)
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    centre, half = centre @ camera[:, :2].T + camera[:, 2], half * np.sqrt(np.linalg.det(camera[:, :2]))
    return detections_of(
        np.concatenate([centre - half, centre + half], axis=1), detections.scores, detections.embeddings
    )


CAMERAS = [
    pytest.param(camera_of(shift=(300, 0)), id="to the left"),
    pytest.param(camera_of(shift=(-20, 250)), id="up"),
    pytest.param(camera_of(scale=2.5), id="nearer"),
    pytest.param(camera_of(scale=0.3), id="farther"),
    pytest.param(camera_of(angle=40), id="around"),
    pytest.param(camera_of(scale=1.3, angle=-30, shift=(150, 80)), id="all of it"),
]


@fused_and_byte
@pytest.mark.parametrize("camera", CAMERAS)
def test_people_stay_the_same_when_the_camera_moves(appearance, camera):
    before = frame_of(person(400, 0, y=300), person(700, 1, y=500), person(500, 2, y=800))
    after = seen_by(camera, before)
    frames, cameras = [before] * 10 + [after] * 10, [None] * 10 + [camera]
    assert people_of(track_all(frames, appearance)) > 3  # but for the camera's motion they are lost
    for tracks, frame in zip(track_all(frames, appearance, warps=cameras), frames):
        assert tracks.ids.tolist() == [1, 2, 3]
        np.testing.assert_allclose(tracks.boxes[:, :2], frame.boxes[:, :2], atol=0.01)
        np.testing.assert_allclose(tracks.boxes[:, 2:], frame.boxes[:, 2:] - frame.boxes[:, :2], atol=0.01)


@fused_and_byte
@pytest.mark.parametrize("camera", CAMERAS)
def test_who_is_hidden_moves_with_the_camera(appearance, camera):
    before = frame_of(person(400, 0, y=300))
    frames = [before] * 10 + [frame_of()] * 10 + [seen_by(camera, before)]
    assert track_all(frames, appearance, warps=[None] * 15 + [camera])[-1].ids.tolist() == [1]
    assert track_all(frames, appearance)[-1].ids.tolist() == []


@fused_and_byte
def test_a_shaking_camera(appearance):
    shake = np.random.default_rng(5).uniform(-90, 90, (40, 2))
    shake[0] = 0
    walk = [frame_of(person(400 + 3 * k, 0, y=500), person(800, 1, y=600)) for k in range(40)]
    frames = [seen_by(camera_of(shift=place), frame) for place, frame in zip(shake, walk)]
    cameras = [None, *(camera_of(shift=step) for step in np.diff(shake, axis=0))]
    assert [tracks.ids.tolist() for tracks in track_all(frames, appearance, warps=cameras)] == [[1, 2]] * 40
    assert people_of(track_all(frames, appearance)) > 2


@fused_and_byte
@pytest.mark.parametrize("angle", [90, -90, 180])
def test_velocities_turn_with_the_camera(appearance, angle):
    """Somebody small has come to walk so fast that the next box does not overlap this one."""
    camera = camera_of(angle=angle, shift=(500, 500))
    places = np.cumsum(np.minimum(np.arange(30), 12))
    walk = [frame_of(person(200 + x, 0, height=20)) for x in places]
    frames = walk[:20] + [seen_by(camera, frame) for frame in walk[20:]]
    assert shown(track_all(frames, appearance, warps=[None] * 20 + [camera], max_speed=0.0)) == [True] * 30


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(0, 15),
    when=st.integers(0, 19),
    scale=st.sampled_from([0.5, 1.0, 2.0]),
    shift=st.sampled_from([(0.0, 0.0), (256.0, -1024.0)]),
    appearance=st.booleans(),
)
def test_a_moving_camera_is_as_good_as_one_that_always_stood_there(seed, people, when, scale, shift, appearance):
    camera = camera_of(scale, shift=shift)
    here = [to_eighths(frame) for frame in crowd(seed, people, 20, miss=0.1)]
    there = [seen_by(camera, frame) for frame in here]
    moved = track_all(here[:when] + there[when:], appearance, warps=[None] * when + [camera], conf_thres=0.3)
    for number, (a, b) in enumerate(zip(moved, track_all(there, appearance, conf_thres=0.3))):
        assert a.ids.tolist() == b.ids.tolist()
        if number >= when:
            np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-6)


STANDS = frame_of(person(100, 0))
WAITS = frame_of(person(190, 0, y=101))


def passing(*before):
    """Somebody walks from 190 to 10, over the place of one who was lost; then another stands there."""
    walk = [frame_of(person(x, 0, y=101)) for x in range(190, 8, -4)]
    return [*before, *walk, frame_of(person(6, 0, y=101), person(100, 0))]


@fused_and_byte
@pytest.mark.parametrize(
    "before",
    [
        pytest.param([], id="at once"),
        pytest.param([STANDS] * 5, id="who stands is there before"),
        pytest.param([WAITS] * 5, id="who walks is there before"),
        pytest.param([frame_of(person(600, 3))] * 5 + [frame_of()], id="a third was there"),
    ],
)
def test_two_who_were_seen_together_stay_two(appearance, before):
    frames = passing(*before, *[frame_of(person(190, 0, y=101), person(100, 0))] * 10)
    found = track_all(frames, appearance, max_speed=0.0)
    walker, stander = ids_at(found[len(before) + 9], 190, 100)
    assert walker != stander and ids_at(found[-1], 6, 100) == [walker, stander]
