"""Scene files: what is read, and what is refused in one line that names the key."""

import cv2
import numpy as np
import pytest
import yaml

from tests.helpers.paths import ROOT
from tests.tracker.analysis.walks import SIZE
from tracker.analysis.geometry import Polygons, cuts_itself
from tracker.analysis.regions import Regions
from tracker.analysis.scene import load_scene, stated_size
from tracker.errors import OptionError

DOOR = [[0.2, 0.8], [0.7, 0.8]]
TRIANGLE = [[0.1, 0.1], [0.5, 0.1], [0.3, 0.6]]


def test_fractions_and_pixels_mean_the_same(tmp_path):
    pixels = {"size": [1000, 500], "lines": {"door": {"points": [[200, 400], [700, 400]], "in": "entered"}}}
    (tmp_path / "scene.yml").write_text(yaml.safe_dump(pixels))
    scene = load_scene(tmp_path / "scene.yml")
    assert scene.lines == load_scene({"lines": {"door": {"points": DOOR, "in": "entered"}}}).lines
    assert (scene.lines["door"].in_name, scene.lines["door"].out_name) == ("entered", "out")
    assert stated_size(tmp_path / "scene.yml") == (1000, 500) and stated_size(None) is None
    assert load_scene(scene) is scene and load_scene(None).lines == {}


def test_a_scene_written_out_is_the_same_again():
    scene = load_scene(ROOT / "demo" / "scene.yml")
    assert scene.lines and scene.zones and load_scene(scene.to_mapping()).to_mapping() == scene.to_mapping()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"zonen": {}}, "unknown key 'zonen'; known are size, lines"),
        ({"lines": {"door": {"point": DOOR}}}, "lines.door: unknown setting point; known are points, in, out"),
        ({"lines": {"door": {}}}, "lines.door: points is missing"),
        ({"lines": {"door": {"points": [[0.2, 0.8]]}}}, "lines.door: points needs at least 2 points"),
        ({"lines": {"door": {"points": [[0.2, 0.8], [0.2, 0.8]]}}}, "lines.door: points has the point"),
        ({"lines": {"door": {"points": [[0.2, 0.8], [0.2, "a"]]}}}, "lines.door: points must be a number"),
        ({"lines": {"door": {"points": [[0.2, 0.8], [700, 0.8]]}}}, "lines.door.points: [700, 0.8] is outside"),
        ({"lines": {"door": {"points": DOOR, "anchor": "hand"}}}, "lines.door: anchor must be one of foot"),
        ({"lines": {"door": {"points": DOOR, "in": "way", "out": "way"}}}, "lines.door: in and out need two names"),
        ({"lines": {"door": {"points": DOOR, "in": True}}}, "lines.door: in must be one line"),
        ({"lines": {1: {"points": DOOR}}}, "the name of one of lines must be one line"),
        ({"lines": [DOOR]}, "lines must be a mapping of names"),
        ({"zones": {"till": {"points": TRIANGLE, "crowd": -1}}}, "zones.till: crowd must be a whole number"),
        ({"zones": {"till": {"points": TRIANGLE, "doors": ["door"]}}}, "zones.till.doors: there is no line 'door'"),
        ({"zones": {"till": {"points": [[0, 0], [1, 1], [1, 0], [0, 1]]}}}, "zones.till: points cuts itself"),
        ({"zones": {"till": {"points": [TRIANGLE, TRIANGLE]}}}, "zones.till: points must be a list"),
        ({"ignore": [[0, 0], [1, 1], [1, 0]]}, "ignore[0] must be a list of [x, y]"),
        ({"only": 3}, "only must be a list of polygons"),
        ({"mask": "missing.png"}, "mask: cannot read missing.png: there is no such file"),
        ({"plane": {"points": TRIANGLE, "metres": TRIANGLE}}, "plane: points needs at least 4 points"),
        ({"size": [0, 5]}, "size must be a whole number"),
        ({"memory": "long"}, "memory must be a number"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(values, message):
    with pytest.raises(OptionError) as error:
        load_scene(values)
    assert message in str(error.value) and len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [
        "lines: [",
        "- door",
        "still: 5\nzones: {}\nstill: 6",
        "lines: {door: {in: a, in: b}}",
        "lines: {door: {points: [[0.2, 0.8], [7, 0.8]]}}",
        "\0",
    ],
)
def test_a_bad_file_is_named(tmp_path, content):
    (tmp_path / "scene.yml").write_text(content)
    with pytest.raises(OptionError, match=r"scene\.yml") as error:
        load_scene(tmp_path / "scene.yml")
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(OptionError, match="scene must be a path"):
        load_scene(3)


def test_a_name_that_is_given_twice_is_told_with_its_line(tmp_path):
    (tmp_path / "scene.yml").write_text(
        "lines:\n  door: {points: [[0, 0], [1, 1]]}\n  door: {points: [[0, 1], [1, 0]]}"
    )
    with pytest.raises(OptionError, match=r"'door' in line 3 is there twice"):
        load_scene(tmp_path / "scene.yml")
    (tmp_path / "scene.yml").write_text(
        "lines:\n  a: &a {points: [[0, 0], [1, 1]], in: x}\n  b: {<<: *a, in: y}\n  c: {<<: *a, in: z}"
    )
    assert [line.in_name for line in load_scene(tmp_path / "scene.yml").lines.values()] == ["x", "y", "z"]


def test_a_file_that_is_too_large_for_a_scene_is_told(tmp_path):
    zones = {f"zone {n}": {"points": [[0.1, 0.1], [0.5, 0.1], [0.3, 0.6]]} for n in range(2000)}
    (tmp_path / "scene.yml").write_text(yaml.safe_dump({"zones": zones}))
    with pytest.raises(OptionError, match=r"scene\.yml: larger than 100000 bytes"):
        load_scene(tmp_path / "scene.yml")
    assert len(load_scene({"zones": zones}).zones) == 2000


@pytest.mark.parametrize("seed", range(20))
def test_points_in_polygons_are_those_that_opencv_finds(seed):
    random = np.random.default_rng(seed)
    count = random.integers(3, 9)
    angle, radius = np.sort(random.uniform(0, 2 * np.pi, count)), random.uniform(20, 100, count)
    polygon = np.rint(200 + radius * [np.cos(angle), np.sin(angle)]).T[:: random.choice([-1, 1])]
    points = np.concatenate([random.integers(90, 310, (300, 2)), polygon, (polygon + np.roll(polygon, 1, axis=0)) / 2])
    found = Polygons([polygon[:3] + 1, polygon]).contain(*points.T)[:, 1]
    outline = polygon.astype(np.float32)
    assert found.tolist() == [cv2.pointPolygonTest(outline, tuple(map(float, p)), False) >= 0 for p in points]


def test_polygons_that_cut_themselves_are_found():
    for polygon in ([[0, 0], [2, 0], [2, 2], [0, 2]], [[0, 0], [4, 0], [4, 4], [2, 1]]):
        assert not cuts_itself(np.array(polygon, float))
    for polygon in (
        [[0, 0], [2, 2], [2, 0], [0, 2]],
        [[0, 0], [1, 1], [2, 2]],
        [[0, 0], [4, 0], [2, 0], [2, 3]],
        [[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]],
    ):
        assert cuts_itself(np.array(polygon, float)), polygon


def test_a_mask_of_any_size_says_where_to_look(tmp_path):
    mask = np.zeros((8, 10), np.uint8)
    mask[:, 5:] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    (tmp_path / "scene.yml").write_text("mask: mask.png")
    regions = Regions(load_scene(tmp_path / "scene.yml"), SIZE)
    x = np.array([10.0, 499, 501, 990, 1005, -3])
    assert regions and regions.keep(x, np.full(6, 805.0)).tolist() == [False, False, True, True, True, False]
    assert not Regions(load_scene(None), SIZE)
