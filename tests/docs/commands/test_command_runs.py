"""The commands of the tracker that pages show are typed, each once, in a folder with the files that they name."""

import json
import os
import shutil

import cv2
import pytest

from tests.docs.commands.covered import covering_test
from tests.docs.commands.test_commands import of_the_tracker
from tests.docs.pages import PAGES, shell_commands
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker import Predictor
from tracker.command import COMMANDS, run_command

SCENE = (
    "lines: {middle: {points: [[0.5, 0], [0.5, 1]]}}\nzones: {left: {points: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}\n"
)
TEXTS = {
    "scene.yml": SCENE,
    "night.yml": "memory: 3\n",
    "tuned.yml": "memory: 3\n",
    "edits.yml": "name: {1: guard}\n",
    "cameras.yml": "cameras: {door: {start: 2026-11-27T09:00:00+01:00}}\n",
    "more.txt": "street.mp4\n",
}
HAS_A_MODEL = ("track", "batch", "find")  # the full one, which they would take, is not there
SHOWN = {}
for page in PAGES:
    for command in shell_commands(page):
        if of_the_tracker(command) and not command.needs and not covering_test(command.line):
            SHOWN.setdefault(command.words[3:], command)


@pytest.fixture(scope="module")
def predictor():
    return Predictor("compact")


@pytest.fixture(scope="module")
def place(tmp_path_factory, clip_frames, predictor):
    """A folder with all that the commands name: videos, scenes, settings, a model, and the results of earlier runs."""
    folder = tmp_path_factory.mktemp("place")
    street = write_video(folder / "street.mp4", clip_frames[:4], rate=10)
    for name in ("demo/pedestrians.mp4", "videos/a.mp4", "archive/2026/b.mp4", "door.mp4", "hall.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(street, folder / name)
    for name in ("scene.yml", "cameras.yml"):
        shutil.copy(ROOT / "demo" / name, folder / "demo" / name)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    (folder / "OUTPUT").mkdir()
    (folder / "OUTPUT" / "model").symlink_to(ROOT / "weights" / "jde_compact")
    options = {"visualization": False, "scene": folder / "scene.yml", "save_embeddings": True}
    for video, output in (("street", "mot_result"), ("street", "out"), ("door", "out/door"), ("hall", "out/hall")):
        predictor.mot_predict(folder / f"{video}.mp4", folder / output, **options)
    predictor.mot_predict(folder / "demo" / "pedestrians.mp4", folder / "mot_result", visualization=False)
    cv2.imwrite(str(folder / "photo.jpg"), clip_frames[0])
    return folder


def marked(words):
    """Those that load other networks or start processes are slow, and have tests of their own in the quick suite."""
    slow = words[0] in ("batch", "doctor") or {"onnxruntime", "1920x1088"} & set(words)
    return pytest.param(words, id=" ".join(words), marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("words", [marked(words) for words in SHOWN])
def test_it_runs(words, place, predictor, monkeypatch, capsys):
    monkeypatch.chdir(place)
    given = list(words)
    name = given[0] if given[0] in COMMANDS else "track"
    if name in HAS_A_MODEL and "--model" not in given:
        given += ["--model", "compact"]
    result = run_command(predictor, "tracker", given)
    assert str(result) and "error" not in capsys.readouterr().err
    if "--json" in given:
        assert json.loads(str(result))["frames"] == 4
    if "--output_dir" in given:
        assert any(os.scandir(given[given.index("--output_dir") + 1]))


def test_there_are_commands_to_type():
    assert len(SHOWN) > 20
