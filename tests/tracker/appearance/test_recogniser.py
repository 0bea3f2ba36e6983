"""Who comes back gets the old number: when, and when never."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.crowds import crowd
from tracker.appearance.calibration import PRIOR_MEAN, FalseMatches
from tracker.appearance.gallery import Gallery, similarity
from tracker.appearance.recogniser import GOOD_FRAMES, Recogniser
from tracker.association.base import SequenceTracker, make_tracker
from tracker.settings.tracking import TrackerConfig
from tracker.structures import Detections, Recognised, Tracks

SIZE = (1000, 400)
MEMORY, SECONDS = 2.0, 60.0
COMMON = np.eye(64)[0] * 0.82  # that all people have in common, as with real networks


def look(person, turn=0):
    """What a person looks like: unlike others, and nearly the same each time."""
    rng = np.random.default_rng([person, 7])
    own = rng.normal(size=64)
    vector = COMMON + 0.5 * own / np.linalg.norm(own)
    vector = vector + 0.02 * np.random.default_rng([person, turn]).normal(size=64) / 8
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class Scene:
    """Feeds a recogniser: who is in sight, as pairs of the association's number and the person."""

    def __init__(self, **settings):
        self.told = []
        self.recogniser = Recogniser(SECONDS, MEMORY, **settings)
        self.time = 0.0

    def show(self, people, frames=10, unclear=()):
        """Show people for some frames, some of them unclearly; returns their numbers in the last one."""
        numbers = []
        for _ in range(frames):
            boxes = np.array([[10.0 + 90 * lane, 100, 60, 160] for lane in range(len(people))]).reshape(-1, 4)
            looks = np.array([look(person, round(10 * self.time)) for _, person in people]).reshape(-1, 64)
            ids = np.array([raw for raw, _ in people], np.int64)
            looks[np.isin(ids, unclear)] = 0
            tracks = self.recogniser.update(self.time, Tracks(ids, boxes, np.full(len(ids), 0.9), looks, looks), SIZE)
            self.told += [(one, self.time) for one in tracks.recognised]
            numbers = tracks.ids.tolist()
            assert len(set(numbers)) == len(numbers)
            self.time += 0.1
        return numbers

    def wait(self, seconds):
        self.time += seconds
        self.show([], 1)


def test_who_comes_back_gets_the_old_number_after_five_good_frames():
    scene = Scene()
    assert scene.show([(1, 11), (2, 12)]) == [1, 2]
    scene.wait(10)
    assert scene.show([(3, 12)], GOOD_FRAMES - 1) == [3]
    assert scene.show([(3, 12)], 1) == [2]
    assert scene.show([(3, 12), (4, 13)]) == [2, 4]
    ((one, time),) = scene.told
    assert (one.was, one.now) == (2, 3)
    assert one.similarity == pytest.approx(1, abs=0.01)
    assert time == pytest.approx(scene.time - 1.1)
    assert scene.recogniser.num_identities == 3
    scene.wait(10)
    assert scene.show([(9, 12)]) == [2], "a second time as well"


def test_a_stranger_gets_a_new_number():
    scene = Scene()
    scene.show([(1, 11), (2, 12), (3, 13)])
    scene.wait(10)
    assert scene.show([(4, 14)], 30) == [4]
    assert not scene.told


def test_who_left_too_long_ago_is_forgotten():
    scene = Scene()
    scene.show([(1, 11)])
    scene.wait(SECONDS + 1)
    assert scene.show([(2, 11)]) == [2]


def test_nobody_gets_the_number_of_somebody_in_sight_or_seen_at_the_same_time():
    scene = Scene()
    scene.show([(1, 11), (2, 11)])  # twins
    scene.wait(0.5)
    scene.show([(1, 11), (3, 11)], 20)
    assert not scene.told


def test_nobody_gets_the_number_of_somebody_they_have_met():
    """Although that one has left by the time they are seen well; nor that of another who left before."""
    scene = Scene()
    scene.show([(1, 12)])
    scene.wait(5)
    scene.show([(2, 11)])
    scene.show([(2, 11), (3, 11)], unclear=[3])
    scene.show([(3, 11)], 40, unclear=[3])
    assert scene.show([(3, 11)], 20) == [3]
    assert not scene.told


def test_twins_are_never_joined():
    """Of two as alike nobody knows which it is."""
    scene = Scene()
    scene.show([(1, 11), (2, 11)])
    scene.wait(10)
    assert scene.show([(3, 11)], 30) == [3]
    scene.wait(10)
    assert scene.show([(4, 11), (5, 11)], 30) == [4, 5]
    assert not scene.told


def test_two_who_come_back_at_once_get_two_numbers():
    scene = Scene()
    scene.show([(1, 11), (2, 12)])
    scene.wait(10)
    assert scene.show([(3, 12), (4, 11)]) == [2, 1]


def test_networks_that_see_no_difference_join_nobody():
    scene = Scene()
    scene.show([(1, 11), (2, 12), (3, 13)])
    for number in range(4, 60):
        same = look(1)[None].repeat(2, axis=0)
        for _ in range(8):
            tracks = Tracks(np.array([2 * number, 2 * number + 1]), np.array([[10.0, 9, 60, 160], [300.0, 9, 60, 160]]),
                            np.full(2, 0.9), same, same)  # fmt: skip
            assert not scene.recogniser.update(scene.time, tracks, SIZE).recognised
            scene.time += 0.1
        scene.wait(5)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_no_number_is_there_twice_and_none_belongs_to_two_at_once(data, seed):
    """Whatever comes and goes: numbers are unique in a frame, and change once, to one that is out of sight."""
    rng = np.random.default_rng(seed)
    scene = Scene(rate=0.2, margin=0.0)  # eager
    raw, shown = 0, {}
    for _ in range(data.draw(st.integers(2, 8))):
        people = []
        for person in rng.choice(6, rng.integers(0, 4)).tolist():  # twins too
            raw += 1
            people.append((raw, person))
        last = scene.show(people, int(rng.integers(1, 12)))
        shown.update(zip([one for one, _ in people], last))
        if rng.random() < 0.7:
            scene.wait(float(rng.uniform(0, 8)))
    assert len({one.now for one, _ in scene.told}) == len(scene.told), "a number changes once"
    assert scene.recogniser.num_identities == raw - len(scene.told)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), association=st.sampled_from(["fused", "byte", "jde"]))
def test_off_is_as_before_and_on_only_numbers_differ(seed, association):
    frames = crowd(seed, people=8, frames=30)
    off = SequenceTracker(TrackerConfig(association=association, conf_thres=0.4), 10.0)
    on = SequenceTracker(TrackerConfig(association=association, conf_thres=0.4, remember=60.0), 10.0)
    alone = make_tracker(TrackerConfig(association=association, conf_thres=0.4), 10.0)
    for number, frame in enumerate(frames):
        one, other = off.update(number / 10, frame), on.update(number / 10, frame)
        for ours, theirs in zip(vars(one).values(), vars(alone.update(frame)).values(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
        assert len(set(other.ids.tolist())) == len(other)


def test_the_threshold_follows_what_people_in_sight_at_once_look_like():
    uniforms, clothes = FalseMatches(), FalseMatches()
    before = uniforms.threshold(0.001)
    uniforms.add(np.full(2000, 0.9) + np.tile([-0.03, 0.03], 1000))
    clothes.add(np.full(2000, 0.3) + np.tile([-0.05, 0.05], 1000))
    assert clothes.threshold(0.001) < before < uniforms.threshold(0.001)
    assert clothes.mean < PRIOR_MEAN < uniforms.mean
    assert uniforms.false_rate(0.9) > 0.3 > uniforms.false_rate(0.99)
    assert uniforms.false_rate(0.97, 100) > uniforms.false_rate(0.97)


def test_the_gallery_is_bounded_and_drops_the_oldest():
    gallery = Gallery(8, most=3)
    for number in range(1, 6):
        gallery.add(number, look(number)[:8][None] / np.linalg.norm(look(number)[:8]), float(number))
    assert len(gallery) == 3
    assert sorted(gallery.search(np.eye(8, dtype=np.float32)[:1])[0].tolist()) == [3, 4, 5]
    gallery.forget(4.5)
    assert gallery.search(np.eye(8, dtype=np.float32)[:1])[0].tolist() == [5]
    assert Gallery(512).nbytes < 50e6 > Gallery(128).nbytes


def test_a_search_finds_the_best_of_thousands():
    rng = np.random.default_rng(1)
    gallery = Gallery(32, most=2000)
    people = rng.normal(size=(2000, 3, 32)).astype(np.float32)
    people /= np.linalg.norm(people, axis=2, keepdims=True)
    for number, views in enumerate(people, 1):
        gallery.add(number, views, float(number))
    wanted = people[1233] + 0.05 * rng.normal(size=(3, 32)).astype(np.float32)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    numbers, left, likeness = gallery.search(wanted)
    assert numbers[likeness.argmax()] == 1234 == left[likeness.argmax()]
    assert likeness.max() == pytest.approx(similarity(wanted, people[1233]), abs=2e-3)
    np.testing.assert_allclose(gallery.take(1234), people[1233], atol=1e-3)
    assert 1234 not in gallery.search(wanted)[0]
    assert Recognised(1, 2, 0.5).was == 1


def test_a_tracker_that_remembers_tells_of_it_and_off_it_does_not():
    def run(remember):
        told = []
        config = TrackerConfig(association="byte", conf_thres=0.4, memory=1.0, remember=remember)
        tracker, numbers = SequenceTracker(config, 10.0, tell=told.append), []
        for number in range(80):
            here = not 20 <= number < 60
            left = 100.0 + 200 * (number >= 60)
            boxes = np.array([[left, 50, left + 60, 250]])[: int(here)]
            detections = Detections(boxes, np.full(len(boxes), 0.9), look(3)[None][: int(here)])
            tracks = tracker.update(number / 10, detections)
            numbers += tracks.ids.tolist()
        return told, numbers, tracker.num_identities

    told, numbers, people = run(60.0)
    ((event,)) = told
    assert (event["event"], event["was"], event["is"], event["seconds"]) == ("recognised", 1, 2, pytest.approx(6.5))
    assert numbers[:20] == [1] * 20
    assert numbers[20:] == [2] * 4 + [1] * 15, "seen twice before it is shown"
    assert people == 1
    assert run(0.0)[0] == []
    assert run(0.0)[2] == 2
    assert run(2.0)[2] == 2, "gone for longer"
