"""Ctrl-C and SIGTERM while a camera is away, or hangs: the run ends at once, with all it has."""

import os
import signal

import pytest

from tests.helpers.fake_pipeline import rows, sequence_run
from tests.tracker.sources.live.http_camera import answers, camera, jpegs, pictures, stall
from tracker.pipeline.interrupts import result_of
from tracker.pipeline.track import track_source
from tracker.settings.groups.live import LiveOptions
from tracker.sources import open_source
from tracker.sources.live import reconnecting

LONG = 600.0  # seconds, which the tests do not wait for


class Kills:
    """A sink that sends a signal to this process at a frame."""

    name = "kills"

    def __init__(self, frame, number):
        self.frame, self.number = frame, number

    def open(self, info):
        pass

    def write(self, frame, tracks):
        if frame.index >= self.frame and self.number:
            os.kill(os.getpid(), self.number)
            self.number = None

    def close(self):
        return {}


@pytest.fixture(scope="module")
def images(clip_frames):
    return jpegs(clip_frames, (160, 96))


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_while_it_is_waited_to_try_again(images, tmp_path, monkeypatch, number, kind):
    monkeypatch.setattr(reconnecting, "_FIRST_PAUSE", LONG)

    def tell(event):
        assert event["event"] == "stream_lost"
        os.kill(os.getpid(), number)

    with camera(pictures(images, 10, 0.02), answers(503)) as server:
        url = f"http://{server.address}/live"
        source = open_source(url, frame_rate=50, live=LiveOptions(), tell=tell)
        with pytest.raises(kind) as caught:
            track_source(source, sequence_run(source, tmp_path))
    result = result_of(caught.value)
    assert result.frames > 0 and result.video_path.exists()
    assert rows(tmp_path)


def test_a_signal_while_a_reading_hangs(images, tmp_path):
    with camera(pictures(images, 10, 0.02, stall)) as server:
        url = f"http://{server.address}/live"
        source = open_source(url, frame_rate=50, timeout=LONG, live=LiveOptions())
        with pytest.raises(KeyboardInterrupt) as caught:
            track_source(source, sequence_run(source, tmp_path, sinks=[Kills(1, signal.SIGINT)]))
    assert result_of(caught.value).frames > 0
