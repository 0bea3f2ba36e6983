"""The one loop body: time in seconds, the same tracks by every path, and associations by name."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.crowds import crowd, frame_of, person, with_embeddings
from tracker.association import base
from tracker.association.base import SequenceTracker, make_tracker
from tracker.errors import OptionError
from tracker.evaluation import validation
from tracker.evaluation.stored_detections import read_detections, run_association
from tracker.evaluation.validation import SequenceFiles, default_config, validate_model
from tracker.predictor import Predictor
from tracker.settings.tracking import TrackerConfig
from tracker.sinks.mot_text import MotWriter, read_table
from tracker.structures import Tracks


class NoteElapsed:
    """An association that notes how much time it is told has passed."""

    def __init__(self, config, frame_rate):
        self.num_identities, self.elapsed = 0, []

    def update(self, detections, warp=None, elapsed=1.0):
        self.elapsed.append(elapsed)
        return Tracks(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))


@pytest.fixture
def noting(monkeypatch):
    """Settings that choose `NoteElapsed`, and the trackers of that kind that were made."""
    made = []
    monkeypatch.setitem(base.ASSOCIATIONS, "fused", lambda *arguments: made.append(NoteElapsed(*arguments)) or made[-1])
    return TrackerConfig(association="fused", camera_motion=False), made


@pytest.mark.parametrize(
    ("times", "elapsed"),
    [
        ([0, 0.1, 0.2, 0.3], [1, 1, 1, 1]),
        ([5, 5.1, 5.4], [1, 1, 3]),  # two frames are missing
        ([0, 0.101, 0.199, 0.302], [1, 1, 1, 1]),  # stamps in milliseconds
        ([0, 0.15, 0.2], [1, 1.5, 0.5]),  # a variable rate
        ([0, 60], [1, 600]),
        ([3, 3, 2], [1, 1, 1]),  # a clock that stands still or goes back
    ],
)
def test_time_passes_by_the_stamps(noting, times, elapsed):
    config, made = noting
    tracker = SequenceTracker(config, 10)
    for time in times:
        tracker.update(time, frame_of())
    assert made[0].elapsed == pytest.approx(elapsed)
    whole = [value for value in made[0].elapsed if value == round(value)]
    assert len(whole) == sum(value == round(value) for value in elapsed), "whole periods are exact"


@pytest.mark.parametrize("time", [float("inf"), float("-inf"), float("nan")])
def test_a_time_that_is_not_finite_is_refused(time):
    tracker = SequenceTracker(TrackerConfig(), 10)
    tracker.update(0, frame_of())
    with pytest.raises(OptionError, match="finite number of seconds"):
        tracker.update(time, frame_of())


@given(rate=st.sampled_from([10, 24, 25, 30000 / 1001, 30, 60]), count=st.integers(2, 200), digits=st.integers(3, 9))
def test_a_steady_rate_is_whole_periods_however_its_stamps_are_rounded(rate, count, digits):
    made = NoteElapsed(None, rate)
    tracker = SequenceTracker(TrackerConfig(camera_motion=False), rate)
    tracker._tracker = made
    for number in range(count):
        tracker.update(round(number / rate, digits), frame_of())
    assert set(made.elapsed) == {1.0}


@pytest.mark.parametrize("association", ["fused", "byte"])
def test_memory_is_counted_in_seconds(association):
    config = TrackerConfig(association=association, conf_thres=0.5, memory=2.0, camera_motion=False)
    for gap, same in ((1.8, True), (2.3, False)):
        tracker = SequenceTracker(config, 25)
        for number in range(30):
            (before,) = tracker.update(number / 25, frame_of(person(100, 0))).ids
        seen = set()
        for number in range(5):
            seen.update(tracker.update(29 / 25 + gap + number / 25, frame_of(person(100, 0))).ids.tolist())
        assert (before in seen) == same, (gap, seen)


@pytest.fixture(scope="module")
def gappy(clip_frames, tmp_path_factory):
    """A sequence folder of the demo clip in which some images cannot be read, and the numbers of the others."""
    folder = tmp_path_factory.mktemp("gappy")
    (folder / "img1").mkdir()
    (folder / "gt").mkdir()
    missing = (8, 15, 16, 17, 24)
    for number, image in enumerate(clip_frames, 1):
        path = folder / "img1" / f"{number:06}.png"
        cv2.imwrite(str(path), image)
        if number in missing:
            path.write_bytes(b"not an image")
    (folder / "seqinfo.ini").write_text("[Sequence]\nimDir=img1\nframeRate=10\nseqLength=30\n")
    (folder / "gt" / "gt.txt").write_text("1,1,10,10,20,40,1,-1,-1,-1\n")
    return folder, [number for number in range(1, len(clip_frames) + 1) if number not in missing]


@pytest.mark.parametrize("association", ["fused", pytest.param("byte", marks=pytest.mark.slow), "jde"])
def test_a_missing_frame_means_the_same_by_all_paths(association, gappy, clip_frames, tmp_path, monkeypatch):
    """Video, stream, validation of a model, and stored detections."""
    folder, numbers = gappy
    options = {"association": association, **({} if association == "jde" else {"camera_motion": False})}
    predictor = Predictor("compact", precision="fp32")
    result = predictor.mot_predict(folder, tmp_path / "video", visualization=False, **options)
    expected = read_table(result.text_path)
    assert result.skipped == 5 and len(expected) > 80 and set(expected[:, 0]) == set(numbers)

    with predictor.stream_mode(tmp_path / "stream", visualization=False, frame_rate=10, **options) as stream:
        stream.predict([clip_frames[number - 1] for number in numbers], [number / 10 for number in numbers])
    streamed = read_table(stream.result().text_path)
    streamed[:, 0] = np.array(numbers)[streamed[:, 0].astype(int) - 1]
    np.testing.assert_array_equal(streamed, expected)

    texts = []

    class Kept(MotWriter):
        def close(self):
            super().close()
            texts.append(read_table(self.path))

    monkeypatch.setattr(validation, "MotWriter", Kept)
    model = next(iter(predictor._loaded.values()))
    config = default_config(model).override(options)
    validate_model(model, [SequenceFiles.of_folder(folder)], config, save_detections=tmp_path)
    np.testing.assert_array_equal(texts[0], expected)

    stored = read_detections(tmp_path / f"{folder.name}.npz")
    assert list(stored) == numbers
    run_association(stored, config, 10, tmp_path / "stored.txt")
    tracked = read_table(tmp_path / "stored.txt")
    np.testing.assert_array_equal(tracked[:, :2], expected[:, :2])
    np.testing.assert_allclose(tracked[:, 2:], expected[:, 2:], atol=0.05)  # stored in float32, embeddings in float16


def test_a_new_association_is_a_class_and_an_entry(clip_frames, tmp_path, monkeypatch):
    """Who counts detections as tracks, found by its name through the module's own option."""

    class Counter:
        def __init__(self, config, frame_rate):
            self.num_identities = 0

        def update(self, detections, warp=None, elapsed=1.0):
            ids = self.num_identities + 1 + np.arange(len(detections))
            self.num_identities += len(detections)
            sizes = detections.boxes[:, 2:] - detections.boxes[:, :2]
            return Tracks(ids, np.hstack([detections.boxes[:, :2], sizes]), detections.scores)

    with pytest.raises(OptionError, match="association must be one of fused, byte, jde, not 'counter'"):
        Predictor("compact").stream_mode(None, association="counter")
    monkeypatch.setitem(base.ASSOCIATIONS, "counter", Counter)
    with Predictor("compact").stream_mode(None, association="counter") as stream:
        frames = stream.predict(clip_frames[:2])
    assert stream.result().people == sum(map(len, frames)) > 5


def all_tracks(frames, config):
    tracker = make_tracker(config, 30.0)
    return [tracker.update(frame) for frame in frames]


@pytest.mark.parametrize("association", ["jde", "fused", "byte"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), conf_thres=st.sampled_from([0.0, 0.1, 0.5, 0.7]))
def test_the_embedding_of_a_low_confidence_detection_is_never_used(association, seed, conf_thres):
    """That is why none is computed for it."""
    frames = crowd(seed, people=8, frames=20)
    config = TrackerConfig(association=association, conf_thres=conf_thres)
    without = [
        with_embeddings(frame, np.where(frame.scores.astype(float)[:, None] > conf_thres, frame.embeddings, 0))
        for frame in frames
    ]
    for found, expected in zip(all_tracks(without, config), all_tracks(frames, config), strict=True):
        for ours, theirs in zip(vars(found).values(), vars(expected).values()):
            np.testing.assert_array_equal(ours, theirs)
