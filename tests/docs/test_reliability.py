"""docs/reliability.md names tests that are there, and commands that mark them."""

import re

import pytest

from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`*]+\.py(?:::\w+)?)`", PAGE))))
def test_tests_that_the_page_names_exist(name):
    file, _, function = name.partition("::")
    code = (ROOT / file).read_text(encoding="utf-8")
    assert f"\ndef {function}(" in code if function else "\ndef test_" in code


def test_numbers_of_attacks_that_can_be_set():
    attacks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "attacks").rglob("test_*.py"))
    known = set(re.findall(r'count\("(\w+)"', attacks))
    assert known and {f"ATTACK_{name}" for name in known} <= set(re.findall(r"`(ATTACK_\w+)`", PAGE))
