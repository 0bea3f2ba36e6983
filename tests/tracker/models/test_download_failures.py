"""Downloads that cannot be had: one line says why, and nothing half is left."""

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

import tracker.models.download
from tests.helpers.http_server import CONTENT, DIGEST, assert_complete, failure, part
from tracker.errors import OutputError
from tracker.models.download import download, note_path

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.mark.parametrize("knows_range", [True, False])
def test_more_announced_than_sent(server, target, knows_range):
    server.knows_range = knows_range
    server.extra = 9
    failure(server.url, target)
    assert not target.exists()


@pytest.mark.parametrize("surplus", [-9, 9])
def test_a_resumed_answer_of_another_length(server, target, surplus):
    server.cuts = [100_000]
    server.surplus = surplus
    assert f"{len(CONTENT) + surplus} " in failure(server.url, target)
    assert not target.exists()
    server.surplus = 0
    download(server.url, target)
    assert_complete(target)


@pytest.mark.parametrize("announces", [True, False])
def test_a_file_above_the_limit_is_not_kept(server, target, monkeypatch, announces):
    monkeypatch.setattr(tracker.models.download, "MAX_BYTES", 1000)
    server.announces, server.drip = announces, 0.01
    start = time.monotonic()
    message = failure(server.url, target)
    assert time.monotonic() - start < 10  # all of it would take 30 s
    assert (f"{len(CONTENT)} bytes" in message) is announces
    assert not target.exists() and not part(target).exists()
    assert len(server.requests) == 1
    server.drip = 0
    monkeypatch.setattr(tracker.models.download, "MAX_BYTES", len(CONTENT))
    download(server.url, target)
    assert_complete(target)


def test_the_time_is_limited_however_slowly_bytes_drip_in(server, target, monkeypatch):
    monkeypatch.setattr(tracker.models.download, "MAX_SECONDS", 0.5)
    server.drip = 0.05
    start = time.monotonic()
    message = failure(server.url, target)
    assert time.monotonic() - start < 2
    assert "0.5 s" in message and "run again to go on from there" in message
    server.drip = 0
    download(server.url, target)
    assert_complete(target)
    assert "Range" in server.requests[-1]


def test_fewer_bytes_than_a_connection_brings(server, target):
    server.drip = 0.15  # between a hundred bytes and the next
    message = failure(server.url, target, timeout=0.3)
    assert "fewer than 1000 bytes a second" in message and "run again to go on from there" in message
    server.drip = 0
    download(server.url, target)
    assert_complete(target)


def test_an_empty_answer_is_no_file(server, target):
    server.announces, server.cuts = False, [0]
    assert "an empty file" in failure(server.url, target)
    assert not target.exists() and not part(target).exists()


def test_another_process_that_does_not_get_on_is_not_waited_for(server, target, caplog):
    caplog.set_level("INFO")
    with FileLock(f"{target}.lock"):
        message = failure(server.url, target, timeout=0.1)
    assert "another process, which has not got on for 0.3 s" in message
    assert "waiting for another process" in caplog.text
    download(server.url, target)
    assert_complete(target)


def test_another_process_that_gets_on_is_waited_for(server, target):
    def hold():
        with FileLock(f"{target}.lock"):
            held.set()
            for size in range(12):
                part(target).write_bytes(bytes(size))
                time.sleep(0.1)
            target.write_bytes(b"theirs")
            part(target).unlink()

    held = threading.Event()
    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(10)
    download(server.url, target, timeout=0.3)
    other.join()
    assert target.read_bytes() == b"theirs" and not server.requests


def test_a_page_is_not_taken_for_the_file(server, target):
    server.version["Content-Type"] = "text/html; charset=utf-8"
    assert "a page" in failure(server.url, target)
    assert not target.exists() and not note_path(target).exists()


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
    message = failure(server.url, target, timeout=0.3)
    assert time.monotonic() - start < 3  # the body would come after that
    assert "no byte for 0.3 s" in message


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
    assert "no connection" in message
    assert server.url in message


def test_secrets_are_not_shown(server, target):
    server.statuses = [404]
    url = server.url.replace("//", "//user:pass@") + "?token=hidden"
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
    failure(server.url.replace("//", "//user:secret@"), target)
    note = note_path(target).read_text()
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
    assert "directory" in failure(server.url, tmp_path, OutputError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(server, tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "Permission" in failure(server.url, tmp_path / "w", OutputError)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk(server, target, monkeypatch):
    begin = tracker.models.download._Download._begin

    def on_full_disk(self, answer):
        begin(self, answer)
        self.part.symlink_to("/dev/full")

    monkeypatch.setattr(tracker.models.download._Download, "_begin", on_full_disk)
    message = failure(server.url, target, OutputError)
    assert "No space left" in message
    assert server.url in message
    assert not target.exists()
