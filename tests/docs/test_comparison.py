"""docs/comparison.md says where each of its claims comes from, and the README's short table claims nothing else."""

import re

import pytest

from tests.helpers.paths import ROOT

PAGE = ROOT / "docs" / "comparison.md"
READMES = [ROOT / "README.md", ROOT / "README_cn.md"]
MARK = re.compile(r"\[([A-Z]\d+)\]")
# how a cell of the page begins for each symbol of the README's table
SYMBOLS = {"✓": r"yes\b", "◐": r"partly\b", "–": r"no\b|has no\b", "?": r"not (?:found|tried)\b"}


def tables(text):
    """The tables of a page, each a list of rows, each a list of cells; the first row is the header."""
    for block in re.findall(r"(?:^ *\|.*\|\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.splitlines()]
        assert {len(row) for row in rows} == {len(rows[0])}, rows[0]
        yield [rows[0], *rows[2:]]


def sources(text):
    """What stands in the list of sources, by mark."""
    entries = re.findall(r"^- \*\*([A-Z]\d+)\*\* (.+(?:\n  .+)*)", text.partition("## Sources")[2], re.MULTILINE)
    assert len(entries) == len(dict(entries)), "no mark twice"
    return dict(entries)


def claims(text):
    """What the page claims: cells by what a row is about and by whose column it is."""
    peers = [table for table in tables(text) if table[0][1:2] == ["this module"]]
    return {(row[0], who): cell for table in peers for row in table[1:] for who, cell in zip(table[0][1:], row[1:])}


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text()


def test_every_cell_names_its_source(page):
    known, used = sources(page), set(MARK.findall(page.partition("## Sources")[0]))
    assert used == set(known), "all marks are listed, and all that are listed are used"
    count = 0
    for table in tables(page):
        for row in table[1:]:
            for cell in row[1:]:
                assert MARK.search(cell), f"{row[0]}: {cell}"
                count += 1
    assert count > 150


def test_every_source_is_an_address_or_a_command_and_has_a_date(page):
    for mark, entry in sources(page).items():
        assert re.search(r"\b2026-\d\d-\d\d\b", entry), mark
        kind, _, what = entry.partition(": ")
        assert kind in ("read", "measured"), mark
        if kind == "read":
            assert "https://" in what or re.search(r"\]\([\w./]+\)", what), mark
        else:
            assert re.search(r"`[^`]+`", what) or re.search(r"\]\([\w./]+\.py\)", what), mark


def test_what_is_named_here_exists(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page)
    assert links and all((PAGE.parent / link).exists() for link in links if "://" not in link)
    scripts = re.findall(r"\btools/[\w/]+\.py", page)
    assert scripts and all((ROOT / script).exists() for script in scripts)


def test_all_tables_have_the_same_columns(page):
    who = {tuple(table[0]) for table in tables(page) if table[0][1:2] == ["this module"]}
    assert len(who) == 1 and len(*who) == 8


def readme_table(text):
    """The table of the README that has a row for each peer; None without one."""
    return next((table for table in tables(text) if any("boxmot" in row[0] for row in table)), None)


def plain(cell):
    return re.sub(r"\*\*|\[([^]]*)\]\([^)]*\)", r"\1", cell).strip()


def test_the_readme_claims_what_the_page_does(page):
    table = readme_table(READMES[0].read_text())
    if table is None:
        pytest.skip("the README has no such table")
    known = claims(page)
    assert len(table) == 8, "this module and six peers"
    for row in table[1:]:
        for about, cell in zip(table[0][1:], row[1:]):
            claim = known[plain(about), plain(row[0])]
            if cell in SYMBOLS:
                assert re.match(SYMBOLS[cell], claim), f"{row[0]}, {about}: {cell}, but {claim}"
            else:
                assert claim.startswith(plain(cell)), f"{row[0]}, {about}: {cell}, but {claim}"


def test_both_readmes_say_the_same():
    english, chinese = (readme_table(path.read_text()) for path in READMES)
    if english is None and chinese is None:
        pytest.skip("the READMEs have no such table")
    assert len(english) == len(chinese)
    for row, its in zip(english[1:], chinese[1:]):
        assert len(row) == len(its)
        for cell, other in zip(row[1:], its[1:]):
            assert cell == other or re.search(r"[\u4e00-\u9fff]", other), f"{row[0]}: {cell}, {other}"
