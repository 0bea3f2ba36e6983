"""Downloads that get there: at once, after breaks, and with several processes at it."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.helpers.http_server import CONTENT, DIGEST, assert_complete, failure, part
from tests.helpers.paths import ROOT
from tracker.models.download import download, note_path

SCRIPT = """
import pathlib, sys
from tracker.models.download import download
download(sys.argv[1], pathlib.Path(sys.argv[2]))
"""


pytestmark = pytest.mark.usefixtures("short_pauses")


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


def test_broken_connection_of_unknown_length_is_not_taken_for_the_end(server, target):
    """A chunked answer tells its end, unless the connection is closed."""
    server.chunked = True
    server.cuts = [100_000]
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


# ---- the digest of the first download


def test_other_content_later_is_refused_until_the_note_is_deleted(server, target):
    download(server.url, target)
    target.unlink()
    download(server.url, target)
    target.unlink()
    server.content = CONTENT[::-1]
    message = failure(server.url, target)
    assert DIGEST in message and f"delete {note_path(target)}" in message
    assert not target.exists() and not part(target).exists()
    note_path(target).unlink()
    download(server.url, target)
    assert_complete(target, CONTENT[::-1])


def test_the_digest_is_that_of_one_address_and_gives_way_to_a_given_one(server, target):
    download(server.url, target)
    target.unlink()
    server.content = b"other"
    download(f"{server.url}?other", target)
    assert_complete(target, b"other")
    server.content = CONTENT
    download(f"{server.url}?other", target, sha256=DIGEST)
    assert_complete(target)


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


def test_answer_from_another_place_is_not_appended(server, target):
    server.cuts = [100_000]
    server.shift = 7
    download(server.url, target)
    assert_complete(target)
    assert "Range" not in server.requests[2]


@pytest.mark.parametrize("note", [None, "", "[]", '{"address": 1}', "\0"])
def test_beginning_without_a_note_that_fits_is_dropped(server, target, note):
    part(target).write_bytes(b"from elsewhere")
    if note is not None:
        note_path(target).write_text(note)
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
