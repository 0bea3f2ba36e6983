"""The floor that is guessed by people's height: right for a camera as it is taken to be, and refused where it must."""

import json

import numpy as np
import pytest

from tracker.analysis.floor.guess import guess_plane
from tracker.analysis.floor.plane import Floor
from tracker.analysis.scene import load_scene
from tracker.errors import OptionError
from tracker.pipeline.analyse import analyse

SIZE = (1280, 720)
CAMERA, HORIZON = 4.0, 150.0  # metres above the floor; row of the picture, pixels


def boxes_at(x, z, tall=1.7):
    """Boxes of people so many metres to the right and away, by a camera of 53 degrees across."""
    foot = HORIZON + SIZE[0] * CAMERA / z
    height = tall * SIZE[0] / z
    return np.column_stack([SIZE[0] * (x / z + 0.5) - 0.2 * height, foot - height, 0.4 * height, height])


def crowd(count=3000, seed=0):
    random = np.random.default_rng(seed)
    z = random.uniform(10, 40, count)
    return boxes_at(random.uniform(-0.4, 0.4, count) * z, z, random.normal(1.7, 0.1, count))


def test_lengths_on_the_floor_are_right_for_a_camera_as_it_is_taken_to_be():
    plane = guess_plane(np.array_split(crowd(), 7), SIZE)
    floor = Floor(plane, SIZE)
    assert plane.guessed and "guess" in str(floor)
    x, z = np.array([-2.0, 3.0, 0.0, 1.0]), np.array([12.0, 12.0, 30.0, 20.0])
    boxes = boxes_at(x, z)
    places = floor.metres(np.column_stack([boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3]]))
    true = np.column_stack([x, -z])
    assert np.linalg.norm(places[0] - places[1]) == pytest.approx(5, rel=0.03)
    assert np.linalg.norm(places[0] - places[2]) == pytest.approx(np.linalg.norm(true[0] - true[2]), rel=0.05)
    assert places[2, 1] < places[3, 1] < places[0, 1], "towards the camera is down in the plan"


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (crowd(30), "too few people"),
        (np.tile([[600.0, 300, 40, 100]], (500, 1)), "too few people"),
        (crowd() * (1, 1, 0, 0) + (0, 0, 40, 100), "not larger the lower they stand"),
        (np.zeros((0, 4)), "too few people"),
    ],
)
def test_a_floor_that_cannot_be_guessed_is_refused(boxes, message):
    with pytest.raises(OptionError, match=message):
        guess_plane([boxes], SIZE)


def test_an_analysis_calls_it_a_guess(tmp_path):
    z = 35 - 1.4 * np.arange(400) / 25  # somebody who comes nearer at 1.4 m/s, and a crowd that stands
    text = tmp_path / "street.txt"
    rows = [(frame, 1, *box) for frame, box in enumerate(boxes_at(np.zeros(400), z), 1)]
    rows += [(frame, 10 + n, *box) for frame in range(1, 101) for n, box in enumerate(crowd(40))]
    text.write_text("".join("{},{},{:.2f},{:.2f},{:.2f},{:.2f},0.9\n".format(*row) for row in rows))
    scene = {"size": list(SIZE)}
    result = analyse(text, scene, output_dir=tmp_path, frame_rate=25, plane="guess")
    person = next(iter(result.people()))
    assert person.id == 1 and person.mean_speed == pytest.approx(1.4, rel=0.1)
    assert result.plane_error is None and "is a guess" in str(result)
    assert "is a guess" in (result.folder / "report.html").read_text("utf-8")
    plane = json.loads((result.folder / "scene.json").read_text())["plane"]
    assert plane["guessed"]
    assert load_scene({"plane": plane}).plane.guessed
    square = [[0, 0], [9, 0], [9, 9], [0, 9]]
    known = {**scene, "plane": {"points": square, "metres": square}}
    with pytest.raises(OptionError, match="the scene has a plane"):
        analyse(text, known, output_dir=tmp_path, frame_rate=25, plane="guess")
    with pytest.raises(OptionError, match="plane must be one of guess"):
        analyse(text, scene, output_dir=tmp_path, frame_rate=25, plane="flat")
