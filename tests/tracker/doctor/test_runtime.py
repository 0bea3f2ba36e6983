"""The processor, the backend and the model, as they are and as they may be elsewhere."""

import http.server
import shutil
import threading

import pytest

from tracker.detection.backends import choice, openvino_network
from tracker.doctor import runtime
from tracker.doctor.findings import NOTE, OK, PROBLEM
from tracker.doctor.runtime import check_backend, check_model, check_processor
from tracker.errors import ModelError
from tracker.models import locate
from tracker.predictor import Predictor


@pytest.mark.parametrize(
    ("text", "state", "parts"),
    [
        ("model name\t: Old One\nflags\t\t: sse2 avx\n", NOTE, ["Old One", "no AVX2", "made for int8"]),
        ("model name\t: N\nflags\t\t: avx2 avx_vnni\n", OK, ["N, ", "AVX2, AVX VNNI"]),
        ("model name\t: X\nflags\t\t: avx2 avx512f avx512_vnni amx_int8\n", OK, ["AVX-512 VNNI, AMX int8"]),
        ("processor\t: 0\nFeatures\t: asimd asimddp\n", OK, ["dot products"]),
        (None, OK, ["not told by this system"]),
    ],
)
def test_processors(text, state, parts, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "CPUINFO", tmp_path / "cpuinfo")
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    (finding,) = check_processor()
    assert finding.state == state and " cores" in finding.text and all(part in finding.text for part in parts)


def test_the_backend_that_runs(monkeypatch):
    (finding,) = check_backend()
    assert finding.state == OK and "auto is openvino on the processor in " in finding.text


def test_the_backend_that_runs_where_the_fastest_is_broken(monkeypatch):
    def fail():
        raise ImportError("libtbb.so.12")

    monkeypatch.setattr(openvino_network, "import_openvino", fail)
    kept = {name: choice.BACKENDS[name] for name in ("openvino", "onnxruntime")}
    monkeypatch.setattr(choice, "BACKENDS", kept)
    (finding,) = check_backend()
    assert finding.state == NOTE and "auto is onnxruntime on the processor in fp32" in finding.text
    assert "openvino is faster: pip install 'openvino" in finding.text


def test_no_backend_is_a_problem(monkeypatch):
    def fail(*_):
        raise ModelError("backend openvino needs the package openvino: pip install it")

    monkeypatch.setattr(Predictor, "load_model", fail)
    (finding,) = check_backend()
    assert finding.state == PROBLEM and "pip install it" in finding.text


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch):
    """Answers with ``server.status``; what was asked for is in ``server.asked``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            self.server.asked.append(self.command)
            self.send_response(self.server.status)
            self.send_header("Content-Length", "293000000")
            self.end_headers()

        do_HEAD = do_GET = answer

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.status = [], 200
        monkeypatch.setattr(locate, "FULL_URL", f"http://127.0.0.1:{server.server_port}/full.pdparams")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_full_model_that_would_be_downloaded_is_not(server, tmp_path):
    (finding,) = check_model()
    assert finding.state == NOTE and "auto downloads 293 MB" in finding.text and "--model compact" in finding.text
    assert server.asked == ["HEAD"] and not (tmp_path / "home").exists()


def test_a_server_without_it_or_none_at_all(server):
    server.status = 404
    (finding,) = check_model()
    assert finding.state == OK and "compact" in finding.text and "HTTP 404" in finding.text
    server.shutdown()
    server.server_close()
    (finding,) = check_model()
    assert finding.state == OK and "auto is the compact model" in finding.text and "cannot be reached" in finding.text


def test_what_is_in_the_cache_asks_no_server(server, monkeypatch):
    weights = locate.cache_folder() / "downloads" / "full.pdparams"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    (finding,) = check_model()
    assert finding.state == NOTE and "will convert the downloaded weights" in finding.text
    monkeypatch.setattr(locate, "CONVERTERS", {"no_package_of_this_name": "paddledet"})
    (finding,) = check_model()
    assert finding.state == OK and "auto is the compact model" in finding.text and "paddledet" in finding.text
    shutil.copytree(locate.COMPACT, locate.cache_folder() / "full")
    (finding,) = check_model()
    assert finding.state == NOTE and "auto is the full model, about 0.9 s a frame" in finding.text
    assert server.asked == []
