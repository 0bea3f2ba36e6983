"""A page on a loopback port, with a detector that needs no network."""

import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.videos import write_video
from tracker import Predictor
from tracker.pipeline.answering.event_sink import EventSink
from tracker.structures import Frame, SequenceInfo, Tracks
from tracker.web.guard import Access
from tracker.web.limits import Limits
from tracker.web.server import PageServer
from tracker.web.site import Site
from tracker.web.videos.videos import Videos

SECONDS = 60  # that anything here may take on a busy machine


class Page:
    """Asks a page."""

    def __init__(self, server, site):
        self.site, self.address = site, server.address.rstrip("/")
        self.port = int(self.address.rpartition(":")[2])

    def ask(self, path, method="GET", **options):
        return requests.request(method, self.address + path, timeout=SECONDS, **options)

    def json(self, path, method="GET", status=200, **options):
        answer = self.ask(path, method, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def upload(self, clip, name="street.mp4", status=201):
        data = clip if isinstance(clip, bytes) else clip.read_bytes()
        return self.json("/api/videos", "POST", status, params={"name": name}, data=data)

    def wait(self, id, state="done"):
        """The video, once it is in a state."""
        for _ in range(SECONDS * 20):
            video = self.json(f"/api/videos/{id}")
            if video["state"] == state:
                return video
            time.sleep(0.05)
        raise AssertionError(video)


@contextmanager
def serving(site, access=None, host="127.0.0.1"):
    with PageServer(site, host, 0, access or Access.on(host)) as server:
        yield Page(server, site)


@pytest.fixture
def page():
    """A page without anything."""
    with serving(Site()) as page:
        yield page


class Walk:
    """The forward pass of a detector that waits until it may go on; at once unless it is told otherwise."""

    def __init__(self):
        self.go, self.begun = threading.Event(), threading.Event()
        self.go.set()

    def __call__(self, number):
        self.begun.set()
        assert self.go.wait(SECONDS)


@pytest.fixture
def walk():
    walk = Walk()
    yield walk
    walk.go.set()


@contextmanager
def video_page(folder, walk, allow_sources=False, **limits):
    """A page that takes videos, as the command starts it."""
    site = Site(limits=Limits(**limits))
    predictor = Predictor(detector=FakeDetector(walk))
    options = {"conf_thres": 0.5, "camera_motion": False}
    site.videos = Videos(predictor, folder, site.limits, options, allow_sources)
    with site.videos, serving(site) as page:
        try:
            yield page
        finally:
            walk.go.set()  # else the run would not end


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory):
    """Ten pictures in which a made-up person walks."""
    return write_video(tmp_path_factory.mktemp("clip") / "walk.mp4", numbered(10), rate=10)


def tracks(*people):
    """People as id, left, top; each is 20 wide and 50 high."""
    boxes = np.array([[left, top, 20, 50] for _, left, top in people], float).reshape(-1, 4)
    return Tracks(np.array([one[0] for one in people], np.int64), boxes, np.full(len(people), 0.9))


def frame(index, image=None, rate=10):
    return Frame(index, index / rate, np.full((96, 160, 3), 90, np.uint8) if image is None else image)


def run_of(sink, seen):
    """A run of frames in which these are seen, with the events of its scene."""
    events, info = EventSink(sink.on_event, scene=sink.scene), SequenceInfo("street", 10, (160, 96))
    events.open(info)
    sink.open(info)
    for index, people in enumerate(seen):
        for one in (events, sink):
            one.write(frame(index), tracks(people))


def walk_through(sink, count=20, step=8):
    """Somebody walks to the right, through the whole picture."""
    run_of(sink, [(1, index * step - 10, 20) for index in range(count)])


SCENE = SimpleNamespace(
    line={"lines": {"door": {"points": [[0.5, 1.0], [0.5, 0.1]], "in": "east", "out": "west"}}},
    zone={"zones": {"till": {"points": [[0.1, 0.3], [0.9, 0.3], [0.9, 1.0], [0.1, 1.0]]}}},
)
SCENE.both = {**SCENE.line, **SCENE.zone}
