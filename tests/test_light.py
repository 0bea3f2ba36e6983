"""Tracking with the packages of requirements-light.txt alone, in an environment of its own."""

import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT

DEMO = ROOT / "demo"
MOST_BYTES = 600_000_000


def run(*words, expect=0):
    done = subprocess.run([str(word) for word in words], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == expect, done.stderr
    return done


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """The Python of a fresh environment."""
    folder = tmp_path_factory.mktemp("light") / "venv"
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "uv", "pip", "install", "--python", python, "-r", "requirements-light.txt")
    return python


@pytest.mark.slow
def test_it_tracks_as_the_whole_environment_does(light, tmp_path):
    words = ["-m", "tracker", DEMO / "pedestrians.mp4", "--model", "compact", "--scene", DEMO / "scene.yml"]
    for python, name in ((light, "light"), (sys.executable, "whole")):
        run(python, *words, "--output_dir", tmp_path / name)
    for made in ("mot_results/pedestrians.txt", "answers/pedestrians/counts.csv", "answers/pedestrians/visits.csv"):
        assert (tmp_path / "light" / made).read_bytes() == (tmp_path / "whole" / made).read_bytes()
    assert (tmp_path / "light" / "answers" / "pedestrians" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "light" / "mot_outputs" / "pedestrians_vis.mp4").exists()


@pytest.mark.slow
def test_it_is_small(light):
    files = (path.lstat() for path in light.parents[1].rglob("*") if path.is_file() and not path.is_symlink())
    assert sum(file.st_size for file in files) < MOST_BYTES


@pytest.mark.slow
def test_what_needs_more_says_so_in_one_line(light, tmp_path):
    words = ["-m", "tracker", DEMO / "pedestrians.mp4", "--model", "compact", "--output_dir", tmp_path]
    serve, draw = ["-m", "tracker", "serve"], ["-m", "tracker", "scene", DEMO / "pedestrians.mp4"]
    for command, package in (
        ([*words, "--refine"], "scipy"),
        ([*words, "--backend=paddle"], "paddle"),
        ([*words, "--preview=0"], "fastapi"),
        ([*serve, "--output_dir", tmp_path], "fastapi"),
        ([*draw, "--output", tmp_path / "scene.yml"], "fastapi"),
    ):
        (line,) = run(light, *command, expect=1).stderr.splitlines()
        assert line.startswith("error: ") and f"needs the package {package}" in line and "pip install" in line
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
