"""What README.md and its Chinese twin show runs, what they name exists, and both say the same."""

import ast
import dataclasses
import importlib
import inspect
import json
import re
import shlex
import socket
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from tests.helpers.hub import NAME
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker import Predictor, TrackerConfig
from tracker.command import COMMANDS, make_parser, run_command
from tracker.options import DETECTION, TRACKER
from tracker.sinks.mot_text import read_frames
from training.tasks.compact_task import CompactSettings
from training.tasks.full_task import FullSettings

READMES = ("README.md", "README_cn.md")
PAGES = (*READMES, "docs/counting.md", "demo/README.md", "weights/README.md", "weights/TRAINING.md")
TOOL = re.compile(r"(?:python )?tools/((?:\w+/)?\w+)\.py")
FLAG = re.compile(r"(?<![\w-])--\w[\w-]*")


def read(page):
    return (ROOT / page).read_text()


def code_blocks(page, language):
    """The fenced blocks of a page in a language, without the indentation of the list they stand in."""
    blocks = re.findall(rf"^ *(?:- )?```{language}\n(.*?)^ *```", read(page), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]


def block_with(page, text):
    """The one Python block that contains a text."""
    (block,) = [block for block in code_blocks(page, "python") if text in block]
    return block


def replaced(code, old, new):
    assert code.count(old) == 1, f"{old} is to be in the block once"
    return code.replace(old, new)


@pytest.fixture(scope="module")
def predictor():
    return Predictor("compact")


@pytest.fixture
def street(tmp_path, monkeypatch, clip_frames):
    """A folder with the video that the examples name, as current one."""
    monkeypatch.chdir(tmp_path)
    return write_video(tmp_path / "street.mp4", clip_frames[:8], rate=10)


@pytest.mark.parametrize("page", READMES)
def test_the_sink_sends_what_the_text_has(page, street, predictor):
    with socket.create_server(("localhost", 0)) as server:
        code = replaced(block_with(page, "sinks=["), "5000", str(server.getsockname()[1]))
        exec(compile(code, page, "exec"), {"tracker": predictor})
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


@pytest.mark.parametrize("page", READMES)
def test_the_first_example_tracks_a_video(page, street, predictor, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "paddlehub", SimpleNamespace(Module=lambda name: {NAME: predictor}[name]))
    example = {}
    exec(compile(block_with(page, "print(result)"), page, "exec"), example)
    assert all(f"`{stage}`" in read(page) for stage in example["result"].stage_fps)
    assert "street: 8 frames" in capsys.readouterr().out
    assert (street.parent / "mot_result" / "mot_results" / "street.txt").exists()
    assert (street.parent / "mot_result" / "mot_outputs" / "street_vis.mp4").exists()


@pytest.mark.parametrize("page", READMES)
def test_the_example_with_images_writes_nothing(page, tmp_path, predictor, monkeypatch, capsys, clip_frames):
    monkeypatch.chdir(tmp_path)
    given = {"tracker": predictor, "images": clip_frames[:3], "times": [0, 0.1, 0.3]}
    exec(compile(block_with(page, "stream_mode(output_dir=None)"), page, "exec"), given)
    assert capsys.readouterr().out.startswith("[1 2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("page", READMES)
@pytest.mark.parametrize("name", ["mot_predict", "stream_mode"])
def test_signatures(page, name):
    stated = f"{block_with(page, f'def {name}(').strip()}: pass"
    function = {}
    exec(compile(stated, page, "exec"), function)
    parameters = inspect.signature(getattr(Predictor, name)).parameters.values()
    expected = [(p.name, p.kind, p.default) for p in parameters if p.name != "self"]
    assert [(p.name, p.kind, p.default) for p in inspect.signature(function[name]).parameters.values()] == expected


@pytest.mark.parametrize("page", READMES)
def test_arguments_of_the_module(page):
    (call,) = ast.parse(block_with(page, "threads=None").strip()).body
    stated = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.value.keywords}
    arguments = inspect.signature(Predictor).parameters
    known = ("model", "threads", "backend", "precision", "input_size", "device")
    assert stated == {"name": NAME, **{a: arguments[a].default for a in known}}


@pytest.mark.parametrize("page", READMES)
def test_other_python_blocks_compile(page):
    for block in code_blocks(page, "python"):
        if not block.startswith("def "):  # a signature
            compile(block, page, "exec")


def shell_commands(page):
    for block in code_blocks(page, "shell"):
        yield from re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]


class RecordingPredictor:
    """Takes what the command line asks for, and does nothing."""

    detector = None

    def change_model(self, *chosen):
        pass

    def mot_predict(self, source, **options):
        self.source = source


@pytest.fixture
def help_text(capsys, monkeypatch):
    """A function that returns the help of a command such as "track", of a tool, or of a part of ``benchmark``."""

    def of(name, *words):
        with pytest.raises(SystemExit):
            if name in COMMANDS:
                run_command(RecordingPredictor(), "hub run", [name, "--help_all"])
            else:
                monkeypatch.setattr(sys, "argv", [name, *words, "--help"])
                importlib.import_module(f"tools.{name.replace('/', '.')}").main()
        return capsys.readouterr().out

    return of


def tool_and_part(command):
    """The name of the tool that a command starts, and of the part of ``benchmark``."""
    tool = TOOL.match(command)
    return (tool[1], command[tool.end() :].split()[0]) if tool[1] == "benchmark" else (tool[1],)


def assert_flags_known(command, help):
    """Argparse accepts the beginning of a flag; readers should see the whole one."""
    assert set(FLAG.findall(command)) <= set(FLAG.findall(help)), command


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_accepted(page, monkeypatch, help_text):
    for command in shell_commands(page):
        words = shlex.split(command, comments=True)
        if words[:3] == ["hub", "run", NAME]:
            assert_flags_known(command, help_text("track"))
            predictor = RecordingPredictor()
            run_command(predictor, "hub run", words[3:])
            assert predictor.source, command
        elif words[:3] == ["python", "-m", "tracker"]:
            assert_flags_known(command, help_text(words[3]))
            make_parser("tracker", words[3]).parse_args(words[4:])
        elif words[0] == "python":
            assert_flags_known(command, help_text(*tool_and_part(command)))
            tool = importlib.import_module(f"tools.{tool_and_part(command)[0].replace('/', '.')}")
            if hasattr(tool, "run"):
                asked = []
                monkeypatch.setattr(tool, "run", asked.append)
                assert tool.main(words[2:]) == 0 and asked, command


@pytest.mark.parametrize("page", READMES)
def test_flags_in_the_text_exist(page, help_text):
    for section in re.split(r"^- ### ", read(page), flags=re.MULTILINE):
        prose = re.sub(r"```.*?```", "", section, flags=re.DOTALL)
        tools = sorted(set(TOOL.findall(section)))
        known = "".join(map(help_text, COMMANDS)) + "".join(help_text(tool) for tool in tools)
        for code in re.findall(r"`([^`]+)`", prose):
            if not code.startswith("pip "):
                assert_flags_known(code, help_text(*tool_and_part(code)) if TOOL.match(code) else known)


def names_within(settings, prefix=""):
    for name, value in settings.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from names_within(value, f"{prefix}{name}.")


@pytest.mark.parametrize("page", PAGES)
def test_training_settings_exist(page):
    files = sorted((ROOT / "config").glob("train_*.yml"))
    known = {name for file in files for name in names_within(yaml.safe_load(file.read_text()))}
    known |= {f"task.{field.name}" for task in (CompactSettings, FullSettings) for field in dataclasses.fields(task)}
    assert set(re.findall(r"--set \"?([\w.]+)=", read(page))) <= known


@pytest.mark.parametrize("page", PAGES)
def test_what_is_named_exists(page):
    folder = (ROOT / page).parent
    for link in re.findall(r"(?:\]\(|src=\")(?!http)([^)\"#]+)", read(page)):
        assert (folder / link).exists(), link
    folders = "config|demo|docs|tests|tools|tracker|training|weights"
    for path in re.findall(rf"(?<![\w./-])((?:{folders})/[\w./]*\w\.(?:py|yml|md|sh|mp4|pdparams))", read(page)):
        assert (ROOT / path).exists(), path


def table(page, first_column):
    lines = iter(read(page).splitlines())
    next(line for line in lines if line.strip().startswith(f"| {first_column} |"))
    for line in lines:
        if not line.strip():
            return
        yield [cell.strip() for cell in line.strip().strip("|").split("|")]


@pytest.mark.parametrize(("page", "heading"), [("README.md", "name"), ("README_cn.md", "名称")])
def test_options_and_their_defaults(page, heading):
    seen = []
    for names, default, *_ in table(page, heading):
        for name in re.findall(r"`(\w+)`", names):
            assert name in {**DETECTION, **TRACKER}
            seen.append(name)
            if name in TRACKER and name != "conf_thres" and "," not in default and "、" not in default:
                assert yaml.safe_load(default.strip("`")) == getattr(TrackerConfig(), name), name
    assert len(seen) >= 12


def test_both_languages_show_the_same_code():
    for language in ("python", "shell"):
        english, chinese = (
            [re.sub(r"\s*#.*", "", block).strip() for block in code_blocks(page, language)] for page in READMES
        )
        assert english == chinese


def test_both_languages_state_the_same_figures():
    def figures(page):
        section = read(page).partition("### 5、")[2].partition("### 6、")[0]
        rows = [line for line in section.splitlines() if line.strip().startswith("|")]
        return [re.findall(r"\d+(?:\.\d+)?", row) for row in rows]

    assert len(figures("README.md")) > 30
    assert figures("README.md") == figures("README_cn.md")
