"""The benchmark of a newcomer's first minutes: the README's own commands are typed, and what they made is looked at."""

import json
import os
import subprocess

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.videos import numbered_frames, write_video
from tools import benchmark
from tools.benchmarks.use import newcomer
from tracker.errors import ModelError, SourceError

README = """
- ```shell
  $ bash demo/run.sh
  ```
- ```shell
  $ mkdir -p mot_result/mot_outputs mot_result/answers/street; WHAT=counts
  $ cp street.mp4 mot_result/mot_outputs/street_vis.mp4
  $ echo "$HOME" > "mot_result/answers/street/$WHAT.csv"
  $ touch mot_result/answers/street/report.html
  ```
"""


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "mine.mp4", numbered_frames(3))


@pytest.fixture
def repository(tmp_path):
    """Makes a repository of a README, and returns its folder."""

    def make(readme):
        folder = tmp_path / "a repository"
        folder.mkdir()
        (folder / "README.md").write_text(readme)
        git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "All"]):
            subprocess.run([*git, *words], check=True)
        return folder

    return make


def run(video, repository, *more):
    return benchmark.main(["newcomer", "--video", str(video), "--repository", str(repository), *more])


def test_what_the_readme_says_is_typed_and_timed(video, repository, tmp_path, capsys):
    target = tmp_path / "figures.json"
    assert run(video, repository(README), "--json", str(target)) == 0
    rows = json.loads(target.read_text())["rows"]
    assert [row["command"] for row in rows][:2] == ["git clone", newcomer.first_commands(README)[0]]
    assert len(rows) == 6 and rows[-1]["command"] == "all"
    assert rows[-1]["seconds"] == pytest.approx(sum(row["seconds"] for row in rows[:-1]))
    assert all(row["seconds"] > 0 for row in rows) and "report.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("touch", "ls", "'ls mot_result/answers/street/report.html' ends with exit code 2: "),
        ("touch mot_result/answers/street/", "touch ", "the report mot_result/answers/street/report.html is missing"),
        ("cp street.mp4", ": street.mp4; touch", "street_vis.mp4"),
        ("street.mp4", "mine.mp4", "README.md has no block of commands with street.mp4"),
    ],
)
def test_what_does_not_work_is_told(video, repository, capsys, old, new, message):
    assert run(video, repository(README.replace(old, new))) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line


def test_frames_that_the_video_lacks_are_told(tmp_path):
    for path in newcomer.MADE.values():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    write_video(tmp_path / newcomer.MADE["video"], numbered_frames(2))
    with pytest.raises(SourceError, match="the video has 2 frames, the clip has 3"):
        newcomer.check(tmp_path, 3)


def test_the_shell_is_one_and_stops_at_the_first_failure(tmp_path):
    environment = newcomer.fresh_environment(tmp_path)
    times = newcomer.type_commands(["A=1; sleep 0.5", 'test "$A" = 1'], tmp_path, environment)
    assert times[0] > 0.2 and len(times) == 2
    with pytest.raises(ModelError, match="'false' ends with exit code 1: before"):
        newcomer.type_commands(["echo before", "false", "touch after"], tmp_path, environment)
    assert not (tmp_path / "after").exists()


def test_nothing_of_this_environment_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere/venv")
    monkeypatch.setenv("PATH", os.pathsep.join(["/somewhere/venv/bin", "/usr/bin", "/bin"]))
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    made = newcomer.fresh_environment(tmp_path)
    assert made["PATH"] == "/usr/bin:/bin" and made["HOME"] == str(tmp_path) and made["https_proxy"]
    assert not {"VIRTUAL_ENV", "PYTHONPATH"} & made.keys()


def test_the_readme_has_such_commands():
    commands = newcomer.first_commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert any("--scene" in command and "--anonymise" in command for command in commands)
