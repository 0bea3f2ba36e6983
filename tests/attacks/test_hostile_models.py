"""Model folders from strangers, given to the command: each is refused in one line or harmless, and no more happens."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.attacks.hostile_folders import cases, copy_of_the_bundled
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker.models import int8

CASES = cases()
SAMPLE = (  # what is tried with the tests that are not slow: one of every kind
    *("operator 0 'save' in model", "operator 4 'py_func' in embed", "operator 24 '\\x1b[31m\\nerror: fake' in model"),
    *(
        "model.pdmodel cut at 0.6",
        "model.pdmodel is /proc/kmsg",
        "dilations 2147483647 in model",
        "digest of /dev/zero",
    ),
    *("kind of layer in model_int8.xml", "offset in embed_int8.xml"),
)
MEMORY = 16 << 30  # bytes of address space
SECONDS = 120


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    frames = [np.full((120, 160, 3), 100 + number, np.uint8) for number in range(3)]
    return write_video(tmp_path_factory.mktemp("clip") / "grey.mp4", frames, rate=10)


def track(folder, clip, place, *options):
    """Run the command in an empty folder, with everything it may write in it."""
    (place / "home").mkdir(parents=True)
    environment = {**os.environ, "HUB_HOME": str(place / "hub"), "PYTHONPATH": str(ROOT), "HOME": str(place / "home")}
    words = ["--video_stream", clip, "--model", folder, "--threads", 1, "--visualization", "no", "--output_dir", "out"]
    program = f"import resource, runpy; resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY})); "
    program += "runpy.run_module('tracker', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, [*words, *options])],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def attempt(name, tmp_path, clip, *options):
    change, must_be_refused, of_int8 = CASES[name]
    target = tmp_path / "written"
    folder = copy_of_the_bundled(tmp_path / "model", of_int8)
    change(folder, target)
    if of_int8:
        int8.write_record(folder, {})
        options += ("--precision", "int8")
    done = track(folder, clip, tmp_path / "place", *options)
    assert not target.exists(), "the model wrote a file"
    assert {path.name for path in tmp_path.iterdir()} == {"model", "place"}
    assert {path.name for path in (tmp_path / "place").iterdir()} <= {"hub", "home", "out"}
    assert done.returncode == 1 or (done.returncode == 0 and not must_be_refused), (
        done.returncode,
        done.stderr[-2000:],
    )
    if done.returncode:
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ") and line.isprintable(), line


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_hostile_folders(name, tmp_path, clip):
    attempt(name, tmp_path, clip)


@pytest.mark.attack
@pytest.mark.parametrize("name", [name for name in CASES if name not in SAMPLE])
def test_hostile_folders(name, tmp_path, clip):
    attempt(name, tmp_path, clip)


@pytest.mark.attack
@pytest.mark.parametrize("name", [name for name in CASES if "operator" in name or "flipped" in name][::4])
def test_hostile_folders_in_paddle(name, tmp_path, clip):
    if "int8" in name:
        pytest.skip("Paddle runs no int8 form")
    attempt(name, tmp_path, clip, "--backend", "paddle")


def test_there_are_hundreds():
    assert len(CASES) >= 200
