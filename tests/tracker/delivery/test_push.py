"""Pictures pushed to real receivers on loopback: fresh, in order, again after a break, never holding anybody up."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.videos import number_of, numbered_frames, write_video
from tests.tracker.delivery.broker import free_port
from tests.tracker.delivery.receivers import SCENE
from tracker.delivery import push
from tracker.delivery.push import Pusher
from tracker.errors import OptionError
from tracker.pipeline.live.push_sink import PushSink
from tracker.predictor import Predictor
from tracker.privacy.hide import COLOR
from tracker.settings.groups.delivery import DeliveryOptions
from tracker.structures import Frame, SequenceInfo, Tracks

SIZE = (320, 240)
PICTURES = numbered_frames(45, SIZE)
FRESH = 1.0  # seconds from a picture to the receiver's: what --push promises
QUICK = (0.1, 0.1)


class Receiver:
    """Decodes what comes: the pictures, and when they came."""

    def __init__(self, url, **options):
        self.url, self.options = url, options
        self.pictures, self.times, self.keys = [], [], []
        self._changed = threading.Condition()
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def _receive(self):
        try:
            with av.open(self.url, timeout=(20, 3), options=self.options) as container:
                container.streams.video[0].thread_type = "SLICE"
                for frame in container.decode(video=0):
                    with self._changed:
                        self.pictures.append(frame.to_ndarray(format="bgr24"))
                        self.times.append(time.monotonic())
                        self.keys.append(frame.key_frame)
                        self._changed.notify_all()
        except av.FFmpegError:
            pass  # the end of a stream

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.pictures) >= count, 30), (
                f"{len(self.pictures)} pictures came"
            )


def udp():
    """A receiver by UDP, and its address."""
    url = f"udp://127.0.0.1:{free_port()}"
    return Receiver(url, fflags="nobuffer", probesize="1000", analyzeduration="0"), url


def give(pusher, receiver, count, rate=25):
    """Give numbered pictures until so many have come; return when each was given."""
    given = []
    while len(receiver.pictures) < count:
        assert len(given) < 100 * rate, "nothing comes"
        pusher.take(PICTURES[len(given) % len(PICTURES)])
        given.append(time.monotonic())
        time.sleep(1 / rate)
    return given


def ages(given, receiver):
    """How old each picture that came was, in seconds: the newest that was given with its number before."""
    made = []
    for picture, came in zip(receiver.pictures, receiver.times):
        number = number_of(picture)
        since = (came - at for place, at in enumerate(given) if place % len(PICTURES) == number and at <= came)
        made.append(min(since, default=np.inf))
    return made


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def wait_for_warning(caplog, meanwhile=lambda: None):
    deadline = time.monotonic() + 30
    while not warnings(caplog):
        assert time.monotonic() < deadline, "nothing is told"
        meanwhile()
        time.sleep(0.01)


def test_by_udp_pictures_are_fresh_and_in_order(caplog):
    receiver, url = udp()
    pusher = Pusher(url)
    pusher.open(SIZE, 25)
    given = give(pusher, receiver, 60)
    pusher.close()
    assert np.median(ages(given, receiver)) < FRESH
    steps = np.diff([number_of(picture) for picture in receiver.pictures]) % len(PICTURES)
    assert set(steps.tolist()) <= {1, 2, 3, 4, 5}  # on a busy machine some are dropped, none comes late
    assert receiver.pictures[0].shape == (240, 320, 3) and sum(receiver.keys) >= 2  # one a second
    totals = pusher.totals()
    assert totals["sent"] + totals["lost"] == len(given) and warnings(caplog) == []
    assert not pusher._thread.is_alive()


def test_by_rtmp(caplog):
    """The receiver starts late, so that the first tries fail."""
    caplog.set_level(logging.DEBUG)
    url = f"rtmp://127.0.0.1:{free_port()}/live/hidden"
    pusher = Pusher(url, back_off=QUICK)
    pusher.open(SIZE, 25)
    wait_for_warning(caplog)
    receiver = Receiver(url, listen="1")
    give(pusher, receiver, 20)
    pusher.close()
    numbers = [number_of(picture) for picture in receiver.pictures]
    assert set(np.diff(numbers) % len(PICTURES)) <= {1, 2, 3, 4, 5}
    assert warnings(caplog) == ["push rtmp://127.0.0.1: Connection refused; trying again"]
    assert "hidden" not in caplog.text


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="the test's RTSP server is the program ffmpeg")
def test_by_rtsp():
    url = f"rtsp://127.0.0.1:{free_port()}/live"
    command = ["ffmpeg", "-loglevel", "error", "-rtsp_flags", "listen", "-i", url]
    command += ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "16x12", "-"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        pusher = Pusher(url, back_off=QUICK)
        pusher.open(SIZE, 25)
        came = []
        reader = threading.Thread(target=lambda: came.extend(iter(lambda: server.stdout.read(192), b"")), daemon=True)
        reader.start()
        for number in range(3000):
            pusher.take(PICTURES[number % len(PICTURES)])
            if len(came) >= 20:
                break
            time.sleep(0.04)
        pusher.close()
        server.kill()
        reader.join(5)
    numbers = [round((picture[100] - 20) / 5) for picture in came]
    assert len(numbers) >= 20 and set(np.diff(numbers[:20]) % len(PICTURES)) <= {0, 1, 2, 3, 4, 5}


def test_a_server_that_breaks_off_gets_the_stream_again(caplog):
    receiver, url = udp()
    pusher = Pusher(url, back_off=QUICK)
    pusher.open(SIZE, 25)
    give(pusher, receiver, 5)
    pusher._child.kill()  # as a broken connection ends it
    before = len(receiver.pictures)
    given = give(pusher, receiver, before + 30)
    pusher.close()
    assert np.median(ages(given, receiver)[-20:]) < FRESH and len(warnings(caplog)) == 1


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp"])
def test_a_server_that_never_answers_holds_nobody_up(scheme, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        pusher = Pusher(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/live", QUICK, patience=(1.0, 1.0))
        pusher.open(SIZE, 25)
        wait_for_warning(caplog, lambda: pusher.take(PICTURES[0]))  # returns at once, however often
        pusher.close()
    totals = pusher.totals()
    assert totals["sent"] == 0 and totals["lost"] > 1 and not pusher._thread.is_alive()
    assert warnings(caplog) == [f"push {scheme}://127.0.0.1: no answer; trying again"]


def test_a_network_that_takes_nothing_costs_pictures_and_nothing_else(monkeypatch):
    monkeypatch.setattr(push, "AT_THE_END", 0.1)
    receiver, url = udp()
    pusher = Pusher(url)
    pusher.open(SIZE, 25)
    give(pusher, receiver, 3)
    child = pusher._child
    os.kill(child.pid, signal.SIGSTOP)
    lost = pusher.totals()["lost"]
    for _ in range(200):
        pusher.take(PICTURES[0])
    assert pusher.totals()["lost"] >= lost + 190
    pusher.close()
    assert child.poll() is not None and not pusher._thread.is_alive()


def test_a_protocol_that_pyav_lacks_is_told_once(caplog):
    pusher = Pusher(f"srt://127.0.0.1:{free_port()}", QUICK)
    pusher.open(SIZE, 25)
    pusher._thread.join(20)
    if warnings(caplog) == []:
        pytest.skip("this PyAV knows SRT")
    pusher.close()
    assert warnings(caplog) == ["push srt://127.0.0.1: the FFmpeg in PyAV knows no srt: push by udp, rtmp or rtsp"]


def test_a_run_pushes_what_it_may_show(tmp_path, monkeypatch):
    pushers = []
    opened = Pusher.open
    monkeypatch.setattr(Pusher, "open", lambda self, *about: (pushers.append(self), opened(self, *about)))

    def wait_for_the_server(number):
        deadline = time.monotonic() + 30
        while number > 8 and not sum(pusher.totals()["sent"] for pusher in pushers) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)

    clip = write_video(tmp_path / "street.mp4", numbered(20), rate=10)
    receiver, url = udp()
    options = {"visualization": False, "scene": SCENE, "anonymise": "solid", "draw_threshold": 1.0}
    result = Predictor(detector=FakeDetector(wait_for_the_server)).mot_predict(clip, tmp_path, push=url, **options)
    plain = Predictor(detector=FakeDetector()).mot_predict(clip, tmp_path / "plain", **options)
    assert result.text_path.read_bytes() == plain.text_path.read_bytes() and result.video_path is None
    assert result.delivery["push"]["sent"] + result.delivery["push"]["lost"] == 20
    receiver.wait(3)
    for picture in receiver.pictures:
        hidden = picture[20:55, 12:20].reshape(-1, 3)
        assert np.abs(np.median(hidden, axis=0) - np.array(COLOR)).max() < 10
        blue, green, red = np.moveaxis(picture, 2, 0)
        assert ((blue < 80) & (green > 150) & (red > 150)).sum() > 30  # the line of the scene and its name


def test_a_private_run_pushes_nothing(tmp_path):
    with pytest.raises(OptionError, match="private tells nobody of single people"):
        Predictor(detector=FakeDetector()).mot_predict("x", tmp_path, scene=SCENE, private=True, push="udp://h:1")


@pytest.mark.parametrize("address", ["http://user:hidden@host/", "udp://hidden", "srt://hidden/", "rtmp:///hidden", 7])
def test_addresses_that_are_refused(address):
    with pytest.raises(OptionError, match=r"push must be an address such as rtmp\|") as caught:
        DeliveryOptions(push=address)
    assert "hidden" not in str(caught.value)


def test_other_overlays_are_drawn_from_the_next_picture_on():
    pictures = []
    pusher = SimpleNamespace(open=lambda *_: None, take=lambda picture: pictures.append(int(picture[0, 0, 0])))

    def overlay(grey):
        opened = []
        return SimpleNamespace(open=opened.append, draw=lambda canvas, *_: canvas.fill(grey if opened else 1))

    sink, nobody = PushSink(pusher, overlays=[overlay(50)]), Tracks(np.zeros(0, int), np.zeros((0, 4)), np.zeros(0))
    sink.open(SequenceInfo("street", 10, (64, 48)))
    for number in range(4):
        if number == 2:
            sink.change([overlay(90)])
        sink.write(Frame(number, number / 10, np.zeros((48, 64, 3), np.uint8)), nobody)
    assert pictures == [50, 50, 90, 90]
