"""A server on loopback and what is downloaded from it, without pauses and proxies."""

import pytest

import tracker.models.download
from tests.helpers.http_server import serving


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
