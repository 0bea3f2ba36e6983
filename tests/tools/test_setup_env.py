"""tools/setup_env.sh: uv installs where it can be had, pip in any other case, and what is installed is left alone."""

import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT

# Stands for the environment's Python: notes what it is asked for, and fails where `fails` has a part of it.
PYTHON = """#!/bin/sh
echo "$*" >>asked
! echo "$*" | grep -qf fails
"""
WITH_UV = ["-m uv pip install --quiet --python .venv/bin/python -r needs.txt"]
WITH_PIP = ["-m pip install --quiet --disable-pip-version-check -r needs.txt"]


@pytest.fixture
def set_up(tmp_path):
    """Runs the script in a project whose environment is there but empty; returns what it installed with, and stderr."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").write_text(PYTHON)
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    (tmp_path / ".venv" / "bin" / "activate").write_text("VIRTUAL_ENV=$PWD/.venv\nPATH=$PWD/.venv/bin:$PATH\n")
    (tmp_path / "needs.txt").write_text("numpy\n")

    def run(*fails, files="needs.txt"):
        (tmp_path / "fails").write_text("".join(f"{line}\n" for line in fails))
        (tmp_path / "asked").write_text("")
        script = f"set -euo pipefail; . {ROOT}/tools/setup_env.sh {files}; echo ready"
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.returncode == 0) == done.stdout.endswith("ready\n")
        asked = (tmp_path / "asked").read_text().splitlines()
        return [line for line in asked if "needs.txt" in line], done

    return run


def test_uv_installs(set_up):
    assert set_up()[0] == WITH_UV
    assert set_up()[0] == []  # nothing the second time


def test_uv_is_a_package_itself(set_up):
    installed, done = set_up("uv --version")
    assert installed == WITH_UV and done.returncode == 0


def test_pip_installs_where_uv_cannot_be_had(set_up):
    installed, done = set_up("uv --version", "install.*uv>=")
    assert installed == WITH_PIP and done.returncode == 0


def test_pip_installs_where_uv_fails(set_up):
    installed, done = set_up("uv pip install")
    assert installed == WITH_UV + WITH_PIP
    assert done.returncode == 0 and "uv failed" in done.stderr


def test_a_further_file_keeps_to_the_bounds_of_those_before(set_up, tmp_path):
    (tmp_path / "more.txt").write_text("scipy\n")
    further = " -c needs.txt".join((WITH_UV[0].replace("needs", "more"), ""))
    assert set_up(files="needs.txt more.txt")[0] == [*WITH_UV, further]
    (tmp_path / "more.txt").write_text("scipy<2\n")
    assert set_up(files="needs.txt more.txt")[0] == [further]


def test_failure_is_tried_again(set_up):
    assert set_up("install.*needs")[1].returncode != 0
    assert set_up()[0] == WITH_UV


@pytest.mark.slow
def test_pip_alone_resolves_the_requirements():
    """As hub install needs it, which runs plain pip."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "-r"]
    done = subprocess.run([*command, ROOT / "requirements.txt"], capture_output=True, text=True, timeout=900)
    if "NameResolutionError" in done.stderr or "Temporary failure in name resolution" in done.stderr:
        pytest.skip("no network")
    assert done.returncode == 0, done.stderr[-2000:]
