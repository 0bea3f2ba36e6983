"""Files of settings: what is read, and that no file keeps the reader busy."""

import os
import time

import pytest

from tracker.errors import OptionError
from tracker.settings.files import read_mapping


def laughs(levels):
    """Lists of ten aliases each, of the list before."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join(10 * [f'*a{n - 1}'])}]" for n in range(1, levels)]
    return "\n".join(lines)


def merged_laughs(levels):
    """Mappings that merge the one before ten times each, which YAML unfolds while reading."""
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join(10 * [f'*a{n - 1}'])}]}}" for n in range(1, levels)]
    return "\n".join(lines)


def test_a_mapping_is_read(tmp_path):
    path = tmp_path / "settings.yml"
    path.write_text("one: 1\ntwo: [1.5, yes]\nname: Grüße\nbase: &base {x: 1}\nagain: {<<: *base, y: 2}\n", "utf-8")
    assert read_mapping(path) == {
        "one": 1,
        "two": [1.5, True],
        "name": "Grüße",
        "base": {"x": 1},
        "again": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("a: " + 5000 * "9", id="a number of thousands of digits"),
        pytest.param("a: " + 40_000 * "[", id="deep"),
        pytest.param("a: " + 20_000 * "[" + 20_000 * "]", id="deep and closed"),
        pytest.param("a: 1\n" * 30_000, id="large"),
        pytest.param("a: !!timestamp now", id="no time"),
        pytest.param("a: 2026-99-99", id="no date"),
        pytest.param("a: !!int ''", id="an empty number"),
        pytest.param("a: !!bool perhaps", id="no flag"),
        pytest.param("a: 1" + 200 * ":59" + ".5", id="a number beyond floats"),
        pytest.param("&a [*a]", id="a list in itself"),
        pytest.param("a: &a {b: *a}", id="a mapping in itself"),
        pytest.param("a: *b", id="an unknown alias"),
        pytest.param(laughs(9), id="a billion laughs"),
        pytest.param(merged_laughs(9), id="a billion merged laughs"),
        pytest.param("? {a: 1}\n: 2", id="a mapping as name"),
        pytest.param("a: !!python/object/apply:os.getcwd []", id="code"),
        pytest.param("- a\n- b", id="a list"),
        pytest.param("", id="empty"),
        pytest.param("\0", id="zero"),
    ],
)
def test_what_cannot_be_settings_is_refused_at_once(tmp_path, content):
    path = tmp_path / "settings.yml"
    path.write_text(content)
    start = time.process_time()
    with pytest.raises(OptionError) as caught:
        read_mapping(path)
    assert time.process_time() - start < 5
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 500 + len(str(path))


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing"):
        with pytest.raises(OptionError, match=path.name):
            read_mapping(path)
