"""The files of the page: they ask nobody else, and say everything in both languages."""

import re

import pytest

from tests.tracker.web.conftest import serving
from tracker.web.app import STATIC
from tracker.web.site import Site

FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
WORDS = dict(re.findall(r'^  (\w+): (\[".*"\]),$', (STATIC / "js" / "words.js").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_another_server(path):
    known = ("http://www.w3.org/2000/svg",)
    found = set(re.findall(r"""(?:https?:)?//[\w.-]+\.[a-z]{2,}[^"'\s)]*""", path.read_text())) - set(known)
    assert found == set()


def test_every_word_is_there_in_both_languages():
    assert len(WORDS) > 100
    for key, pair in WORDS.items():
        english, chinese = re.fullmatch(r'\["(.*)", "(.*)"\]', pair).groups()
        assert english and chinese
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese)), key
        assert not re.search(r"[一-鿿]", english) and (re.search(r"[一-鿿]", chinese) or key in ("point_y",)), key


def test_every_word_that_is_used_is_known_and_the_other_way_round():
    text = (
        "".join(path.read_text() for path in SCRIPTS if path.name != "words.js") + (STATIC / "index.html").read_text()
    )
    asked = set(re.findall(r'\bt\("(\w+)"', text)) | set(re.findall(r'data-t="(\w+)"', text))
    assert asked <= WORDS.keys()
    quoted = set(re.findall(r'["`](\w+)["`]', text))
    made = {f"{start}_{end}" for start, end in re.findall(r"(event|file|tool)_(\w+)", " ".join(WORDS))}
    states = {"waiting", "running", "lost", "ended", "failed", "queued", "done", "cancelled", "saved"}
    states |= {"saved_now", "saved_later"}  # the notes of easels
    assert WORDS.keys() - asked - quoted - made - states == set()


def test_scripts_import_files_that_exist():
    for path in SCRIPTS:
        for other in re.findall(r'from "(\.[^"]+)"', path.read_text()):
            assert (path.parent / other).is_file(), f"{path.name} imports {other}"


def test_the_page_and_the_documents_come_from_here():
    with serving(Site()) as page:
        for path in ("/", "/docs"):
            text = page.ask(path).text
            for link in re.findall(r'(?:src|href)="(/[^"]*)"', text):
                assert page.ask(link).status_code == 200, link
        api = page.json("/openapi.json")
        assert {"/healthz", "/metrics", "/api/cameras", "/api/easels/{key}"} <= api["paths"].keys()
        for path, calls in api["paths"].items():
            for call in calls.values():
                assert call["summary"] and call["description"], path
        assert page.ask("/static/../app.py").status_code == 404
        assert page.ask("/static/%2e%2e/app.py").status_code == 404
