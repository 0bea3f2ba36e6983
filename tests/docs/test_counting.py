"""The page on counting: its columns are those of the files, and what it names is there."""

import re

from tests.helpers.paths import ROOT
from tracker.analysis.events import _ORDER
from tracker.analysis.files import TABLES, columns

PAGE = (ROOT / "docs" / "counting.md").read_text()


def test_the_columns_of_all_tables_are_told():
    for file, kind, _ in TABLES.values():
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{file}`")]
        told = re.sub(r"\(.*?\)", "", row.split("|")[2])
        assert ", ".join(columns(kind)) in re.sub(r"\s+,", ",", told), file


def test_all_events_are_told():
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `events.jsonl`")]
    assert set(_ORDER) <= set(re.findall(r"\w+", row))
