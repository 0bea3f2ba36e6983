"""Which model is taken, what happens to damaged and foreign ones, and the conversion of given weights."""

import hashlib
import http.server
import logging
import os
import pickle
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml

import tracker.models.download
from tracker.errors import ModelError, OptionError
from tracker.models import child, locate
from tracker.models.locate import COMPACT, cache_folder, find_model

FILES = ("model.pdmodel", "model.pdiparams", "embed.pdmodel", "embed.pdiparams")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A PaddleHub home of its own for every test, no proxy, no pauses."""
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tracker.models.download, "PAUSES", (0.0,))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def server(monkeypatch):
    """Serves ``server.content`` under any path; counts what was asked for in ``server.asked``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.content)))
            self.end_headers()
            self.wfile.write(self.server.content)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.asked = True, []
        server.content = pickle.dumps({"backbone.conv.weight": np.ones((2, 2), np.float32)}, protocol=4)
        server.url = f"http://127.0.0.1:{server.server_port}/some/jde_darknet53_30e_1088x608.pdparams"
        monkeypatch.setattr(locate, "FULL_URL", server.url)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def exports(monkeypatch):
    """Conversion replaced by a copy of the compact model; gives the list of weights converted."""
    done = []

    def convert(path, folder):
        done.append(path)
        shutil.copytree(COMPACT, folder)
        return folder

    monkeypatch.setattr(locate, "_convert", convert)
    return done


def set_config(folder, **changes):
    """Change entries of ``infer_cfg.yml``; None removes one."""
    path = folder / "infer_cfg.yml"
    values = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({name: value for name, value in values.items() if value is not None}))


def failure(model, kind=ModelError):
    """The message with which a model is refused: one line."""
    with pytest.raises(kind) as caught:
        find_model(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_compact_is_bundled_and_whole():
    assert find_model("compact") == COMPACT
    stated = yaml.safe_load((COMPACT / "infer_cfg.yml").read_text())["sha256"]
    assert set(stated) == set(FILES)
    for name in FILES:
        assert hashlib.sha256((COMPACT / name).read_bytes()).hexdigest() == stated[name]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_taken_as_it_is(copy, kind):
    assert find_model(kind(copy)) == copy


def test_the_home_of_the_user_is_expanded(copy, monkeypatch):
    monkeypatch.setenv("HOME", str(copy.parent))
    assert find_model("~/copy") == copy


@pytest.mark.parametrize("model", [None, 3, b"compact", ["compact"], "", True])
def test_models_of_a_wrong_type_are_refused(model):
    assert f"not {model!r}" in failure(model, OptionError)


@pytest.mark.parametrize("model", ["compakt", "COMPACT", "/nowhere/model.pdparams", "~nobody-of-this-name/model"])
def test_unknown_names_are_refused_with_what_is_known(model):
    message = failure(model)
    assert repr(model) in message and all(name in message for name in ("auto", "full", "compact", ".pdparams"))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"onnx")
    assert "model.onnx is neither a .pdparams file nor an inference folder" in failure(tmp_path / "model.onnx")
    assert "no model folder: " in failure(tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "grow", "remove"])
def test_damaged_files_are_named_with_what_to_do(copy, name, damage):
    path = copy / name
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    path.write_bytes({"flip": data, "truncate": data[:-1], "grow": data + b"\0"}.get(damage, b""))
    if damage == "remove":
        path.unlink()
    message = failure(copy)
    wanted = f"{copy} is incomplete: {name} is missing" if damage == "remove" else f"{path} is damaged"
    assert message.startswith(wanted) and message.endswith("export the model again")


def test_the_remedy_depends_on_where_the_model_lies(copy, home, monkeypatch):
    full = shutil.copytree(copy, cache_folder() / "full")
    (full / "embed.pdmodel").unlink()
    assert failure("full").endswith(f"delete {full} and run again")
    (copy / "embed.pdmodel").unlink()
    monkeypatch.setattr(locate, "COMPACT", copy)
    assert failure("compact").endswith("install the module again")


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"\x00"])
def test_a_config_that_cannot_be_read_is_refused(copy, content):
    (copy / "infer_cfg.yml").write_bytes(content)
    assert f"{copy} is no model folder: " in failure(copy)


@pytest.mark.parametrize("digests", ["text", ["model.pdmodel"], 3])
def test_digests_of_another_form_are_refused(copy, digests):
    set_config(copy, sha256=digests)
    assert "infer_cfg.yml states no digests" in failure(copy)
    set_config(copy, sha256={5: "x"})
    assert "a digest of 5, which is no file" in failure(copy)


def test_auto_without_network_is_the_compact_model_and_says_so_once(no_network, caplog):
    with caplog.at_level(logging.INFO):
        assert find_model("auto") == COMPACT
    (record,) = caplog.records
    message = record.getMessage()
    assert record.levelno == logging.WARNING and "\n" not in message
    for part in ("compact", no_network, "jde_darknet53_30e_1088x608.pdparams", "--model FILE", "--model compact"):
        assert part in message


def test_auto_is_the_compact_model_where_nothing_can_be_saved(server, home, caplog):
    home.write_text("a file where a folder must be")
    assert find_model("auto") == COMPACT
    assert len(caplog.records) == 1 and "cannot be saved" in caplog.text


def test_full_without_network_is_an_error(no_network, home):
    message = failure("full")
    assert no_network in message and "check the address, the network and the proxy settings" in message
    assert not (cache_folder() / "full").exists()


@pytest.mark.parametrize("model", ["full", "auto"])
def test_a_cached_full_model_needs_neither_network_nor_conversion(copy, no_network, monkeypatch, caplog, model):
    cached = shutil.copytree(copy, cache_folder() / "full")
    monkeypatch.setattr(locate, "_convert", lambda *_: pytest.fail("converted again"))
    assert find_model(model) == cached
    assert not caplog.records


def test_full_is_downloaded_and_converted_once(server, exports):
    folder = find_model("full")
    assert folder == cache_folder() / "full" and len(server.asked) == len(exports) == 1
    assert exports[0].read_bytes() == server.content
    assert find_model("full") == find_model("auto") == folder
    assert len(server.asked) == len(exports) == 1


def test_weights_from_an_address_are_converted_once(server, exports):
    folder = find_model(server.url)
    assert folder.parent == cache_folder() and folder.name != "full"
    assert find_model(server.url) == folder
    assert len(server.asked) == len(exports) == 1
    # the same file name elsewhere, with other contents
    server.content = b"\x80\x02other"
    other = find_model(server.url.replace("some", "other"))
    assert other != folder and len(server.asked) == len(exports) == 2


@pytest.mark.parametrize("content", [b"<html>not found</html>", b'{"error": 404}', b"not found"])
def test_a_page_in_place_of_weights_is_thrown_away(server, exports, content):
    real, server.content = server.content, content
    with pytest.raises(ModelError, match="it was thrown away: use another address"):
        find_model(server.url)
    assert all(file.suffix == ".lock" for file in (cache_folder() / "downloads").iterdir())
    server.content = real
    find_model(server.url)
    assert len(server.asked) == 2 and len(exports) == 1


def test_weights_from_a_file_are_converted_anew_when_they_change(tmp_path, exports):
    path = tmp_path / "mine.pdparams"
    path.write_bytes(b"one")
    first = find_model(path)
    assert find_model(str(path)) == first and exports == [path]
    path.write_bytes(b"two")
    assert find_model(path) != first and len(exports) == 2
    path.write_bytes(b"one")
    assert find_model(path) == first and len(exports) == 2


FAKE_EXPORT = """
import pathlib, shutil, sys, time
output = pathlib.Path(sys.argv[sys.argv.index("--output") + 1])
with open(output.parent / "runs.txt", "a") as runs:
    runs.write("run\\n")
time.sleep(0.3)
assert not output.exists()
shutil.copytree({compact!r}, output)
"""


@pytest.fixture
def fake_export(tmp_path, monkeypatch):
    """A project whose conversion is a script of our own; call with its text."""
    package = tmp_path / "project" / "tracker" / "models"
    package.mkdir(parents=True)
    monkeypatch.setattr(child, "ROOT", tmp_path / "project")
    return (package / "export.py").write_text


def test_of_several_conversions_at_once_one_runs(tmp_path, fake_export):
    fake_export(FAKE_EXPORT.format(compact=str(COMPACT)))
    path = tmp_path / "mine.pdparams"
    path.write_bytes(b"weights")
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(find_model, [path] * 4))
    assert len(set(folders)) == 1 and find_model(path) == folders[0]
    assert (cache_folder() / "runs.txt").read_text() == "run\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; print('noise'); sys.exit('first line\\nerror: these are no weights')", "these are no weights"),
        ("import os; os._exit(3)", "without a message"),
        ("raise OSError(28, 'No space left on device')", "OSError: [Errno 28] No space left on device"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed (signal 11)"),
    ],
)
def test_a_failed_conversion_is_told_in_one_line(tmp_path, fake_export, script, message):
    fake_export(script)
    path = tmp_path / "mine.pdparams"
    path.write_bytes(b"weights")
    assert message in failure(path)
    assert not [entry for entry in cache_folder().iterdir() if entry.is_dir()]


def test_a_failed_conversion_of_a_download_tells_how_to_fetch_it_again(server, fake_export):
    fake_export("import sys; sys.exit('error: these are no weights')")
    kept = cache_folder() / "downloads" / "jde_darknet53_30e_1088x608.pdparams"
    message = failure("full")
    assert message.startswith(f"these are no weights; delete {kept} and {kept.name}.json to ")
    server.content = b"other"
    kept.unlink()
    kept.with_name(f"{kept.name}.json").unlink()
    failure("full")
    assert len(server.asked) == 2


def test_the_full_weights_have_the_pinned_digest(server, exports, monkeypatch):
    monkeypatch.setattr(locate, "FULL_SHA256", "0" * 64)
    assert "0" * 64 in failure("full") and not exports
    monkeypatch.setattr(locate, "FULL_SHA256", hashlib.sha256(server.content).hexdigest())
    find_model("full")
    assert len(exports) == 1


@pytest.mark.parametrize("blocked", ["cache", "lock"])
def test_a_cache_that_cannot_be_written_is_named(tmp_path, home, fake_export, blocked):
    path = tmp_path / "mine.pdparams"
    path.write_bytes(b"weights")
    if blocked == "cache":
        home.write_text("a file where a folder must be")
    else:
        (cache_folder() / f"mine-{hashlib.sha256(b'weights').hexdigest()[:16]}.lock").mkdir(parents=True)
    message = failure(path)
    assert f"cannot convert {path} in {cache_folder()}" in message and "HUB_HOME" in message


def test_weights_that_ask_for_a_command_are_refused_and_nothing_is_run(tmp_path):
    witness = tmp_path / "witness"

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {witness}",)

    path = tmp_path / "hostile.pdparams"
    path.write_bytes(pickle.dumps({"backbone.conv.weight": Hostile()}, protocol=2))
    message = failure(path)
    assert f"{path} is refused: it asks for 'posix.system'" in message
    assert not witness.exists()
    pickle.loads(path.read_bytes())
    assert witness.exists(), "the file is harmless, this test shows nothing"


@pytest.mark.slow
def test_weights_of_another_network_are_refused_with_what_is_missing(server, caplog):
    message = failure("full")
    assert "is not for this network: " in message and "parameters missing ('detector.backbone." in message
    assert not (cache_folder() / "full").exists()
    assert find_model("auto") == COMPACT
    assert len(caplog.records) == 1 and "parameters missing" in caplog.text
    assert len(server.asked) == 1
