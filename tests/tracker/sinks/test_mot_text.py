"""The MOT text: whole lines whatever happens, and read back as written."""

import errno
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.paths import ROOT
from tracker.errors import OutputError, SourceError
from tracker.sinks import mot_text
from tracker.sinks.mot_text import MotWriter, read_frames, read_mot
from tracker.structures import Tracks

NOBODY = Tracks(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
PADDED_LINE = "1,7,0.00,0.00,1.00,1.00,0.5000,-1,-1,-1\n"


def tracks(*ids):
    """People of these ids whose boxes tell their id."""
    boxes = np.array([[10.0 * i, 20.0 * i, 30.0 * i, 40.0 * i] for i in ids]).reshape(-1, 4)
    return Tracks(np.array(ids, np.int64), boxes, np.linspace(0.9, 0.5, len(ids)))


def written(path, frames):
    """A text with these people by frame number."""
    writer = MotWriter(path)
    for number, ids in frames.items():
        writer.write(number, tracks(*ids))
    writer.close()
    return path


def test_lines_have_two_decimals_and_four_for_the_score(tmp_path):
    writer = MotWriter(tmp_path / "a.txt")
    writer.write(3, Tracks(np.array([12]), np.array([[-1.005, 0.5, 3.14159, 1e6]]), np.array([2 / 3])))
    writer.close()
    assert (tmp_path / "a.txt").read_text() == "3,12,-1.00,0.50,3.14,1000000.00,0.6667,-1,-1,-1\n"


def test_lines_are_readable_before_the_file_is_closed(tmp_path):
    path = tmp_path / "a.txt"
    writer = MotWriter(path)
    assert path.read_text() == ""
    for number in (1, 2, 3):
        writer.write(number, tracks(1, 2))
        assert [line.split(",")[0] for line in path.read_text().splitlines()] == [
            str(n) for n in range(1, number + 1) for _ in range(2)
        ]
    writer.write(4, NOBODY)
    assert len(path.read_text().splitlines()) == 6
    writer.close()
    writer.close()


def test_an_older_file_is_replaced(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old\n" * 100)
    written(path, {1: [1]})
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize("blocked", ["missing/a.txt", "folder"])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, blocked):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=f"cannot write .*{blocked}: .*; choose another output_dir") as caught:
        MotWriter(tmp_path / blocked)
    assert "\n" not in str(caught.value)


class Device:
    """A raw file that takes so many bytes, in pieces, and then none."""

    def __init__(self, file, room, piece):
        self.file, self.room, self.piece = file, room, piece

    def write(self, data):
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self.file.write(data[: min(self.piece, self.room)])
        self.room -= count
        return count

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [0, 1, 60, 79, 80, 81, 200])
def test_a_full_device_leaves_whole_frames_only(tmp_path, room):
    path = tmp_path / "a.txt"
    writer = MotWriter(path)
    writer._file = Device(writer._file, room, piece=13)
    lines = b""
    with pytest.raises(OutputError, match=r"cannot write .*a\.txt: No space left on device; free some space"):
        for number in range(1, 20):
            before = path.read_bytes()
            writer.write(number, tracks(1, 2))
            assert path.read_bytes().startswith(before)
            lines = path.read_bytes()
    writer.close()
    assert path.read_bytes() == lines
    assert lines.count(b"\n") % 2 == 0 and len(lines) <= room


def test_pieces_are_put_together(tmp_path):
    path = tmp_path / "a.txt"
    writer = MotWriter(path)
    writer._file = Device(writer._file, room=10**6, piece=7)
    writer.write(1, tracks(1, 2, 3))
    writer.close()
    assert path.read_text() == written(tmp_path / "b.txt", {1: [1, 2, 3]}).read_text()


def test_the_limit_of_the_operating_system_leaves_whole_lines(tmp_path):
    path = tmp_path / "a.txt"
    script = """
import pathlib, sys
import numpy as np
from tracker.errors import OutputError, SourceError
from tracker.sinks import mot_text
from tracker.sinks.mot_text import MotWriter, read_frames, read_mot
from tracker.structures import Tracks
writer = MotWriter(pathlib.Path(sys.argv[1]))
try:
    for number in range(1, 1000):
        writer.write(number, Tracks(np.array([1]), np.ones((1, 4)), np.ones(1)))
except OutputError as error:
    sys.exit(f"refused: {error}")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert done.returncode == 1 and done.stderr.startswith("refused: cannot write"), done.stderr
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) > 10 and all(line.endswith(",-1,-1,-1\n") for line in lines)
    assert [int(line.split(",")[0]) for line in lines] == list(range(1, len(lines) + 1))


ROW = st.tuples(
    st.integers(1, 9),
    st.integers(0, 2**40),
    *[st.floats(-1e6, 1e6).map(lambda value: round(value, 2))] * 2,
    *[st.floats(0, 1e4).map(lambda value: round(value, 2))] * 2,
    st.floats(0, 1).map(lambda value: round(value, 4)),
)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(ROW, max_size=30).map(lambda rows: sorted(rows, key=lambda row: row[0])),
    columns=st.sampled_from([7, 8, 10, None]),
    blank=st.booleans(),
    mark=st.booleans(),
    at_once=st.integers(1, 5),
)
def test_what_any_program_wrote_is_read(rows, columns, blank, mark, at_once):
    """Of any length, with as many columns in each line or not, with empty lines, and with a byte order mark."""
    lines, expected = [], []
    for number, row in enumerate(rows):
        rest = ((columns or 7 + number % 4) - 7) * [0.25]
        lines += [",".join(map(repr, [*row, *rest]))] + [""] * blank
        expected.append([*row, *rest, *[-1.0] * (3 - len(rest))])
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(mot_text, "LINES_AT_ONCE", at_once):
        path = Path(folder, "a.txt")
        path.write_text("\n".join(lines), encoding="utf-8-sig" if mark else "utf-8")
        assert read_mot(path).tolist() == expected
        frames = list(read_frames(path))
    assert [number for number, _ in frames] == sorted({row[0] for row in rows})
    assert [row for _, frame in frames for row in frame.tolist()] == expected


def test_a_broken_line_is_named_by_its_number_however_far_it_is(tmp_path):
    path = written(tmp_path / "a.txt", {number: [1] for number in range(1, 10_001)})
    path.write_text(path.read_text().replace("\n9000,1,", "\n9000,one,"))
    with pytest.raises(SourceError, match=r"a\.txt, line 9000: expected numbers"):
        read_mot(path)
