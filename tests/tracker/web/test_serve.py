"""The commands that open a page: what they refuse, when they listen, how they end."""

import importlib.util
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import requests

from tests.helpers.fake_pipeline import FakeDetector, Live, numbered
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tests.tracker.web.conftest import SCENE, SECONDS
from tracker import Predictor
from tracker.cameras.config import Camera, read_cameras
from tracker.cameras.status import CameraStatus
from tracker.command import make_parser, run_command
from tracker.commands import viewing
from tracker.errors import OptionError
from tracker.web.cameras import CameraRuns
from tracker.web.live import window
from tracker.web.live.sink import LiveSink
from tracker.web.site import Site


def run(*words, code=1):
    done = subprocess.run([sys.executable, "-m", "tracker", *map(str, words)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_beyond_this_machine_it_refuses_to_start_without_a_token(tmp_path):
    line = run("serve", "--host", "0.0.0.0", "--port", "0", "--output_dir", tmp_path / "out")
    assert line == "error: on host '0.0.0.0' others can reach the page: give token or token_file"
    assert not (tmp_path / "out").exists()


class Started:
    """A command in a process of its own that serves a page."""

    def __init__(self, *words, seconds=SECONDS):
        command = [sys.executable, "-m", "tracker", *map(str, words)]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.killer = threading.Timer(seconds, self.process.kill)
        self.killer.start()
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"page: (http://[^/]+)/", line):
                self.address = found[1]
                return
        raise AssertionError("".join(self.lines))

    def end(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate()
        self.killer.cancel()
        return self.process.returncode, out, "".join(self.lines) + err


def test_a_server_with_a_token_serves_and_ends_in_order(tmp_path):
    token = tmp_path / "token"
    token.write_text("a long enough token")
    server = Started("serve", "--host", "0.0.0.0", "--port", 0, "--token_file", token, "--output_dir", tmp_path / "out")
    address = server.address.replace("0.0.0.0", "127.0.0.1")
    assert requests.get(f"{address}/healthz").json() == {"status": "ok"}
    assert requests.get(f"{address}/api/videos").status_code == 401
    known = {"Authorization": "Bearer a long enough token"}
    assert requests.get(f"{address}/api/site", headers=known).json()["parts"] == ["videos", "draw"]
    code, out, err = server.end(signal.SIGTERM)
    assert (code, out) == (143, "") and "Traceback" not in err and "long enough" not in err
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{address}/healthz")


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = run("serve", "--port", port, "--output_dir", tmp_path)
        assert line.startswith(f"error: cannot listen on http://127.0.0.1:{port}/: Address already in use")


CAMERAS = """
cameras:
  - {name: gate, source: walk.mp4, scene: {lines: {door: {points: [[0.1, 1], [0.1, 0]]}}}}
  - {name: none, source: none.mp4}
  - {name: secret, source: walk.mp4, options: {private: true, interval: 60}, scene: lines.yml}
"""


@pytest.fixture
def cameras(tmp_path):
    write_video(tmp_path / "walk.mp4", numbered(10), rate=10)
    (tmp_path / "lines.yml").write_text("lines: {door: {points: [[0.1, 1], [0.1, 0]]}}\n")
    (tmp_path / "cameras.yml").write_text(CAMERAS)
    return read_cameras(tmp_path / "cameras.yml")


def test_cameras_run_beside_each_other_and_one_that_fails_stops_nobody(cameras, tmp_path):
    site, predictor = Site(), Predictor(detector=FakeDetector())
    options = {"output_dir": tmp_path / "out"}
    with CameraRuns(predictor, cameras, site, options) as runs:
        runs.wait()
    status = {name: sink.status() for name, sink in site.live.items()}
    assert [status[name]["state"] for name in ("gate", "none", "secret")] == ["ended", "failed", "ended"]
    assert status["gate"]["frames"] == 10 and status["gate"]["people_seen"] == 1
    assert status["none"]["error"] == "'none.mp4' does not exist: check the path"
    # a private camera gives no picture, neither to look at nor to draw on
    assert status["secret"]["private"] and site.live["secret"].newest is None
    assert set(site.easels) == {"camera:gate", "camera:none"}


def test_an_option_that_is_none_is_told_at_once(tmp_path):
    camera = Camera("odd", "walk.mp4", {"colour": "red"})
    with pytest.raises(OptionError, match="camera odd: unknown option 'colour'"):
        CameraRuns(Predictor(detector=FakeDetector()), [camera], Site(), {"output_dir": tmp_path})


def test_a_camera_counts_what_was_drawn_for_it(tmp_path, short_clip):
    site, options = Site(), {"output_dir": tmp_path}
    predictor, camera = Predictor(detector=FakeDetector()), Camera("gate", str(short_clip))
    CameraRuns(predictor, [camera], site, options)
    site.easels["camera:gate"].save({"lines": {"door": {"points": [[0.1, 1], [0.1, 0]]}}})
    again = Site()
    with CameraRuns(predictor, [camera], again, options) as runs:
        runs.wait()
    assert again.live["gate"].status()["lines"][0]["line"] == "door"


@pytest.mark.parametrize("private", [False, True])
def test_a_lost_camera_is_told_and_its_return(private, tmp_path, monkeypatch):
    """The page hears what the source of a run tells, also where the run gives it no picture."""

    class Lossy(Live):
        def _read(self):
            for number, frame in enumerate(super()._read()):
                if number == 5:
                    self.tell({"event": "stream_lost", "seconds": 0.5, "reason": "/home/me/x is gone"})
                    self.tell({"event": "stream_back", "seconds": 2.5, "gap": 2.0})
                yield frame

    def opened(*_, tell=None, **__):
        source = Lossy(10)
        source.tell = tell
        return source

    monkeypatch.setattr("tracker.predictor.open_source", opened)
    site = Site()
    camera = Camera("gate", "rtsp://host/", {"private": private, "scene": SCENE.line})
    with CameraRuns(Predictor(detector=FakeDetector()), [camera], site, {"output_dir": tmp_path}) as runs:
        runs.wait()
    told = [event for _, event in site.events.after(0)]
    assert [(e["event"], e.get("gap")) for e in told if e["event"].startswith("stream")] == [
        ("stream_lost", None),
        ("stream_back", 2.0),
    ]
    assert {event["camera"] for event in told} == {"gate"} and "/home/me" not in str(told)
    assert any(event["event"] == "appeared" for event in told) != private
    assert not private or all("id" not in event for event in told)
    sink = site.live["gate"]
    sink.watch = lambda: CameraStatus("gate", "lost", reconnects=2, dropped=5, lag_p50=0.1)
    status = sink.status()
    assert (status["state"], status["reconnects"], status["dropped"], status["lag_p50"]) == ("lost", 2, 5, 0.1)


def test_a_scene_that_is_saved_while_a_camera_runs(tmp_path, monkeypatch):
    """Its counts follow on the page, and in a new segment of the camera's files."""
    site, notes = Site(), []

    def ready(number):
        sink, until = site.live["gate"], time.monotonic() + SECONDS
        while number and (sink.newest is None or sink.newest.number < number) and time.monotonic() < until:
            time.sleep(0.002)  # so that no frame is dropped
        if number == 10:
            site.easels["camera:gate"].save({"zones": {"hall": {"points": [[0, 0], [1, 0], [1, 1], [0, 1]]}}})
            notes.append(site.easels["camera:gate"].note)

    monkeypatch.setattr("tracker.predictor.open_source", lambda *_, **__: Live(30, ready))
    camera = Camera("gate", "rtsp://host/", {"scene": SCENE.line})
    with CameraRuns(Predictor(detector=FakeDetector()), [camera], site, {"output_dir": tmp_path}) as runs:
        runs.wait()
    status = site.live["gate"].status()
    assert notes == ["saved_now"] and status["lines"] == [] and status["zones"] == [{"zone": "hall", "inside": 1}]
    assert len(list((tmp_path / "answers").iterdir())) == 2
    told = [event for _, event in site.events.after(0)]
    assert [event["event"] for event in told].count("appeared") == 1
    assert "segment" in {event["event"] for event in told} and str(tmp_path) not in str(told), "no paths for viewers"
    site.easels["camera:gate"].save(SCENE.line)
    assert site.easels["camera:gate"].note == "saved_later", "the camera has ended"


def track_arguments(*words):
    return vars(make_parser("tracker", "track").parse_args(["street.mp4", *words]))


def test_without_the_option_nothing_listens(monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    arguments = track_arguments()
    with viewing.viewing("street.mp4", arguments) as sinks:
        assert sinks == [] and "preview" not in arguments and "show" not in arguments


def test_a_preview_shows_one_run_on_this_machine_only():
    with viewing.viewing("rtsp://me:secret@camera/1", track_arguments("--preview", "0")) as sinks:
        assert [sink.key for sink in sinks] == ["run"] and sinks[0].status()["live"]
    for source, port, why in (("a.mp4", "99999", "preview"), (None, "0", "the command serve shows several")):
        arguments = track_arguments("--preview", port)
        with pytest.raises(OptionError, match=why), viewing.viewing(source, arguments):
            pass


@pytest.mark.parametrize("package", viewing.PAGE_PACKAGES)
@pytest.mark.parametrize(
    "words",
    [["serve"], ["scene", "demo/pedestrians.mp4", "--output", "never.yml"], ["demo/pedestrians.mp4", "--preview", "0"]],
)
def test_what_the_page_needs_is_told_where_it_is_missing(words, package, monkeypatch, capsys, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        run_command(Predictor("compact", detector=FakeDetector()), "tracker", words)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"needs the package {package}" in line and line.endswith("pip install -r requirements-page.txt")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--preview", "0"], ["--show"]])
def test_a_private_run_has_no_picture(words):
    arguments = track_arguments("--private", *words)
    with pytest.raises(OptionError, match="private run shows no picture"), viewing.viewing("street.mp4", arguments):
        pass


def test_tracking_with_a_preview(tmp_path, capsys):
    clip = write_video(tmp_path / "walk.mp4", numbered(10), rate=10)
    asked = []

    class Asking(Predictor):
        def mot_predict(self, source, sinks=(), **options):
            probe = SimpleNamespace(open=lambda info: None, write=self.ask, close=dict)
            return super().mot_predict(source, sinks=[*sinks, probe], **options)

        def change_model(self, *chosen):
            pass

        def ask(self, frame, tracks):
            if frame.index == 5:
                asked.append(requests.get(f"http://127.0.0.1:{port}/api/cameras/run").json())

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["track", str(clip), "--preview", str(port), "--output_dir", str(tmp_path), "--visualization", "no"]
    result = run_command(Asking(detector=FakeDetector()), "tracker", words)
    assert result.frames == 10 and (asked[0]["title"], asked[0]["frames"]) == ("walk", 6)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/healthz")


def test_the_page_gets_people_covered_already(tmp_path):
    clip = write_video(tmp_path / "walk.mp4", numbered(10), rate=10)
    predictor, seen = Predictor(detector=FakeDetector()), {}
    for how in (None, "solid"):
        sink = seen[how] = LiveSink("gate")
        predictor.mot_predict(clip, tmp_path, visualization=False, sinks=[sink], progress=False, anonymise=how)
    plain, covered = (seen[how].newest.frame.image.astype(int) for how in (None, "solid"))
    body = slice(15, 55), slice(8, 20)  # of the person in the last picture
    assert (plain != covered)[body].any(2).all() and (plain == covered)[:, 100:].all()
    # also where a scene is drawn, for which nothing is drawn into the picture
    shown = cv2.imdecode(np.frombuffer(seen["solid"].picture(seen["solid"].newest, marked=False), np.uint8), 1)
    assert abs(shown.astype(int) - covered)[body].mean() < 10


def test_a_window_needs_a_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.setattr(window.cv2, "getBuildInformation", lambda: "  GUI:      QT5\n")
    with pytest.raises(OptionError, match="show needs a display, and DISPLAY is not set: use preview"):
        window.check_display()
    monkeypatch.setattr(window.cv2, "getBuildInformation", lambda: "  GUI:      NONE\n")
    with pytest.raises(OptionError, match="this one is headless: use preview"):
        window.check_display()


def test_the_window_shows_every_frame_until_it_is_closed(monkeypatch, tmp_path):
    shown, keys = [], [0, 0, window.ESCAPE]
    monkeypatch.setattr(window, "check_display", lambda: None)
    for name in ("namedWindow", "destroyWindow"):
        monkeypatch.setattr(window.cv2, name, lambda *_: None)
    monkeypatch.setattr(window.cv2, "imshow", lambda name, image: shown.append(image.shape))
    monkeypatch.setattr(window.cv2, "waitKey", lambda _: keys.pop(0) if keys else 0)
    monkeypatch.setattr(window.cv2, "getWindowProperty", lambda *_: 1)
    clip = write_video(tmp_path / "walk.mp4", numbered(10), rate=10)
    predictor = Predictor(detector=FakeDetector())
    result = predictor.mot_predict(clip, tmp_path, visualization=False, sinks=[window.WindowSink()], progress=False)
    assert result.frames == 10 and shown == [(96, 160, 3)] * 3
