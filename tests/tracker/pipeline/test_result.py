"""What a run made: its frames read back from the text, as a table, and in words."""

import builtins
import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from tracker.cameras.status import CameraOutcome, CamerasResult
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


def test_what_is_whole_when_a_run_was_stopped(tmp_path):
    result = result_of(tmp_path / "a.txt", 40)
    assert result.when_stopped == "the files hold all finished frames"
    for nothing in (result_of(tmp_path / "a.txt", 0), dataclasses.replace(result, files={})):
        assert nothing.when_stopped == "no frame was finished"
    for of, whole in ((result, "the files hold all finished frames"), (None, "no frame was finished")):
        assert CamerasResult([CameraOutcome("gate", of)], 2.0).when_stopped == whole
