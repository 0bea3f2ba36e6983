"""``python -m tracker``: the command without PaddleHub, and what it does not load."""

import importlib.util
import json
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker.settings.version import VERSION

HEAVY = ("paddlehub", "ppdet", "pandas", "ray", "paddlenlp", "motmetrics", "scipy", "matplotlib", "sklearn", "torch")


@pytest.fixture(scope="module")
def clip(tmp_path_factory, clip_frames):
    return write_video(tmp_path_factory.mktemp("clip") / "street.mp4", clip_frames[:4], rate=10)


def run(*arguments, program=("-m", "tracker"), **options):
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, **options
    )


def test_it_tracks(clip, tmp_path):
    done = run("--video_stream", clip, "--model", "compact", "--output_dir", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("street: 4 frames in ")
    assert (tmp_path / "mot_results" / "street.txt").stat().st_size > 100
    assert (tmp_path / "mot_outputs" / "street_vis.mp4").stat().st_size > 1000


def test_json_is_all_that_it_prints(clip, tmp_path):
    done = run("track", clip, "--json", "--model", "compact", "--output_dir", tmp_path, "--visualization", "no")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["name"], answer["frames"]) == ("street", 4)


def test_help_and_mistakes():
    shown = run("--help")
    assert shown.returncode == 0 and shown.stdout.startswith("usage: python -m tracker SOURCE")
    assert run("--version").stdout == f"{VERSION}\n"
    absent = run("--video_stream", "nothing.mp4", "--model", "compact")
    assert absent.returncode == 1 and absent.stdout == ""
    assert absent.stderr.startswith("error: 'nothing.mp4' does not exist") and absent.stderr.count("\n") == 1
    assert run("--video").returncode == 2


@pytest.mark.parametrize("backend", ["paddle", "openvino"])
def test_what_is_not_used_is_not_loaded(backend, clip, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program = """
        import sys
        from tracker.command import run_command
        from tracker.predictor import Predictor
        run_command(Predictor(), "tracker", sys.argv[1:])
        print(*sys.modules)
    """
    program = "\n".join(line.strip() for line in program.splitlines())
    arguments = ("--video_stream", clip, "--model", "compact", "--backend", backend, "--output_dir", tmp_path)
    done = run(*arguments, program=("-c", program))
    assert done.returncode == 0, done.stderr
    loaded = {*done.stdout.split()}
    # Paddle itself brings in some of them where they are installed
    expected = HEAVY if backend == "openvino" else ("paddlehub", "ppdet", "ray", "paddlenlp", "motmetrics")
    assert backend in loaded and not loaded & {*expected}
    assert ("paddle" in loaded) is (backend == "paddle")
