"""The associations fused and byte: who begins a track, who continues it, and who is shown under which identity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.crowds import (
    EMBEDDINGS,
    crowd,
    frame_of,
    fused_and_byte,
    ids_at,
    people_of,
    person,
    shown,
    track_all,
    with_embeddings,
)
from tracker.association.fused_tracker import FusedTracker
from tracker.settings.tracking import TrackerConfig

CROWDS = {
    "seed": st.integers(0, 2**32 - 1),
    "people": st.integers(0, 15),
    "frames": st.integers(1, 25),
    "miss": st.sampled_from([0.0, 0.1, 0.5]),
    "noise": st.sampled_from([0.0, 2.0, 25.0]),
    "width": st.sampled_from([320, 1920]),
}


def with_somebody_else(*frames):
    """The frames after one with another person, far away: in a sequence's first frame other rules hold."""
    return [frame_of(person(900, 7)), *frames]


@settings(max_examples=30, deadline=None)
@given(
    **CROWDS,
    conf_thres=st.sampled_from([0.0, 0.3, 0.6]),
    frame_rate=st.sampled_from([2.0, 10.0, 30.0]),
    appearance=st.booleans(),
    camera=st.sampled_from([None, np.array([[0.99, -0.01, 5.0], [0.01, 0.99, -3.0]])]),
)
def test_every_output_is_sound(conf_thres, frame_rate, appearance, camera, **made):
    tracker = FusedTracker(TrackerConfig(conf_thres=conf_thres), frame_rate, appearance)
    known = 0
    for frame in crowd(**made):
        tracks = tracker.update(frame, camera)
        ids = tracks.ids.tolist()
        assert len(set(ids)) == len(ids) <= len(frame)
        # new ids follow the last one without a hole, so none is ever given out again
        assert sorted(i for i in ids if i > known) == list(range(known + 1, tracker.num_identities + 1))
        known = tracker.num_identities
        assert tracks.ids.dtype == np.int64 and min(ids, default=1) >= 1
        assert tracks.boxes.shape == (len(ids), 4) and np.isfinite(tracks.boxes).all()
        assert (tracks.boxes[:, 2:] > 0).all()
        assert np.isin(tracks.scores, frame.scores.astype(np.float64)).all()
        np.testing.assert_allclose(np.linalg.norm(tracks.embeddings, axis=1), 1, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(**CROWDS, appearance=st.booleans())
def test_the_same_input_gives_the_same_output(appearance, **made):
    first, second = (track_all(crowd(**made), appearance, conf_thres=0.3) for _ in range(2))
    for a, b in zip(first, second):
        assert all(np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values()))


@fused_and_byte
def test_two_instances_side_by_side_know_nothing_of_each_other(appearance):
    useful, random = crowd(3, 8, 30, miss=0.05), np.random.default_rng(0)
    useless = [with_embeddings(frame, random.normal(size=(len(frame), 16))) for frame in crowd(4, 12, 30, miss=0.05)]
    sequences = useful, useless
    alone = [track_all(frames, appearance) for frames in sequences]
    trackers = [FusedTracker(TrackerConfig(conf_thres=0.6), 30.0, appearance) for _ in sequences]
    for number, frames in enumerate(zip(*sequences)):
        for tracker, frame, expected in zip(trackers, frames, alone):
            tracks = tracker.update(frame)
            assert tracks.ids.tolist() == expected[number].ids.tolist()
            np.testing.assert_array_equal(tracks.boxes, expected[number].boxes)
    assert [tracker.num_identities for tracker in trackers] == [people_of(tracks) for tracks in alone]


@fused_and_byte
def test_detections_are_left_as_they_were(appearance):
    frames, same = crowd(5, 10, 10), crowd(5, 10, 10)
    track_all(frames, appearance, conf_thres=0.3)
    for frame, copy in zip(frames, same):
        assert all(np.array_equal(x, y) for x, y in zip(vars(frame).values(), vars(copy).values()))


@fused_and_byte
def test_in_the_first_frame_high_confidence_boxes_show_at_once(appearance):
    first = frame_of(person(100, 0, score=0.66), person(300, 1, score=0.64), person(500, 2, score=0.5))
    (tracks,) = track_all([first], appearance)
    assert ids_at(tracks, 100, 300, 500) == [1, None, None]


@fused_and_byte
def test_no_later_frame_shows_anybody_at_once(appearance):
    found = track_all([frame_of(), frame_of(person(100, 0)), frame_of(person(100, 0))], appearance)
    assert shown(found) == [False, False, True]


@fused_and_byte
def test_a_single_false_alarm_never_shows(appearance):
    places = [100, None, 100, 300, 500, None]
    frames = [frame_of(person(900, 7), *([person(x, 0, score=1.0)] if x else [])) for x in places]
    assert [tracks.ids.tolist() for tracks in track_all(with_somebody_else(*frames), appearance)] == [[1]] * 7


@fused_and_byte
@pytest.mark.parametrize(
    ("score", "frames"),
    [
        pytest.param(1.0, 2, id="certain"),
        pytest.param(0.9, 2, id="sure"),
        pytest.param(0.74, 3, id="less sure"),
        pytest.param(0.71, 4, id="weak"),
        pytest.param(0.68, 7, id="weaker"),
    ],
)
def test_the_weaker_the_score_the_longer_a_birth_takes(appearance, score, frames):
    found = track_all(with_somebody_else(*[frame_of(person(100, 0, score=score))] * 10), appearance)
    assert shown(found, 2) == [False] * frames + [True] * (11 - frames)


@fused_and_byte
@pytest.mark.parametrize("score", [pytest.param(0.64, id="hardly sure"), pytest.param(0.59, id="low confidence")])
def test_too_weak_a_score_never_shows(appearance, score):
    found = track_all(with_somebody_else(*[frame_of(person(100, 0, score=score))] * 60), appearance)
    assert people_of(found) == 1


@fused_and_byte
def test_low_confidence_boxes_confirm_nobody(appearance):
    """Nor do they keep one alive that has been seen once."""
    high, low = frame_of(person(100, 0)), frame_of(person(100, 0, score=0.5))
    found = track_all(with_somebody_else(high, low, high, low, high, low), appearance)
    assert people_of(found) == 1


@fused_and_byte
def test_low_confidence_boxes_begin_no_track(appearance):
    """A track begun by one would have more to earn."""
    high, low = frame_of(person(100, 0)), frame_of(person(100, 0, score=0.2))
    assert shown(track_all(with_somebody_else(*[low] * 3, high, high), appearance), 2) == [False] * 5 + [True]


@fused_and_byte
def test_a_weak_box_in_the_first_frame_is_to_be_confirmed_as_later_ones(appearance):
    frames = [frame_of(person(100, 0, score=0.64)), *[frame_of(person(100, 0, score=0.75))] * 3]
    assert shown(track_all(frames, appearance)) == [False, False, False, True]


@fused_and_byte
def test_settings_of_a_birth(appearance):
    frames = with_somebody_else(*[frame_of(person(100, 0, score=0.74))] * 8)
    assert shown(track_all(frames, appearance, confirm_evidence=0.0), 2).index(True) == 2  # never the first time
    assert shown(track_all(frames, appearance, confirm_evidence=0.35), 2).index(True) == 4
    assert shown(track_all(frames, appearance, sure_margin=0.0), 2).index(True) == 2
    assert people_of(track_all(frames, appearance, sure_margin=0.2)) == 1
    moving = with_somebody_else(*[frame_of(person(100 + 12 * k, 0)) for k in range(5)])  # IoU 28 / 52
    assert people_of(track_all(moving, appearance, new_match_thresh=0.6)) == 2
    assert people_of(track_all(moving, appearance, new_match_thresh=0.5)) == 1


@fused_and_byte
def test_low_confidence_boxes_continue_a_track(appearance):
    high, low = frame_of(person(100, 0)), frame_of(person(103, 0, score=0.3))
    found = track_all([high] * 5 + [low] * 3 + [high] * 2, appearance)
    assert [tracks.ids.tolist() for tracks in found] == [[1]] * 10
    assert found[7].scores == pytest.approx([0.3])
    assert 80 < found[5].boxes[0, 0] < 83  # it follows them, though not all the way


@fused_and_byte
@pytest.mark.parametrize(
    ("low", "settings"),
    [
        pytest.param(person(100, 0, score=0.14), {}, id="hardly a box at all"),
        pytest.param(person(100, 0, score=0.3), {"low_thres": 0.35}, id="another threshold"),
        pytest.param(person(115, 0, score=0.3), {}, id="too little overlap"),  # IoU 25 / 55
        pytest.param(person(106, 0, score=0.3), {"low_match_thresh": 0.2}, id="another overlap"),  # IoU 34 / 46
    ],
)
def test_not_every_low_confidence_box_continues_a_track(appearance, low, settings):
    found = track_all([frame_of(person(100, 0))] * 5 + [frame_of(low)], appearance, **settings)
    assert shown(found) == [True] * 5 + [False]


@fused_and_byte
def test_low_confidence_boxes_bring_nobody_back(appearance):
    high, low = frame_of(person(100, 0)), frame_of(person(100, 0, score=0.5))
    found = track_all([high] * 5 + [frame_of()] + [low] * 3 + [high], appearance)
    assert shown(found) == [True] * 5 + [False] * 4 + [True]


@fused_and_byte
def test_a_high_confidence_box_goes_before_a_low_one_that_lies_closer(appearance):
    high = frame_of(person(100, 0))
    both = frame_of(person(100, 0, score=0.5), person(108, 0))
    tracks = track_all([high] * 5 + [both], appearance)[-1]
    assert tracks.ids.tolist() == [1] and tracks.scores == pytest.approx([0.9])


@fused_and_byte
@pytest.mark.parametrize(("most", "low_shown"), [(2.0, 5), (1.0, 2), (0.3, 0)])
def test_low_confidence_boxes_use_the_evidence_up(appearance, most, low_shown):
    """Each takes 0.65 - 0.3 of it; the identity stays."""
    high, low = frame_of(person(100, 0)), frame_of(person(100, 0, score=0.3))
    found = track_all([high] * 20 + [low] * (low_shown + 1) + [high] * 2, appearance, max_evidence=most)
    assert shown(found) == [True] * (20 + low_shown) + [False] + [True] * 2
    assert people_of(found) == 1


@fused_and_byte
def test_who_scored_low_for_long_shows_soon_after(appearance):
    high, low = frame_of(person(100, 0)), frame_of(person(100, 0, score=0.3))
    found = track_all([high] * 20 + [low] * 300 + [high] * 10, appearance)
    assert shown(found)[-11::10] == [False, True] and people_of(found) == 1


@fused_and_byte
def test_boxes_follow_the_surer_detection_more(appearance):
    """The measurement noise falls with the score."""
    high = [frame_of(person(100, 0))] * 10
    middle = [
        track_all([*high, frame_of(person(108, 0, score=score))], appearance)[-1].boxes[0, 0] + 20
        for score in (0.7, 0.8, 1)
    ]
    assert 100 < middle[0] < middle[1] < middle[2] < 108


@fused_and_byte
def test_of_two_boxes_as_near_the_surer_one_is_taken(appearance):
    boxes = frame_of(person(104, 0, score=0.65), person(92, 0, score=1.0))  # IoU 36 / 44 and 32 / 48
    tracks = track_all([frame_of(person(100, 0))] * 5 + [boxes], appearance)[-1]
    assert tracks.ids.tolist() == [1] and tracks.scores.tolist() == [1.0]


@fused_and_byte
def test_boxes_follow_the_width_as_fast_as_the_height(appearance):
    narrow, wide, high = ((100 - w / 2, 0, 100 + w / 2, h) for w, h in ((40, 100), (60, 100), (40, 150)))
    before = [frame_of((narrow, 0.9, EMBEDDINGS[0]))] * 40
    wider, higher = (
        track_all([*before, frame_of((box, 0.9, EMBEDDINGS[0]))], appearance)[-1].boxes[0] for box in (wide, high)
    )
    assert wider[2] / 40 == pytest.approx(higher[3] / 100) and 1.15 < wider[2] / 40 < 1.5


@fused_and_byte
def test_tracks_are_shown_where_the_people_are(appearance):
    walk = [frame_of(person(100 + 3 * k, 0), person(700 - 2 * k, 1, y=300 + k)) for k in range(40)]
    for number, (frame, tracks) in enumerate(zip(walk, track_all(walk, appearance))):
        assert tracks.ids.tolist() == [1, 2]
        corners = np.concatenate([tracks.boxes[:, :2], tracks.boxes[:, :2] + tracks.boxes[:, 2:]], axis=1)
        np.testing.assert_allclose(corners, frame.boxes, atol=3 if number < 20 else 0.1)
        np.testing.assert_array_equal(tracks.scores, frame.scores.astype(np.float64))


@fused_and_byte
@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        pytest.param({}, [100, 400, 700], id="all"),
        pytest.param({"min_box_area": 1000}, [100, 700], id="no small one"),
        pytest.param({"vertical_ratio": 1.6}, [100, 400], id="no wide one"),
        pytest.param({"vertical_ratio": 1.6, "min_box_area": 5000}, [], id="none"),
    ],
)
def test_filters_of_what_is_shown(appearance, settings, kept):
    """Small: 16 x 40 pixels, wide: 200 x 100; who is left out takes no id."""
    wide = (600, 0, 800, 100), 0.9, EMBEDDINGS[2]
    frame = frame_of(person(400, 1, height=40), person(100, 0), wide)
    for tracks in track_all([frame] * 4, appearance, **settings):
        assert sorted(tracks.boxes[:, 0] + tracks.boxes[:, 2] / 2) == pytest.approx(kept)
        assert tracks.ids.tolist() == list(range(1, len(kept) + 1))
