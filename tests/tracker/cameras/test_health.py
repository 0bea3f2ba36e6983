"""The health check tells a run that tracks from one that hangs, is gone, or has no camera."""

import contextlib
import http.server
import json
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta

import pytest

from tests.helpers.paths import ROOT
from tracker.cameras import health
from tracker.sinks.records.status import StatusSink
from tracker.structures import SequenceInfo

NOW = datetime.fromisoformat("2026-11-27T10:00:00+01:00")


def write_status(folder, name="door", state="live", written=2.0, frame_age=0.1, **changes):
    """The file of a camera, as it was written so many seconds ago; frames were as old then as is said."""
    told = {"name": name, "state": state, "updated": (NOW - timedelta(seconds=written)).isoformat()}
    path = folder / "mot_results" / f"{name}_status.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**told, "frame_age": frame_age, **changes}))
    return path


def problem(folder, within=60.0):
    with pytest.raises(health.Unhealthy) as caught:
        health.check_cameras(folder, within, NOW)
    return str(caught.value)


def test_a_camera_that_gives_frames(tmp_path):
    write_status(tmp_path)
    assert health.check_cameras(tmp_path, now=NOW) == "door live, last frame 2 s ago"


def test_before_the_first_frame(tmp_path):
    assert problem(tmp_path) == f"no camera of {tmp_path} has given a frame yet"
    assert problem(tmp_path / "missing").endswith("has given a frame yet")


@pytest.mark.parametrize("written", [61, 86400, -61])  # the last: the clock was put back, and nobody writes
def test_a_status_that_nobody_writes(tmp_path, written):
    write_status(tmp_path, written=written)
    assert problem(tmp_path).startswith("the run hangs or is gone")


def test_a_status_that_is_written_while_no_frame_is_tracked(tmp_path):
    write_status(tmp_path, frame_age=57.0)
    assert health.check_cameras(tmp_path, now=NOW).endswith("59 s ago")
    write_status(tmp_path, frame_age=59.0)
    assert problem(tmp_path) == "frames come and are not tracked: door live, last frame 61 s ago"
    assert health.check_cameras(tmp_path, 120.0, NOW)
    write_status(tmp_path, frame_age=float("nan"))
    assert problem(tmp_path)


@pytest.mark.parametrize("state", ["lost", "ended"])
def test_no_camera_is_live(tmp_path, state):
    write_status(tmp_path, state=state)
    assert problem(tmp_path) == f"no camera gives frames: door {state}, last frame 2 s ago"


def test_one_camera_of_several_is_enough_unless_another_hangs(tmp_path):
    write_status(tmp_path, "door", "lost", frame_age=500)
    write_status(tmp_path, "gate")
    write_status(tmp_path, "of_last_year", written=1e7)
    assert health.check_cameras(tmp_path, now=NOW).split("; ") == [
        "door lost, last frame 502 s ago",
        "gate live, last frame 2 s ago",
    ]
    write_status(tmp_path, "yard", frame_age=500)
    assert problem(tmp_path).startswith("frames come and are not tracked: door lost")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "door", "state": "live", "updated": 3, "frame_age": 1}'])
def test_a_file_that_is_no_status_is_named(tmp_path, text):
    path = write_status(tmp_path)
    path.write_text(text)
    assert problem(tmp_path).startswith(f"cannot read {path}: ")


def test_it_reads_what_a_run_writes(tmp_path):
    sink = StatusSink(tmp_path, lambda: {"state": "live"}, period=0.02)
    sink.open(SequenceInfo("door", 10.0))
    assert health.check_cameras(tmp_path).startswith("door live, last frame ")

    def told_when(reached):
        for _ in range(1000):
            told = json.loads((tmp_path / "mot_results" / "door_status.json").read_text())
            if reached(told["frame_age"]):
                return told
            time.sleep(0.01)
        raise AssertionError(f"the age of the last frame stays at {told}")

    hanging = told_when(lambda age: age >= 0.4)
    then = datetime.fromisoformat(hanging["updated"])
    with pytest.raises(health.Unhealthy, match="frames come and are not tracked"):
        health.check_cameras(tmp_path, 1.5, then + timedelta(seconds=1.3))
    sink.write(None, None)
    told_when(lambda age: age < hanging["frame_age"])
    sink.close()
    with pytest.raises(health.Unhealthy, match="door ended"):
        health.check_cameras(tmp_path)


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/garbage":
            return self.wfile.write(b"no HTTP\r\n\r\n")
        self.send_response(200 if self.path == "/healthz" else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def page():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_is_asked_as_well(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    write_status(tmp_path, updated=datetime.now().astimezone().isoformat())
    with page() as address:
        assert health.main([str(tmp_path), "--page", f"{address}/healthz"]) == 0
        assert capsys.readouterr().out.startswith("door live")
        for wrong in (f"{address}/broken", f"{address}/garbage", "nowhere"):
            assert health.main([str(tmp_path), "--page", wrong]) == 1
            assert capsys.readouterr().err.startswith(f"error: the page at {wrong} does not answer: ")
    assert health.main([str(tmp_path), "--page", f"{address}/healthz"]) == 1


def test_as_a_command_of_its_own_that_loads_little(tmp_path):
    words = [sys.executable, "-X", "importtime", "-m", "tracker.cameras.health", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: no camera of {tmp_path} has given a frame yet"
    assert not {"numpy", "cv2", "yaml"} & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    write_status(tmp_path, updated=datetime.now().astimezone().isoformat())
    assert subprocess.run(words, cwd=ROOT, capture_output=True).returncode == 0
