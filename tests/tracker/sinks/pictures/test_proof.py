"""Proofs of crossings: which moments they show, where the line is drawn, and what is in memory."""

import cv2
import numpy as np
import pytest

from tracker.sinks.pictures.proof import KEPT, SIDE, Crossed, ProofStrips, _sample
from tracker.sinks.pictures.view import numbered_pictures

LINE = np.array([[150.0, 20.0], [150.0, 220.0]])
STEP = 40  # milliseconds


def picture(ms):
    """A grey picture of 300 x 240 that tells its time by its brightness."""
    return np.full((240, 300, 3), 20 + ms // 20, np.uint8)


def walk(strips, frames, crossing_at=None, speed=2.0, start=50.0, identity=5):
    """Somebody walks to the right, from x = start on."""
    for number in range(frames):
        ms, foot = STEP * number, start + speed * number
        strips.update(picture(ms), ms, np.array([identity]), np.array([[foot - 15, 80.0, 30.0, 80.0]]))
        if number == crossing_at:
            strips.add(Crossed(1, identity, "door", ms, 150.0, 160.0))


def times_of(path):
    """The times of the three small pictures, by the brightness of their upper left corner; None where there is none."""
    strip = cv2.imread(str(path))
    assert strip.shape[0] == SIDE
    corners = [strip[2:8, at + 2 : at + 8].mean() for at in (0, SIDE + 4, 2 * SIDE + 8)]
    return [None if grey > 220 else (grey - 20) * 20 for grey in corners]


def test_it_shows_before_on_and_after_the_line(tmp_path):
    strips = ProofStrips(tmp_path, {"door": LINE}, 2.0)
    walk(strips, 100, crossing_at=53)  # on the line at frame 50, 2 seconds
    assert list(numbered_pictures(tmp_path).values()) == [1], "written as soon as the third picture is there"
    before, on, after = times_of(tmp_path / "1.jpg")
    assert on == pytest.approx(2000, abs=120) and before == pytest.approx(1200, abs=200)
    assert after == pytest.approx(2800, abs=200)
    strip = cv2.imread(str(tmp_path / "1.jpg")).astype(int)
    yellow = (strip[..., 2] > 180) & (strip[..., 0] < 120)
    columns = [np.median(yellow[:, at : at + SIDE].nonzero()[1]) for at in (0, SIDE + 4, 2 * SIDE + 8)]
    assert columns[0] > SIDE * 0.6 and columns[1] == pytest.approx(SIDE / 2, abs=8) and columns[2] < SIDE * 0.4


def test_what_is_not_there_stays_empty(tmp_path):
    strips = ProofStrips(tmp_path, {"door": LINE}, 2.0)
    walk(strips, 1, crossing_at=0, start=150.0)
    strips.close()
    before, on, after = times_of(tmp_path / "1.jpg")
    assert before is None and on == pytest.approx(0, abs=40) and after is None


def test_a_crossing_that_nobody_saw_is_an_empty_proof(tmp_path):
    strips = ProofStrips(tmp_path, {"door": LINE}, 2.0)
    strips.add(Crossed(1, 9, "door", 0.0, 150.0, 100.0))
    strips.close()
    assert times_of(tmp_path / "1.jpg") == [None] * 3


def test_memory_is_bounded(tmp_path):
    strips = ProofStrips(tmp_path, {"door": LINE}, 2.0)
    walk(strips, 400, speed=0.1, start=140.0)  # stands about
    assert len(strips._samples[5]) <= KEPT
    for number in range(50):
        strips.update(picture(0), 16_000 + 10_000 * number, np.array([number]), np.array([[140.0, 80, 30, 80]]))
    assert len(strips._samples) <= 2


def test_who_is_far_from_every_line_is_not_looked_at(tmp_path):
    strips = ProofStrips(tmp_path, {"door": LINE}, 2.0)
    strips.update(picture(0), 0, np.array([1]), np.array([[280.0, 100, 4, 10]]))
    assert not strips._samples
    ProofStrips(tmp_path, {}, 2.0).update(picture(0), 0, np.array([1]), np.array([[280.0, 100, 4, 10]]))


@pytest.mark.parametrize("tall", [30.0, 99.0, 155.0, 161.0, 233.0, 320.0, 341.0, 500.0, 900.0])
def test_small_pictures_show_things_where_they_are(tall):
    """Whatever the size of somebody: a blot on their foot, and the picture as an exact average shows it."""
    x, y = 611.0, 470.0
    image = np.zeros((1080, 1220, 3), np.uint8)
    cv2.circle(image, (round(x * 16), round(y * 16)), round(tall / 4 * 16), (200, 200, 200), cv2.FILLED, cv2.LINE_AA, 4)
    sample = _sample(image, 0.0, np.array([x - tall / 4, y - tall, tall / 2, tall]))
    assert sample.picture.shape == (SIDE, SIDE, 3)
    rows, columns = (sample.picture[..., 0] > 100).nonzero()
    middle = (sample.foot + 0.5 - sample.corner) * sample.scale - 0.5  # of pixels
    assert [columns.mean(), rows.mean()] == pytest.approx(middle, abs=0.6)
    (left, top), side = sample.corner, round(SIDE / sample.scale)
    exact = cv2.resize(image[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert np.abs(sample.picture.astype(float) - exact).mean() < 1.5
