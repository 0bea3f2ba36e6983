"""The demo: its one command, the service, and the moving picture of the README."""

import configparser
import importlib.util
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.helpers.paths import CLIP, ROOT
from tracker.command import make_parser

PICTURE = ROOT / "demo" / "tracking.webp"
MOST_BYTES = 3_000_000
PARTS = ("config", "demo", "docs", "tools", "tracker", "weights", "module.py", "LICENSE", "*.md", "requirements*.txt")


@pytest.fixture(scope="module")
def make_pictures():
    spec = importlib.util.spec_from_file_location("make_pictures", ROOT / "demo" / "make_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pictures_of(path):
    from PIL import Image, ImageSequence

    with Image.open(path) as animation:
        return [np.array(picture.convert("RGB")) for picture in ImageSequence.Iterator(animation)]


def test_the_picture_moves_and_is_small(make_pictures):
    pytest.importorskip("PIL")
    pictures = pictures_of(PICTURE)
    assert PICTURE.stat().st_size < MOST_BYTES
    assert len(pictures) == round((make_pictures.END - make_pictures.BEGIN) * 10)
    assert {picture.shape for picture in pictures} == {(480, make_pictures.WIDTH, 3)}
    assert abs(pictures[0].astype(int) - pictures[-1]).mean() > 1


def test_pictures_are_written_one_after_the_other(make_pictures, tmp_path):
    pytest.importorskip("PIL")
    given = [np.full((48, 64, 3), shade, np.uint8) for shade in (30, 120, 220)]
    make_pictures.write_animation(given, Fraction(10), tmp_path / "a.webp")
    assert [round(picture.mean(), -1) for picture in pictures_of(tmp_path / "a.webp")] == [30, 120, 220]


def test_a_stretch_is_taken_by_time(make_pictures):
    pictures = list(make_pictures.stretch(CLIP))
    with av.open(str(CLIP)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(pictures) == sum(make_pictures.BEGIN <= time < make_pictures.END for time in times) > 70


def test_the_service_starts_a_command_that_is_understood():
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string((ROOT / "demo" / "camera.service").read_text().replace("\\\n", " "))
    assert unit.sections() == ["Unit", "Service", "Install"]
    _, *words = unit["Service"]["ExecStart"].split()
    assert words[:3] == ["-m", "tracker", "track"]
    given = make_parser("tracker", "track").parse_args(words[3:])
    assert str(given.output_dir).startswith(f"/var/lib/{unit['Service']['StateDirectory']}")


@pytest.mark.slow
def test_the_demo_makes_its_files(tmp_path):
    """``bash demo/run.sh`` in a copy of the project, whose environment is the one that this test runs in."""
    project = tmp_path / "project"
    for pattern in PARTS:
        for path in ROOT.glob(pattern):
            target = project / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
    shutil.rmtree(project / "demo" / "output", ignore_errors=True)
    environment = Path(sys.prefix)
    if not (environment / "bin" / "activate").exists() or not list(environment.glob("installed-*")):
        pytest.skip("the environment was not made by tools/setup_env.sh")
    (project / ".venv").symlink_to(environment)
    variables = {**os.environ, "HUB_HOME": str(tmp_path / "home")}
    command = ["bash", "demo/run.sh", "--skip_frames", "20"]
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stderr
    made = done.stdout.partition("Made:\n")[2].split("\n\n")[0].splitlines()
    assert {"demo/output/mot_results/pedestrians.txt", "demo/output/mot_outputs/pedestrians_vis.mp4"} <= set(made)
    report = done.stdout.splitlines()[-1].partition(": ")[2]
    assert (project / report).stat().st_size > 10_000
    assert all((project / path).stat().st_size for path in made)
