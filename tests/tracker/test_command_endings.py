"""How the command ends: its exit code, and what it prints where and when it is interrupted or nobody reads."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.fake_pipeline import FakeDetector, numbered
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker.command import print_result, run_command
from tracker.predictor import Predictor


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "street.mp4", numbered(20), rate=10)


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "terminated")],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_signal_during_the_run(number, code, word, as_json, clip, tmp_path, capsys):
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
    detector = FakeDetector(lambda frame: signal.raise_signal(number) if frame == 5 else None)
    words = [str(clip), "--output_dir", str(tmp_path), *(["--json"] if as_json else [])]
    with pytest.raises(SystemExit) as caught:
        run_command(Predictor(detector=detector), "tracker", words)
    assert caught.value.code == code
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == f"{word}: the files hold all finished frames"
    if as_json:
        result = json.loads(out)
        assert 6 <= result["frames"] < 20 and set(result["files"]) == {"text", "video", "run", "times"}
    else:
        assert out == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_loading(number, code, clip, tmp_path, capsys, monkeypatch):
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
    monkeypatch.setattr(Predictor, "load_model", lambda *_: signal.raise_signal(number))
    with pytest.raises(SystemExit) as caught:
        run_command(Predictor(), "tracker", [str(clip), "--output_dir", str(tmp_path), "--model", "compact"])
    assert caught.value.code == code and list(tmp_path.iterdir()) == []
    out, err = capsys.readouterr()
    assert out == "" and err in ("interrupted\n", "terminated\n")


def test_ctrl_c_while_modules_are_imported():
    program = "import signal, sys; sys.modules['tracker.command'] = None\n"
    program += "from tracker import __main__ as program\n"
    program += "program.safe_streams = lambda: signal.raise_signal(signal.SIGINT)\n"
    program += "signal.signal(signal.SIGINT, signal.default_int_handler)\nprogram.main()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


WITHOUT_STREAMS = """
import os, sys
for number in map(int, sys.argv[1].split()):
    os.close(number)
for number, name in enumerate(("stdin", "stdout", "stderr")):
    if str(number) in sys.argv[1]:
        setattr(sys, name, None)  # as Python does at its start
from tracker.pipeline.standard_streams import safe_streams
with safe_streams():
    file = open(sys.argv[2], "w")
    assert file.fileno() > 2, "what libraries print would come into it"
    print("printed")
    print("told", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("closed", ["0", "1", "2", "1 2", "0 1 2"])
def test_no_file_gets_the_number_of_a_closed_stream(closed, tmp_path):
    words = [sys.executable, "-c", WITHOUT_STREAMS, closed, str(tmp_path / "file")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if "1" in closed else "printed\n") and done.stderr == ("" if "2" in closed else "told\n")


def test_a_result_that_cannot_be_printed_is_an_error_in_one_line():
    program = "from tracker.command import print_result; print_result('a result')"
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", program]
        done = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == 1
    assert done.stderr == "error: cannot print the result: No space left on device; the files are complete\n"


def test_a_stderr_that_nobody_reads_costs_nothing(clip, tmp_path, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as broken:
        monkeypatch.setattr(sys, "stderr", broken)
        words = [str(clip), "--output_dir", str(tmp_path), "--progress"]
        assert run_command(Predictor(detector=FakeDetector()), "tracker", words).frames == 20


def test_a_result_is_printed(capsys):
    print_result("a result")
    assert capsys.readouterr().out == "a result\n"
