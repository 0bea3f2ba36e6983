"""What docs/counting.md and docs/reliability.md name is what the code has."""

import re

import pytest

from tests.docs.pages import read
from tests.helpers.paths import ROOT
from tracker.analysis.events import _ORDER
from tracker.analysis.files import TABLES, columns

COUNTING, RELIABILITY = read("docs/counting.md"), read("docs/reliability.md")


def test_the_columns_of_all_tables_are_told():
    for file, kind, _ in TABLES.values():
        (row,) = [line for line in COUNTING.splitlines() if line.startswith(f"| `{file}`")]
        told = re.sub(r"\(.*?\)", "", row.split("|")[2])
        assert ", ".join(columns(kind)) in re.sub(r"\s+,", ",", told), file


def test_all_events_are_told():
    (row,) = [line for line in COUNTING.splitlines() if line.startswith("| `events.jsonl`")]
    assert set(_ORDER) <= set(re.findall(r"\w+", row))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`*]+\.py(?:::\w+)?)`", RELIABILITY))))
def test_tests_that_the_page_names_exist(name):
    file, _, function = name.partition("::")
    code = (ROOT / file).read_text(encoding="utf-8")
    assert f"\ndef {function}(" in code if function else "\ndef test_" in code


def test_numbers_of_attacks_that_can_be_set():
    attacks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "attacks").rglob("test_*.py"))
    known = set(re.findall(r'count\("(\w+)"', attacks))
    assert known and {f"ATTACK_{name}" for name in known} <= set(re.findall(r"`(ATTACK_\w+)`", RELIABILITY))
