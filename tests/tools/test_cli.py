"""What the tools share: exit codes, progress on stderr, JSON files; and that every tool runs from any folder."""

import io
import json
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT
from tools import cli
from tools.cli import progress, run_tool, write_json
from tracker.errors import OptionError, OutputError

TOOLS = {path.stem for path in (ROOT / "tools").glob("*.py") if path.stem != "cli"}
HEAVY = {"cut_people", "eval_model", "eval_mot", "export_model"}  # import Paddle or motmetrics, which takes seconds

# prints the exit code of NAME.py --help for every tool, each with the path that python gives a script
HELP = """
import io, contextlib, runpy, sys

folder, path = sys.argv[1], sys.path[1:]
for name in sys.argv[2:]:
    sys.argv, sys.path[:] = [name, "--help"], [folder, *path]
    for module in [module for module in sys.modules if module.partition(".")[0] in ("tools", "tracker", "training")]:
        del sys.modules[module]
    try:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            runpy.run_path(f"{folder}/{name}.py", run_name="__main__")
    except SystemExit as end:
        print(name, end.code, "--help" in text.getvalue())
"""


def tool(work, argv=()):
    return run_tool("What it does.", lambda parser: parser.add_argument("--number", type=int), work, argv)


def test_what_is_parsed_is_worked_on(capsys):
    assert tool(lambda arguments: print(arguments.number), ["--number", "7"]) == 0
    assert capsys.readouterr().out == "7\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OptionError("no such number"), 1, "error: no such number\n"),
        (OutputError("no room"), 1, "error: no room\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_how_a_tool_ends(error, code, line, capsys):
    def work(arguments):
        raise error

    assert tool(work) == code
    assert capsys.readouterr().err == line


def test_a_wrong_command_line_is_usage():
    with pytest.raises(SystemExit) as end:
        tool(lambda _: pytest.fail("ran"), ["--number", "many"])
    assert end.value.code == 2


def test_a_mistake_in_the_code_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        tool(lambda _: 1 / 0)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_bar_and_whole_lines_above_it(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    for item in progress("abc", "reading", "letters"):
        if item == "b":
            cli.announce("half of it")
    text = screen.getvalue()
    assert "reading:   0%" in text and "0/3" in text
    assert "half of it" in [line.split("\r")[-1] for line in text.splitlines()]


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(cli.time, "monotonic", lambda: now[0])
    for _ in progress(range(7), "reading", "letters"):
        now[0] += 4
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["reading: 3 of 7 letters after 12 s", "reading: 6 of 7 letters after 24 s"]
    for _ in progress(iter("ab"), "reading", "letters"):
        now[0] += 12
    assert capsys.readouterr().err.splitlines()[-1] == "reading: 2 letters after 24 s", "of unknown length"
    assert list(progress([], "reading", "letters")) == [] and capsys.readouterr().err == ""


def test_json_files(tmp_path):
    write_json(tmp_path / "a.json", {"name": "街"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"name": "街"} and "街" in text
    with pytest.raises(OutputError, match="cannot be written"):
        write_json(tmp_path, {})


@pytest.mark.parametrize("tools", [TOOLS - HEAVY, pytest.param(HEAVY, marks=pytest.mark.slow)], ids=["light", "heavy"])
def test_every_tool_runs_from_any_folder(tools, tmp_path):
    assert tools <= TOOLS and len(tools) > 3
    command = [sys.executable, "-c", HELP, str(ROOT / "tools"), *tools]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [f"{name} 0 True" for name in tools], done.stderr
