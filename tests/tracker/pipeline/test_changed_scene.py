"""Another scene for a run that goes on: drawn on the page while a camera is tracked."""

import json

from tests.helpers.fake_pipeline import FakeDetector, Slowly, numbered
from tracker import Predictor
from tracker.analysis.answers import Answers
from tracker.analysis.scene import load_scene
from tracker.cameras.config import Camera
from tracker.cameras.run import CameraGroup

TEN = "2026-11-27T10:00:00+01:00"
SCENE = {
    "lines": {"door": {"points": [[0.1, 0], [0.1, 1]]}},
    "zones": {"hall": {"points": [[0, 0], [1, 0], [1, 1], [0, 1]]}},
}


def test_another_scene_begins_a_segment_and_the_tracks_go_on(tmp_path, monkeypatch):
    """It counts from the frame after, is told in the record, and nobody appears once more."""
    other = load_scene({"zones": {"yard": SCENE["zones"]["hall"]}, "lines": {"gate": SCENE["lines"]["door"]}})
    changed = []

    class Changing(Slowly):
        def write(self, frame, tracks):
            if frame.index == 9:
                changed.append(group.change_scene("cam", other))
            super().write(frame, tracks)

    camera, file = Changing(24), tmp_path / "events.jsonl"
    monkeypatch.setattr("tracker.predictor.open_source", lambda *_, **__: camera)
    options = {"scene": SCENE, "start": TEN, "events": str(file), "camera_motion": False, "max_lag": 0}
    group = CameraGroup(
        Predictor(detector=FakeDetector()),
        [Camera("cam", "rtsp://host/")],
        {"output_dir": tmp_path, **options},
        lambda _: [camera],
    )
    assert not group.change_scene("cam", other), "it has given no picture yet"
    (outcome,) = group.run().cameras
    result = outcome.result
    assert changed == [True] and not outcome.error and not group.change_scene("cam", other)
    assert [(s.name, s.first_frame, s.last_frame) for s in result.segments] == [
        ("cam", 1, 10),
        ("cam_20261127T100001", 11, 24),
    ]
    assert [(frame.frame, frame.ids.tolist()) for frame in result] == [(number, [1]) for number in range(1, 25)]
    records = [json.loads(segment.files["run"].read_text())["options"]["scene"] for segment in result.segments]
    assert [(list(scene["lines"]), list(scene["zones"])) for scene in records] == [
        (["door"], ["hall"]),
        (["gate"], ["yard"]),
    ]
    visits = [list(Answers(segment.files["answers"]).visits()) for segment in result.segments]
    assert [(one.zone, one.id, one.entered) for (one,) in visits] == [("hall", 1, 0.0), ("yard", 1, 0.0)]
    events = [json.loads(line) for line in file.read_text().splitlines()]
    told = [(e["event"], e["camera"], e.get("zone"), e.get("frame")) for e in events if e["event"] != "crossed"]
    assert told[:2] == [("appeared", "cam", None, 1), ("entered", "cam", "hall", 6)]
    assert sorted(told[2:], key=str) == [
        ("entered", "cam", "yard", 15),
        ("segment", "cam", None, None),
        ("segment", "cam", None, None),
    ]


def test_a_run_in_one_piece_keeps_its_scene(tmp_path):
    with Predictor(detector=FakeDetector()).stream_mode(tmp_path, name="cam", scene=SCENE) as run:
        run.predict(numbered(1)[0])
        assert not run._run.change_scene(load_scene({}))
