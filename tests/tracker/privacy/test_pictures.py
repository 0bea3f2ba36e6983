"""Pictures, reports and videos that are read again: what they may show where people are hidden, or nothing is kept."""

import logging
import shutil

import cv2
import numpy as np
import pytest

from tests.helpers.videos import write_video
from tracker.detection.base import FunctionDetector
from tracker.errors import OptionError
from tracker.exports.export import export
from tracker.pipeline.analyse import analyse
from tracker.predictor import Predictor
from tracker.privacy.hide import COLOR
from tracker.structures import Detections

RATE = 10.0
SCENE = {"lines": {"door": {"points": [[0.5, 0.0], [0.5, 1.0]]}}}
RED = (0, 0, 255)
FRAMES = 40


def box(number):
    return np.array([20 + 5.0 * number, 60, 70 + 5 * number, 200])


def walk():
    """Pictures in which a red person walks over the line."""
    made = []
    for number in range(FRAMES):
        image = np.full((240, 320, 3), COLOR, np.uint8)
        left, top, right, bottom = box(number).astype(int)
        image[top:bottom, left:right] = RED
        made.append(image)
    return made


def detect(image):
    red = (image[..., 2] > 180) & (image[..., 1] < 90)
    if not red.any():
        return Detections.empty(1)
    (top, bottom), (left, right) = ((np.flatnonzero(red.any(axis))[[0, -1]]) for axis in (1, 0))
    return Detections(np.array([[left, top, right + 1, bottom + 1.0]]), np.array([0.9]), np.ones((1, 1), np.float32))


def track(video, folder, **options):
    return Predictor(detector=FunctionDetector(detect)).mot_predict(
        video, folder, scene=SCENE, visualization=False, **options
    )


def red_pictures(folder):
    """Names of the pictures in a folder, and of those that show something red."""
    found = {path: cv2.imread(str(path)).astype(int) for path in folder.rglob("*.jpg")}
    red = {path for path, image in found.items() if ((image[..., 2] > 180) & (image[..., 1] < 90)).mean() > 0.02}
    return {path.relative_to(folder).as_posix() for path in found}, {
        path.relative_to(folder).as_posix() for path in red
    }


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("walk") / "walk.mp4", walk(), rate=RATE)


@pytest.fixture(scope="module")
def plain_run(video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    track(video, folder, refine=True)
    return folder


@pytest.fixture
def plain(plain_run, tmp_path):
    """A run that hides nobody, with its refined answers."""
    return shutil.copytree(plain_run, tmp_path / "plain")


def test_a_run_that_hides_makes_hidden_pictures_only(plain, video, caplog):
    for name in ("walk", "walk_refined"):
        made, red = red_pictures(plain / "answers" / name)
        assert {"people/1.jpg", "crossings/1.jpg"} <= made and {"people/1.jpg", "crossings/1.jpg"} <= red
    with caplog.at_level(logging.INFO):
        track(video, plain, refine=True, anonymise="solid")
    assert caplog.text.count("the refined answers get no pictures") == 1
    made, red = red_pictures(plain / "answers" / "walk")
    assert {"people/1.jpg", "crossings/1.jpg"} <= made and not red
    assert red_pictures(plain / "answers" / "walk_refined")[0] == set()  # those of the run before are gone
    assert (plain / "answers" / "walk_refined" / "report.html").exists()


@pytest.mark.parametrize("text", ["walk", "walk_refined"])
def test_what_is_made_anew_does_not_show_whom_the_run_hid(video, tmp_path, caplog, text):
    track(video, tmp_path, refine=True, anonymise="solid")
    kept, _ = red_pictures(tmp_path / "answers" / text)
    analyse(tmp_path / "mot_results" / f"{text}.txt", SCENE, video=video)
    assert caplog.text.count("no pictures are taken from the video") == 1
    assert red_pictures(tmp_path / "answers" / text) == (kept, set())
    assert bool(kept) == (text == "walk")
    for to in ("coco", "yolo"):
        with pytest.raises(OptionError, match="leave video out"):
            export(tmp_path / "mot_results" / f"{text}.txt", to, video=video)
    assert not (tmp_path / "exports").exists()
    assert export(tmp_path / "mot_results" / f"{text}.txt", "coco").images == 0


def test_pictures_of_an_older_run_are_not_taken_for_those_of_one_that_hid(plain, video):
    Predictor(detector=FunctionDetector(detect)).mot_predict(video, plain, visualization=False, anonymise="head")
    analyse(plain / "mot_results" / "walk.txt", SCENE)
    assert red_pictures(plain / "answers" / "walk") == (set(), set())


@pytest.mark.parametrize("with_video", [True, False])
def test_a_private_analysis_takes_report_and_pictures_away(plain, video, with_video):
    text = plain / "mot_results" / "walk.txt"
    assert analyse(text, SCENE).report.is_file()
    result = analyse(text, SCENE, private=True, language="zh", video=video if with_video else None)
    kept = {"counts.csv", "ranges.csv", "zones.csv", "scene.json", "summary.json"}
    assert {path.name for path in result.folder.rglob("*") if path.is_file()} == kept
    assert result.report is None and "report" not in str(result)


def test_a_private_run_takes_report_and_pictures_away(plain, video):
    result = track(video, plain, private=True)
    assert not set(result.files) & {"report", "text", "video"}
    made = {path.name for path in (plain / "answers" / "walk").rglob("*") if path.is_file()}
    assert made == {"counts.csv", "ranges.csv", "zones.csv", "scene.json", "summary.json"}


@pytest.mark.parametrize(
    ("edits", "people", "proofs"),
    [
        ({"name": {1: "Kim"}}, {"people/1.jpg"}, True),
        ({"split": [{"id": 1, "frame": 35, "to": 8}]}, set(), True),
        ({"split": [{"id": 1, "frame": 5, "to": 8}]}, set(), False),
        ({"drop": [1]}, set(), False),
    ],
)
def test_edits_keep_the_pictures_that_still_hold(plain, video, edits, people, proofs):
    text = plain / "mot_results" / "walk.txt"
    made, _ = red_pictures(analyse(text, SCENE, edits=edits).folder)
    assert {name for name in made if name.startswith("people")} == people
    assert ("crossings/1.jpg" in made) == proofs
    again, _ = red_pictures(analyse(text, SCENE, edits=edits, video=video).folder)
    expected = {"people/8.jpg", "people/1.jpg"} if "split" in edits else {"people/1.jpg"} if people else set()
    assert {name for name in again if name.startswith("people")} == expected


def test_pictures_made_with_edits_are_not_kept_for_others(plain, video):
    text, split = plain / "mot_results" / "walk.txt", {"split": [{"id": 1, "frame": 12, "to": 8}]}

    def people(**options):
        made, _ = red_pictures(analyse(text, SCENE, **options).folder)
        return {name for name in made if name.startswith("people")}

    assert people(edits=split, video=video) == people(edits=split) == {"people/1.jpg", "people/8.jpg"}
    assert people() == set()  # that of 1 may show somebody who is 8 after the edits
    assert people(video=video) == people() == {"people/1.jpg"}
