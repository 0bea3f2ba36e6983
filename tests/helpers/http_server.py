"""A loopback server that breaks off, changes its file, lies or is slow on request; checks of what was downloaded."""

import contextlib
import hashlib
import http.server
import threading
import time

import pytest

from tracker.errors import ModelError
from tracker.models.download import download

CONTENT = bytes(range(256)) * 1200  # several chunks
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.content``; what goes wrong is set in the attributes of the server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        status = server.statuses.pop(0) if server.statuses else 200
        if status != 200:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        start = self.first_byte()
        if start >= len(server.content) + server.extra:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body = server.content[start:]
        if start:
            body = (body + bytes(100))[: len(body) + server.surplus]
        if server.chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range",
                f"bytes {start + server.shift}-{len(server.content) - 1}/{len(server.content) + server.extra}",
            )
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif server.announces:
            self.send_header("Content-Length", str(len(body) + server.extra))
        for name, value in server.version.items():
            self.send_header(name, value)
        self.end_headers()
        time.sleep(server.delay)
        cut = server.cuts.pop(0) if server.cuts else len(body)
        while server.drip and body:
            self.wfile.write(body[:100])
            body = body[100:]
            time.sleep(server.drip)
        self.wfile.write(body[:cut])
        self.wfile.flush()
        self.close_connection = True
        if cut < len(body):
            server.on_cut()

    def first_byte(self):
        """Where the answer starts: what Range asks for, if this server knows Range and the version is the same."""
        wanted = self.headers.get("Range")
        if not self.server.knows_range or not wanted:
            return 0
        if not self.server.ignores_if_range and self.headers.get("If-Range") not in self.server.version.values():
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.version = {"ETag": '"one"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        self.knows_range = True
        self.ignores_if_range = False
        self.announces = True
        self.chunked = False
        self.extra = 0  # bytes announced and never sent
        self.surplus = 0  # bytes too many, or too few, of a resumed answer
        self.shift = 0  # error of the first byte in Content-Range
        self.delay = 0.0  # seconds between the headers and the body
        self.drip = 0.0  # seconds between bytes that come a hundred at a time
        self.statuses = []  # of the next answers; then 200
        self.cuts = []  # bytes of the body after which the next answers end; then whole
        self.on_cut = lambda: None
        self.requests = []
        self.url = f"http://127.0.0.1:{self.server_port}/file"

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what these tests are about


@contextlib.contextmanager
def serving():
    """A server that runs meanwhile."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def part(target):
    return target.with_name(target.name + ".part")


def failure(url, target, kind=ModelError, **options):
    """The message of a download that fails: one line."""
    with pytest.raises(kind) as caught:
        download(url, target, **options)
    assert "\n" not in str(caught.value), str(caught.value)
    return str(caught.value)


def assert_complete(target, content=CONTENT):
    assert target.read_bytes() == content
    left = {path.name for path in target.parent.iterdir()}
    assert left <= {target.name, f"{target.name}.lock", f"{target.name}.json"}, left
