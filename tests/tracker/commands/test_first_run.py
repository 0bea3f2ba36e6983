"""What is asked and said before the full model is downloaded: in a terminal, in a pipe, in Python."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.http_server import serving
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tests.tracker.commands.terminal import REACTION, Terminal
from tracker.models import locate
from tracker.models.locate import COMPACT
from tracker.predictor import Predictor

PROGRAM = """
import shutil, sys
from pathlib import Path
from tracker import __main__ as program
from tracker.models import locate
locate.FULL_URL = sys.argv.pop(1)
def convert(weights, folder):
    return Path(shutil.copytree(locate.COMPACT, folder))
locate._convert = convert
program.main()
"""
ASKED = "Download the full model? [y/N] "
SAID = "INFO: model auto downloads the full model, 293 MB, once; it takes about 0.9 s a frame on two cores"
HERE = "--model compact"


@pytest.fixture(scope="module")
def clip(tmp_path_factory, clip_frames):
    return write_video(tmp_path_factory.mktemp("clip") / "street.mp4", clip_frames[:3], rate=10)


@pytest.fixture
def server():
    with serving() as server:
        server.content = pickle.dumps({"weights": [1.0, 2.0]}, protocol=4)
        yield server


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def words(server, clip, tmp_path):
    name = "jde_darknet53_30e_1088x608.pdparams"
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    return [sys.executable, "-c", PROGRAM, url, clip, "--output_dir", tmp_path / "out", "--visualization", "no"]


def surroundings(home):
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "HUB_HOME": str(home)}


@pytest.fixture
def in_terminal(words, home):
    """Start the command with further words in a terminal."""
    started = []

    def start(*more, **options):
        started.append(Terminal([*words, *more], cwd=ROOT, env=surroundings(home), **options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()


@pytest.mark.parametrize("answer", ["\n", "n\n", "what?\n", "\x04"])
def test_any_answer_but_yes_goes_on_with_the_compact_model(answer, in_terminal, server, home):
    run = in_terminal()
    run.wait_for(ASKED)
    for told in ("293 MB", "0.9 s a frame", "18 to 40 ms", HERE):
        assert told in run.shown
    run.type(answer)
    assert run.end() == 0, run.shown
    assert "Going on with the compact model.\n" in run.shown and "street: 3 frames" in run.shown
    assert "WARNING" not in run.shown and server.requests == [] and not home.exists()
    assert max(map(len, run.shown.partition(ASKED)[0].splitlines())) <= 80


@pytest.mark.parametrize("answer", ["y\n", " YES \n"])
def test_yes_downloads_it_and_the_next_run_asks_nothing(answer, in_terminal, server, home):
    run = in_terminal()
    run.wait_for(ASKED)
    assert server.requests == [], "asked of a server before anybody agreed"
    run.type(answer)
    assert run.end() == 0, run.shown
    assert len(server.requests) == 1 and list(home.rglob("full/infer_cfg.yml"))
    again = in_terminal()
    assert again.end() == 0 and ASKED not in again.shown and len(server.requests) == 1


@pytest.mark.parametrize(
    ("ending", "code", "word"), [("\x03", 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interrupt_at_the_question_ends_in_order(ending, code, word, in_terminal, server, tmp_path):
    run = in_terminal()
    run.wait_for(ASKED)
    if isinstance(ending, str):
        run.type(ending)
    else:
        time.sleep(REACTION)
        run.process.send_signal(ending)
    assert run.end() == code
    assert run.shown.endswith(f"\n{word}\n") and "Traceback" not in run.shown
    assert server.requests == [] and not (tmp_path / "out").exists()


def test_the_question_stays_out_of_the_result(in_terminal, tmp_path):
    with (tmp_path / "result.json").open("wb") as file:
        run = in_terminal("--json", stdout=file)
        run.wait_for(ASKED)
        run.type("\n")
        assert run.end() == 0, run.shown
    assert (tmp_path / "result.json").read_text().startswith('{"name": "street"')


@pytest.mark.parametrize("more", [["--model", "compact"], ["--help"]])
def test_nothing_is_asked_where_nothing_is_to_be_downloaded(more, in_terminal, server):
    run = in_terminal(*more)
    assert run.end() == 0 and ASKED not in run.shown and server.requests == []


def test_a_wrong_command_line_is_told_before_anything_is_asked(words, home, in_terminal):
    del words[4]
    run = in_terminal()
    assert run.end() == 2 and ASKED not in run.shown and "SOURCE is required" in run.shown


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, subprocess.PIPE])
def test_a_pipe_is_told_in_one_line_and_asked_nothing(stdin, words, home, server):
    options = {"stdin": stdin, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run([str(word) for word in words], cwd=ROOT, env=surroundings(home), **options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("street: 3 frames") and len(server.requests) == 1
    (line,) = [line for line in done.stderr.splitlines() if "model auto" in line]
    assert line.startswith(SAID) and HERE in line and ASKED not in done.stderr


@pytest.mark.parametrize("script", ['"$@" 2>errors', 'set -m; "$@" & wait $!'])
def test_errors_in_a_file_or_a_job_in_the_background_ask_nothing(script, words, home, server, tmp_path):
    surrounding = {**surroundings(home), "PYTHONPATH": str(ROOT)}
    run = Terminal(["bash", "-c", script, "-", *words], cwd=tmp_path, env=surrounding)
    assert run.end() == 0, run.shown
    errors = (tmp_path / "errors").read_text() if "errors" in script else run.shown
    assert SAID in errors and ASKED not in errors + run.shown and len(server.requests) == 1


def test_python_is_never_asked(server, clip, home, tmp_path, monkeypatch, capsys):
    class Keyboard:
        def isatty(self):
            return True

        def __getattr__(self, name):
            pytest.fail(f"{name} of the keyboard was used")

    monkeypatch.setenv("HUB_HOME", str(home))
    monkeypatch.setattr(locate, "FULL_URL", server.url)
    monkeypatch.setattr(locate, "_convert", lambda weights, folder: shutil.copytree(COMPACT, folder))
    monkeypatch.setattr(sys, "stdin", Keyboard())
    result = Predictor().mot_predict(clip, tmp_path / "out", visualization=False, progress=False)
    assert result.frames == 3 and len(server.requests) == 1
    assert capsys.readouterr() == ("", "")


def test_without_what_converts_them_no_weights_are_downloaded(server, home, monkeypatch, caplog):
    monkeypatch.setenv("HUB_HOME", str(home))
    monkeypatch.setattr(locate, "FULL_URL", server.url)
    monkeypatch.setattr(locate, "CONVERTERS", {"no_package_of_this_name": "paddledet"})
    assert locate.find_model("auto") == COMPACT
    assert server.requests == [] and "converted by paddledet, not installed here" in caplog.text
