"""Detectors as teachers: two kinds of output, and pictures in tiles."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.training.teacher_networks import boxes_detector, brightest_detector, mean_colour, yolox
from tracker.errors import ModelError
from training.teachers import detectors
from training.teachers.detectors import DetectorFile, TiledDetector, YoloxDetector, open_detector, tiles_of

SIZE = (64, 96)  # height and width of a detector's input
CELLS = 8 * 12 + 4 * 6 + 2 * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b.xml", ("a/b.xml", 0, None)),
        ("a/b.xml:1", ("a/b.xml", 1, None)),
        ("c:b.xml:12", ("c:b.xml", 12, None)),
        ("c:b@2.xml", ("c:b@2.xml", 0, None)),
        ("b.xml@1088x608", ("b.xml", 0, (608, 1088))),
        ("b.xml:1@96x64", ("b.xml", 1, (64, 96))),
    ],
)
def test_class_and_size_stand_behind_the_file(text, expected):
    assert DetectorFile.parse(text) == (Path(expected[0]), *expected[1:])


def test_the_input_has_the_size_asked_for(tmp_path):
    detector = open_detector(f"{brightest_detector(tmp_path / 'boxes.xml')}@192x128", 1)
    assert detector.size == (128, 192)
    np.testing.assert_allclose(detector(draw((100, 40, 200, 100))), [[100, 40, 200, 100, 0.9]], atol=6)


def test_decoded_boxes_are_scaled_to_the_image_and_those_of_people_stay(tmp_path):
    rows = [[48, 32, 96, 64, 0.9], [0, 0, 10, 10, 0.8], [1, 2, 3, 4, 0.7], [1, 2, 3, 4, 0.05]]
    path = boxes_detector(tmp_path / "boxes.xml", rows, labels=[1, 0, 1, 1])
    image = np.zeros((128, 480, 3), np.uint8)  # twice as high, five times as wide
    expected = np.float32([[240, 64, 480, 128, 0.9], [5, 4, 15, 8, 0.7]])
    found = open_detector(f"{path}:1", 1)(image)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(open_detector(str(path), 1)(image), [[0, 0, 50, 20, 0.8]], rtol=1e-6)
    one_class = boxes_detector(tmp_path / "one.xml", rows)
    assert len(open_detector(str(one_class), 1)(image)) == 3


def test_the_network_sees_the_image_resized(tmp_path):
    detector = open_detector(str(brightest_detector(tmp_path / "boxes.xml")), 1)
    image = np.zeros((128, 480, 3), np.uint8)
    assert detector(image).shape == (0, 5)
    image[40:100, 100:200] = 255
    np.testing.assert_allclose(detector(image), [[100, 40, 200, 100, 0.9]], rtol=1e-5)
    image[:] = [0, 0, 255]
    assert len(detector(image)) == 0, "a mean of 85"


def test_rows_of_yolox_are_decoded():
    """Centre = (xy + cell) * stride, size = exp(wh) * stride, score = objectness * class; at every stride."""
    random = np.random.default_rng(0)
    rows = np.zeros((CELLS, 7), np.float32)
    rows[:, 4:6] = 1  # another class is found everywhere
    chosen = {8: (3, 7), 16: (2, 1), 32: (1, 2)}  # row and column
    expected, first = [], 0
    for stride, score in ((8, 0.9), (16, 0.8), (32, 0.7)):
        height, width = SIZE[0] // stride, SIZE[1] // stride
        row, column = chosen[stride]
        dx, dy, dw, dh = random.uniform(-0.3, 0.3, 4)
        rows[first + row * width + column] = [dx, dy, dw, dh, score / 0.95, 1, 0.95]
        x, y, w, h = (column + dx) * stride, (row + dy) * stride, np.exp(dw) * stride, np.exp(dh) * stride
        expected.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2, score])
        first += height * width
    blobs = []

    class Network:
        shape = (1, 3, *SIZE)

        def __call__(self, blob):
            blobs.append(blob.copy())
            return [rows[None]]

    image = random.integers(0, 256, (SIZE[0] * 2, SIZE[1], 3), dtype=np.uint8)  # is halved, with padding beside it
    found = YoloxDetector(Network(), 1)(image)
    np.testing.assert_allclose(found[:, 4], [row[4] for row in expected], rtol=1e-5)
    np.testing.assert_allclose(found[:, :4], 2 * np.array(expected)[:, :4], rtol=1e-4, atol=1e-3)
    assert blobs[0].shape == (1, 3, *SIZE) and blobs[0].dtype == np.float32
    assert (blobs[0][:, :, :, 48:] == 114).all()
    small = cv2.resize(image, (48, 64), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)
    np.testing.assert_allclose(blobs[0][0, :, :, :48], small, atol=1)


def test_of_boxes_that_overlap_the_best_stays(tmp_path):
    rows = np.zeros((1, CELLS, 6), np.float32)
    for cell, (left, top, right, bottom, score) in enumerate(
        [(10, 10, 30, 50, 0.6), (11, 10, 31, 50, 0.7), (50, 10, 70, 50, 0.5), (50, 10, 70, 50, 0.05)]
    ):
        centre = np.array([left + right, top + bottom]) / 2 / 8 - [cell, 0]
        rows[0, cell] = [*centre, *np.log(np.array([right - left, bottom - top]) / 8), score, 1]
    found = open_detector(str(yolox(tmp_path / "yolox.xml", rows)), 1)(np.zeros((*SIZE, 3), np.uint8))
    np.testing.assert_allclose(found, [[11, 10, 31, 50, 0.7], [50, 10, 70, 50, 0.5]], rtol=1e-4)


def test_networks_of_other_kinds_are_no_detectors(tmp_path):
    image = np.zeros((*SIZE, 3), np.uint8)
    with pytest.raises(
        ModelError, match=r"must take images \[1, 3, H, W\], H and W multiples of 32, not \[1, 3, 64, 9"
    ):
        open_detector(str(yolox(tmp_path / "a.xml", np.zeros((1, CELLS, 6)), (64, 90))), 1)
    with pytest.raises(ModelError, match=r"must take images \[1, 3, H, W\], .*not \[1, 256, 128, 3\]"):
        open_detector(str(mean_colour(tmp_path / "b.xml", (1, 256, 128, 3))), 1)
    for shape in ((1, CELLS + 1, 85), (1, CELLS, 5), (CELLS, 85)):
        path = yolox(tmp_path / "c.xml", np.zeros(shape))
        with pytest.raises(ModelError, match=r"c\.xml gives .*, not \[1, 126, 6 or more\]"):
            open_detector(str(path), 1)(image)
    with pytest.raises(ModelError, match=r"c\.xml gives \[1, 126, 6\], not \[1, 126, 7 or more\]"):
        open_detector(f"{yolox(path, np.zeros((1, CELLS, 6)))}:1", 1)(image)
    wide = detectors.BoxesDetector(
        SimpleNamespace(path="d.xml", shape=(1, 3, 8, 8), outputs=["boxes"], __call__=None), 0
    )
    wide._network = type("N", (), {"path": "d.xml", "__call__": lambda *_: [np.zeros((2, 7))]})()
    with pytest.raises(ModelError, match=r"d\.xml gives boxes \[2, 7\], not \[N, 5\]"):
        wide(image)


@given(st.integers(100, 3000), st.integers(100, 3000), st.integers(2, 4))
def test_tiles_cover_the_image_and_overlap(width, height, count):
    tiles = tiles_of(width, height, count)
    assert len(tiles) == count**2
    assert len({(right - left, bottom - top) for left, top, right, bottom in tiles}) == 1
    for low, high, side in ((0, 2, width), (1, 3, height)):
        spans = sorted({(tile[low], tile[high]) for tile in tiles})
        assert spans[0][0] == 0 and spans[-1][1] == side
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end - start >= 0.05 * side / count


def draw(*people):
    image = np.zeros((720, 1280, 3), np.uint8)
    for left, top, right, bottom in people:
        image[top:bottom, left:right] = 255
    return image


def test_tiles_find_whom_the_whole_image_does_not(tmp_path, monkeypatch):
    """The detector finds one bounding box of everything bright; the image has a person in each corner."""
    path = brightest_detector(tmp_path / "boxes.xml", (360, 640))
    people = [(60, 80, 100, 160), (1000, 60, 1060, 200), (80, 500, 120, 640), (1100, 520, 1180, 700)]
    found = TiledDetector(str(path), 1, tiles=2)(draw(*people))
    everything = [60, 60, 1180, 700]
    assert len(found) == 5 and (found[:, 4] == np.float32(0.9)).all()
    for box in (*people, everything):
        assert np.abs(found[:, :4] - box).max(axis=1).min() <= 2, f"{box} in pixels of the image"
    np.testing.assert_allclose(TiledDetector(str(path), 1)(draw(*people))[:, :4], [everything], atol=2)
    half = cv2.resize(draw(*people), None, fx=0.5, fy=0.5)
    assert len(TiledDetector(str(path), 1, tiles=2)(half)) == 1, "small images are not cut up"


def test_tiles_are_shown_at_a_multiple_of_the_scale(tmp_path):
    seen = []
    tiled = TiledDetector(str(brightest_detector(tmp_path / "boxes.xml", (352, 640))), 1, tiles=2)
    for detector in (tiled._whole, tiled._tile):
        network = detector._network
        detector._network = lambda blob, run=network: seen.append(blob.shape[2:]) or run(blob)
    tiled(np.zeros((704, 1280, 3), np.uint8))
    assert seen == [(352, 640)]
    seen.clear()
    tiled(np.zeros((1056, 1920, 3), np.uint8))
    tile = tiles_of(1920, 1056, 2)[0]
    assert seen == [(352, 640), *[(448, 768)] * 4]
    shown = np.array(seen[1]) / (tile[3], tile[2])
    np.testing.assert_allclose(shown, np.array([352, 640]) / (1056, 1920) * 2, rtol=0.07)


def test_who_is_cut_off_by_a_tile_is_left_to_the_others(tmp_path):
    """Somebody across the middle is whole in some tile or in the image; a border of the image cuts nobody off."""
    path = brightest_detector(tmp_path / "boxes.xml", (360, 640))
    tiled = TiledDetector(str(path), 1, tiles=2)
    for person in (
        (560, 100, 720, 200),
        (700, 300, 790, 420),
        (1200, 300, 1280, 720),
        (0, 0, 80, 60),
        (200, 20, 900, 700),
    ):
        found = tiled(draw(person))
        assert len(found) == 1, person
        np.testing.assert_allclose(found[0, :4], person, atol=3)


def test_the_digest_tells_answers_apart(tmp_path):
    path = boxes_detector(tmp_path / "boxes.xml", [[1, 2, 3, 4, 0.5]])
    other = boxes_detector(tmp_path / "other.xml", [[1, 2, 3, 4, 0.6]])
    made = [
        TiledDetector(*arguments).digest
        for arguments in ((str(path), 1), (f"{path}:1", 1), (f"{path}@64x64", 1), (str(path), 1, 2))
    ]
    made.append(TiledDetector(str(other), 1).digest)
    assert len({*made}) == 5
    assert TiledDetector(str(path), 2).digest == made[0], "threads do not change an answer"
