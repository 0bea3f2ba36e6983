"""A batch of videos with made-up walkers in place of the network, in child processes as ever."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.attacks.runs import default_signals, make_clip
from tests.helpers.paths import ROOT
from tests.tracker.library.batch import stub
from tracker import BatchResult, track_batch
from tracker.errors import OptionError, OutputError
from tracker.library.batch import children
from tracker.library.places import open_place


@pytest.fixture(autouse=True)
def walkers(monkeypatch):
    monkeypatch.setattr(children, "PROGRAM", stub.PROGRAM)
    monkeypatch.setenv("STUB_SECONDS", "0")


@pytest.fixture
def videos(tmp_path):
    """Two videos of one name, and one that is none."""
    for folder, seconds in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        make_clip(tmp_path / folder / "street.mp4", seconds)
    (tmp_path / "bad.mp4").write_text("no video at all\n" * 100)
    return [tmp_path / "a", tmp_path / "*" / "street.mp4", tmp_path / "bad.mp4"]


def batch(sources, folder, **options):
    return track_batch(sources, folder, model="compact", **{"jobs": 2, **options})


def states(result):
    return {row.name: row.state for row in result.rows}


def lines(result):
    return [json.loads(line) for line in Path(result.path).read_text().splitlines()]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl"}


def test_every_video_has_its_files_and_a_bad_one_stops_no_other(videos, tmp_path):
    result = batch(videos, tmp_path / "out", refine=True)
    assert states(result) == {"a_street": "tracked", "b_street": "tracked", "bad": "failed"}
    assert [row.name for row in result.failed] == ["bad"] and not result.left
    rows = {row.name: row for row in result.rows}
    assert (rows["a_street"].frames, rows["b_street"].frames, rows["b_street"].people) == (10, 20, 4)
    assert "is it a video?" in rows["bad"].error
    made = [f"mot_results/{name}{end}" for name in ("a_street", "b_street") for end in ENDS]
    videos = [f"mot_outputs/{name}_vis.mp4" for name in ("a_street", "b_street")]
    assert files(tmp_path / "out") == sorted(["batch.jsonl", "mot_outputs", "mot_results", *made, *videos])
    assert [line["name"] for line in lines(result)] == ["a_street", "b_street", "bad"]
    assert lines(result)[1]["files"]["text"] == str(tmp_path / "out" / "mot_results" / "b_street.txt")
    assert lines(result)[1]["frames_per_second"] > 0


ENDS = (".txt", "_refined.txt", "_run.json", "_times.csv")


def test_it_is_what_a_run_by_itself_makes(tmp_path):
    from tests.attacks.stub_command import Walkers
    from tracker import Predictor

    clip = make_clip(tmp_path / "street.mp4", 1)
    batch(clip, tmp_path / "many", jobs=1)
    Predictor(detector=Walkers()).mot_predict(clip, tmp_path / "one")
    for name in ("mot_results/street.txt", "mot_results/street_times.csv", "mot_outputs/street_vis.mp4"):
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_resume_leaves_out_what_is_done_with_the_same_options_and_input(videos, tmp_path):
    out = tmp_path / "out"
    batch(videos, out, visualization=False)
    before = stamps(out)
    again = batch(videos, out, visualization=False, resume=True)
    assert states(again) == {"a_street": "unchanged", "b_street": "unchanged", "bad": "failed"}
    assert stamps(out) == before and lines(again)[1]["frames"] == 20

    (out / "mot_results" / "a_street.txt").unlink()
    make_clip(tmp_path / "b" / "street.mp4", 1)
    assert states(batch(videos, out, visualization=False, resume=True))["a_street"] == "tracked"
    assert lines(again)[1]["frames"] == 10, "the other video is another one now"

    other = batch(videos, out, visualization=False, resume=True, memory=3)
    assert states(other)["a_street"] == states(other)["b_street"] == "tracked"


def test_a_changed_scene_file_is_another_option(tmp_path):
    clip, scene = make_clip(tmp_path / "street.mp4", 1), tmp_path / "scene.yml"
    scene.write_text("lines:\n  door: {points: [[0.5, 0], [0.5, 1]]}\n")
    options = {"scene": scene, "visualization": False, "resume": True, "jobs": 1}
    assert states(batch(clip, tmp_path / "out", **options)) == {"street": "tracked"}
    assert (tmp_path / "out" / "answers" / "street" / "counts.csv").exists()
    assert states(batch(clip, tmp_path / "out", **options)) == {"street": "unchanged"}
    scene.write_text("lines:\n  door: {points: [[0.4, 0], [0.5, 1]]}\n")
    assert states(batch(clip, tmp_path / "out", **options)) == {"street": "tracked"}


def test_a_video_that_kills_its_process_stops_no_other(tmp_path):
    for name in ("deadly", "mortal", "street"):
        make_clip(tmp_path / f"{name}.mp4", 0.5)
    result = batch(tmp_path, tmp_path / "out", jobs=1)
    assert states(result) == {"deadly": "failed", "mortal": "tracked", "street": "tracked"}
    assert result.rows[0].error == "its process was ended by SIGKILL, 2 times"


def test_processes_that_a_library_forks_hold_nothing_up(tmp_path, monkeypatch):
    killed, kill = [], subprocess.Popen.kill
    monkeypatch.setattr(children, "_PATIENCE", 10)
    monkeypatch.setattr(subprocess.Popen, "kill", lambda process: (killed.append(process), kill(process)))
    make_clip(tmp_path / "forking.mp4", 0.3)
    assert states(batch(tmp_path, tmp_path / "out", jobs=1)) == {"forking": "tracked"}
    assert killed == [], "the child did not end by itself"


def test_wrong_options_are_told_before_anything_is_done(videos, tmp_path):
    for options, part in (
        ({"conf_thres": 7}, "conf_thres"),
        ({"jobs": 0}, "jobs"),
        ({"from_device": True}, "takes no from_device"),
        ({"sinks": [print]}, "takes no sinks"),
        ({"events": "-"}, "give events a file"),
        ({"save_embeddings": "often"}, "save_embeddings"),
        ({"visualisation": True}, "visualisation"),
        ({"scene": tmp_path / "none.yml"}, "none.yml"),
        ({"frame_rate": -1}, "frame_rate"),
    ):
        with pytest.raises(OptionError, match=part):
            batch(videos, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_two_batches_do_not_work_in_one_folder(videos, tmp_path, monkeypatch):
    from tracker.library.batch import lock

    monkeypatch.setattr(lock, "PATIENCE", 0.2)
    with lock.working_folder(open_place(tmp_path / "out")):
        with pytest.raises(OutputError, match="another batch works in"):
            batch(videos, tmp_path / "out")
        assert isinstance(batch(videos, tmp_path / "other"), BatchResult)


def start(*words, seconds=0.05, **streams):
    """Start the command ``batch`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", stub.PROGRAM[1], "batch", "--model", "compact", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "STUB_SECONDS": str(seconds)},
        text=True,
        preexec_fn=default_signals,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
    )


def children_of(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_command_prints_a_table_and_fails_if_a_video_did(videos, tmp_path):
    process = start(*videos, "--output_dir", tmp_path / "out", "--jobs", 2, seconds=0)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "Traceback" not in err
    assert err.splitlines()[-1] == "error: 1 of 3 videos failed"
    head, *table, total, rows = out.splitlines()
    assert head.split() == ["video", "frames", "frames/s", "people"]
    assert [line.split()[0] for line in table] == ["a_street", "b_street", "bad"]
    assert table[1].split()[1::2] == ["20", "4"] and "error: cannot open" in table[2]
    assert total.startswith("3 videos in ") and total.endswith("2 tracked, 1 failed")
    assert rows == f"  rows: {tmp_path / 'out' / 'batch.jsonl'}"


def test_ctrl_c_ends_all_children_in_order_and_resume_goes_on(videos, tmp_path):
    out = tmp_path / "out"
    for name in ("a", "b"):
        make_clip(tmp_path / name / "street.mp4", 30)
    process = start(*videos[:2], "--output_dir", out, "--jobs", 2, "--json", "--visualization", "no", seconds=0.1)
    texts = [out / ".batch" / name / "mot_results" / f"{name}.txt" for name in ("a_street", "b_street")]
    deadline = time.monotonic() + 60
    while not all(text.exists() and text.stat().st_size for text in texts):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    pids = children_of(process.pid)
    assert len(pids) == 2
    process.send_signal(signal.SIGINT)
    printed, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "interrupted: 2 of 2 videos are left; --resume goes on with them" in err
    assert {row["state"] for row in json.loads(printed)["rows"]} == {"left"}
    assert not any(map(is_running, pids)) and not (out / ".batch").exists()
    for name in ("a_street", "b_street"):  # what was made until then is kept, in whole lines
        assert (out / "mot_results" / f"{name}.txt").read_text().endswith(",-1,-1,-1\n")
    result = batch(videos[:2], out, visualization=False, resume=True)
    assert set(states(result).values()) == {"tracked"} and [row.frames for row in result.rows] == [300, 300]
