"""Processes forked from one that has used a model: one error at once; forked before, or spawned, all works."""

import subprocess
import sys

import pytest

from tests.helpers.paths import CLIP, ROOT

# In a process of its own: what a test before has used does not count.
PROGRAM = """
import multiprocessing, os, sys
import cv2
from tracker import Predictor, TrackingError

backend, method, first = sys.argv[1:4]
predictor = Predictor("compact", threads=1, backend=backend)
image = cv2.VideoCapture(sys.argv[4]).read()[1]

def track(opened=None):
    ways = {
        "its own": lambda: Predictor("compact", threads=1, backend=backend).stream_mode(None).predict(image),
        "the parent's": lambda: predictor.stream_mode(None).predict(image),
    }
    if opened:
        ways["an open stream"] = lambda: opened.predict(image)
    for name, way in ways.items():
        try:
            print(name, "found", len(way()[0]), flush=True)
        except TrackingError as error:
            print(name, type(error).__name__, error, flush=True)

if __name__ == "__main__":
    stream = predictor.stream_mode(None) if first == "use" else None
    if stream:
        stream.predict(image)
    if method == "os.fork":
        if not os.fork():
            track(stream)
            sys.exit(7)  # which destroys what the process has inherited
        print("ended with", os.waitstatus_to_exitcode(os.wait()[1]))
    else:
        child = multiprocessing.get_context(method).Process(target=track, args=(stream,) if method == "fork" else ())
        child.start()
        child.join()
        print("ended with", child.exitcode)
    if stream:
        print("the parent found", len(stream.predict(image)[0]))
"""


def run(tmp_path, *arguments):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, path, *arguments, CLIP],
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,  # a forked process used to wait for ever
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("backend", "method"),
    [
        ("openvino", "fork"),
        ("openvino", "os.fork"),
        ("paddle", "os.fork"),
        pytest.param("paddle", "fork", marks=pytest.mark.slow),
    ],
)
def test_forked_after_the_first_use(backend, method, tmp_path):
    pytest.importorskip(backend)
    *told, end, parent = run(tmp_path, backend, method, "use")
    assert len(told) == 3
    for line, way in zip(told, ("its own", "the parent's", "an open stream")):
        assert line.startswith(f"{way} ModelError this process was forked from one that had used a model"), line
        assert "multiprocessing.set_start_method('spawn')" in line
    assert end == f"ended with {7 if method == 'os.fork' else 0}"
    assert parent == "the parent found 3"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["openvino", "paddle"])
@pytest.mark.parametrize(("method", "first"), [("fork", "nothing"), ("spawn", "use")])
def test_forked_before_the_first_use_or_spawned(backend, method, first, tmp_path):
    pytest.importorskip(backend)
    ours, theirs, end, *_ = run(tmp_path, backend, method, first)
    assert ours == "its own found 3" and theirs == "the parent's found 3" and end == "ended with 0"
