"""Scenes on the page: checked, counted, saved; the command that serves one alone."""

import json
import re
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
import requests
import yaml

from tests.helpers.paths import ROOT
from tests.tracker.web.conftest import SCENE, SECONDS, serving, walk_through
from tracker.analysis.scene import Scene, load_scene
from tracker.commands.scene import run_scene
from tracker.errors import OptionError, SourceError
from tracker.web.live.sink import LiveSink
from tracker.web.scenes.easels import MOST_POINTS, CameraEasel, SourceEasel, read_drawn, save_scene
from tracker.web.site import Site


@pytest.fixture
def easel(short_clip, tmp_path):
    return SourceEasel(str(short_clip), tmp_path / "scene.yml")


@pytest.fixture
def page(easel):
    with serving(Site(easels={"source": easel}, single=True)) as page:
        yield page


def test_drawing_saving_and_drawing_on(page, easel, tmp_path):
    assert page.json("/api/easels") == [{"key": "source", "title": "walk"}]
    about = page.json("/api/easels/source")
    assert (about["scene"], about["span"], about["tracked"]) == ({}, 1.0, False)
    picture = cv2.imdecode(np.frombuffer(page.ask("/api/easels/source/frame.jpg?at=0.5").content, np.uint8), 1)
    first = cv2.imdecode(np.frombuffer(page.ask("/api/easels/source/frame.jpg").content, np.uint8), 1)
    assert picture.shape == (96, 160, 3) and round((picture.mean() - first.mean()) / 10) == 5  # a later frame
    assert page.json("/api/easels/source/count", "POST", json=SCENE.both) == {"counts": None}
    assert not (tmp_path / "scene.yml").exists()
    page.json("/api/easels/source", "PUT", json=SCENE.both)
    saved = load_scene(tmp_path / "scene.yml")
    assert saved.lines["door"].in_name == "east" and list(saved.zones) == ["till"]
    assert page.json("/api/easels/source")["scene"] == yaml.safe_load((tmp_path / "scene.yml").read_text())
    assert not easel.text() and page.json("/api/done", "POST") == {"done": True} and page.site.done.is_set()


def test_what_the_page_does_not_draw_stays_in_the_file(tmp_path):
    path = tmp_path / "scene.yml"
    path.write_text("size: [160, 96]\nlines: {old: {points: [[10, 10], [100, 10]]}}\nstill: 60\nmemory: 3\n")
    before = load_scene(path)
    save_scene(path, read_drawn(SCENE.line)[1])
    after = load_scene(path)
    assert (after.still, after.memory, list(after.lines)) == (60, 3, ["door"])
    assert before.lines["old"].points[0] == pytest.approx((10 / 160, 10 / 96))


def test_a_file_that_is_no_scene_stays_as_it_is(page, tmp_path):
    (tmp_path / "scene.yml").write_text("- a list\n")
    assert "must be a mapping" in page.json("/api/easels/source", "PUT", 400, json=SCENE.both)["error"]
    assert (tmp_path / "scene.yml").read_text() == "- a list\n"


SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]


@pytest.mark.parametrize(
    ("scene", "told"),
    [
        ({"lines": {"a": {"points": [[0, 0]]}}}, "lines.a: points needs at least 2 points, not 1"),
        ({"lines": {"a": {"points": [[0, 0], [2, 0]]}}}, "lines.a.points: [2, 0] is outside of the picture"),
        ({"lines": {"a": {"points": [[0, 0], [1, 1]], "in": "x", "out": "x"}}}, "in and out need two names"),
        ({"zones": {"a": {"points": [[0, 0], [1, 1], [1, 0], [0, 1]]}}}, "cuts itself"),
        ({"zones": {"a": {"points": SQUARE, "crowd": -1}}}, "crowd"),
        ({"plane": {"points": SQUARE, "metres": [[0, 0]]}}, "metres needs at least 4 points"),
        ({"mask": "/etc/passwd"}, "unknown key 'mask'"),
        ({"size": [10, 10]}, "unknown key 'size'"),
        ({"lines": []}, "lines must be a mapping"),
        ({"lines": {"a": {"points": [[0, 0], [1, float("1e999")]]}}}, "must be a number"),
        ({"ignore": [SQUARE] * MOST_POINTS}, "points at most"),
        ({"zones": {"a": {"points": SQUARE, "doors": ["b"]}}}, "there is no line 'b'"),
    ],
)
def test_what_is_no_scene_is_told_in_one_line(page, scene, told, tmp_path):
    body = json.dumps(scene)
    for method, path in (("POST", "/api/easels/source/count"), ("PUT", "/api/easels/source")):
        answer = page.json(path, method, 400, data=body, headers={"Content-Type": "application/json"})
        assert told in answer["error"] and "\n" not in answer["error"]
    assert not (tmp_path / "scene.yml").exists()


@pytest.mark.parametrize(
    "body", ['{"ignore":' + 900 * "[" + 900 * "]" + "}", "[" * 10**5, "", "[]", "1", "{", '{"lines": NaN}', "nul"]
)
def test_what_is_no_json(page, body):
    answer = page.ask("/api/easels/source/count", "POST", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422) and set(answer.json()) == {"error"}


def test_a_camera_is_drawn_on_without_marks_and_may_count_from_its_next_start_only(tmp_path):
    sink = LiveSink("gate", load_scene(SCENE.line))
    path = tmp_path / "gate.yml"
    with serving(Site(live={"gate": sink}, easels={"camera:gate": CameraEasel(sink, path)})) as page:
        assert page.ask("/api/easels/camera:gate/frame.jpg").status_code == 404
        walk_through(sink)
        plain = cv2.imdecode(np.frombuffer(page.ask("/api/easels/camera:gate/frame.jpg").content, np.uint8), 1)
        assert np.ptp(plain) < 5  # nothing is drawn into it
        assert list(page.json("/api/easels/camera:gate")["scene"]["lines"]) == ["door"]
        assert page.json("/api/easels/camera:gate", "PUT", json=SCENE.zone)["note"] == "saved_later"
        assert page.json("/api/easels/camera:gate")["scene"] == yaml.safe_load(path.read_text())
        assert list(sink.scene.lines) == ["door"]
        assert page.ask("/api/done", "POST").status_code == 404


def test_a_camera_counts_what_is_saved_from_then_on(tmp_path):
    sink, path, changed = LiveSink("gate", load_scene(SCENE.both)), tmp_path / "gate.yml", []
    path.write_text("memory: 3\nlines: {}\n")
    easel = CameraEasel(sink, path, lambda scene: changed.append(scene) or True)
    with serving(Site(live={"gate": sink}, easels={"camera:gate": easel})) as page:
        walk_through(sink, 15)
        before = sink.status()
        assert before["lines"][0]["directions"][0]["count"] == 1 and before["zones"]
        assert page.json("/api/easels/camera:gate", "PUT", json=SCENE.line)["note"] == "saved_now"
        status = page.json("/api/cameras/gate")
        assert [way["count"] for way in status["lines"][0]["directions"]] == [0, 0] and status["zones"] == []
        assert changed == [sink.scene] and sink.scene.memory == 3, "the whole file, and not what is drawn alone"
        flat = {"points": [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.4, 0.4]], "metres": [[0, 0], [1, 0], [1, 1], [0, 1]]}
        kept = path.read_text()
        page.json("/api/easels/camera:gate", "PUT", 400, json={"plane": flat})
        assert path.read_text() == kept and len(changed) == 1


def test_regions_stay_and_usual_values_are_not_said():
    scene, drawn = read_drawn({"only": [SQUARE], "lines": {"a": {"points": [[0.123456, 0], [1, 1]]}}})
    assert isinstance(scene, Scene) and drawn["only"] == [SQUARE]
    assert drawn["lines"]["a"] == {"points": [[0.1235, 0], [1, 1]], "in": "in", "out": "out"}


def test_the_command_ends_when_the_scene_is_saved(short_clip, tmp_path):
    out = tmp_path / "my" / "scene.yml"
    words = ["scene", str(short_clip), "--output", str(out), "--output_dir", str(tmp_path), "--json"]
    command = subprocess.Popen(
        [sys.executable, "-m", "tracker", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    killer = threading.Timer(SECONDS, command.kill)
    killer.start()
    try:
        address = None
        while address is None:
            line = command.stderr.readline()
            assert line, "the command has ended"
            found = re.search(r"page: (http://127\.0\.0\.1:\d+)/", line)
            address = found and found[1]
        assert requests.get(f"{address}/api/site").json()["parts"] == ["draw"]
        assert requests.put(f"{address}/api/easels/source", json=SCENE.both).status_code == 200
        requests.post(f"{address}/api/done")
        printed, _ = command.communicate()
    finally:
        killer.cancel()
        command.kill()
    assert command.returncode == 0
    assert json.loads(printed) == {"scene": str(out), "lines": ["door"], "zones": ["till"], "picture": None}
    assert "door" in load_scene(out).lines


def draw(source, folder, **arguments):
    usual = {
        "output": str(folder / "s.yml"),
        "snapshot": None,
        "port": 0,
        "output_dir": str(folder),
        "from_device": False,
    }
    return run_scene(None, {"source": str(source), **usual, **arguments})


def test_a_snapshot_has_a_grid(short_clip, tmp_path):
    made = draw(short_clip, tmp_path, snapshot=str(tmp_path / "grid.png"))
    picture = cv2.imread(str(tmp_path / "grid.png"))
    assert made.picture == tmp_path / "grid.png" and picture.shape == (96, 160, 3)
    assert (picture[:, 80].mean() - picture[:, 76].mean()) > 50  # the line at a half
    assert str(made) == f"{tmp_path / 'grid.png'}: fractions of the picture, from its upper left corner"


def test_what_the_command_refuses(short_clip, tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        draw(tmp_path / "none.mp4", tmp_path)
    for arguments, why in (
        ({"snapshot": "grid.gif"}, "snapshot must end in"),
        ({"output": "scene.txt"}, "output must end in .yml"),
        ({"port": 70000}, "port"),
    ):
        with pytest.raises(OptionError, match=why):
            draw(short_clip, tmp_path, **arguments)
    (tmp_path / "bad.yml").write_text("lines: 3\n")
    with pytest.raises(OptionError, match="lines must be a mapping"):
        draw(short_clip, tmp_path, output=str(tmp_path / "bad.yml"))
