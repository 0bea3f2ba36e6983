"""The file of cameras: what it may say, and how its mistakes are told."""

import pytest

from tests.helpers.paths import ROOT
from tracker.cameras.config import Camera, check_names, read_cameras
from tracker.errors import OptionError

SCENE = "{lines: {door: {points: [[0, 0], [1, 1]]}}}"


def written(folder, text):
    path = folder / "cameras.yml"
    path.write_text(text)
    return path


def test_the_demo():
    square, other = read_cameras(ROOT / "demo" / "cameras.yml")
    assert square.source == str(ROOT / "demo" / "pedestrians.mp4")
    assert square.scene_file == ROOT / "demo" / "scene.yml" and other.scene_file is None
    assert other.options == {"refine": False, "skip_frames": 2, "visualization": False}


def test_own_options_win_and_files_lie_beside(tmp_path):
    (tmp_path / "door.yml").write_text(SCENE)
    (tmp_path / "tracker.yml").write_text("{}")
    path = written(
        tmp_path,
        f"""
        options: {{split: 1h, keep: 7d, tracker_config: tracker.yml}}
        cameras:
          - {{name: door, source: rtsp://me:secret@10.0.0.8/a, scene: door.yml, options: {{split: 1d, except: [7]}}}}
          - {{name: 入口, source: 0, scene: {SCENE}}}
          - {{name: a b, source: missing.mp4}}
        """,
    )
    door, gate, file = read_cameras(path)
    common = {"split": "1h", "keep": "7d", "tracker_config": str(tmp_path / "tracker.yml")}
    assert door == Camera(
        "door",
        "rtsp://me:secret@10.0.0.8/a",
        {**common, "split": "1d", "except_": [7], "scene": str(tmp_path / "door.yml")},
    )
    assert (gate.name, gate.source, gate.scene_file) == ("入口", 0, None) and gate.options["scene"]["lines"]
    assert (file.source, file.options) == ("missing.mp4", common)  # which is told when it is opened


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be a mapping of names to values"),
        ("cams: []", "unknown key 'cams'; known are cameras and options"),
        ("cameras: []", "cameras must be a list of name, source, scene and options, not []"),
        ("cameras: door", "cameras must be a list of name, source, scene and options, not 'door'"),
        ("{cameras: [{name: a, source: b}], options: [1]}", "options must be a mapping of names to values, not [1]"),
        ("cameras: [door]", "camera 1: it must be a mapping with name, source, scene, options, not 'door'"),
        ("cameras: [{name: a, source: b}, {source: b}]", "camera 2: name is missing"),
        ("cameras: [{name: door}]", "camera 'door': source is missing"),
        ("cameras: [{name: door, source: b, scen: c}]", "camera 'door': unknown key 'scen'; known are name, source"),
        ("cameras: [{name: 7, source: b}]", "camera 1: name must be one line"),
        ("cameras: [{name: a/b, source: b}]", "camera 'a/b': name must be a plain file name, not 'a/b'"),
        ("cameras: [{name: .., source: b}]", "camera '..': name must be a plain file name, not '..'"),
        ("cameras: [{name: a, source: [b]}]", "camera 'a': source must be a file, an address or the number"),
        ("cameras: [{name: a, source: true}]", "camera 'a': source must be a file, an address or the number"),
        ("cameras: [{name: a, source: b, options: 3}]", "camera 'a': options must be a mapping of names to values"),
        ("cameras: [{name: a, source: b, options: {sinks: []}}]", "camera 'a': unknown key 'sinks' in options"),
        ("cameras: [{name: a, source: b, scene: no.yml}]", "camera 'a': cannot read no.yml: No such file"),
        ("cameras: [{name: a, source: b, scene: {lins: {}}}]", "camera 'a': unknown key 'lins'"),
        (
            f"cameras: [{{name: a, source: b, scene: {SCENE}, options: {{scene: {SCENE}}}}}]",
            "camera 'a': scene is there twice",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(OptionError) as told:
        read_cameras(path)
    assert message in str(told.value) and str(path) in str(told.value) and "\n" not in str(told.value)


def test_names_are_different_also_where_file_systems_fold_them():
    with pytest.raises(OptionError, match="two cameras are called 'Door': give each a name of its own"):
        check_names([Camera("door", "a"), Camera("Door", "b")])
