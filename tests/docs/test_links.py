"""What the pages link to and name is there; pages stay short."""

import re

import pytest

from tests.docs.pages import OF_OTHERS, PAGES, anchors, read, without_blocks
from tests.helpers.paths import ROOT

LINK = re.compile(r"(?:\]\(|src=\")(?!https?:)([^)\"#\s]*)(?:#([^)\"\s]*))?[)\"]")
FOLDERS = "|".join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")))
NAMED = re.compile(rf"(?<![\w./-])((?:{FOLDERS})/[\w./]*\w\.(?:py|yml|md|sh|mp4|pdparams|webp|service))")
MADE = re.compile(r"(?:demo/output|weights/former)/")  # by commands
MOST_LINES = 350
PLAIN = "README.md", "README_cn.md"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    folder = (ROOT / page).parent
    for path, anchor in LINK.findall(without_blocks(page)):
        target = (folder / path).resolve() if path else ROOT / page
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target.relative_to(ROOT).as_posix()), f"{path}#{anchor}"


@pytest.mark.parametrize("page", [page for page in PAGES if page != OF_OTHERS])
def test_files_that_are_named_exist(page):
    named = {path for path in NAMED.findall(read(page)) if not MADE.match(path)}
    named |= {
        path for path in re.findall(r"`([\w.]+/[\w./]*)`", read(page)) if path.partition("/")[0] in FOLDERS.split("|")
    }
    assert sorted(path for path in named if not (ROOT / path).exists() and not MADE.match(path)) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_pages_are_short_and_in_the_index(page):
    assert len(read(page).splitlines()) <= MOST_LINES
    assert page == "docs/README.md" or f"({page.removeprefix('docs/')})" in read("docs/README.md")


def test_the_index_is_linked_to():
    assert all("(docs/README.md)" in read(page) for page in PLAIN)
