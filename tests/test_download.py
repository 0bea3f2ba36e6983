"""Downloads from a loopback server that breaks off, changes its mind, lies or sleeps on request."""

import contextlib
import hashlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import tracker.download
from tracker.download import download
from tracker.errors import ModelError, OutputError

CONTENT = bytes(range(256)) * 1200  # several chunks
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ROOT = Path(__file__).resolve().parent.parent
SCRIPT = "import sys, pathlib; from tracker.download import download; download(sys.argv[1], pathlib.Path(sys.argv[2]))"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.content``; what goes wrong is set in the attributes of the server."""

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
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range",
                f"bytes {start + server.shift}-{len(server.content) - 1}/{len(server.content) + server.extra}",
            )
        if server.announces:
            self.send_header("Content-Length", str(len(body) + server.extra))
        for name, value in server.version.items():
            self.send_header(name, value)
        self.end_headers()
        time.sleep(server.delay)
        cut = server.cuts.pop(0) if server.cuts else len(body)
        self.wfile.write(body[:cut])
        self.wfile.flush()
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
        self.extra = 0  # bytes announced and never sent
        self.shift = 0  # error of the first byte in Content-Range
        self.delay = 0.0  # seconds between the headers and the body
        self.statuses = []  # of the next answers; then 200
        self.cuts = []  # bytes of the body after which the next answers end; then whole
        self.on_cut = lambda: None
        self.requests = []
        self.url = f"http://127.0.0.1:{self.server_port}/file"

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what these tests are about


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "weights.pdparams"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(tracker.download, "PAUSES", (0.0, 0.0, 0.0))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def part(target):
    return target.with_name(target.name + ".part")


def failure(url, target, kind=ModelError, **options):
    """The message of a download that fails: one line."""
    with pytest.raises(kind) as caught:
        download(url, target, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_complete(target, content=CONTENT):
    assert target.read_bytes() == content
    left = {path.name for path in target.parent.iterdir()} - {target.name, f"{target.name}.lock"}
    assert not left


# ---- one download


def test_whole_file(server, target):
    assert download(server.url, target, sha256=DIGEST.upper()) == target
    assert_complete(target)
    assert len(server.requests) == 1
    assert server.requests[0]["Accept-Encoding"] == "identity"
    assert "Range" not in server.requests[0]


def test_folders_are_made(server, tmp_path):
    target = tmp_path / "new" / "folder" / "w"
    download(server.url, target)
    assert_complete(target)


def test_unknown_length(server, target):
    server.announces = False
    download(server.url, target)
    assert_complete(target)


def test_redirect(server, target):
    download(server.url.replace("/file", "/moved"), target)
    assert_complete(target)


def test_what_is_there_is_not_asked_for(server, target):
    target.write_bytes(b"mine")
    assert download(server.url, target) == target
    assert download(server.url, target, sha256=hashlib.sha256(b"mine").hexdigest()) == target
    assert target.read_bytes() == b"mine"
    assert not server.requests


def test_what_is_there_with_another_digest_is_fetched_anew(server, target):
    target.write_bytes(b"old")
    download(server.url, target, sha256=DIGEST)
    assert_complete(target)


def test_lock_left_behind_is_no_obstacle(server, target):
    Path(f"{target}.lock").write_text("12345")
    download(server.url, target)
    assert_complete(target)


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_progress(server, target, capsys, progress, shown):
    download(server.url, target, progress=progress)
    assert ("weights.pdparams" in capsys.readouterr().err) is shown


# ---- breaks


def test_broken_connection_is_resumed(server, target):
    server.cuts = [100_000, 50_000]
    download(server.url, target, sha256=DIGEST)
    assert_complete(target)
    assert [request.get("Range") for request in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.requests[1]["If-Range"] == '"one"'


def test_resumed_by_a_later_call(server, target):
    server.cuts = [100_000]
    server.on_cut = lambda: server.statuses.extend([503] * 3)
    assert f"100000 of {len(CONTENT)} bytes (HTTP 503" in failure(server.url, target)
    assert part(target).read_bytes() == CONTENT[:100_000]
    assert not target.exists()
    download(server.url, target)
    assert_complete(target)
    assert server.requests[-1]["Range"] == "bytes=100000-"


def test_resumed_by_date_when_the_tag_is_weak(server, target):
    server.version["ETag"] = 'W/"one"'
    server.cuts = [100_000]
    download(server.url, target)
    assert_complete(target)
    assert server.requests[1]["If-Range"] == server.version["Last-Modified"]


@pytest.mark.parametrize("version", [{}, {"ETag": 'W/"one"'}])
def test_begins_anew_when_nothing_tells_the_version(server, target, version):
    server.version = version
    server.cuts = [100_000]
    download(server.url, target)
    assert_complete(target)
    assert "Range" not in server.requests[1]


def test_server_without_range_begins_anew(server, target):
    server.knows_range = False
    server.cuts = [100_000]
    download(server.url, target)
    assert_complete(target)
    assert server.requests[1]["Range"] == "bytes=100000-"


@pytest.mark.parametrize("ignores_if_range", [False, True])
@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT[::-1] + b"longer", b"shorter", CONTENT[:100_000][::-1]])
def test_file_changed_between_tries(server, target, content, ignores_if_range):
    def change():
        server.content = content
        server.version = {"ETag": '"two"'}

    server.cuts = [100_000]
    server.on_cut = change
    server.ignores_if_range = ignores_if_range
    download(server.url, target)
    assert_complete(target, content)


def test_file_that_grew_between_tries(server, target):
    """A log or mirror which keeps its tag and ignores If-Range still gives itself away by the length."""

    def grow():
        server.content = CONTENT[::-1] + b"more"

    server.cuts = [100_000]
    server.on_cut = grow
    download(server.url, target)
    assert_complete(target, CONTENT[::-1] + b"more")


def test_target_appears_in_one_step(server, target, monkeypatch):
    finish = tracker.download._Partial.finish
    written = []

    def watched(self, place):
        written.append((place.exists(), self.path.stat().st_ino))
        finish(self, place)

    monkeypatch.setattr(tracker.download._Partial, "finish", watched)
    download(server.url, target)
    assert written == [(False, target.stat().st_ino)]


def test_answer_from_another_place_is_not_appended(server, target):
    server.cuts = [100_000]
    server.shift = 7
    download(server.url, target)
    assert_complete(target)
    assert "Range" not in server.requests[2]


@pytest.mark.parametrize(
    "note", [None, "", "[]", '{"address": 1}', '{"address": 1, "length": "x", "version": {}}', "\0"]
)
def test_beginning_without_a_note_that_fits_is_dropped(server, target, note):
    part(target).write_bytes(b"from elsewhere")
    if note is not None:
        Path(f"{part(target)}.json").write_text(note)
    download(server.url, target)
    assert_complete(target)
    assert "Range" not in server.requests[0]


def test_beginning_from_another_address_is_dropped(server, target):
    server.cuts = [100_000]
    server.on_cut = lambda: server.statuses.extend([503] * 3)
    failure(server.url, target)
    download(f"{server.url}?other", target)
    assert_complete(target)
    assert "Range" not in server.requests[-1]


def test_all_bytes_there_but_not_moved(server, target):
    """As after a kill in the last moment."""
    server.cuts = [100_000]
    server.on_cut = lambda: server.statuses.extend([503] * 3)
    failure(server.url, target)
    part(target).write_bytes(CONTENT)
    asked = len(server.requests)
    download(server.url, target, sha256=DIGEST)
    assert_complete(target)
    assert len(server.requests) == asked


# ---- what cannot be had


@pytest.mark.parametrize("knows_range", [True, False])
def test_more_announced_than_sent(server, target, knows_range):
    server.knows_range = knows_range
    server.extra = 9
    message = failure(server.url, target)
    assert server.url in message
    assert f"{len(CONTENT)} of {len(CONTENT) + 9} bytes" in message
    assert len(server.requests) == 4
    assert not target.exists()
    assert not part(target).exists()


def test_other_digest(server, target):
    message = failure(server.url, target, sha256="0" * 64)
    assert DIGEST in message
    assert "0" * 64 in message
    assert not target.exists()
    assert not part(target).exists()


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
def test_refusals(server, target, status):
    server.statuses = [status]
    message = failure(server.url, target)
    assert f"HTTP {status}" in message
    assert server.url in message
    assert len(server.requests) == 1
    assert not target.exists()


def test_busy_server_is_asked_again(server, target):
    server.statuses = [503, 429]
    download(server.url, target)
    assert_complete(target)


def test_encoded_answer_is_not_taken(server, target):
    server.version["Content-Encoding"] = "gzip"
    assert "gzip" in failure(server.url, target)


def test_slow_body_times_out(server, target):
    server.delay = 3
    start = time.monotonic()
    message = failure(server.url, target, timeout=0.1)
    assert time.monotonic() - start < 2
    assert "no byte for 0.1 s" in message
    assert f"0 of {len(CONTENT)} bytes" in message


def test_silent_server_times_out(target):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        start = time.monotonic()
        message = failure(f"http://127.0.0.1:{listener.getsockname()[1]}/w", target, timeout=0.1)
    assert time.monotonic() - start < 2
    assert "no byte for 0.1 s" in message


def test_nobody_there(server, target):
    server.server_close()
    message = failure(server.url, target, timeout=1)
    assert "cannot be reached" in message
    assert server.url in message


def test_secrets_are_not_shown(server, target):
    server.statuses = [404]
    url = server.url.replace("127", "user:pass@127") + "?token=hidden"
    message = failure(url, target)
    assert "***@127.0.0.1" in message
    assert not any(secret in message for secret in ("user", "pass@", "hidden"))
    assert "Authorization" in server.requests[0]
    server.server_close()
    message = failure(url, target, timeout=1)
    assert not any(secret in message for secret in ("user", "pass@", "hidden"))


def test_note_holds_no_secret(server, target):
    server.cuts = [100_000]
    server.on_cut = lambda: server.statuses.extend([503] * 3)
    failure(server.url.replace("127", "user:secret@127"), target)
    note = Path(f"{part(target)}.json").read_text()
    assert json.loads(note)["length"] == len(CONTENT)
    assert "secret" not in note


@pytest.mark.parametrize("url", ["", "weights", "/tmp/w", "ftp://host/w", "file:///etc/passwd", "http://", "http:///w"])
def test_addresses_of_another_kind(target, url):
    assert "http://" in failure(url, target)


@pytest.mark.parametrize("url", ["http://[::1/w", "http://a b/", "http://host:port/w"])
def test_broken_addresses(target, url):
    failure(url, target, timeout=1)


def test_folder_that_is_a_file(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    message = failure(server.url, tmp_path / "file" / "w", OutputError)
    assert server.url in message
    assert not server.requests


def test_target_that_is_a_folder(server, tmp_path):
    assert "folder" in failure(server.url, tmp_path, OutputError)
    assert not server.requests


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(server, tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "Permission" in failure(server.url, tmp_path / "w", OutputError)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk(server, target, monkeypatch):
    begin = tracker.download._Partial.begin

    def on_full_disk(self, *arguments):
        begin(self, *arguments)
        self.path.symlink_to("/dev/full")

    monkeypatch.setattr(tracker.download._Partial, "begin", on_full_disk)
    message = failure(server.url, target, OutputError)
    assert "No space left" in message
    assert server.url in message
    assert not target.exists()


# ---- several processes


@contextlib.contextmanager
def process(server, target):
    command = [sys.executable, "-c", SCRIPT, server.url, str(target)]
    started = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        started.stderr.close()


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def test_two_processes_download_once(server, target):
    server.delay = 0.7
    with process(server, target) as first, process(server, target) as second:
        assert first.wait(30) == 0, first.stderr.read()
        assert second.wait(30) == 0, second.stderr.read()
    assert_complete(target)
    assert len(server.requests) == 1


@pytest.mark.skipif(os.name == "nt", reason="kills with a signal")
def test_killed_process_leaves_a_beginning_that_is_resumed(server, target):
    killed = threading.Event()
    server.cuts = [200_000]
    server.on_cut = lambda: killed.wait(20)
    with process(server, target) as first:
        # Less than what was sent may be on disk, for the last bytes are in the memory of the process.
        wait_until(lambda: part(target).exists() and part(target).stat().st_size > 0)
        first.send_signal(signal.SIGKILL)
        first.wait()
    killed.set()
    assert not target.exists()
    size = part(target).stat().st_size
    assert part(target).read_bytes() == CONTENT[:size]
    download(server.url, target, sha256=DIGEST)
    assert_complete(target)
    assert server.requests[-1]["Range"] == f"bytes={size}-"
