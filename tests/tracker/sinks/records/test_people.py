"""The sink of what people look like: bounded memory, one entry for a person, safe when the run is killed."""

import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.videos import write_video
from tracker.appearance.store import read_people
from tracker.errors import OptionError
from tracker.predictor import Predictor
from tracker.sinks.records.people import PeopleSink
from tracker.structures import Detections, Frame, Recognised, SequenceInfo, Tracks

PICTURE = np.zeros((480, 640, 3), np.uint8)
BOX = [100.0, 100, 60, 160]


def look(seed):
    vector = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    return vector / np.linalg.norm(vector)


def seen(ids, looks, recognised=()):
    boxes = np.array([[BOX[0] + 100 * place, *BOX[1:]] for place in range(len(ids))]).reshape(-1, 4)
    looks = np.array(looks, np.float32).reshape(-1, 8)
    return Tracks(np.array(ids, np.int64), boxes, np.full(len(ids), 0.9), looks, looks, recognised)


def run(folder, frames, memory=2.0, every=1e9):
    sink = PeopleSink(folder, "network", memory, every)
    sink.open(SequenceInfo("street", 10.0, (640, 480)))
    for number, tracks in enumerate(frames):
        sink.write(Frame(number, number / 10, PICTURE), tracks)
        yield sink
    assert sink.close() == {"people": folder / "mot_results" / "street_people.npz"}


def test_memory_holds_those_who_may_come_back(tmp_path):
    most = 0
    for sink in run(tmp_path, (seen([1 + number // 5], [look(number)]) for number in range(1000))):
        most = max(most, len(sink._people))
    assert most <= 6
    people = read_people(tmp_path / "mot_results" / "street_people.npz")
    assert np.unique(people.ids).tolist() == list(range(1, 201))
    assert (np.bincount(people.ids)[1:] == 5).all()


def test_who_comes_back_has_one_entry(tmp_path):
    frames = [
        *[seen([1], [look(1)])] * 3,
        *[seen([], [])] * 30,
        *[seen([2], [look(2)])] * 3,
        seen([1], [look(3)], (Recognised(1, 2, 0.9),)),
    ]
    for _ in run(tmp_path, frames, memory=10):
        pass
    people = read_people(tmp_path / "mot_results" / "street_people.npz")
    assert set(people.ids.tolist()) == {1}
    assert sorted(set(people.frames.tolist())) == [1, 2, 3, 34, 35, 36, 37]


def test_a_killed_run_leaves_a_whole_file(tmp_path):
    frames = run(tmp_path, [seen([1, 2], [look(1), look(2)])] * 5, every=0)
    next(frames)  # the file that is left is at least as old as it took to write it
    people = read_people(tmp_path / "mot_results" / "street_people.npz")
    assert people.ids.tolist() == [1, 2]


def test_a_detection_without_an_embedding_is_no_view(tmp_path):
    for _ in run(tmp_path, [seen([1], [np.zeros(8)])] * 5):
        pass
    assert len(read_people(tmp_path / "mot_results" / "street_people.npz").ids) == 0


class Somebody(FakeDetector):
    def embed(self, decoded, raw_outputs, preprocessed, min_score):
        return Detections(np.array([[20.0, 20, 50, 90]]), np.array([0.9]), look(4)[None])


def test_a_run_writes_the_file_if_it_is_asked_to(tmp_path):
    write_video(tmp_path / "street.avi", numbered(6))
    predictor = Predictor(detector=Somebody())
    plain = predictor.mot_predict(tmp_path / "street.avi", tmp_path / "plain", visualization=False)
    assert "people" not in plain.files
    result = predictor.mot_predict(tmp_path / "street.avi", tmp_path, visualization=False, save_embeddings=True)
    people = read_people(result.files["people"])
    assert people.model == "nobody"
    np.testing.assert_allclose(people.vectors[0], look(4), atol=1e-3)
    assert result.text_path.read_bytes() == plain.text_path.read_bytes()
    with pytest.raises(OptionError, match="leave save_embeddings out"):
        predictor.mot_predict(
            tmp_path / "street.avi", tmp_path, scene={"zones": {"a": {"points": [[0, 0], [1, 0], [1, 1]]}}},
            private=True, save_embeddings=True,
        )  # fmt: skip
    with pytest.raises(OptionError, match="output_dir"):
        predictor.stream_mode(None, save_embeddings=True)
