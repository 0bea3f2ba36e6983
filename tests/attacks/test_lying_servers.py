"""Servers that lie, stall or lead elsewhere: a whole file or video, or one line, and no secret told."""

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video

pytestmark = pytest.mark.attack

BODY = bytes(range(256)) * 4096
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
SECONDS = 60  # for one attempt, whose own limits are at 3


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the first word of the path says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.close_connection = True
        self.kind = re.split(r"[?./]", self.path)[1]
        self.server.seen.append((self.kind, self.headers.get("Range"), self.headers.get("Authorization")))
        with suppress(OSError):  # clients that hang up are what this is about
            self.answer(self.kind)

    def answer(self, kind):
        if kind in REDIRECTS:
            port = self.server.server_port
            return self.say(302, b"", Location=REDIRECTS[kind].format(port=port, clip=self.server.clip))
        if kind in PLAYLISTS:
            port = self.server.server_port
            text = PLAYLISTS[kind].format(port=port, clip=self.server.clip)
            return self.say(200, text.encode(), Content_Type="application/x-mpegURL")
        return getattr(self, f"on_{kind}")()

    def say(self, code, data, **headers):
        self.begin(code, Content_Length=len(data), **headers)
        self.wfile.write(data)

    def begin(self, code=200, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def drip(self, data, size, pause):
        for start in range(0, len(data), size):
            self.wfile.write(data[start : start + size])
            self.wfile.flush()
            time.sleep(pause)

    def on_good(self, size=1 << 20, pause=0.0):
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        whole = {"Content_Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"} if start else {}
        self.begin(206 if start else 200, Content_Length=len(BODY) - start, ETag='"a"', **whole)
        self.drip(BODY[start:], size, pause)

    def on_slow(self):
        self.on_good(32768, 0.1)

    def on_halves(self):
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        whole = {"Content_Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"} if start else {}
        self.begin(206 if start else 200, Content_Length=len(BODY) - start, ETag='"a"', **whole)
        self.wfile.write(BODY[start : start + 300_000])

    def on_other_range(self):
        if self.headers.get("Range"):
            self.say(206, b"xxxxx", Content_Range="bytes 0-4/9")
        else:
            self.begin(200, Content_Length=len(BODY), ETag='"a"')
            self.wfile.write(BODY[:300_000])

    def on_too_long(self):
        self.begin(Content_Length=10 * len(BODY))
        self.wfile.write(BODY)

    def on_huge(self):
        self.begin(Content_Length=10**30)
        self.wfile.write(BODY)

    def on_digits(self):
        self.begin(Content_Length="9" * 5000)

    def on_page(self):
        self.say(200, b"<html>please log in</html>", Content_Type="text/html; charset=utf-8")

    def on_empty(self):
        self.say(200, b"")

    def on_silent(self):
        time.sleep(SECONDS)

    def on_drip(self):
        self.begin(Content_Length=len(BODY))
        self.drip(BODY, 1, 1)

    def on_dripped_headers(self):
        self.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100, 1, 1)

    def on_many_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000_000)

    def on_long_line(self):
        self.wfile.write(b"HTTP/1.1 200 " + b"y" * 5_000_000)

    def on_rubbish(self):
        self.wfile.write(os.urandom(4000))

    def on_packed(self):
        self.say(200, b"xxxxx", Content_Encoding="gzip")

    def on_no_chunk(self):
        self.begin(Transfer_Encoding="chunked")
        self.wfile.write(b"zzzz\r\nnot a chunk")

    def on_busy(self):
        self.say(503, b"")

    def on_denied(self):
        self.say(401, b"")

    def on_missing(self):
        self.say(404, b"<html>")

    def on_clip(self):
        self.say(200, self.server.clip.read_bytes())

    def on_stall(self):
        self.begin()
        self.wfile.write(self.server.clip.read_bytes()[:12000])
        self.wfile.flush()
        time.sleep(SECONDS)

    def on_zeros(self):
        self.begin()
        while True:
            self.wfile.write(bytes(65536))

    def on_list_of_files(self):
        self.say(200, f"ffconcat version 1.0\nfile file://{self.server.clip}\n".encode())

    def on_session(self):
        text = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        self.say(200, text.encode(), Content_Type="application/sdp")


REDIRECTS = {
    "to_file": "file://{clip}",
    "to_tcp": "tcp://127.0.0.1:{port}",
    "to_itself": "/to_itself",
    "to_nowhere": "http://[::1",
    "to_other_host": "http://localhost:{port}/good",
}
PLAYLISTS = {
    "list_of_clip": PLAYLIST.replace("{}", "http://127.0.0.1:{port}/clip.ts"),
    "list_of_file": PLAYLIST.replace("{}", "file://{clip}"),
    "list_of_path": PLAYLIST.replace("{}", "{clip}"),
    "list_of_concat": PLAYLIST.replace("{}", "concat:http://127.0.0.1:{port}/clip.ts|file:///etc/passwd"),
    "list_of_data": PLAYLIST.replace("{}", "data:video/mp2t;base64,AAAA"),
    "list_of_itself": PLAYLIST.replace("{}", "http://127.0.0.1:{port}/list_of_itself"),
    "list_without_end": PLAYLIST.replace("{}", "http://127.0.0.1:{port}/clip.ts").replace("#EXT-X-ENDLIST\n", ""),
}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory, clip_frames):
    with Server(("127.0.0.1", 0), Handler) as server:
        server.clip = write_video(tmp_path_factory.mktemp("clip") / "clip.ts", clip_frames[:10], rate=10)
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


DOWNLOAD = """
import sys
from pathlib import Path
from tracker.errors import TrackingError
from tracker.models.download import download
try:
    print("whole" if download(sys.argv[1], Path(sys.argv[2]), timeout=3, progress=False).read_bytes()
          == bytes(range(256)) * 4096 else "OTHER CONTENT")
except TrackingError as error:
    print("error:", error)
"""
OPEN = """
import sys
from tracker.errors import TrackingError
from tracker.sources import open_source
try:
    with open_source(sys.argv[1], timeout=3.0, with_audio=True) as source:
        print("frames", sum(1 for _ in source))
except TrackingError as error:
    print("error:", error)
"""


def start(program, server, kind, *arguments):
    url = f"http://me:hunter2@127.0.0.1:{server.server_port}/{kind}/w.pdparams?token=secret"
    return subprocess.Popen(
        [sys.executable, "-c", program, url, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def finish(process):
    """The one line that a process ends with; warnings may come before it."""
    try:
        text, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, text
    assert "hunter2" not in text and "secret" not in text and "Traceback" not in text
    return text.splitlines()[-1]


WHOLE = ("good", "slow", "halves", "to_other_host")
LIES = (
    *(
        "other_range",
        "too_long",
        "huge",
        "digits",
        "page",
        "empty",
        "silent",
        "drip",
        "dripped_headers",
        "many_headers",
    ),
    *("long_line", "rubbish", "packed", "no_chunk", "busy", "denied", "missing"),
    *("to_file", "to_tcp", "to_itself", "to_nowhere"),
)


@pytest.mark.parametrize("kind", [*WHOLE, *LIES])
def test_download(server, kind, tmp_path):
    server.seen.clear()
    target = tmp_path / "file"
    line = finish(start(DOWNLOAD, server, kind, target))
    assert line == "whole" if kind in WHOLE else line.startswith("error: "), line
    assert target.exists() == (kind in WHOLE)
    if kind == "to_other_host":
        assert [seen[2] for seen in server.seen if seen[0] == "good"] == [None], "the password went to another host"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_download_is_ended_and_begun_again(server, number, tmp_path):
    for attempt in range(5):
        target = tmp_path / str(attempt) / "file"
        process = start(DOWNLOAD, server, "slow", target)
        part = target.with_name("file.part")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not (part.exists() and part.stat().st_size > 200_000):
            time.sleep(0.05)
        process.send_signal(number)
        process.communicate()
        if not target.exists():  # on a busy machine it may be whole before anybody looks
            break
    server.seen.clear()
    assert finish(start(DOWNLOAD, server, "slow", target)) == "whole"
    assert server.seen[0][1].startswith("bytes="), "it began at the beginning"


def test_downloads_at_once_ask_once(server, tmp_path):
    server.seen.clear()
    processes = [start(DOWNLOAD, server, "slow", tmp_path / "file") for _ in range(3)]
    assert [finish(process) for process in processes] == ["whole"] * 3
    assert len(server.seen) == 1


def test_a_download_that_stands_still_holds_up_no_other(server, tmp_path):
    target = tmp_path / "file"
    first = start(DOWNLOAD, server, "slow", target)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and not target.with_name("file.part").exists():
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)
    try:
        assert "another process, which has not got on" in finish(start(DOWNLOAD, server, "good", target))
    finally:
        first.send_signal(signal.SIGCONT)
        finish(first)


PLAYS = {"clip": 10, "list_of_clip": 10, "list_without_end": 10}
LEADS = (
    *("to_file", "to_tcp", "to_itself", "to_nowhere", "list_of_file", "list_of_path", "list_of_concat", "list_of_data"),
    *("list_of_itself", "list_of_files", "session", "missing", "denied", "busy", "page", "empty", "silent", "stall"),
    *("drip", "dripped_headers", "zeros", "many_headers", "long_line", "rubbish", "no_chunk"),
)


@pytest.mark.parametrize("kind", [*PLAYS, *LEADS])
def test_video(server, kind):
    line = finish(start(OPEN, server, kind))
    if kind in PLAYS:
        assert line == f"frames {PLAYS[kind]}"
    else:
        assert line.startswith("error: ") or kind == "stall", line
