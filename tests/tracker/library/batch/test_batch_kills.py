"""``kill -9`` at any moment, and ``--resume``: in the end there are the same bytes as in one go."""

import json
import random
import subprocess
import time

import pytest

from tests.attacks.runs import make_clip
from tests.tracker.library.batch.test_batch import start

OF_THE_RUN = ("stage_seconds", "seconds")  # differ from run to run


def contents(folder):
    """By name: the bytes of every file, but for the times that a run took, and the rows of the batch."""
    made = {}
    for path in folder.rglob("*"):
        if path.name.endswith("_run.json"):
            values = json.loads(path.read_text())
            for part in (values, values["batch"]):
                for name in OF_THE_RUN:
                    part.pop(name, None)
            made[path.relative_to(folder)] = values
        elif path.is_file() and path.name != "batch.jsonl":
            made[path.relative_to(folder)] = path.read_bytes()
    return made


def words_of(tmp_path, clips, frames):
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(clips):
        make_clip(folder / f"street{number}.mp4", frames / 10)
    (tmp_path / "scene.yml").write_text("zones:\n  till: {points: [[0, 0], [1, 0], [1, 1], [0, 1]]}\n")
    return [folder, "--jobs", 2, "--refine", "--scene", tmp_path / "scene.yml"]


def check_kills(tmp_path, words, waits):
    """Kill a batch after so many seconds each, and compare what the last one makes with a batch in one go."""
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    assert start(*words, "--output_dir", tmp_path / "whole", seconds=0, **output).wait(300) == 0
    killed = 0
    for wait in waits:
        process = start(*words, "--output_dir", tmp_path / "killed", "--resume", seconds=0.01, **output)
        try:
            process.wait(wait)
            break  # it was faster
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    last = start(*words, "--output_dir", tmp_path / "killed", "--resume", seconds=0)
    _, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    whole, after = contents(tmp_path / "whole"), contents(tmp_path / "killed")
    assert after.keys() == whole.keys()
    assert [str(name) for name in whole if after[name] != whole[name]] == []
    rows = [json.loads(line) for line in (tmp_path / "killed" / "batch.jsonl").read_text().splitlines()]
    assert {row["state"] for row in rows} <= {"tracked", "unchanged"}
    return killed, rows


def test_a_batch_that_was_killed_goes_on(tmp_path):
    words = words_of(tmp_path, clips=3, frames=30)
    out = tmp_path / "killed" / "mot_results"
    process = start(*words, "--output_dir", tmp_path / "killed", seconds=0.02)
    deadline = time.monotonic() + 60
    while not list(out.glob("*_run.json")):  # the first is finished, the last under way
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    _, rows = check_kills(tmp_path, words, [])
    assert "unchanged" in {row["state"] for row in rows}


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_kills_of_parts(tmp_path, seed):
    chance = random.Random(seed)
    words = words_of(tmp_path, clips=2, frames=600)
    words.remove("--refine")
    killed, rows = check_kills(tmp_path, [*words, "--parts", "20s"], [chance.uniform(2, 6) for _ in range(4)])
    assert killed >= 1 and [row["frames"] for row in rows] == [600, 600]


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_kills_at_any_moment(tmp_path, seed):
    chance = random.Random(seed)
    words = words_of(tmp_path, clips=6, frames=120)
    killed, _ = check_kills(tmp_path, words, [chance.uniform(1.5, 5) for _ in range(6)])
    assert killed >= 1
