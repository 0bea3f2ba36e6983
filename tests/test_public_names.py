"""The public names of the package, and that one pays only for what one uses."""

import ast
import inspect
import subprocess
import sys

import pytest

import tracker
from tests.helpers.paths import ROOT

HEAVY = {
    "paddle",
    "openvino",
    "av",
    "cv2",
    "scipy",
    "pandas",
    "matplotlib",
    "requests",
    "tqdm",
    "filelock",
}


def loaded_by(statement):
    """The packages that a fresh interpreter has after a statement."""
    program = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {*done.stdout.split()}


@pytest.mark.parametrize("name", tracker.__all__)
def test_every_name_is_there(name):
    value = getattr(tracker, name)
    assert value.__name__ == name and value.__module__.startswith("tracker.")
    assert inspect.getdoc(value)


def test_a_name_that_is_not_there_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="'tracker' has no attribute 'FusedTrackers'"):
        _ = tracker.FusedTrackers
    assert not hasattr(tracker, "FusedTrackers")
    with pytest.raises(ImportError, match="FusedTrackers"):
        exec("from tracker import FusedTrackers")


def test_editors_see_the_same_names():
    assert {*tracker.__all__} <= {*dir(tracker)}
    imported = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse((ROOT / "tracker" / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert imported == {(module, name) for name, module in tracker._MODULE_OF.items()}


def test_importing_the_package_imports_nothing_else():
    assert not loaded_by("import tracker") & {*HEAVY, "numpy", "yaml", "lap"}


def test_an_association_needs_no_network_and_no_video():
    assert not loaded_by("from tracker import FusedTracker, JDETracker, Detections, TrackerConfig") & HEAVY
    # the motion of the camera is measured with OpenCV
    assert loaded_by("from tracker import SequenceTracker") & HEAVY == {"cv2"}
