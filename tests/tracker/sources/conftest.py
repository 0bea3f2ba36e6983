"""A server of files on this machine, for the tests of addresses."""

import functools
import http.server
import threading

import pytest


@pytest.fixture
def served(tmp_path):
    """A folder and the address it is served at."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    folder = tmp_path / "www"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield folder, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
