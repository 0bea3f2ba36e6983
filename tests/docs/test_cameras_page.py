"""What docs/cameras.md and demo/camera.service name exists."""

import configparser
import re
import shlex

from tests.helpers.paths import ROOT
from tracker.command import COMMANDS, make_parser

PAGE = (ROOT / "docs" / "cameras.md").read_text()
SERVICE = (ROOT / "demo" / "camera.service").read_text()


def test_commands_of_the_page_are_understood():
    lines = re.findall(r"^\$ python -m tracker (.*)$", PAGE, re.MULTILINE)
    assert lines
    for line in lines:
        command, *words = shlex.split(line)
        make_parser("tracker", command).parse_args(words)


def test_flags_and_files_of_the_page_exist():
    known = "".join(make_parser("tracker", name, True).format_help() for name in COMMANDS) + "--folder"
    for flag in re.findall(r"`(--\w+)", PAGE):
        assert flag in known, flag
    for link in re.findall(r"\]\((?!http)([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    for path in re.findall(r"`((?:tests|demo|tracker)/[\w./]+)`", PAGE):
        assert (ROOT / path).exists(), path


def test_the_service_starts_a_command_that_is_understood():
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(SERVICE.replace("\\\n", " "))
    assert unit.sections() == ["Unit", "Service", "Install"]
    _, *words = shlex.split(unit["Service"]["ExecStart"])
    assert words[:3] == ["-m", "tracker", "track"]
    given = make_parser("tracker", "track").parse_args(words[3:])
    assert str(given.output_dir).startswith(f"/var/lib/{unit['Service']['StateDirectory']}")
