"""Python in the pages runs as it stands, and says what the code says."""

import ast
import inspect
import json
import re
import socket
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tracker as package
from tests.docs.pages import PAGES, READMES, code_blocks, read
from tests.helpers.hub import NAME
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker import Predictor
from tracker.sinks.mot_text import read_frames

PAGE = "docs/python.md"
COMPILED_ONLY = {  # the beginning of a block: why it does not run here, or which test runs it
    "import base64": "tests/test_serving.py posts what it posts",
    "import hashlib": "tests/tracker/delivery/test_webhook.py runs it on a real post",
    "import multiprocessing": "it would change how this process starts others",
}


def block_with(page, text):
    """The one Python block that contains a text."""
    (block,) = [block for block in code_blocks(page, "python") if text in block]
    return block


def replaced(code, old, new):
    assert code.count(old) == 1, f"{old} is to be in the block once"
    return code.replace(old, new)


def run(code, page, **variables):
    exec(compile(code, page, "exec"), variables)
    return variables


@pytest.fixture(scope="module")
def predictor():
    return Predictor("compact")


@pytest.fixture
def street(tmp_path, monkeypatch, clip_frames, predictor):
    """A folder with the video and the scene that the examples name, as current one; with PaddleHub or without."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scene.yml").write_text((ROOT / "demo" / "scene.yml").read_text())
    monkeypatch.setitem(
        sys.modules, "paddlehub", SimpleNamespace(Module=lambda name, model="": {NAME: predictor}[name])
    )
    monkeypatch.setattr(package, "Predictor", lambda model="compact": predictor)
    return write_video(tmp_path / "street.mp4", clip_frames[:8], rate=10)


def test_the_sink_sends_what_the_text_has(street, predictor):
    with socket.create_server(("localhost", 0)) as server:
        code = replaced(block_with(PAGE, "sinks=["), "5000", str(server.getsockname()[1]))
        run(code, PAGE, tracker=predictor)
        server.settimeout(10)
        connection, _ = server.accept()
    with connection:
        connection.settimeout(10)
        lines = [json.loads(line) for line in connection.makefile()]
    assert [line["frame"] for line in lines] == list(range(1, 9))
    sent = {line["frame"]: line for line in lines if line["ids"]}
    written = dict(read_frames(street.parent / "mot_results" / "street.txt"))
    assert len(written) >= 7 and sent.keys() == written.keys()
    for number, rows in written.items():
        assert sent[number]["ids"] == rows[:, 1].astype(int).tolist()
        assert np.allclose(sent[number]["boxes"], rows[:, 2:6], atol=0.006)  # the text has two decimals


@pytest.mark.parametrize("page", ["README.md", PAGE])
def test_the_example_of_the_module_tracks_a_video(page, street, capsys):
    example = run(block_with(page, "import paddlehub"), page)
    assert "street: 8 frames" in capsys.readouterr().out
    assert (street.parent / "mot_result" / "mot_results" / "street.txt").exists()
    assert (street.parent / "mot_result" / "mot_outputs" / "street_vis.mp4").exists()
    assert all(f"`{stage}`" in read(PAGE) for stage in example["result"].stage_fps)


def test_the_example_without_paddlehub_counts(street, capsys):
    example = run(block_with(PAGE, 'Predictor("compact")'), PAGE)
    assert "path" in capsys.readouterr().out and example["result"].files["report"].exists()


def test_the_example_with_images_writes_nothing(tmp_path, predictor, monkeypatch, capsys, clip_frames):
    monkeypatch.chdir(tmp_path)
    code = block_with(PAGE, "stream_mode(output_dir=None)")
    run(code, PAGE, tracker=predictor, images=clip_frames[:3], times=[0, 0.1, 0.3])
    assert capsys.readouterr().out.startswith("[1 2")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_example_of_a_batch(street, capsys):
    (street.parent / "videos").mkdir()
    street.rename(street.parent / "videos" / "street.mp4")
    run(block_with("docs/batch.md", "track_batch"), "docs/batch.md")
    assert capsys.readouterr().out.startswith("street tracked 8 ")


def test_the_example_of_several_cameras(street):
    demo = street.parent / "demo"
    demo.mkdir()
    for name in ("cameras.yml", "scene.yml"):
        (demo / name).write_text((ROOT / "demo" / name).read_text())
    street.rename(demo / "pedestrians.mp4")
    example = run(block_with("docs/cameras.md", "run_cameras"), "docs/cameras.md")
    assert [camera.result.frames for camera in example["result"].cameras] == [8, 4]


@pytest.mark.parametrize("name", ["mot_predict", "stream_mode"])
def test_signatures(name):
    function = run(f"{block_with(PAGE, f'def {name}(').strip()}: pass", PAGE)
    parameters = inspect.signature(getattr(Predictor, name)).parameters.values()
    expected = [(p.name, p.kind, p.default) for p in parameters if p.name != "self"]
    assert [(p.name, p.kind, p.default) for p in inspect.signature(function[name]).parameters.values()] == expected


def test_every_parameter_is_told():
    text = read(PAGE).partition("### Parameters")[2].partition("### Return")[0]
    told = [name for line in re.findall(r"^- (`.*?):", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)]
    assert told == [name for name in inspect.signature(Predictor.mot_predict).parameters if name != "self"]


def test_arguments_of_the_module():
    (call,) = ast.parse(block_with(PAGE, "threads=None").strip()).body
    stated = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.value.keywords}
    arguments = inspect.signature(Predictor).parameters
    known = ("model", "threads", "backend", "precision", "input_size", "device")
    assert stated == {"name": NAME, **{a: arguments[a].default for a in known}}


RUN_ABOVE = ("sinks=[", "import paddlehub", 'Predictor("compact")', "stream_mode(output_dir=None)", "track_batch(")
RUN_ABOVE += ("run_cameras(", "def mot_predict(", "def stream_mode(", "hub.Module(")


@pytest.mark.parametrize("page", [page for page in PAGES if page not in READMES[1:] and code_blocks(page, "python")])
def test_every_block_runs_above_or_has_a_reason(page):
    for block in code_blocks(page, "python"):
        if page == "docs/your_own_detector.md" or any(text in block for text in RUN_ABOVE):
            continue
        compile(block, page, "exec")
        assert any(block.lstrip().startswith(beginning) for beginning in COMPILED_ONLY), block
