"""The best picture of each person: which frame it is from, that there is one for everybody, and what is in memory."""

import cv2
import numpy as np
import pytest

from tracker.errors import OutputError
from tracker.sinks.pictures.people import FORGET, BestPictures
from tracker.sinks.pictures.view import numbered_pictures

BOX = (60.0, 40.0, 40.0, 100.0)


def grainy(level, blur=0):
    """A picture of 320 x 240 whose mean grey tells which one it is, sharp unless it is blurred."""
    noise = np.random.default_rng(0).integers(-20, 21, (240, 320, 1))
    picture = np.clip(level + np.repeat(noise, 3, axis=2), 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture


def look(pictures, level, ms, boxes, ids=None, scores=None, blur=0):
    boxes = np.array(boxes, float).reshape(-1, 4)
    ids = np.arange(1, len(boxes) + 1) if ids is None else np.array(ids)
    scores = np.full(len(boxes), 0.9) if scores is None else np.array(scores)
    pictures.update(grainy(level, blur), ms, ids, boxes, scores)


def level_of(folder, identity):
    return float(cv2.imread(str(folder / f"{identity}.jpg")).mean())


@pytest.mark.parametrize(
    "worse",
    [
        {"boxes": [(60, 40, 20, 50)]},  # small
        {"boxes": [(-5, 40, 40, 100)]},  # cut off
        {"boxes": [BOX, (75, 45, 40, 100)], "ids": [1, 2]},  # behind another
        {"boxes": [BOX], "scores": [0.5]},
        {"boxes": [BOX], "blur": 3},
    ],
    ids=["small", "cut", "covered", "unsure", "blurred"],
)
@pytest.mark.parametrize("order", [(60, 180), (180, 60)])
def test_the_better_picture_is_kept(tmp_path, worse, order):
    pictures = BestPictures(tmp_path)
    for number, level in enumerate(order):
        look(pictures, level, 1000 * number, **({"boxes": [BOX]} if level == 180 else worse))
    pictures.close()
    assert level_of(tmp_path, 1) == pytest.approx(180, abs=6)


def test_everybody_has_one_picture_with_a_margin(tmp_path):
    pictures = BestPictures(tmp_path)
    look(pictures, 100, 0, [BOX, (200, 50, 40, 100), (500, 50, 40, 100)])  # the last one is outside
    assert pictures.path(1) == f"{tmp_path.name}/1.jpg" and pictures.path(3) is None
    pictures.close()
    assert list(numbered_pictures(tmp_path).values()) == [1, 2]
    assert cv2.imread(str(tmp_path / "1.jpg")).shape == (120, 48, 3)


def test_several_pictures_are_of_different_moments_and_the_best_is_the_first(tmp_path):
    pictures = BestPictures(tmp_path, 3)
    scores = {0: 0.5, 500: 0.55, 2600: 0.9, 3100: 0.4, 5000: 0.3, 7500: 0.7, 9000: 0.2}
    for number, (ms, score) in enumerate(scores.items()):
        look(pictures, 60 + 20 * number, ms, [BOX], scores=[score])
    assert len(pictures._best[1].shots) == 3
    pictures.close()
    assert [path.name for path in numbered_pictures(tmp_path)] == ["1-2.jpg", "1-3.jpg", "1.jpg"]
    levels = [level_of(tmp_path, name) for name in ("1", "1-2", "1-3")]
    assert levels[0] == pytest.approx(100, abs=6)  # of 2600 ms, with those of 500 and 7500 ms beside it
    assert sorted(levels[1:]) == pytest.approx([80, 160], abs=6)


def test_of_several_pictures_those_of_a_second_visit_may_be_the_better_ones(tmp_path):
    pictures = BestPictures(tmp_path, 2)
    look(pictures, 60, 0, [BOX], scores=[0.5])
    look(pictures, 80, FORGET + 1, [])
    look(pictures, 180, FORGET + 2, [BOX])
    look(pictures, 120, FORGET + 5000, [BOX], scores=[0.7])
    pictures.close()
    assert [level_of(tmp_path, name) for name in ("1", "1-2")] == pytest.approx([180, 120], abs=6)
    BestPictures(tmp_path, 2)
    assert not any(tmp_path.iterdir())


def test_who_comes_back_keeps_the_better_picture(tmp_path):
    pictures = BestPictures(tmp_path)
    look(pictures, 180, 0, [BOX])
    look(pictures, 90, FORGET + 1, [])
    assert level_of(tmp_path, 1) == pytest.approx(180, abs=6), "written as soon as they are gone"
    look(pictures, 60, FORGET + 100, [BOX], scores=[0.6])
    pictures.close()
    assert level_of(tmp_path, 1) == pytest.approx(180, abs=6)


def test_only_people_in_sight_are_in_memory(tmp_path):
    pictures = BestPictures(tmp_path)
    for number in range(200):
        look(pictures, 100, 1000 * number, [BOX], ids=[number])
        assert len(pictures._best) <= FORGET / 1000 + 1
    pictures.close()
    assert len(numbered_pictures(tmp_path)) == 200


def test_pictures_of_a_run_before_are_removed_and_nothing_else(tmp_path):
    for name in ("7.jpg", "cat.jpg"):
        (tmp_path / name).write_bytes(b"")
    BestPictures(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cat.jpg"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "people").write_text("a file")
    pictures = BestPictures(tmp_path / "people")
    look(pictures, 100, 0, [BOX])
    with pytest.raises(OutputError, match=r"cannot write .*people"):
        pictures.close()
