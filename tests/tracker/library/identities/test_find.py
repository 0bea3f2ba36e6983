"""The person in a picture, among those that runs have kept."""

import csv
import json

import cv2
import numpy as np
import pytest

from tests.tracker.library.identities.runs import look, write_run
from tracker.command import run_command
from tracker.errors import ModelError, OptionError, SourceError
from tracker.library.identities import find as finding
from tracker.library.identities.find import find
from tracker.library.identities.reid import ReidNetwork
from tracker.predictor import Predictor
from tracker.structures import Detections


class Looker:
    """Finds two people, the second one larger; they look like the persons 11 and 12."""

    name, backend, folder, high_conf_thres, max_in_flight = "network", "made up", None, 0.5, 1

    def preprocess(self, image):
        return image

    def start(self, preprocessed):
        return lambda: [preprocessed]

    def decode(self, raw_outputs, preprocessed):
        return None

    def embed(self, decoded, raw_outputs, preprocessed, min_score):
        boxes = np.array([[10.0, 10, 40, 90], [50, 10, 120, 190], [0, 0, 199, 199]])
        looks = np.stack([look(11, 99), look(12, 99), look(13, 99)]).astype(np.float32)
        return Detections(boxes, np.array([0.9, 0.8, 0.3]), looks)

    def embed_boxes(self, image, boxes):
        return look(14, 99)[None].astype(np.float32)


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path, "door", {1: (11, 1, 50), 2: (12, 10, 60), 3: (13, 70, 90)}, pictures=[2])
    write_run(tmp_path, "hall", {1: (12, 1, 50), 2: (14, 20, 40), 3: (15, 20, 40)}, unknown=[3])
    cv2.imwrite(str(tmp_path / "who.png"), np.zeros((200, 200, 3), np.uint8))
    return tmp_path


@pytest.mark.parametrize(("scores", "expected"), [((0.45, 0.4, 0.1), ("door", 1)), ((0.2, 0.25, 0.2), None)])
def test_where_nobody_is_sure_the_likeliest_person_is_taken(runs, scores, expected):
    class Unsure(Looker):
        def embed(self, *arguments):
            found = super().embed(*arguments)
            return Detections(found.boxes, np.array(scores), found.embeddings)

    if expected is None:
        with pytest.raises(OptionError, match="nobody was found"):
            find(runs / "who.png", [runs], Unsure)
    else:
        best = find(runs / "who.png", [runs], Unsure, top=3).hits[0]
        assert (best.camera, best.id) == expected


def test_the_largest_person_of_a_picture_is_found(runs):
    result = find(runs / "who.png", [runs], Looker, top=3)
    assert {(hit.camera, hit.id) for hit in result.hits[:2]} == {("door", 2), ("hall", 1)}
    assert [hit.word for hit in result.hits] == ["sure", "sure", "unsure"]
    assert result.hits[0].chance < 0.01 < 0.5 < result.hits[2].chance
    assert (result.compared, result.without) == (5, 1)
    with result.files["table"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    door = next(row for row in rows if (row["camera"], row["id"]) == ("door", "2"))
    assert (door["first_seen"], door["last_seen"]) == ("0.900", "5.900")
    assert door["picture"].endswith("people/2.jpg")
    page = result.files["sheet"].read_text()
    assert page.count("data:image/jpeg") == 1
    assert "Never tested" in page
    assert "Never tested" in str(result)


def test_a_box_says_who_is_meant(runs):
    hit = find(runs / "who.png", [runs], Looker, (5, 5, 60, 100), top=1).hits[0]
    assert (hit.camera, hit.id) == ("hall", 2)
    for box in [(5, 5, 300, 100), (60, 5, 5, 100)]:
        with pytest.raises(OptionError, match="inside the picture"):
            find(runs / "who.png", [runs], Looker, box)


def test_somebody_of_a_recording_is_found_elsewhere_and_not_as_themselves(runs):
    result = find("door:2", [runs])
    assert (result.hits[0].camera, result.hits[0].id) == ("hall", 1)
    assert ("door", 2) not in {(hit.camera, hit.id) for hit in result.hits}
    with pytest.raises(SourceError, match="no recording 'roof', only door, hall"):
        find("roof:2", [runs])
    with pytest.raises(OptionError, match="hall:3"):
        find("hall:3", [runs])


def test_what_cannot_be_found_is_told(runs, tmp_path):
    (runs / "bad.png").write_bytes(b"no picture")
    for name in ("bad.png", "none.png"):
        with pytest.raises(SourceError, match=name):
            find(runs / name, [runs], Looker)

    class Nobody(Looker):
        def embed(self, *arguments):
            return Detections.empty(64)

    with pytest.raises(OptionError, match="nobody was found"):
        find(runs / "who.png", [runs], Nobody)
    with pytest.raises(OptionError, match="top must be"):
        find("door:1", [runs], top=0)
    with pytest.raises(ModelError, match="onnx"):
        find("door:1", [runs], reid=runs / "who.png")
    (runs / "net.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read"):
        ReidNetwork(runs / "net.onnx")


def test_another_network_compares_the_pictures(runs, monkeypatch):
    """By brightness here: the picture of person p is 10 p bright."""

    class Brightness:
        name = "brightness"

        def __init__(self, path):
            pass

        def embed(self, picture):
            value = float(picture.mean()) / 255
            return np.array([np.cos(value), np.sin(value)], np.float32)

    monkeypatch.setattr(finding, "ReidNetwork", Brightness)
    write_run(runs, "door", {1: (11, 1, 50), 2: (12, 10, 60), 3: (13, 70, 90)}, pictures=[1, 2, 3])
    write_run(runs, "hall", {1: (12, 1, 50), 2: (14, 20, 40)}, pictures=[1])
    cv2.imwrite(str(runs / "grey.png"), np.full((100, 50, 3), 131, np.uint8))
    result = find(runs / "grey.png", [runs], None, (0, 0, 50, 100), reid="net.onnx")
    assert (result.hits[0].camera, result.hits[0].id) == ("door", 3)
    assert (result.compared, result.without) == (4, 1)


def test_both_commands(runs, capsys):
    predictor = Predictor(detector=Looker())
    found = json.loads(str(run_command(predictor, "tracker", ["find", str(runs / "who.png"), str(runs), "--json"])))
    assert len(found["hits"]) == 5
    joined = run_command(predictor, "tracker", ["join", str(runs), "--output_dir", str(runs / "out")])
    assert "people in 2 cameras" in str(joined)
    assert (runs / "out" / "people_global.html").is_file()
    with pytest.raises(SystemExit) as caught:
        run_command(predictor, "tracker", ["join", str(runs / "none")])
    assert caught.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as caught:
        run_command(predictor, "tracker", ["find", "door:1", str(runs), "--box", "1,2"])
    assert caught.value.code == 2


def test_people_of_a_real_clip_are_found_by_a_picture_of_them(tmp_path, clip_frames):
    predictor = Predictor("compact", backend="openvino", precision="fp32", threads=1)
    with predictor.stream_mode(
        tmp_path, visualization=False, name="street", frame_rate=10, save_embeddings=True
    ) as run:
        tracks = run.predict(clip_frames[:12])
    height = tracks[-1].boxes[:, 3]
    rows = [row for row in np.argsort(-height)[:3] if (tracks[-1].boxes[row, :2] > 0).all()]
    cv2.imwrite(str(tmp_path / "later.png"), clip_frames[11])
    model = ["--model", "compact", "--precision", "fp32", "--threads", "1"]
    for row in rows:
        left, top, width, tall = tracks[-1].boxes[row]
        box = f"{max(left, 0):.1f},{max(top, 0):.1f},{left + width:.1f},{top + tall:.1f}"
        words = ["find", str(tmp_path / "later.png"), str(tmp_path), "--box", box, "--top", "1", *model]
        hit = run_command(Predictor(), "tracker", words).hits[0]
        assert hit.id == tracks[-1].ids[row]
        assert hit.word == "sure"
