"""Receivers of events on loopback, and people who make events."""

import contextlib
import http.server
import json
import threading
from functools import partial

import numpy as np
import pytest

from tests.helpers.fake_pipeline import FakeDetector
from tests.helpers.paths import ROOT

SCENE = {
    "lines": {"door": {"points": [[0.25, 0.2], [0.25, 0.9]], "in": "back", "out": "on"}},
    "zones": {"till": {"points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "loitering": 1}},
}


class Walker(FakeDetector):
    """Finds one person, whose foot goes right from (10, 60) on by four pixels a frame, over a line."""

    def decode(self, raw_outputs, preprocessed):
        left, *_ = super().decode(raw_outputs, preprocessed)[0] * 8
        return np.array([[left, 10, left + 20, 60]])


def made_event(number):
    """An event whose number can be read back."""
    return {"event": "appeared", "time": None, "seconds": float(number), "camera": "test", "id": number, "schema": 1}


def numbers_of(lines):
    """The numbers of such events, in order."""
    return [json.loads(line)["id"] for line in lines]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.tries += 1
        server.stalled.wait(10)
        status = server.statuses.pop(0) if server.statuses else 200
        if status == 200:
            server.bodies.append(body)
            server.headers.append(dict(self.headers))
        self.send_response(status)
        if status in (301, 307):
            self.send_header("Location", server.leads_to)
        self.send_header("Content-Length", "0")
        self.end_headers()
        with server.changed:
            server.changed.notify_all()

    do_GET = do_POST

    def log_message(self, *arguments):
        pass


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it; ``statuses`` are those of the next answers, then 200."""

    daemon_threads = True

    def __init__(self, port=0):
        self.bodies, self.headers, self.statuses, self.tries = [], [], [], 0
        self.leads_to = ""
        self.stalled = threading.Event()
        self.stalled.set()
        self.changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Handler)

    def wait(self, count):
        """Wait until so many events have come."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.bodies) >= count, 20), f"{len(self.bodies)} of {count} came"

    def handle_error(self, request, client_address):
        pass  # a client that gives up is what some tests are about


@contextlib.contextmanager
def receiving(port=0):
    """A receiver that runs meanwhile."""
    with Receiver(port) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def check_event(event):
    """Check an event against the schema; all its fields are to be declared there."""
    jsonschema = pytest.importorskip("jsonschema", reason="checking events needs jsonschema (tests/requirements.txt)")
    schema = json.loads((ROOT / "docs" / "events.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(event)
    assert event.keys() <= schema["properties"].keys()
