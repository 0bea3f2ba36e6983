"""What is packed is what is read; damaged files are refused; people are cut out along their outline."""

import cv2
import numpy as np
import pytest

from tests.helpers.training.packed_sets import draw_person, make_cutout, make_frames, write_small
from tracker.errors import DataError, OutputError
from training.pytorch.cutouts import cut_out, eligible
from training.pytorch.packed import (
    IGNORED,
    LARGEST,
    PERSON,
    QUALITIES,
    TaughtFrame,
    decode,
    read_packed,
    write_packed,
)


def test_what_is_packed_is_read(tmp_path):
    frames = list(make_frames())
    assert write_packed(tmp_path / "new" / "set.npz", iter(frames), 5, [make_cutout()]) == QUALITIES[0]
    packed = read_packed(tmp_path / "new" / "set.npz")
    assert packed.sources == ["a", "b"] and packed.source.tolist() == [0, 1] * 3
    assert packed.numbers.tolist() == list(range(6)) and len(packed.frames) == 6
    for index, frame in enumerate(frames):
        boxes, kinds = packed.people(index)
        np.testing.assert_array_equal(boxes, frame.boxes)
        assert kinds.tolist() == [PERSON, PERSON, IGNORED]
        assert np.abs(packed.frame(index).astype(int) - frame.image).mean() < 8
        rows = packed.vector_of[packed.box_starts[index] : packed.box_starts[index + 1]]
        np.testing.assert_allclose(packed.vectors[rows[:2]], frame.vectors[:2], atol=1e-3)
        assert rows[2] == -1
    image, mask = make_cutout()
    assert np.abs(decode(packed.cutouts[0]).astype(int) - image).mean() < 8
    np.testing.assert_array_equal(decode(packed.masks[0], cv2.IMREAD_GRAYSCALE), mask * 255)


def test_large_frames_are_scaled_down_with_their_boxes(tmp_path, clip_frames):
    image = cv2.resize(clip_frames[0], (2000, 900))
    box = np.array([[200, 90, 400, 450]], np.float32)
    frame = TaughtFrame("clip", 3, image, box, np.zeros(1, bool), np.zeros((1, 0), np.float32))
    write_packed(tmp_path / "set.npz", [frame], 5)
    packed = read_packed(tmp_path / "set.npz")
    height, width = packed.frame(0).shape[:2]
    assert (height, width) == (round(900 * LARGEST[1] / 2000), LARGEST[1])
    np.testing.assert_allclose(packed.people(0)[0][0] / ([width, height] * 2), box[0] / ([2000, 900] * 2), rtol=1e-5)
    assert np.abs(packed.frame(0).astype(int) - cv2.resize(image, (width, height))).mean() < 5


def test_the_best_quality_that_fits_is_taken(tmp_path):
    path, sizes, megabytes = tmp_path / "set.npz", {}, 5.0
    for _ in range(3):
        quality = write_packed(path, make_frames(), megabytes)
        sizes[quality] = path.stat().st_size / 1e6
        assert sizes[quality] <= megabytes
        megabytes = sizes[quality]  # with less than it may take
    assert sorted(sizes, reverse=True) == list(QUALITIES[:3])


def test_frames_are_left_out_evenly_where_no_quality_fits(tmp_path):
    path = tmp_path / "set.npz"
    megabytes = 5.0
    while write_packed(path, make_frames(count=12), megabytes) != QUALITIES[-1]:
        megabytes *= 0.9
    write_packed(path, make_frames(count=12), megabytes / 2)
    packed = read_packed(path)
    assert path.stat().st_size <= megabytes / 2 * 1e6
    assert 3 <= len(packed.frames) <= 7 and packed.numbers[-1] > 7
    for index, number in enumerate(packed.numbers):
        frame = list(make_frames(count=12))[number]
        np.testing.assert_array_equal(packed.people(index)[0], frame.boxes)
        row = packed.vector_of[packed.box_starts[index]]
        np.testing.assert_allclose(packed.vectors[row], frame.vectors[0], atol=1e-3)
    with pytest.raises(DataError, match="12 frames take"):
        write_packed(path, make_frames(count=12), 0.001)


def test_what_cannot_be_packed(tmp_path):
    with pytest.raises(DataError, match="no frame"):
        write_packed(tmp_path / "set.npz", [], 5)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_packed(tmp_path / "file" / "set.npz", make_frames(), 5)


def changed(arrays, name):
    value = arrays[name]
    return {**arrays, name: value[:-1]} if name != "format" else {**arrays, name: np.array(99)}


@pytest.mark.parametrize(
    "name", ["format", "boxes", "kinds", "box_starts", "source", "numbers", "frames", "frames_starts", "masks", "sizes"]
)
def test_damaged_sets_are_refused(tmp_path, name):
    path = write_small(tmp_path / "set.npz")
    np.savez(path, **changed(dict(np.load(path)), name))
    with pytest.raises(DataError) as caught:
        read_packed(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", boxes=np.zeros(3))
    with pytest.raises(DataError, match="no packed set of this version"):
        read_packed(tmp_path / "other.npz")
    with pytest.raises(DataError, match="missing"):
        read_packed(tmp_path / "missing.npz")


def test_a_damaged_frame_is_named(tmp_path):
    path = write_small(tmp_path / "set.npz")
    arrays = dict(np.load(path))
    arrays["frames"][: arrays["frames_starts"][1]] = 0
    np.savez(path, **arrays)
    packed = read_packed(path)
    packed.frame(1)
    with pytest.raises(DataError, match="damaged"):
        packed.frame(0)


def test_a_person_is_cut_out_along_the_outline(clip_frames):
    image = cv2.resize(clip_frames[0], (400, 300))
    box = np.array([150, 60, 222, 260])
    truth = draw_person(image, box.tolist(), (200, 20, 220))
    assert eligible(image, box[None].astype(np.float32), np.zeros(1, bool)).tolist() == [0]
    crop, mask = cut_out(image, box.astype(np.float32))
    inside = truth[60:260, 150:222]
    resized = cv2.resize(mask, (72, 200)) > 0.5
    assert (resized & inside).sum() / (resized | inside).sum() > 0.9
    assert crop.shape[:2] == mask.shape and mask.min() >= 0 and mask.max() <= 1
    assert cut_out(np.full((300, 400, 3), 90, np.uint8), box.astype(np.float32)) is None, "nobody is there"


@pytest.mark.parametrize(
    ("boxes", "ignored", "expected"),
    [
        ([[150, 60, 210, 260]], [True], []),
        ([[150, 60, 210, 140]], [False], []),  # too small
        ([[150, 60, 350, 260]], [False], []),  # too wide
        ([[0, 60, 60, 260]], [False], []),  # at the border
        ([[150, 60, 210, 260], [190, 60, 250, 260]], [False, False], []),  # one before the other
        ([[150, 60, 210, 260], [220, 60, 280, 260]], [False, True], [0]),
        (np.zeros((0, 4)), [], []),
    ],
)
def test_who_is_cut_out(boxes, ignored, expected):
    image = np.zeros((300, 400, 3), np.uint8)
    found = eligible(image, np.array(boxes, np.float32).reshape(-1, 4), np.array(ignored, bool))
    assert found.tolist() == expected
