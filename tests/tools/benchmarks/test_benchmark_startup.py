"""The benchmark of fresh processes."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.helpers.videos import numbered_frames, write_video
from tools import benchmark
from tools.benchmarks import startup
from tools.benchmarks.startup import Start
from tracker.errors import ModelError


def python(name, code):
    return Start(name, [sys.executable, "-c", code])


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "short.mp4", numbered_frames(2))


def test_processes_take_turns(video, tmp_path, monkeypatch, capsys):
    log = tmp_path / "log"
    note = f"open({str(log)!r}, 'a').write('%s')"
    sleep = "; import time; time.sleep(0.3)"
    made = [python("first", note % "a"), python("second", note % "b" + sleep)]
    clips = []

    def starts(clip, output, backends, paddlehub):
        assert clip.is_file()
        clips.append((backends, paddlehub))
        return made

    monkeypatch.setattr(startup, "starts", starts)
    target = tmp_path / "figures.json"
    chosen = ["--video", str(video), "--backend", "paddle", "--without_paddlehub", "--json", str(target)]
    assert benchmark.main(["startup", "--repeats", "2", *chosen]) == 0
    assert clips == [(["paddle"], False)]
    assert log.read_text() == "ab" * 3, "once before it counts"
    first, second = json.loads(target.read_text())["rows"]
    assert (first["process"], second["process"]) == ("first", "second")
    assert second["seconds"]["median"] > max(0.3, first["seconds"]["median"])
    assert "first" in capsys.readouterr().out


def test_it_tells_which_packages_a_process_imports(tmp_path, monkeypatch):
    for name in ("pandas", "ray", "tracker"):
        (tmp_path / f"{name}.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    folder = tmp_path / "notes"
    folder.mkdir()
    assert startup.imported(python("all", "import ray, pandas, tracker"), folder) == ["pandas", "ray"]
    assert startup.imported(python("none", "raise SystemExit"), folder) == []
    assert startup.imported(python("all", "import ray"), folder) == ["ray"]
    assert startup.imported(python("killed", "import os; os._exit(0)"), folder) == [], "not those of the one before"


def test_a_process_that_fails_costs_one_line(video, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(startup, "starts", lambda *_: [python("broken", "raise SystemExit('oh')")])
    assert benchmark.main(["startup", "--video", str(video)]) == 1
    assert capsys.readouterr().err == "error: 'broken' fails with exit code 1: oh\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--repeats", "0"], "repeats must be a whole number of at least 1"),
        (["--pause", "-1"], "pause must be a number of at least 0"),
        (["--video", "missing.mp4"], "'missing.mp4' does not exist"),
    ],
)
def test_mistakes_cost_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(startup, "starts", lambda *_: pytest.fail("started"))
    assert benchmark.main(["startup", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_the_processes_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_HOME", str(tmp_path))
    clip, output = Path("clip.mp4"), Path("out")
    names = [start.name for start in startup.starts(clip, output, ["paddle", "openvino"])]
    assert names == [
        "python -c pass",
        "import tracker.predictor",
        "python -m tracker --help",
        "import paddle",
        "import paddlehub",
        "first result, paddle",
        "first result, openvino",
        "first result, paddlehub",
    ]
    (tmp_path / "modules" / startup.MODULE).mkdir(parents=True)
    last = startup.starts(clip, output, [])[-1]
    if Path(sys.executable).with_name("hub").is_file():
        assert last.command[1:3] == ["run", startup.MODULE] and "clip.mp4" in last.command
    assert not any("hub" in start.name for start in startup.starts(clip, output, ["paddle"], paddlehub=False))


def test_the_light_processes_are_light(tmp_path):
    """Neither PaddleHub nor Paddle is needed to import the API or to read the help."""
    light = startup.starts(tmp_path / "none.mp4", tmp_path, [], paddlehub=False)[:3]
    assert [startup.imported(start, tmp_path) for start in light] == [[], [], []]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["paddle", "paddlehub"])
def test_a_first_result(backend, tmp_path, monkeypatch, clip_frames):
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    clip = write_video(tmp_path / "first.mp4", clip_frames[:1])
    (start,) = [
        start
        for start in startup.starts(clip, tmp_path / "output", ["paddle"])
        if start.name == f"first result, {backend}"
    ]
    startup.run_process(start, dict(os.environ))
    assert (tmp_path / "output" / "mot_outputs" / "first_vis.mp4").is_file()
    with pytest.raises(ModelError):
        startup.run_process(Start(start.name, [*start.command[:-2], "missing.mp4", "out"]), dict(os.environ))
