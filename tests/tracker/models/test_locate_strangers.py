"""Digests that a stranger's folder states: of files in it alone, and none that have no end."""

import shutil

import pytest
import yaml

from tracker.errors import ModelError
from tracker.models.locate import COMPACT, find_model


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(COMPACT, tmp_path / "copy")


def set_digests(folder, digests):
    path = folder / "infer_cfg.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "sha256": digests}))


@pytest.mark.parametrize(
    "name", ["../model.pdmodel", "/dev/zero", "/proc/kcore", ".", "a\0b", "\x1b[31m\nerror", "x" * 300]
)
def test_digests_of_other_files_are_refused(copy, name):
    set_digests(copy, {name: "x"})
    with pytest.raises(ModelError, match="which is no file beside it") as caught:
        find_model(copy)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


@pytest.mark.parametrize("link", ["/proc/kmsg", "/proc/kcore", "/dev/zero"])
def test_files_without_an_end_are_not_read(copy, link):
    (copy / "model.pdmodel").unlink()
    (copy / "model.pdmodel").symlink_to(link)
    with pytest.raises(ModelError, match=r"model\.pdmodel is (damaged|missing)"):
        find_model(copy)
