"""Packages that are missing, broken, or take the process down with them."""

import importlib.util

import pytest

from tracker.doctor import packages
from tracker.doctor.findings import NOTE, OK, PROBLEM
from tracker.doctor.imports import import_failures
from tracker.doctor.packages import check_extras, check_packages, check_versions
from tracker.settings.version import VERSION

BROKEN = {
    "raise RuntimeError('made for\\n another numpy')": "RuntimeError: made for another numpy",
    "import no_such_library": "ModuleNotFoundError: No module named 'no_such_library'",
    "import os, signal; os.kill(os.getpid(), signal.SIGILL)": "crashes, exit code -4",
    "raise SystemExit(3)": "crashes, exit code 3",
    "print('noise'); import os; os.write(1, b'failed tqdm noise\\n'); 1 / 0": "ZeroDivisionError: division by zero",
}


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a package of a name in front of the real one, for other processes."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda name, text: (tmp_path / f"{name}.py").write_text(text)


@pytest.mark.parametrize(("text", "reason"), BROKEN.items())
def test_what_cannot_be_imported_is_told_and_the_rest_is_imported_all_the_same(fake, text, reason):
    fake("lap", text)
    assert import_failures(["filelock", "lap", "tqdm"]) == {"lap": reason}


def test_two_crashes_in_a_row(fake):
    for name in ("lap", "tqdm"):
        fake(name, "import os; os.abort()")
    assert import_failures(["lap", "tqdm", "filelock"]) == dict.fromkeys(("lap", "tqdm"), "crashes, exit code -6")


def test_an_import_without_an_end(fake, monkeypatch):
    monkeypatch.setattr("tracker.doctor.imports._LONGEST", 3.0)
    fake("lap", "import time; time.sleep(60)")
    assert import_failures(["lap", "filelock"]) == {"lap": "crashes: no end within 3 s"}


def found(monkeypatch, failures):
    monkeypatch.setattr(packages, "import_failures", lambda names: {k: v for k, v in failures.items() if k in names})
    first, *rest = check_packages()
    assert first.name == "packages" and first.state == OK
    return first, rest


def test_versions_of_what_works(monkeypatch):
    first, rest = found(monkeypatch, {})
    assert rest == [] and "numpy 1." in first.text and "openvino " in first.text and "opencv-python" in first.text


def test_a_broken_package_is_a_problem_with_what_to_do(monkeypatch):
    first, (lap, cv2) = found(monkeypatch, {"lap": "ImportError: no", "cv2": "ImportError: libGL.so.1"})
    assert "lap" not in first.text and (lap.state, cv2.state) == (PROBLEM, PROBLEM)
    assert "(ImportError: no)" in lap.text and "pip install --force-reinstall lap" in lap.text
    assert "--force-reinstall opencv-python-headless" in cv2.text


def test_a_broken_backend_is_a_problem_only_where_it_crashes_or_is_the_last(monkeypatch):
    one = {"openvino": "ImportError: no"}
    assert [finding.state for finding in found(monkeypatch, one)[1]] == [NOTE]
    assert [finding.state for finding in found(monkeypatch, {"openvino": "crashes, exit code -4"})[1]] == [PROBLEM]
    every = dict.fromkeys(packages.BACKENDS, "ImportError: no")
    assert {finding.state for finding in found(monkeypatch, every)[1]} == {PROBLEM}


def test_extras_are_one_line(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("paho", "ray") else real(name))
    (finding,) = check_extras()
    there, missing = finding.text.split("; not: ")
    assert finding.state == OK and "scipy" in there and "paho (--mqtt), ray (batch --ray)" in missing


def test_the_version_of_the_module_is_that_of_the_module(monkeypatch):
    module, python = check_versions()
    assert module.text == f"jde_darknet53_30e_1088x608 {VERSION}" and python.state == OK
    monkeypatch.setattr(packages.sys, "version_info", (3, 9, 1))
    assert [finding.state for finding in check_versions()] == [OK, PROBLEM]
