"""Runs that hide people, and runs that keep counts only: what their files have, and what no file has."""

import csv
import json

import av
import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.videos import write_video
from tracker.detection.base import FunctionDetector
from tracker.errors import OptionError, OutputError
from tracker.pipeline.analyse import analyse
from tracker.predictor import Predictor
from tracker.privacy.hide import COLOR, covered
from tracker.structures import Detections

BOX = np.array([60.0, 40, 120, 200])  # left, top, right, bottom
LTWH = np.array([[60.0, 40, 60, 160]])
RATE = 10.0
SCENE = {
    "lines": {"door": {"points": [[0.5, 0.0], [0.5, 1.0]], "in": "in", "out": "out"}},
    "zones": {"till": {"points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}},
}


def noise(count, size=(240, 320), seed=5):
    """Pictures of coarse noise, which every part of a video keeps."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (count, size[0] // 4, size[1] // 4, 3), np.uint8)
    return list(small.repeat(4, axis=1).repeat(4, axis=2))


class Somebody:
    """Finds one person in all frames but some, with a low score in others."""

    def __init__(self, missed=()):
        self.calls, self.missed = 0, missed

    def __call__(self, image):
        self.calls += 1
        if self.calls - 1 in self.missed:
            return Detections.empty(1)
        return Detections(BOX[None], np.array([0.9]), np.ones((1, 1), np.float32))


class Keep:
    """Keeps the frames that it gets."""

    def __init__(self):
        self.frames = []

    def open(self, info):
        pass

    def write(self, frame, tracks):
        self.frames.append((frame.index, frame.image.copy()))

    def close(self):
        return {}


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("street") / "street.mp4", noise(20), rate=RATE)


def decode(path):
    with av.open(str(path)) as container:
        return [picture.to_ndarray(format="bgr24") for picture in container.decode(video=0)]


def left(parts):
    """How much the details taken from pictures are to be seen in others, as a correlation over all pictures.

    Each part is of one picture: what is shown, what it should be, and what it was, [N, 3] pixels.
    """
    taken, seen = (
        np.concatenate([part[at].astype(float).mean(1) - part[1].mean(1) for part in parts]) for at in (2, 0)
    )
    return abs(np.corrcoef(taken, seen)[0, 1])


@pytest.mark.parametrize("how", ["head", "body", "solid"])
def test_no_video_and_no_sink_sees_anybody(street, tmp_path, how):
    missed = (0, 1, 8, 9, 10, 18, 19)
    keep = Keep()
    predictor = Predictor(detector=FunctionDetector(Somebody(missed)))
    result = predictor.mot_predict(street, tmp_path / "hidden", anonymise=how, sinks=[keep], draw_threshold=1)
    plain = Predictor(detector=FunctionDetector(Somebody(missed))).mot_predict(street, tmp_path / "plain")
    assert result.text_path.read_bytes() == plain.text_path.read_bytes() and result.frames == 20
    mask = covered((240, 320), LTWH, how)
    original, video = decode(street), decode(result.video_path)
    assert [index for index, _ in keep.frames] == list(range(20)) and len(video) == 20
    parts = []
    for (_, given), shown, source in zip(keep.frames, video, original):
        if how == "solid":
            assert (given[mask] == COLOR).all() and np.abs(shown[mask].astype(int) - COLOR).mean() < 5
        else:
            assert len(np.unique(given[mask], axis=0)) <= 64
        parts.append((shown[mask], given[mask], source[mask]))
        outside = ~covered((240, 320), np.array([[0, 0, 180, 240.0]]), "body")
        assert np.abs(shown[outside].astype(int) - source[outside]).mean() < 12
    assert left(parts) < 0.1
    about = json.loads(result.files["run"].read_text())
    assert about["anonymise"]["how"] == how


@pytest.mark.parametrize(("least", "hidden"), [(None, True), (0.95, False)])
def test_the_score_that_the_detector_states_decides(street, tmp_path, least, hidden):
    detector, keep = FunctionDetector(Somebody(()), high_conf_thres=0.99), Keep()
    if least:
        detector.hide_score = least
    options = {"anonymise": "solid", "sinks": [keep], "visualization": False}
    Predictor(detector=detector).mot_predict(street, tmp_path, **options)
    mask = covered((240, 320), LTWH, "solid")
    assert {bool((image[mask] == COLOR).all()) for _, image in keep.frames} == {hidden}


def test_a_stream_hides_without_waiting(tmp_path):
    keep = Keep()
    predictor = Predictor(detector=FunctionDetector(Somebody()))
    with predictor.stream_mode(None, anonymise="solid", sinks=[keep], frame_rate=RATE) as stream:
        for count, image in enumerate(noise(3), 1):
            assert len(stream.predict(image)) == 1 and len(keep.frames) == count
    mask = covered((240, 320), LTWH, "solid")
    assert all((image[mask] == COLOR).all() for _, image in keep.frames)


def test_after_an_error_the_text_has_the_frames_that_waited(street, tmp_path):
    class Fails(Keep):
        def write(self, frame, tracks):
            if frame.index == 4:
                raise RuntimeError("lost the line")

    predictor = Predictor(detector=FunctionDetector(Somebody()))
    with pytest.raises(OutputError, match="lost the line"):
        predictor.mot_predict(street, tmp_path, anonymise="head", sinks=[Fails()], visualization=False)
    frames = [int(line.split(",")[0]) for line in (tmp_path / "mot_results/street.txt").read_text().splitlines()]
    assert frames == list(range(1, len(frames) + 1)) and len(frames) >= 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anonymise": "head", "score_threshold": 0.3}, "score_threshold 0.3 would leave people unhidden"),
        ({"private": True}, "give scene too"),
        ({"private": True, "scene": SCENE, "interval": 30}, "60 s or more, not of 30 s"),
        ({"private": True, "scene": SCENE, "refine": True}, "leave refine out"),
        ({"private": True, "scene": SCENE, "sinks": [Keep()]}, "leave sinks out"),
        ({"private": "yes", "scene": SCENE}, "private must be True or False"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        Predictor(detector=FakeDetector()).mot_predict(tmp_path / "none.mp4", tmp_path, **options)


def crossing_text(path, minutes, seconds):
    """A MOT text in which every minute so many people walk over the line in the middle of a picture of 320 x 240."""
    rows, identity = [], 0
    for minute, people in enumerate(minutes):
        for number in range(people):
            identity += 1
            begin = int(RATE * (60 * minute + 2 + 8 * number))
            rows += [(begin + n, identity, 60 + 5 * n, 100, 30, 100, 0.9) for n in range(35)]
    rows.append((int(seconds * RATE), 999, 10, 100, 30, 100, 0.9))
    rows.sort()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("{},{},{},{},{},{},{},-1,-1,-1\n".format(*row) for row in rows))
    return path


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_private_analysis_has_counts_of_three_and_more_and_nothing_else(tmp_path):
    text = crossing_text(tmp_path / "hall.txt", [5, 2, 3, 1, 0, 4], 330)
    options = {"output_dir": tmp_path / "out", "frame_rate": RATE}
    sized = SCENE | {
        "size": [320, 240],
        "lines": {"door": {**SCENE["lines"]["door"], "points": [[160, 240], [160, 0]]}},
    }
    sized["zones"] = {"till": {"points": [[160, 0], [320, 0], [320, 240], [160, 240]]}}
    told = analyse(text, sized, **options)
    assert [row["out"] for row in table(told.folder / "counts.csv")] == ["0"] * 6
    assert [row["in"] for row in table(told.folder / "counts.csv")] == ["5", "2", "3", "1", "0", "4"]
    result = analyse(text, sized, private=True, **options)
    assert result.folder == told.folder
    assert {path.name for path in result.folder.iterdir()} == {
        "counts.csv",
        "ranges.csv",
        "zones.csv",
        "scene.json",
        "summary.json",
    }
    rows = table(result.folder / "counts.csv")
    assert [row["in"] for row in rows] == ["5", "", "3", "", "", ""]  # of the last interval half a minute was recorded
    assert {row["out"] + row["net"] for row in rows} == {""}
    zones = table(result.folder / "zones.csv")
    assert [row["entries"] for row in zones] == ["5", "", "3", "", "", ""]
    assert {row["net"] + row["drift"] + row["mean_inside"] for row in zones} == {""}
    ranges = [row for row in table(result.folder / "ranges.csv") if row["direction"] == "in"]
    assert [row["count"] for row in ranges] == ["5", "", "3", "", "", ""]
    assert {(row["low"] == "", row["high"] == "") for row in ranges if not row["count"]} == {(True, True)}
    summary = json.loads((result.folder / "summary.json").read_text())
    assert summary["people"] == 16 and summary["lines"][0]["count"] == 8 and summary["lines"][1]["count"] is None
    assert "8 in" in str(result) and "few out" in str(result)
    everything = "".join(path.read_text() for path in result.folder.iterdir())
    assert '"id"' not in everything and ",id" not in everything


def test_a_private_run_writes_counts_only(tmp_path):
    video = write_video(tmp_path / "hall.mp4", numbered(12), rate=RATE)
    result = Predictor(detector=FakeDetector()).mot_predict(video, tmp_path / "out", scene=SCENE, private=True)
    made = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    answers = {
        f"answers/hall/{name}" for name in ("counts.csv", "ranges.csv", "zones.csv", "scene.json", "summary.json")
    }
    assert made == answers | {"mot_results/hall_run.json"}
    assert result.people == 0 and result.text_path is None and result.video_path is None
    assert json.loads((tmp_path / "out/answers/hall/summary.json").read_text())["people"] is None
    with pytest.raises(OutputError):
        list(result)
