"""The frames to calibrate with: evenly spread over the sources, and no larger than the network's input."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.videos import number_of, numbered_frames, write_video
from tools.quantization.sample_frames import hold_back, read_frames, shrink, spread
from tracker.detection.letterbox import Letterbox
from tracker.errors import SourceError
from tracker.settings.model import LetterboxConfig


def letterbox(width=64, height=48, place="center", interpolation="linear"):
    return LetterboxConfig(height, width, "BGR", 1.0, place, 114, interpolation)


@given(st.integers(0, 500), st.integers(1, 40))
def test_items_are_spread_evenly_without_knowing_their_number(number, count):
    found = spread(iter(range(number)), count)
    assert len(found) == min(number, count)
    if number > count > 1:
        gaps = np.diff([*found, number])
        assert found[0] == 0 and gaps.min() >= 1
        assert gaps.max() <= 4 * number / count and gaps.max() <= 4 * gaps[:-1].min()


@given(st.integers(1, 300), st.integers(1, 250), st.integers(1, 100))
def test_what_is_held_back_is_not_calibrated_with(number, count, held):
    items = list(range(number))
    calibration, others = hold_back(items, count, held)
    assert sorted(calibration + others) == items and others
    assert abs(len(others) - number * held / (count + held)) <= 1
    if len(others) > 1:
        assert np.ptp(np.diff(others)) <= 1, "evenly"


@pytest.mark.parametrize("place", ["center", "top_left"])
@pytest.mark.parametrize("interpolation", ["linear", "area"])
@settings(max_examples=25)
@given(width=st.integers(1, 300), height=st.integers(1, 300))
def test_a_shrunk_image_gives_the_same_input(place, interpolation, width, height):
    image = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    config = letterbox(place=place, interpolation=interpolation)
    smaller = shrink(image, config)
    assert smaller.shape[0] <= 48 and smaller.shape[1] <= 64
    np.testing.assert_array_equal(Letterbox(config)(smaller)[0], Letterbox(config)(image)[0])


def test_every_source_gives_its_share(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", numbered_frames(40))
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), 250 + number, np.uint8))
    # of a stream like this nobody knows the length
    endless = write_video(tmp_path / "clip.h264", numbered_frames(30))
    found = read_frames([str(folder), str(clip), str(endless)], 15, letterbox())
    assert [image.mean() for image in found[:3]] == [250, 251, 252], "all that it has"
    numbers = [number_of(image) for image in found[3:9]]
    assert numbers[0] == 0 and numbers[-1] >= 30 and min(np.diff(numbers)) >= 4
    assert len(found) == 15
    assert len(read_frames([str(clip), str(folder)], 1, letterbox())) == 1
    assert len(read_frames([str(clip), str(folder)], 999, letterbox())) == 43


def test_a_live_source_is_refused(monkeypatch):
    class Live:
        live, name = True, "camera"
        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *_: None  # noqa: E731

    monkeypatch.setattr("tools.quantization.sample_frames.open_source", lambda name: Live())
    with pytest.raises(SourceError, match="camera is live"):
        read_frames(["rtsp://user:password@host/camera"], 5, letterbox())
