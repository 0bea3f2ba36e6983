"""Streams that are damaged in every connection: the next one is tried, and nothing is left behind."""

import random
import threading
import time

import numpy as np
import pytest

from tests.attacks.attacking import count
from tests.helpers.videos import JPEG, numbered_frames, write_video
from tests.tracker.sources.live.http_camera import camera, jpegs, pictures
from tracker.settings.groups.live import LiveOptions
from tracker.sources import open_source
from tracker.sources.live import reconnecting

pytestmark = pytest.mark.attack

CONNECTIONS = count("CONNECTIONS", 150)
HEADS = (
    "multipart/x-mixed-replace; boundary=picture",
    "video/mp2t",
    "video/x-flv",
    "application/octet-stream",
    "text/html",
)


def damaged(data, chance):
    """Bytes with some changed, some left out, or cut off."""
    changed = bytearray(data)
    for _ in range(chance.choice([0, 1, 10, 200])):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    for _ in range(chance.choice([0, 0, 3])):
        start = chance.randrange(len(changed))
        del changed[start : start + chance.randrange(3000)]
    return bytes(changed[: chance.choice([len(changed), len(changed), chance.randrange(1, len(changed))])])


def sends(data, kind, stays):
    def act(visit):
        visit.begin(kind)
        visit.wfile.write(data)
        visit.wfile.flush()
        visit.wait(stays)

    return act


def test_damaged_streams_are_tried_again_until_one_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(reconnecting, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(reconnecting, "_LONGEST_PAUSE", 0.01)
    chance, frames = random.Random(7), numbered_frames(20, (160, 120))
    whole = [write_video(tmp_path / f"clip.{ending}", frames).read_bytes() for ending in ("ts", "flv", "h264")]
    whole.append(write_video(tmp_path / "clip.mjpeg", frames, **JPEG).read_bytes())
    images = jpegs(frames)
    whole.append(b"".join(b"--picture\r\nContent-Type: image/jpeg\r\n\r\n%b\r\n" % image for image in images))
    acts = [pictures(images, 5, 0.01)]
    for _ in range(CONNECTIONS):
        acts.append(sends(damaged(chance.choice(whole), chance), chance.choice(HEADS), chance.choice([0, 0, 0, 1.0])))
    size = (64, 48)
    acts.append(pictures(jpegs([np.full((48, 64, 3), 200, np.uint8)], size), float("inf"), 0.01))
    last = -1.0
    with camera(*acts) as server:
        with open_source(f"http://{server.address}/live", live=LiveOptions(), timeout=0.3) as source:
            for frame in source:
                assert frame.time > last
                last = frame.time
                if frame.image.shape == (48, 64, 3) and server.visits > CONNECTIONS:
                    break
            source.halt()
        assert server.visits > CONNECTIONS and source.reconnects > 1
    ends = time.monotonic() + 30
    while time.monotonic() < ends and any(thread.name == "camera" for thread in threading.enumerate()):
        time.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name == "camera"]
