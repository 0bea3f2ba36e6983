"""A server on loopback and what is downloaded from it; a copy of the bundled model; no network."""

import shutil
import socket

import pytest

import tracker.models.download
from tests.helpers.http_server import serving
from tracker.models import locate
from tracker.models.locate import COMPACT


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "weights.pdparams"


@pytest.fixture
def short_pauses(monkeypatch):
    monkeypatch.setattr(tracker.models.download, "PAUSES", (0.0, 0.0, 0.0))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def copy(tmp_path):
    """A copy of the bundled model."""
    return shutil.copytree(COMPACT, tmp_path / "copy")


@pytest.fixture
def no_network(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/jde_darknet53_30e_1088x608.pdparams"
    monkeypatch.setattr(locate, "FULL_URL", url)
    return url
