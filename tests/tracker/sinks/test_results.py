"""The MOT text and what is read back from it, without a network."""

import builtins
import dataclasses
import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from tracker.errors import OutputError
from tracker.pipeline.result import TrackingResult
from tracker.sinks.mot_text import MotWriter
from tracker.structures import Tracks

NOBODY = Tracks(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
PADDED_LINE = "1,7,0.00,0.00,1.00,1.00,0.5000,-1,-1,-1\n"


def tracks(*ids):
    """People of these ids whose boxes tell their id."""
    boxes = np.array([[10.0 * i, 20.0 * i, 30.0 * i, 40.0 * i] for i in ids]).reshape(-1, 4)
    return Tracks(np.array(ids, np.int64), boxes, np.linspace(0.9, 0.5, len(ids)))


def result_of(path, last_frame, **changes):
    values = {
        "name": "street",
        "frames": last_frame,
        "skipped": 0,
        "dropped": 0,
        "last_frame": last_frame,
        "seconds": 2.0,
        "stage_fps": {"read": 100.0, "network": 12.34},
        "people": 2,
        "frame_rate": 10.0,
        "model": "jde_compact",
        "model_path": Path("weights"),
        "backend": "paddle fp32",
        "files": {"text": path},
    }
    return TrackingResult(**{**values, **changes})


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
from tracker.errors import OutputError
from tracker.sinks.mot_text import MotWriter
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


@pytest.mark.parametrize(
    ("frames", "last_frame"),
    [
        ({1: [1], 2: [1, 2], 3: [2]}, 3),
        ({3: [1], 4: [1]}, 4),  # nobody at first
        ({1: [1], 5: [1, 2]}, 5),  # in the middle
        ({1: [1], 2: [1]}, 6),  # at the end
        ({2: [4], 5: [4]}, 7),  # everywhere
        ({}, 4),
        ({}, 0),
    ],
)
def test_iteration_gives_every_frame(tmp_path, frames, last_frame):
    result = result_of(written(tmp_path / "a.txt", frames), last_frame)
    for _ in range(2):
        found = list(result)
        assert [f.frame for f in found] == list(range(1, last_frame + 1))
        assert [f.ids.tolist() for f in found] == [frames.get(n, []) for n in range(1, last_frame + 1)]
        assert [len(f) for f in found] == [len(f.ids) for f in found]
    for frame in found:
        assert (
            frame.ids.dtype == np.int64 and frame.boxes.shape == (len(frame), 4) and frame.scores.shape == (len(frame),)
        )
        np.testing.assert_allclose(frame.boxes, tracks(*frame.ids).boxes)
        np.testing.assert_allclose(frame.scores, tracks(*frame.ids).scores, atol=5e-5)


def test_iteration_does_not_read_the_file_at_once(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(PADDED_LINE.replace("1,7", f"{n},7") for n in range(1, 20001)))
    frames = iter(result_of(path, 20000))
    next(frames)
    with path.open("r+b") as file:
        file.truncate(path.read_bytes().index(b"\n10001,") + 1)
    assert sum(1 for frame in frames if len(frame)) == 9999


def test_a_text_that_is_gone_is_named(tmp_path):
    result = result_of(written(tmp_path / "a.txt", {1: [1]}), 1)
    (tmp_path / "a.txt").unlink()
    with pytest.raises(OutputError, match=r"cannot read the tracks back from .*a\.txt"):
        list(result)


@pytest.mark.parametrize(
    "content",
    [
        b"frame,id,left,top,width,height,score\n",
        b"1,1,0,0,1,1,0.5,-1,-1,-1\n\n",
        b"1,1,0\n",
        b"1,1\n2,1\n",
        b"\x00\xff\xfe\x00" * 20,
        b"nan,1,0,0,1,1,0.5,-1,-1,-1\n",
        b"1,nan,0,0,1,1,0.5,-1,-1,-1\n",
        b"inf,1,0,0,1,1,0.5,-1,-1,-1\n",
        b"0,1,0,0,1,1,0.5,-1,-1,-1\n",
        b"1.5,1,0,0,1,1,0.5,-1,-1,-1\n",
        b"2,1,0,0,1,1,0.5,-1,-1,-1\n1,1,0,0,1,1,0.5,-1,-1,-1\n",
        b"1,1,0,0,1,1,0.5,-1,-1,-1\n9,1,0,0,1,1,0.5,-1,-1,-1\n",
    ],
)
def test_a_text_changed_into_something_else_is_named(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(OutputError, match=r"cannot read the tracks back from .*a\.txt") as caught:
        list(result_of(path, 3))
    assert "\n" not in str(caught.value)


def test_a_table_has_a_row_for_every_line(tmp_path):
    table = result_of(written(tmp_path / "a.txt", {1: [1, 2], 4: [2]}), 4).to_dataframe()
    assert list(table.columns) == ["frame", "id", "left", "top", "width", "height", "score"]
    assert table["frame"].tolist() == [1, 1, 4] and table["id"].tolist() == [1, 2, 2]
    assert table["height"].tolist() == [40, 80, 80]
    empty = result_of(written(tmp_path / "b.txt", {}), 4).to_dataframe()
    assert list(empty.columns) == list(table.columns) and len(empty) == 0


def test_without_pandas_the_command_to_install_it_is_told(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.partition(".")[0] == "pandas":
            raise ImportError(f"No module named {name!r}")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="pip install pandas"):
        result_of(written(tmp_path / "a.txt", {}), 0).to_dataframe()


def test_the_summary_names_everything(tmp_path):
    result = result_of(
        tmp_path / "a.txt", 40, files={"text": tmp_path / "a.txt", "video": tmp_path / "a_vis.mp4"}, skipped=3
    )
    assert str(result) == (
        "street: 40 frames in 2.0 s (20.0 frames/s), 2 people, model jde_compact, paddle fp32\n"
        "  frames/s by stage: read 100.0, network 12.3\n"
        f"  tracks: {tmp_path / 'a.txt'}\n"
        f"  video:  {tmp_path / 'a_vis.mp4'}\n"
        "  3 corrupt frames were skipped"
    )
    plain = str(dataclasses.replace(result, files={}, skipped=0, seconds=0.0))
    assert "video" not in plain and "tracks" not in plain and "skipped" not in plain and "(0.0 frames/s)" in plain
    assert os.linesep * 2 not in plain
