"""The command as a whole: what it prints, its exit code, and that it runs where the others cannot."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT
from tracker.command import run_command
from tracker.doctor import checkup
from tracker.doctor.alone import run_alone
from tracker.doctor.findings import NOTE, OK, PROBLEM, Finding
from tracker.predictor import Predictor

NAMES = [
    "module",
    "python",
    "packages",
    "extras",
    "processor",
    "backend",
    "model",
    "encoder",
    "speed",
    "real time",
    "camera",
    "window",
    "disk",
]


def run(tmp_path, *words, packages=None):
    """Run the command in a folder and a home of their own."""
    home, here = tmp_path / "home" / "ann", tmp_path / "here"
    for folder in (home, here):
        folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "HUB_HOME": str(home / "hub")}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, [*filter(None, [packages]), ROOT]))
    command = [sys.executable, "-m", "tracker", *map(str, words)]
    return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=500)


def test_where_all_is_well(tmp_path):
    done = run(tmp_path, "doctor", "--seconds", 1, "--json", "--output_dir", tmp_path / "home" / "ann" / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["works"] is True and [finding["name"] for finding in result["findings"]] == NAMES
    found = {finding["name"]: finding for finding in result["findings"]}
    assert "frames/s from video to tracks" in found["speed"]["text"] and re.search(
        " with [1-9] people", found["speed"]["text"]
    )
    assert found["disk"]["text"].startswith("~/out can be written") and "hours of annotated" in found["disk"]["text"]
    assert str(tmp_path) not in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("broken", ["lap", "cv2", "numpy"])
def test_a_broken_package_is_told_and_all_the_rest_too(broken, tmp_path):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / f"{broken}.py").write_text("raise RuntimeError('made for another Python')")
    done = run(tmp_path, "doctor", packages=tmp_path / "packages")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 96
    starts = [line[:20].split() for line in lines if line[0] != " "]
    assert ["problem", broken] in starts and ["note", "tracking"] in starts and ["ok", "disk"] in starts
    assert "pip install --force-reinstall" in " ".join(done.stdout.split())
    assert done.stderr.splitlines()[-1].startswith("error: tracking does not work here: see ") and broken in done.stderr
    other = run(tmp_path, "street.mp4", packages=tmp_path / "packages")
    (line,) = other.stderr.splitlines()
    assert other.returncode == 1 and other.stdout == ""
    assert line.startswith("error: a package is missing or broken (RuntimeError: made for another Python)")
    assert line.endswith("python -m tracker doctor")


def test_by_the_module(module, tmp_path, capsys, monkeypatch):
    (tmp_path / "out").write_text("a file where a folder must be")
    with pytest.raises(SystemExit) as end:
        module.run_cmd(["doctor", "--seconds", "1", "--output_dir", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert end.value.code == 1
    assert [line[9:20].strip() for line in out.splitlines() if line[0] != " "] == NAMES
    assert "problem  disk " in out and err.splitlines()[-1] == "error: tracking does not work here: see disk"


@pytest.fixture
def quick(monkeypatch):
    """No package is imported and nothing is tracked."""
    monkeypatch.setattr(checkup, "check_packages", lambda: iter([Finding("packages", OK, "all")]))
    monkeypatch.setattr(checkup, "_track", lambda seconds: ([], None))


def examine(capsys, *words):
    try:
        result, code = run_command(Predictor(), "tracker", ["doctor", *words]), 0
    except SystemExit as end:
        result, code = None, end.code
    return result, code, capsys.readouterr()


def test_a_check_that_fails_is_a_finding(quick, monkeypatch, capsys, tmp_path):
    def fail():
        yield Finding("extras", OK, "some")
        raise ZeroDivisionError("no cores")

    monkeypatch.setattr(checkup, "check_extras", fail)
    result, code, (out, err) = examine(capsys, "--json", "--output_dir", str(tmp_path))
    assert code == 1 and result is None and err.splitlines()[-1].endswith("see extras")
    told = [finding for finding in json.loads(out)["findings"] if finding["name"] == "extras"]
    assert [finding["state"] for finding in told] == [OK, PROBLEM]
    assert told[1]["text"] == "cannot be checked (ZeroDivisionError: no cores)"


def test_what_needs_a_broken_package_is_not_tried(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(checkup, "check_packages", lambda: iter([Finding("lap", PROBLEM, "crashes")]))
    monkeypatch.setattr(checkup, "_track", lambda seconds: pytest.fail("tried"))
    result = checkup.examine(str(tmp_path))
    assert Finding("tracking", NOTE, "not tried: it needs lap") in result.findings and not result.works


def test_without_an_encoder_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(checkup, "check_encoder", lambda path: iter([Finding("encoder", PROBLEM, "none")]))
    findings, video_bytes = checkup._track(1.0)
    assert findings[-1] == Finding("speed", NOTE, "not measured: see the problem above") and video_bytes is None


def test_commands_that_cannot_be_imported_are_a_problem_whatever_the_packages(quick, capsys, tmp_path):
    words = ["doctor", "--output_dir", str(tmp_path)]
    assert run_alone(words, NameError("name 'x' is not defined")) == 1
    out, err = capsys.readouterr()
    assert "problem  tracker    the commands cannot be imported (NameError: name 'x' is not defined)" in out
    assert err == "error: tracking does not work here: see tracker\n"
    assert run_alone([*words, "--json"], NameError()) == 1
    assert json.loads(capsys.readouterr().out)["works"] is False


@pytest.mark.parametrize("words", [["--seconds", "0"], ["--seconds", "nan"], ["--camera", "x"], ["street.mp4"]])
def test_wrong_words(words, quick, capsys):
    _, code, (out, err) = examine(capsys, *words)
    assert code == 2 and out == "" and err.startswith("usage: tracker doctor [--output_dir OUT]")
