"""What is printed: short lines, without what should not be in a bug report."""

import dataclasses
import getpass
import json
from pathlib import Path

import pytest

from tracker.doctor import findings
from tracker.doctor.findings import NOTE, OK, PROBLEM, Checkup, Finding


@pytest.fixture(autouse=True)
def ann(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/srv/people/ann"))
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/people/ann/out is full", "~/out is full"),
        ("/srv/people/ann: full", "~: full"),
        ("/srv/people/anna/out", "/srv/people/anna/out"),
        ("/home/bob/.venv/lib/x.so: no such file", "~/.venv/lib/x.so: no such file"),
        ("in '/Users/Bob'", "in '~'"),
        (r"C:\Users\Bob Smith\x", r"~ Smith\x"),
        ("/data/ann/out", "/data/***/out"),
        ("a plan for ann", "a plan for ann"),
        ("http://ann:secret@proxy:80/x", "http://***@proxy:80/x"),
    ],
)
def test_homes_names_and_passwords_are_masked(text, shown):
    assert Finding("disk", OK, text).text == shown


def test_nobody_without_a_home_is_masked(monkeypatch):
    def nobody(*_):
        raise KeyError("uid")

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert findings.masked("/var/lib") == "/var/lib"


def test_lines_are_short_and_of_a_terminal():
    long = Finding("disk", NOTE, "word " * 60 + "\x1b[31m\n  next")
    lines = str(long).splitlines()
    assert max(map(len, lines)) <= 96 and lines[0].startswith("note     disk       word word")
    assert all(line.startswith(" " * 20) for line in lines[1:])
    assert "\x1b" not in str(long) and "\\x1b[31m" in str(long)


def test_one_problem_is_enough():
    fine, limited, broken = Finding("a", OK, "1"), Finding("b", NOTE, "2"), Finding("c", PROBLEM, "3")
    assert Checkup.of([fine, limited]).works and Checkup.of([fine, limited]).problems == []
    checkup = Checkup.of([fine, broken, limited])
    assert not checkup.works and checkup.problems == ["c"]
    assert len(str(checkup).splitlines()) == 3
    assert json.loads(json.dumps(dataclasses.asdict(checkup)))["findings"][1] == {
        "name": "c",
        "state": "problem",
        "text": "3",
    }
