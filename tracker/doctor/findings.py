"""What a check finds, and all findings together, fit to be pasted into a bug report."""

from __future__ import annotations

import getpass
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import printable

OK, NOTE, PROBLEM = "ok", "note", "problem"
_COLUMNS, _STATE, _NAME = 96, 9, 11  # of a line, of the state, of the name
_HOMES = re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\Users\\)[^/\\\s:'\",;)]+")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: what was checked, in a word or two.
        state: ``ok``; ``note`` for what limits tracking or was not checked; ``problem`` for what keeps it from working.
        text: what was found, and of a problem what to do. Homes, user names and passwords in it are masked.
    """

    name: str
    state: str
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", masked(printable(" ".join(self.text.split()))))

    def __str__(self) -> str:
        first = f"{self.state:{_STATE}}{self.name:{_NAME}}"
        return textwrap.fill(
            self.text,
            _COLUMNS,
            initial_indent=first,
            subsequent_indent=" " * len(first),
            break_long_words=False,
            break_on_hyphens=False,
        )


@dataclass(frozen=True)
class Checkup:
    """All findings, in the order of the checks.

    Attributes:
        works: whether tracking will work: no finding is a problem.
        findings: what was found.
    """

    works: bool
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Checkup:
        """Return the check-up of findings."""
        return cls(all(finding.state != PROBLEM for finding in findings), tuple(findings))

    @property
    def problems(self) -> list[str]:
        """Names of what keeps tracking from working."""
        return [finding.name for finding in self.findings if finding.state == PROBLEM]

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


def masked(text: str) -> str:
    """Return a text without the homes and names of users, and the passwords of addresses, that are in it."""
    text = re.sub(r"://[^/\s@]*@", "://***@", text)
    try:
        home, user = str(Path.home()), getpass.getuser()
    except (RuntimeError, KeyError, OSError):  # no home, or a user without a name
        home, user = "", ""
    if len(home) > 1:
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    text = _HOMES.sub("~", text)
    return re.sub(rf"(?<=[/\\]){re.escape(user)}(?![\w.-])", "***", text) if user else text
