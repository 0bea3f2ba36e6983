"""A camera on this machine that speaks MJPEG or MPEG-TS over HTTP, and misbehaves by a plan."""

from __future__ import annotations

import base64
import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

BOUNDARY = b"picture"
Act = Callable[["Visit"], None]


class Visit(http.server.BaseHTTPRequestHandler):
    """One connection, which does what the next of the server's acts says; the last one is repeated."""

    server: HttpCamera

    def do_GET(self) -> None:
        with self.server.lock:
            number = self.server.visits
            self.server.visits += 1
        acts = self.server.acts
        with contextlib.suppress(ConnectionError):
            acts[min(number, len(acts) - 1)](self)

    def begin(self, kind: str = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}") -> None:
        """Answer that a stream follows, whose length nobody knows."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def picture(self, image: bytes) -> None:
        """Send a JPEG picture."""
        head = b"--%b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (BOUNDARY, len(image))
        self.wfile.write(head + image + b"\r\n")
        self.wfile.flush()
        self.server.sent += 1

    def wait(self, seconds: float) -> bool:
        """Wait, and return whether the server goes on."""
        return not self.server.ending.wait(seconds)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class HttpCamera(http.server.ThreadingHTTPServer):
    """The server; closing it ends all connections.

    Args:
        acts: what each connection does, one after the other.

    Attributes:
        visits: connections so far.
        sent: pictures so far.
    """

    daemon_threads = True

    def __init__(self, acts: list[Act]) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.acts = acts
        self.visits = self.sent = 0
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.address = f"127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


@contextlib.contextmanager
def camera(*acts: Act) -> Iterator[HttpCamera]:
    """A camera that runs meanwhile."""
    with HttpCamera(list(acts)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()


def jpegs(images: list, size: tuple[int, int] | None = None) -> list[bytes]:
    """Pictures [H, W, 3] as JPEG, resized to a width and height where given."""
    resized = [cv2.resize(image, size) if size else image for image in images]
    return [cv2.imencode(".jpg", image)[1].tobytes() for image in resized]


def pictures(images: list[bytes], count: float, period: float, then: Act | None = None) -> Act:
    """Send so many pictures, round and round, then do something, or close."""

    def act(visit: Visit) -> None:
        visit.begin()
        start, number = time.monotonic(), 0
        while number < count and visit.wait(max(0.0, start + number * period - time.monotonic())):
            visit.picture(images[number % len(images)])
            number += 1
        if then:
            then(visit)

    return act


def transport_stream(path: Path, seconds: float, then: Act | None = None) -> Act:
    """Send an MPEG-TS file in so many seconds, then do something, or close."""
    data = path.read_bytes()
    pieces = [data[start : start + 188 * 7] for start in range(0, len(data), 188 * 7)]

    def act(visit: Visit) -> None:
        visit.begin("video/mp2t")
        for piece in pieces:
            visit.wfile.write(piece)
            visit.wfile.flush()
            if not visit.wait(seconds / len(pieces)):
                return
        if then:
            then(visit)

    return act


def stall(visit: Visit) -> None:
    """Send nothing more, and keep the connection."""
    visit.server.ending.wait(60)


def garbage(visit: Visit) -> None:
    """Send what is no picture, for ever."""
    while visit.wait(0.01):
        visit.wfile.write(bytes(range(256)) * 8)


def answers(status: int) -> Act:
    """Answer with a status, such as 404."""

    def act(visit: Visit) -> None:
        visit.send_response(status)
        if status == 401:
            visit.send_header("WWW-Authenticate", 'Basic realm="camera"')
        visit.send_header("Content-Length", "0")
        visit.end_headers()

    return act


def for_user(user: str, password: str, act: Act) -> Act:
    """Do something for who gives the password, and answer 401 to others."""
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return lambda visit: (act if visit.headers.get("Authorization") == expected else answers(401))(visit)
