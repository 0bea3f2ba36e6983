"""What two files of the project both say is the same in both."""

import re

import yaml

from tests.helpers.paths import ROOT


def test_pre_commit_runs_the_ruff_of_the_checks():
    pinned = re.search(r"^ruff==\S+", (ROOT / "tests" / "requirements.txt").read_text(), re.MULTILINE)[0]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["additional_dependencies"] for hook in hooks] == [[pinned]] * 2


def test_the_changelog_begins_with_the_version_of_the_module():
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert f'version="{versions[1]}"' in (ROOT / "module.py").read_text()
