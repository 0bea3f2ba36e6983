"""The commands of docs/docker.md: those that need no Docker are run, the others name what there is."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.recipe import compose, stages, the
from tests.helpers.paths import ROOT
from tracker.cameras.config import read_cameras
from tracker.command import make_parser

PAGE = (ROOT / "docs" / "docker.md").read_text()
NEEDS_DOCKER = "# needs docker"
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
WITH_DOCKER = [line.removesuffix(NEEDS_DOCKER).strip() for line in COMMANDS if line.endswith(NEEDS_DOCKER)]
BY_THEMSELVES = [line for line in COMMANDS if not line.endswith(NEEDS_DOCKER)]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A folder with what the commands take from the repository, and the Python of the test as the first one."""
    for name in ("demo", "tracker"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_what_needs_no_docker_is_run(copy):
    (example,) = blocks("yaml")
    for line in BY_THEMSELVES:
        done = subprocess.run(line, shell=True, capture_output=True, text=True)
        if line.startswith("mkdir"):
            (copy / "box" / "cameras.yml").write_text(example)
        said = done.stdout + done.stderr
        assert said == "" or f"$ {line}\n{said}" in PAGE, line
        assert (done.returncode == 0) == ("error: " not in said), line
    (camera,) = read_cameras(copy / "box" / "cameras.yml")
    assert camera.scene_file == copy / "box" / "scene.yml" and camera.options["split"] == "1h"
    assert len((copy / "box" / "page_token").read_text()) > 20
    assert (copy / "box").stat().st_mode & 0o7777 == 0o2750


def test_what_needs_docker_names_services_and_groups_that_are_there():
    assert len(WITH_DOCKER) > 10
    group = the(stages()[-1], "USER").rest.partition(":")[2]
    for line in WITH_DOCKER:
        words = shlex.split(line, comments=True)
        assert words[0] in ("docker", "sudo", "git", "python"), line
        if words[0] == "sudo":
            assert group in words
        if words[:2] == ["docker", "compose"]:
            named = {word.partition(":")[0] for word in words[3:] if not word.startswith(("-", "/"))}
            assert named <= {*compose()["services"], "ls", "results"}, line
            assert not named or named & {*compose()["services"]}, line


def test_the_command_without_compose_is_that_of_compose():
    (line,) = [line for line in WITH_DOCKER if line.startswith("docker run")]
    options, words = line.split(" tracker ")
    name, *flags = shlex.split(words)
    given = make_parser("tracker", name).parse_args(flags)
    own = shlex.split(compose()["services"]["cameras"]["command"])
    meant = make_parser("tracker", own[0]).parse_args(own[1:])
    assert (given.sources, given.output_dir, given.model) == (meant.sources, meant.output_dir, meant.model)
    service = compose()["services"]["cameras"]
    assert f"--memory {service['mem_limit']} " in options and f"--restart {service['restart']} " in options
    assert f"--stop-timeout {service['stop_grace_period'].removesuffix('s')} " in options
    for option in ("--init", "--read-only", "--tmpfs /tmp", "--cap-drop ALL", "--security-opt no-new-privileges"):
        assert f"{option} " in options


def test_what_the_page_says_of_the_files_is_so():
    service = compose()["services"]["page"]
    assert "127.0.0.1:8080:8080" in service["ports"] and "`127.0.0.1:`" in PAGE
    for link in re.findall(r"\]\((?!http)([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    for path in re.findall(r"`((?:tests|demo|tracker)/[\w./]+)`", PAGE):
        assert (ROOT / path).exists(), path
    logs = compose()["services"]["cameras"]["logging"]["options"]
    assert f"{int(logs['max-size'].removesuffix('m')) * int(logs['max-file'])} MB" in PAGE
    for setting in ("mem_limit", "pids_limit"):
        assert f"`{setting}: {service[setting]}`" in PAGE
