"""Every command that a page shows is typed by a test, or covered by another one, or says what it needs.

Those of the tracker are typed in test_command_runs.py, the others have their tests in covered.py, beside this file.
Whoever parses their words accepts them all.
"""

import dataclasses
import importlib
import re
import sys

import pytest
import yaml
from packaging.requirements import Requirement

from tests.docs.commands.covered import COVERED, covering_test
from tests.docs.pages import OF_OTHERS, PAGES, inline_commands, read, shell_commands, without_blocks
from tests.helpers.hub import NAME
from tests.helpers.paths import ROOT
from tracker.command import COMMANDS, make_parser, run_command
from training.tasks.compact_task import CompactSettings
from training.tasks.full_task import FullSettings

TRACKER = ("python", "-m", "tracker")
HUB = ("hub", "run", NAME)
TOOL = re.compile(r"(?:python )?tools/((?:\w+/)?\w+)\.py")
FLAG = re.compile(r"(?<![\w-])--\w[\w-]*")
ALL = [command for page in PAGES for command in shell_commands(page)]
EVERYWHERE = ALL + [command for page in PAGES for command in inline_commands(page)]


def of_the_tracker(command):
    return command.words[:3] in (TRACKER, HUB)


def is_accounted_for(command):
    """Whether a test types it, or another one covers it, or the page says what it needs."""
    if command.needs or command.words[0] in OF_THE_SYSTEM:
        return True
    if command.words[:2] == ("python", "-c"):
        return compile(command.words[2], command.page, "exec") is not None
    return of_the_tracker(command) or command.words[:2] in OF_THEIR_OWN or covering_test(command.line) is not None


OF_THEIR_OWN = {("bash", "tests/run.sh"), ("pip", "install")}  # have their test below
OF_THE_SYSTEM = {"mkdir", "cp", "chmod"}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_accounted_for(page):
    shown = shell_commands(page) + (inline_commands(page) if page != OF_OTHERS else [])
    assert [command.text for command in shown if not is_accounted_for(command)] == []


@pytest.mark.parametrize("begin", COVERED)
def test_covering_tests_exist_and_are_needed(begin):
    file, _, name = COVERED[begin].partition("::")
    assert f"\ndef {name}(" in (ROOT / file).read_text()
    assert any(covering_test(command.line) == begin for command in EVERYWHERE), "no page shows it"


def requirements(file):
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in (ROOT / file).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def test_files_that_pip_is_given_hold_requirements():
    files = {word for command in ALL for word in command.words if re.fullmatch(r"(\w+/)?requirements[\w-]*\.txt", word)}
    assert {"requirements.txt", "requirements-light.txt"} <= files
    assert all(requirements(file) for file in files)
    for command in ALL:
        if command.words[:2] == ("pip", "install") and not command.needs:
            given = [word for word in command.words[2:] if word != "-r"]
            assert set(given) <= files, f"{command.text}: packages by name need the network"


def test_choices_of_tests_choose_some():
    tests = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    markers = re.findall(r'^    "(\w+): ', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    lines = [command.line for command in EVERYWHERE if command.words[:2] == ("bash", "tests/run.sh")]
    assert len(lines) > 10
    for line in lines:
        for marker in re.findall(r" -m (\w+)", line):
            assert marker in markers, line
        for word in re.findall(r" -k (\w+)", line):
            names = [
                path for path, text in tests.items() if word in str(path) or re.search(rf"def test_\w*{word}", text)
            ]
            assert names, line


class RecordingPredictor:
    """Takes what the command line asks for, and does nothing."""

    detector = None

    def change_model(self, *chosen):
        pass

    def mot_predict(self, source, **options):
        self.source = source


@pytest.fixture(scope="module")
def help_text():
    """A function that returns the help of a command such as "track", of a tool, or of a part of ``benchmark``."""
    told = {}

    def of(name, *words):
        if (name, *words) not in told:
            told[name, *words] = _help(name, words)
        return told[name, *words]

    return of


def _help(name, words):
    if name in COMMANDS:
        return make_parser("tracker", name, True).format_help()
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr(sys, "argv", [name, *words, "--help"])
        patch.setattr(sys, "stdout", type("Printed", (), {"write": lambda self, text: printed.append(text)})())
        with pytest.raises(SystemExit):
            importlib.import_module(f"tools.{name.replace('/', '.')}").main()
    return "".join(printed)


def tool_and_part(line):
    """The name of the tool that a command starts, and of the part of ``benchmark``."""
    tool = TOOL.match(line)
    return (tool[1], line[tool.end() :].split()[0]) if tool[1] == "benchmark" else (tool[1],)


def assert_flags_known(line, help):
    """Argparse accepts the beginning of a flag; readers should see the whole one."""
    assert set(FLAG.findall(line)) <= set(FLAG.findall(help)), line


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_accepted(page, monkeypatch, help_text):
    for command in shell_commands(page):
        if of_the_tracker(command):
            words = list(command.words[3:])
            name = words.pop(0) if words[0] in COMMANDS else "track"
            assert_flags_known(command.line, help_text(name))
            make_parser("tracker", name).parse_args(words)
        elif TOOL.match(command.line):
            assert_flags_known(command.line, help_text(*tool_and_part(command.line)))
            tool = importlib.import_module(f"tools.{tool_and_part(command.line)[0].replace('/', '.')}")
            if hasattr(tool, "run"):
                asked = []
                monkeypatch.setattr(tool, "run", asked.append)
                assert tool.main(command.words[2:]) == 0 and asked, command.text


def test_hub_run_asks_for_its_source():
    for command in ALL:
        if command.words[:3] == HUB and command.words[3] not in COMMANDS:
            predictor = RecordingPredictor()
            run_command(predictor, "hub run", command.words[3:])
            assert predictor.source, command.text


# of pip, of Docker, of tests/attacks/cameras/soak.py, and of tracker/cameras/health.py
OTHER_FLAGS = {"--no-deps", "--force-reinstall", "--folder", "--within", "--page", "--stop-timeout", "--pull"}


@pytest.mark.parametrize("page", [page for page in PAGES if page != OF_OTHERS])
def test_flags_in_the_text_exist(page, help_text):
    text = without_blocks(page)
    tools = sorted({TOOL.match(command.line)[1] for command in shell_commands(page) if TOOL.match(command.line)})
    tools += sorted(set(TOOL.findall(text)) - set(tools))
    known = "".join(map(help_text, COMMANDS)) + " ".join(OTHER_FLAGS)
    known += "".join(
        help_text(tool) for tool in tools if (ROOT / "tools" / f"{tool}.py").exists() and tool != "setup_env"
    )
    for command in inline_commands(page):
        if TOOL.match(command.line):
            assert_flags_known(command.line, help_text(*tool_and_part(command.line)))
    for code in re.findall(r"`([^`]+)`", text):
        if FLAG.match(code):
            assert_flags_known(code, known)


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
