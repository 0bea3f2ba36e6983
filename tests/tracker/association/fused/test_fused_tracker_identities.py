"""The associations fused and byte: who keeps the identity, behind others, out of sight, and when the camera moves."""

import itertools

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
    person,
    switches,
    track_all,
    walkers,
    with_embeddings,
)
from tracker.association.appearance import EmbeddingCalibration
from tracker.association.fused_tracker import MAX_NEGATIVE_PAIRS, FusedTracker
from tracker.settings.tracking import TrackerConfig

BYSTANDERS = person(900, 5), person(1100, 6), person(1300, 7)  # strangers to learn from what embeddings are worth


def common_component(embeddings, share=2.0):
    """As a network gives them for which all people are much alike: distances shrink to a fraction."""
    other = np.zeros_like(embeddings)
    other[:, 4] = share
    return (embeddings + other) / np.linalg.norm(embeddings + other, axis=1, keepdims=True)


def known_again(hidden, place=100, identity=0, embeddings=EMBEDDINGS, y=100.0, height=100.0, before=10, **options):
    """Whether person 1, at 100 and hidden for some frames, is still the same with another place, embedding and size."""
    others = [(box, score, embeddings[5 + k]) for k, (box, score, _) in enumerate(BYSTANDERS)]
    back = person(place, identity, embeddings=embeddings, y=y, height=height)
    frames = [frame_of(person(100, 0, embeddings=embeddings), *others)] * before + [frame_of(*others)] * hidden
    return 1 in track_all([*frames, frame_of(back, *others)], **options)[-1].ids


@fused_and_byte
@pytest.mark.parametrize(("frame_rate", "memory", "frames"), [(30.0, 2.0, 60), (10.0, 2.0, 20), (30.0, 0.5, 15)])
def test_who_is_hidden_for_no_longer_than_the_memory_stays_the_same(frame_rate, memory, frames, appearance):
    options = {"appearance": appearance, "frame_rate": frame_rate, "memory": memory}
    assert known_again(frames, **options)
    assert not known_again(frames + 1, **options)  # a new person, to be confirmed


@pytest.mark.parametrize(("frame_rate", "hidden"), [(30.0, 29), (10.0, 9)])
@pytest.mark.parametrize("embeddings", [EMBEDDINGS, common_component(EMBEDDINGS)], ids=["clear", "much alike"])
def test_who_comes_back_elsewhere_is_known_by_the_embeddings(frame_rate, hidden, embeddings):
    """One second at 3 body heights of 100 pixels a second, and 0.3 heights at once: 330 pixels."""
    options = {"frame_rate": frame_rate, "embeddings": embeddings}
    assert known_again(hidden, place=420, **options)
    assert not known_again(hidden, place=440, **options)
    assert known_again(hidden, y=420, **options)
    assert not known_again(hidden, y=440, **options)
    assert not known_again(hidden, place=240, max_speed=1.0, **options)
    assert not known_again(hidden, place=420, identity=1, **options)
    assert not known_again(hidden, place=420, appearance=False, **options)
    assert not known_again(hidden, place=420, memory=0.5, **options)


def test_time_out_of_sight_is_measured_in_seconds():
    assert known_again(9, place=380, frame_rate=10.0)
    assert not known_again(9, place=380, frame_rate=30.0)


def test_who_vanishes_for_a_moment_is_found_within_reach():
    """0.2 seconds are taken for the shortest time, whatever the frame rate."""
    assert known_again(0, place=185, frame_rate=30.0)
    assert not known_again(0, place=195, frame_rate=30.0)


def test_nobody_grows_while_out_of_sight():
    assert known_again(29, place=350, height=150.0, y=125.0)
    assert not known_again(29, place=350, height=170.0, y=135.0)
    assert not known_again(29, place=350, height=55.0, y=78.0)


def test_the_size_of_somebody_out_of_sight_is_that_of_before():
    """Who comes nearer for 20 frames is 120 pixels high then, and not 210 when 30 more are over."""
    coming = [frame_of(person(100, 0, height=60 + 3 * k), *BYSTANDERS) for k in range(21)]
    back = frame_of(person(300, 0, height=115), *BYSTANDERS)
    assert 1 in track_all([*coming, *[frame_of(*BYSTANDERS)] * 29, back])[-1].ids


def test_a_match_needs_some_overlap_however_alike_the_looks():
    options = {"place": 134, "max_speed": 0.0}  # IoU 6 / 74; 0.3 heights are less than these 34 pixels
    assert not known_again(0, **options)
    assert known_again(0, **options, min_overlap=0.05)


def test_how_much_alike_is_a_setting():
    """A new embedding half way between the old one and strangers' is some standard deviations from these."""
    embeddings = EMBEDDINGS.copy()
    # a cosine of 0.32: 16 times the least deviation of 0.02
    embeddings[1] = (EMBEDDINGS[0] + 3 * EMBEDDINGS[2]) / 10**0.5
    assert known_again(20, place=200, identity=1, embeddings=embeddings, reid_sigma=10.0)
    assert not known_again(20, place=200, identity=1, embeddings=embeddings, reid_sigma=20.0)


def test_a_look_means_nothing_before_strangers_were_seen():
    alone = [frame_of(person(100, 0))] * 10 + [frame_of()] * 10 + [frame_of(person(250, 0))]
    assert not len(track_all(alone)[-1])


def test_the_likeliest_of_several_comes_back():
    """Two who are a little alike vanish; each is found by the nearer embedding, whatever the places."""
    embeddings = EMBEDDINGS.copy()
    embeddings[1] = (EMBEDDINGS[0] + 2 * EMBEDDINGS[1]) / 5**0.5
    first = [frame_of(person(100, 0, embeddings=embeddings), person(200, 1, embeddings=embeddings), *BYSTANDERS)] * 10
    swapped = frame_of(person(145, 1, embeddings=embeddings), person(250, 0, embeddings=embeddings), *BYSTANDERS)
    assert ids_at(track_all([*first, *[frame_of(*BYSTANDERS)] * 15, swapped])[-1], 145, 250) == [2, 1]


def turning_back(speed, frames=30):
    """Two people walk towards each other, and each turns back when they meet; in that frame one box is found."""
    away = 5 + speed * np.abs(np.arange(-frames, frames + 1))
    made = [frame_of(person(500 - d, 0), person(500 + d, 1), *BYSTANDERS) for d in away]
    made[frames] = frame_of(person(500, 0), *BYSTANDERS)
    return made, away[-1]


@pytest.mark.parametrize("speed", [4, 8])
def test_looks_keep_those_apart_who_meet_and_turn_back(speed):
    frames, away = turning_back(speed)
    assert ids_at(track_all(frames)[-1], 500 - away, 500 + away) == [1, 2]
    assert ids_at(track_all(frames, appearance=False)[-1], 500 - away, 500 + away) == [2, 1]  # by motion they walked on
    assert ids_at(track_all(frames, appearance_weight=0.0)[-1], 500 - away, 500 + away) == [2, 1]


@fused_and_byte
def test_who_passes_somebody_keeps_the_identity(appearance):
    frames = [frame_of(person(300 + 5 * k, 0), person(700 - 5 * k, 1, y=103), *BYSTANDERS) for k in range(81)]
    assert ids_at(track_all(frames, appearance)[-1], 700, 300) == [1, 2]


@pytest.mark.parametrize("speed", [2, 4, 8])
def test_who_is_hidden_by_somebody_passing_keeps_the_identity(speed):
    frames = []
    for x in np.arange(-40, 41) * speed:
        standing = [person(500, 0)] if abs(x) >= 20 else []
        frames.append(frame_of(person(500 + x, 1, y=103), *standing, *BYSTANDERS))
    found = track_all(frames)
    assert ids_at(found[0], 500, 500 - 40 * speed) == ids_at(found[-1], 500, 500 + 40 * speed)


def new_share(*places, score=0.9, y=100, **settings):
    """Share, 0 to 1, of a new embedding in that of the person at (100, y), after others came to (place, 100)."""
    clean = [frame_of(person(100, 0, y=y), person(300, 1), *BYSTANDERS)] * 5
    mixed = frame_of(person(100, 2, y=y, score=score), *(person(x, 1) for x in places), *BYSTANDERS)
    tracks = track_all([*clean, mixed], **settings)[-1]
    assert ids_at(tracks, 100) == [1]
    return tracks.embeddings[tracks.ids.tolist().index(1), 2]


def test_the_surer_a_box_the_more_is_learnt_of_its_looks():
    assert 0 == new_share(300, score=0.5) < new_share(300, score=0.7) < new_share(300) < new_share(300, score=1)
    assert new_share(300, embedding_momentum=0.5) > new_share(300)
    assert new_share(300, embedding_momentum=1.0) == 0.0
    # all of it at a score of 1: a tenth of the new embedding, nine tenths of the old one
    assert new_share(300, score=1) == pytest.approx(0.1 / np.hypot(0.1, 0.9), rel=1e-5)


class Recorder(EmbeddingCalibration):
    """Keeps the distances that it is shown."""

    def __init__(self):
        super().__init__()
        self.negatives, self.positives = [], []

    def update_negatives(self, distances):
        self.negatives.append(np.round(distances.astype(np.float64), 3).tolist())
        super().update_negatives(distances)

    def update_positives(self, distances):
        self.positives += np.round(distances.astype(np.float64), 3).tolist()
        super().update_positives(distances)


def recorded(frames):
    tracker = FusedTracker(TrackerConfig(conf_thres=0.6))
    tracker._calibration = Recorder()
    for frame in frames:
        tracker.update(frame)
    return tracker._calibration


GRADED = np.array([[np.cos(a), np.sin(a)] for a in (0, 0.1, 0.3, 0.7)])  # a distance of its own for each pair


def test_in_turn_all_sure_people_of_a_frame_are_compared():
    """But for those who may be one person twice."""
    apart = [person(100 + 200 * k, k, embeddings=GRADED) for k in range(4)]
    every = {round(1 - np.cos(a - b), 3) for a, b in itertools.combinations((0, 0.1, 0.3, 0.7), 2)}
    seen = recorded([frame_of(*apart)] * 3).negatives
    assert {distance for frame in seen for distance in frame} == every and [len(frame) for frame in seen] == [4] * 3
    twice, low = person(118, 1, embeddings=GRADED), person(500, 2, embeddings=GRADED, score=0.5)
    assert recorded([frame_of(apart[0], twice, low)] * 2).negatives == [[], []]  # IoU 22 / 58
    beside = person(122, 1, embeddings=GRADED)  # IoU 18 / 62
    assert recorded([frame_of(apart[0], beside)]).negatives == [[0.005, 0.005]]
    assert recorded([frame_of(apart[0])] * 2).negatives == []


def test_of_a_dense_crowd_some_are_compared():
    crowded = frame_of(*(person(100 * k, k % 4, embeddings=GRADED) for k in range(3 * MAX_NEGATIVE_PAIRS)))
    assert [len(frame) for frame in recorded([crowded] * 4).negatives] == [MAX_NEGATIVE_PAIRS] * 4


@pytest.mark.parametrize(
    ("second", "taken"),
    [
        pytest.param([person(100, 1, embeddings=GRADED)], [0.005], id="alone"),
        pytest.param([person(108, 1, embeddings=GRADED)], [0.005], id="near"),  # IoU 32 / 48
        pytest.param([person(112, 1, embeddings=GRADED)], [], id="not so near"),  # 28 / 52
        # IoU 15 / 65
        pytest.param([person(100, 1, embeddings=GRADED), person(125, 2, embeddings=GRADED)], [], id="another"),
        pytest.param(
            [person(100, 1, embeddings=GRADED), person(130, 2, embeddings=GRADED)], [0.005], id="another aside"
        ),
        pytest.param([person(100, 1, embeddings=GRADED, score=0.5)], [], id="in doubt"),
    ],
)
def test_a_lone_box_close_to_its_track_is_the_same_person(second, taken):
    first = frame_of(person(100, 0, embeddings=GRADED))
    assert recorded([first, frame_of(*second)]).positives == taken


def test_where_two_were_nobody_is_sure_who_is_left():
    first = frame_of(person(100, 0, embeddings=GRADED), person(125, 1, embeddings=GRADED))
    assert recorded([first, frame_of(person(100, 2, embeddings=GRADED))]).positives == []


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(0, 15),
    conf_thres=st.sampled_from([0.0, 0.3, 0.6]),
    width=st.sampled_from([320, 1920]),
    constant=st.sampled_from([0.0, 0.25, -1.0]),
)
def test_when_all_look_the_same_motion_alone_decides(seed, people, conf_thres, width, constant):
    frames = crowd(seed, people, 25, width=width)
    same = [with_embeddings(frame, np.full((len(frame), 16), constant)) for frame in frames]
    for a, b in zip(track_all(same, conf_thres=conf_thres), track_all(frames, appearance=False, conf_thres=conf_thres)):
        assert a.ids.tolist() == b.ids.tolist()
        np.testing.assert_array_equal(a.boxes, b.boxes)


def total_switches(scenes, appearance=True, change=lambda embeddings: embeddings):
    total = 0
    for frames, truth in scenes:
        seen = [with_embeddings(frame, change(frame.embeddings)) for frame in frames]
        total += switches(track_all(seen, appearance), truth)
    return total


@pytest.fixture(scope="module")
def scenes():
    """Detections and true boxes of people who walk to and fro in front of each other."""
    return [walkers(seed, people=7, frames=150) for seed in range(4, 8)]


@pytest.fixture(scope="module")
def switches_by_motion(scenes):
    return total_switches(scenes, appearance=False)


@pytest.mark.parametrize("share", [0.0, 2.0, 4.0])
def test_looks_save_identities_whatever_the_scale_of_their_distances(scenes, switches_by_motion, share):
    """6, 11 and 6 switches of 19: with shares of 2 and 4 strangers are 0.2 and 0.06 apart instead of 1."""
    assert total_switches(scenes, change=lambda e: common_component(e, share)) <= 0.7 * switches_by_motion


def test_useless_looks_do_little_harm(scenes, switches_by_motion):
    random = np.random.default_rng(1)
    assert total_switches(scenes, change=lambda e: random.normal(size=e.shape)) <= 1.1 * switches_by_motion
