"""Files of arrays: what numpy writes is read; what is damaged or hostile is refused in one line, in little memory."""

import io
import random
import resource
import struct
import zipfile

import numpy as np
import pytest

from tracker.errors import ModelError, SourceError
from tracker.models.npz import load_npz, load_source_npz

HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (10,), }\n"


def archive(entries, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return out.getvalue()


def array(header=HEADER, data=bytes(40), version=1):
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + data


def refused(path, data):
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        load_npz(path, "checkpoint")
    message = str(caught.value)
    assert message.startswith(f"{path} is no whole checkpoint: ") and message.isprintable() and len(message) < 500
    return message


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path, save):
    made = {
        "a/b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "number": np.array(3),
        "none": np.zeros((0, 4), np.float16),
        "big endian": np.arange(3, dtype=">i2"),
        "bools": np.array([True, False]),
        "text": np.array(["a", "bcd"]),
        "many": np.ones((2, 1, 3, 1, 2), np.uint8),
    }
    save(tmp_path / "a.npz", **made)
    found = load_npz(tmp_path / "a.npz")
    assert list(found) == list(made)
    for name, expected in made.items():
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)
    assert list(load_npz(tmp_path / "a.npz", prefix="a/")) == ["b"]


@pytest.mark.parametrize(
    "header",
    [
        *(HEADER.replace("10", str(side)) for side in (9, 10**12, 10**22, -5)),
        "{'descr': '|O', 'fortran_order': False, 'shape': (10,), }\n",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (10,), }\n",
        "{'descr': '<U999999999', 'fortran_order': False, 'shape': (), }\n",
        "{'descr': '<f4', 'fortran_order': 1, 'shape': (10,), }\n",
        *("{}\n", "'''", "(" * 9000, "-" * 9000 + "1", "x" * 60000, "__import__('os').system('true')\n"),
    ],
)
def test_headers_that_lie_or_are_more_than_one(tmp_path, header):
    refused(tmp_path / "a.npz", archive({"a.npy": array(header)}))


def test_files_that_are_no_archive_of_arrays(tmp_path):
    path = tmp_path / "a.npz"
    for data in (b"", b"hello", array(), archive({"a.npy": b""}), archive({"a.npy": b"\x93NUMPY\x09\0\0\0"})):
        refused(path, data)
    assert "'a.txt' is no array" in refused(path, archive({"a.txt": array()}))
    assert "is packed in an unknown way" in refused(path, archive({"a.npy": array()}, zipfile.ZIP_LZMA))
    with pytest.raises(ModelError, match="No such file"):
        load_npz(tmp_path / "missing.npz")
    with pytest.raises(ModelError, match="no regular file"):
        load_npz("/dev/zero")


@pytest.mark.parametrize("bit", [0x1, 0x20, 0x40])
def test_encrypted_and_patched_entries(tmp_path, bit):
    data = bytearray(archive({"a.npy": array()}))
    data[6] |= bit
    data[data.rfind(b"PK\1\2") + 8] |= bit
    assert "is packed in an unknown way" in refused(tmp_path / "a.npz", bytes(data))


def test_a_bomb_takes_no_room(tmp_path):
    size = 800_000_000
    header = HEADER.replace("10", str(size // 4))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file, file.open("a.npy", "w") as entry:
        entry.write(array(header, b""))
        for _ in range(size // 1_000_000):
            entry.write(bytes(1_000_000))
    assert len(out.getvalue()) < 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "far more room than the file" in refused(tmp_path / "a.npz", out.getvalue())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_mutants_never_end_in_a_traceback(tmp_path):
    path, whole = tmp_path / "a.npz", archive({"a.npy": array(), "b/c.npy": array()})
    for seed in range(500):
        chance, data = random.Random(seed), bytearray(whole)
        for _ in range(chance.choice((1, 2, 5, 30))):
            data[chance.randrange(len(data))] = chance.choice((0, 127, 128, 255))
        path.write_bytes(data[: chance.choice((len(data), len(data), chance.randrange(len(data))))])
        try:
            load_npz(path)
        except ModelError as error:
            assert "\n" not in str(error), seed


def test_a_source_is_refused_as_one(tmp_path):
    path = tmp_path / "people.npz"
    with pytest.raises(SourceError, match=r"people.npz: there is no such file; make one$"):
        load_source_npz(path, "people", "make one")
    path.write_bytes(b"no archive")
    with pytest.raises(SourceError, match=r"people.npz is no whole \.npz file of people: [^\n]+$"):
        load_source_npz(path, "people", "make one")
    np.savez(path, ids=np.arange(3))
    assert load_source_npz(path, "people", "make one")["ids"].tolist() == [0, 1, 2]
