"""The pages of the project and what stands in them: code, commands, tables, links."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass

from tests.helpers.paths import ROOT

READMES = ("README.md", "README_cn.md")
PAGES = (*READMES, "CONTRIBUTING.md", "SECURITY.md", "demo/README.md")
PAGES += tuple(
    path.relative_to(ROOT).as_posix() for folder in ("docs", "weights") for path in sorted((ROOT / folder).glob("*.md"))
)
OF_OTHERS = "docs/comparison.md"  # speaks of files and flags of other projects
NEEDS = re.compile(
    r"#.*\bneeds (a camera|a GPU|a cluster|the network|docker)\b", re.IGNORECASE
)  # in a comment behind a command


@dataclass(frozen=True)
class ShellCommand:
    """A command that a page shows.

    Attributes:
        page: the page.
        text: the whole line as a shell gets it, comment and all.
        words: its words, those of a pipe or redirection after it left out.
        needs: what the page says that it needs; None where it runs anywhere.
    """

    page: str
    text: str
    words: tuple[str, ...]
    needs: str | None

    @property
    def line(self) -> str:
        """The words with one space between them."""
        return " ".join(self.words)


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def code_blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language, without the indentation of the list they stand in."""
    blocks = re.findall(rf"^ *(?:- )?```{language}\n(.*?)^ *```", read(page), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]


def without_blocks(page: str) -> str:
    """The text of a page without its fenced blocks."""
    return re.sub(r"^ *(?:- )?```.*?^ *```$", "", read(page), flags=re.DOTALL | re.MULTILINE)


def block_lines(block: str) -> list[str]:
    """The lines of a shell block as a shell gets them: each begins with a dollar sign; what it prints is left out."""
    head, *parts = re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)
    assert not head.strip(), f"a command begins with '$ ': {head}"
    return [first_command(part) for part in parts]


def first_command(text: str) -> str:
    """The first line of a text, and those after it that belong to a quoted word which it begins."""
    lines = text.strip().splitlines()
    for count in range(1, len(lines) + 1):
        command = "\n".join(lines[:count])
        try:
            shlex.split(command, comments=True)
        except ValueError:  # a quotation is open
            continue
        return command
    raise AssertionError(f"a quotation has no end: {text}")


def split_line(line: str) -> list[tuple[str, ...]]:
    """The commands of a line, those joined by && each by itself, without assignments before and pipes behind them."""
    words = shlex.shlex(line, posix=True, punctuation_chars="&|>")
    words.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "&&":
            commands.append([])
        else:
            commands[-1].append(word)
    plain = []
    for command in commands:
        end = next((at for at, word in enumerate(command) if word in ("|", ">")), len(command))
        begin = next(at for at, word in enumerate(command) if not re.match(r"[A-Z]\w*=", word))
        plain.append(tuple(command[begin:end]))
    return plain


def shell_commands(page: str) -> list[ShellCommand]:
    """All commands of a page."""
    found = []
    for block in code_blocks(page, "shell"):
        for line in block_lines(block):
            needs = NEEDS.search(line)
            found += [ShellCommand(page, line, words, needs and needs[1]) for words in split_line(line)]
    return found


def inline_commands(page: str) -> list[ShellCommand]:
    """The commands within the sentences of a page, which begin with python, pip or bash."""
    found = []
    for code in re.findall(r"`([^`]+)`", without_blocks(page)):
        line = " ".join(code.split())
        if re.match(r"(?:[A-Z]\w*=\S+ )*(?:python|pip|bash) ", line):
            found += [ShellCommand(page, line, words, None) for words in split_line(line)]
    return found


def table(page: str, first_column: str) -> list[list[str]]:
    """The cells of the table whose first column has a heading, row by row."""
    lines = read(page).splitlines()
    begin = next(at for at, line in enumerate(lines) if line.strip().startswith(f"| {first_column} |"))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.strip().startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows


def anchors(page: str) -> set[str]:
    """What can stand behind # in a link to a page, as GitHub makes it of the headings."""
    found: set[str] = set()
    for heading in re.findall(r"^ *(?:- )?#+ (.+)$", without_blocks(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(name if name not in found else f"{name}-1")
    return found
