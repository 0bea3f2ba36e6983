"""Archives from anyone: unpacked into their folder, or refused in one line with nothing outside of it."""

import bz2
import gzip
import io
import lzma
import tarfile

import pytest

from tracker.errors import DataError
from training.data.archives import unpack

FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def archive(path, *members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, data = kind, b""
            if kind == FILE:
                data, member.size = content, len(content)
            else:
                member.linkname = content
            tar.addfile(member, io.BytesIO(data))
    return path


def refused(path, folder):
    with pytest.raises(DataError) as caught:
        unpack(path, folder)
    text = str(caught.value)
    assert text.isprintable() and text.startswith(f"{path}: ") and len(text) < 600
    return text


def test_files_and_folders(tmp_path):
    path = archive(tmp_path / "a.tar.gz", ("d", FOLDER, ""), ("d/a.txt", FILE, b"text"), mode="w:gz")
    unpack(path, tmp_path / "out")
    assert (tmp_path / "out/d/a.txt").read_bytes() == b"text"


@pytest.mark.parametrize(
    "members",
    [
        [("../escaped", FILE, b"x")],
        [("l", LINK, ".."), ("l/escaped", FILE, b"x")],
        [("l", LINK, "/"), ("l/escaped", FILE, b"x")],
        [("l", LINK, "inside"), ("l/escaped", FILE, b"x")],
        [("a", LINK, "."), ("a/b", LINK, ".."), ("a/b/escaped", FILE, b"x")],
        [("h", HARD, "/etc/passwd")],
        [("d", tarfile.CHRTYPE, "")],
        [("f", tarfile.FIFOTYPE, "")],
        [("x", FILE, b"1"), ("x/y", FILE, b"2")],
        [("x" * 5000, FILE, b"x")],
        [("\x1b[31m/../../escaped", FILE, b"x")],
    ],
)
def test_members_that_lead_out_or_cannot_be_written(tmp_path, members):
    refused(archive(tmp_path / "a.tar", *members), tmp_path / "place" / "out")
    assert not [path for path in tmp_path.rglob("escaped") if "out" not in path.parts]


def test_files_that_fill_the_disk(tmp_path):
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as packed:
        member = tarfile.TarInfo("zeros")
        member.size = 200 << 20
        packed.write(member.tobuf())
        for _ in range(200):
            packed.write(bytes(1 << 20))
    assert "far more room" in refused(path, tmp_path / "out")
    assert not (tmp_path / "out" / "zeros").exists()


WHOLE = b"".join(tarfile.TarInfo(f"{n}.txt").tobuf() for n in range(40)) + bytes(1024)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"hello" * 1000,
        gzip.compress(WHOLE)[:60],
        bz2.compress(WHOLE)[:60],
        lzma.compress(WHOLE)[:60],
        lzma.compress(WHOLE)[:40] + bytes(60),
        WHOLE[:300],
    ],
)
def test_damaged(tmp_path, suffix, data):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data)
    refused(path, tmp_path / "out")


def test_a_full_disk_is_not_the_archive_s_fault(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    path = archive(tmp_path / "a.tar", ("a", FILE, b"x"))
    monkeypatch.setattr(tarfile.TarFile, "extractall", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(path, tmp_path / "out")
