"""Files that are no stored detections, and detections that are not fit to be stored: one line each, nothing run."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tracker.errors import OutputError, SourceError
from tracker.evaluation.stored_detections import LAST_FRAME, read_detections, write_detections
from tracker.structures import Detections

GOOD = {
    "detections": np.array([[1, 0, 0, 5, 10, 0.5], [2, 0, 0, 5, 10, 0.5]], np.float32),
    "embeddings": np.eye(2, 4, dtype=np.float16),
}


def changed(column, value):
    """Two good rows, of which the second is spoilt."""
    spoilt = GOOD["detections"].astype(np.float64)
    spoilt[1, column] = value
    return GOOD | {"detections": spoilt}


REFUSED = {
    "frame 0": (changed(0, 0), "row 1 of detections: the frame must be a whole number from 1, got 0, 0, 0, 5, 10, 0.5"),
    "frame -1": (changed(0, -1), "the frame must be a whole number"),
    "half a frame": (changed(0, 1.5), "the frame must be a whole number"),
    "late frame": (changed(0, LAST_FRAME + 1), f"no frame beyond {LAST_FRAME} is taken"),
    "absurd frame": (changed(0, 1e30), f"no frame beyond {LAST_FRAME} is taken"),
    "nan frame": (changed(0, np.nan), "row 1 of detections: every value must be finite"),
    "nan": (changed(1, np.nan), "every value must be finite"),
    "infinite": (changed(3, np.inf), "every value must be finite"),
    "beyond float32": (changed(2, 1e300), "every value must be finite"),
    "negative width": (changed(3, -1), "width and height must not be negative, got 2, 0, 0, -1"),
    "negative height": (changed(4, -0.5), "width and height must not be negative"),
    "score above 1": (changed(5, 1.5), "the score must be from 0 to 1"),
    "score below 0": (changed(5, -0.5), "the score must be from 0 to 1"),
    "not normalised": (GOOD | {"embeddings": np.eye(2) * [[1], [3]]}, "row 1 of detections: the embedding must be L2-"),
    "nan embedding": (GOOD | {"embeddings": np.full((2, 3), np.nan, np.float16)}, "length 1, got nan"),
    "large embedding": (GOOD | {"embeddings": np.full((2, 3), 1e300)}, "length 1, got inf"),
    "five columns": ({"detections": np.zeros((3, 5))}, "detections must be of shape [N, 6], got [3, 5]"),
    "one row": ({"detections": np.zeros(6)}, "detections must be of shape [N, 6], got [6]"),
    "a number": ({"detections": np.array(1.0)}, "detections must be of shape [N, 6], got []"),
    "text": ({"detections": np.full((2, 6), "1")}, "detections must be numbers as float32, got <U1"),
    "complex": ({"detections": np.ones((2, 6), complex)}, "detections must be numbers as float32, got complex128"),
    "flat embeddings": (GOOD | {"embeddings": np.ones(2)}, "embeddings must be of shape [N, D], got [2]"),
    "whole embeddings": (GOOD | {"embeddings": np.eye(2, dtype=int)}, "embeddings must be numbers as float16, got int"),
    "few embeddings": (GOOD | {"embeddings": np.eye(1)}, "every detection needs its embedding, got 2 and 1"),
    "half a frame among frames": (GOOD | {"frames": np.array([1, 1.5, 2])}, "frames must be whole numbers"),
    "frames as text": (GOOD | {"frames": np.array(["1", "2"])}, "frames must be whole numbers"),
    "frames as flags": (GOOD | {"frames": np.array([True, True])}, "frames must be whole numbers"),
    "a table of frames": (GOOD | {"frames": np.array([[1, 2]])}, "frames must be whole numbers"),
    "a number of frames": (GOOD | {"frames": np.array(2)}, "frames must be whole numbers"),
    "falling frames": (GOOD | {"frames": np.array([2, 1], np.uint8)}, "increase"),
    "repeated frames": (GOOD | {"frames": np.array([1, 2, 2], np.uint8)}, "increase"),
    "frames from 0": (GOOD | {"frames": np.array([0, 1, 2])}, "frames must be numbers from 1"),
    "late frames": (GOOD | {"frames": np.array([1, 2, LAST_FRAME + 1])}, f"to {LAST_FRAME}"),
    "absurd frames": (GOOD | {"frames": np.array([2**63 + 100, 1, 2], np.uint64)}, f"to {LAST_FRAME}"),
    "a frame that was not looked at": (GOOD | {"frames": np.array([1, 3])}, "frame 2 has detections"),
    "no frames": (GOOD | {"frames": np.zeros(0, int)}, "frame 1 has detections"),
    "no detections": ({"embeddings": np.eye(2)}, "has no array 'detections', only 'embeddings'"),
    "nothing": ({}, "has no array 'detections', only nothing"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_arrays_are_refused_by_name(tmp_path, arrays, message):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(SourceError) as caught:
        read_detections(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and message in text and "\n" not in text


class Trap:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def zipped(content):
    """A zip archive whose only member bears the name of the detections."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("detections.npy", content)
    return file.getvalue()


def test_files_of_another_kind_are_refused_and_run_nothing(tmp_path):
    sprung = tmp_path / "sprung"
    whole = io.BytesIO()
    np.savez(whole, **GOOD)
    plain, objects = io.BytesIO(), io.BytesIO()
    np.save(plain, GOOD["detections"])
    np.savez(objects, detections=np.array([Trap(sprung)], object))
    files = {
        "text.npz": b"1,1,0,0,10,20,1\n",
        "empty.npz": b"",
        "short.npz": whole.getvalue()[:-30],
        "prose.npz": zipped(b"1,1,0,0,10,20,1"),
        "absurd.npz": zipped(plain.getvalue().replace(b"(2, 6), }", b"(9" + b"0" * 13 + b", 6), }")),
        "plain.npz": plain.getvalue(),
        "pickle.npz": pickle.dumps(Trap(sprung)),
        "objects.npz": objects.getvalue(),
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(SourceError) as caught:
            read_detections(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value), name
    assert not sprung.exists()
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(SourceError, match="there is no such file"):
            read_detections(path)


def test_damage_to_any_byte_is_survived(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **GOOD, frames=np.array([1, 2], np.int32))
    whole = path.read_bytes()
    for place in range(0, len(whole), 2):
        changed = whole[place] ^ 1 << place // 2 % 8
        path.write_bytes(whole[:place] + bytes([changed]) + whole[place + 1 :])
        try:
            assert list(read_detections(path)) == [1, 2]
        except SourceError as error:
            assert "\n" not in str(error)


def alone(box=(0, 0, 5, 9), score=1.0, embedding=()):
    """The detections of a frame with one person, box as left, top, right, bottom."""
    return Detections(np.array([box], float), np.array([score]), np.array([embedding], float))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({1: alone(box=(np.nan, 0, 5, 9))}, "finite"),
        ({1: alone(box=(5, 5, 4, 9))}, "must not be negative"),
        ({1: alone(score=1.5)}, "score"),
        ({1: alone(embedding=(3, 3))}, "L2-normalised"),
        ({2: alone(), 1: alone()}, "increase"),
        ({0: Detections.empty(), 1: alone()}, "from 1"),
        ({1: alone(), 2**40: Detections.empty()}, f"to {LAST_FRAME}"),
        ({1: alone(), 1.5: Detections.empty()}, "whole numbers"),
    ],
)
def test_nothing_is_written_that_could_not_be_read(tmp_path, frames, message):
    path = tmp_path / "a.npz"
    with pytest.raises(OutputError, match=message) as caught:
        write_detections(path, frames)
    assert str(path) in str(caught.value) and not path.exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"none/a\.npz: cannot be written"):
        write_detections(tmp_path / "none" / "a.npz", {})
