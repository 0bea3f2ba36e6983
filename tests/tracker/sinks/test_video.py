"""The annotated video: what a player sees in it, and what is left of it after an error of the caller."""

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.videos import decode_video, mp4_boxes, plain_image
from tracker.errors import OptionError, OutputError
from tracker.sinks.video import VideoWriter


def write(path, times, image=None, frame_rate=10.0):
    with VideoWriter(path, frame_rate) as video:
        for time in times:
            video.write(plain_image() if image is None else image, time)


# ---- the picture


def test_format_and_faststart(tmp_path):
    path = tmp_path / "a.mp4"
    write(path, [i / 10 for i in range(10)])
    with av.open(str(path)) as container:
        assert len(container.streams) == 1
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.width, codec.height) == ("h264", "yuv420p", 64, 48)
        assert (codec.colorspace, codec.color_range, codec.color_primaries, codec.color_trc) == (1, 1, 1, 1)
        assert abs(container.duration / av.time_base - 1.0) < 0.001
        assert container.streams.video[0].frames == 10
    names = mp4_boxes(path)
    assert names.index("moov") < names.index("mdat") and "moof" not in names
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("color", [(0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 0), (40, 120, 200)])
def test_colors_survive(tmp_path, color):
    write(tmp_path / "a.mp4", [0.0], plain_image(color=color))
    (image,), _ = decode_video(tmp_path / "a.mp4")
    assert np.abs(image.astype(int) - color).max() <= 8


def test_variable_rate_is_kept(tmp_path):
    times = [0.0, 0.04, 0.041, 0.5, 3.7, 3.75, 12.0]
    write(tmp_path / "a.mp4", times, frame_rate=25.0)
    assert decode_video(tmp_path / "a.mp4")[1] == pytest.approx(times, abs=0.001)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(12.04, abs=0.001)


@pytest.mark.parametrize("rate", [0.05, 30000 / 1001, 23.976, 2000.0])
def test_last_picture_lasts_one_period(tmp_path, rate):
    write(tmp_path / "a.mp4", [0.0, 1.0], frame_rate=rate)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0 + 1 / rate, abs=0.0001)


def test_first_time_above_zero_is_kept(tmp_path):
    write(tmp_path / "a.mp4", [1.5, 1.6])
    assert decode_video(tmp_path / "a.mp4")[1] == pytest.approx([1.5, 1.6], abs=0.001)


def test_times_that_do_not_increase(tmp_path):
    write(tmp_path / "a.mp4", [0.0, 0.1, 0.1, 0.05, 0.3])
    times = decode_video(tmp_path / "a.mp4")[1]
    assert times == pytest.approx([0.0, 0.1, 0.1, 0.1, 0.3], abs=0.001)
    assert all(np.diff(times) > 0)


def test_key_frame_every_two_seconds_at_any_rate(tmp_path):
    write(tmp_path / "a.mp4", [i / 50 for i in range(350)], frame_rate=50.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]
    assert keys == pytest.approx([0.0, 2.0, 4.0, 6.0])


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (16, 16), (1, 400), (2, 16384)])
def test_extreme_sizes(tmp_path, shape):
    write(tmp_path / "a.mp4", [0.0], plain_image(*shape))
    (image,), _ = decode_video(tmp_path / "a.mp4")
    assert image.shape[:2] == (max(2, shape[0]), max(2, shape[1]))


def test_too_large_a_picture_is_refused(tmp_path):
    with pytest.raises(OutputError, match="16386x2"), VideoWriter(tmp_path / "a.mp4", 10) as video:
        video.write(plain_image(2, 16386), 0.0)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_odd_sizes_are_padded_never_scaled(tmp_path_factory, height, width):
    path = tmp_path_factory.mktemp("odd") / "a.mp4"
    image = np.repeat(np.linspace(40, 200, height * width).reshape(height, width, 1), 3, 2).astype(np.uint8)
    write(path, [0.0], image)
    (decoded,), _ = decode_video(path)
    assert decoded.shape[:2] == (height + height % 2, width + width % 2)
    padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    # Rows end in a jump, which coding softens; a scaled or black-bordered picture is much farther off.
    assert np.abs(decoded.astype(int) - padded).mean() < 5


def test_other_size_is_letterboxed(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10) as video:
        video.write(plain_image(65, 97, (255, 255, 255)), 0.0)
        video.write(plain_image(200, 100, (255, 255, 255)), 0.1)
        video.write(plain_image(10, 40, (255, 255, 255)), 0.2)
    images, _ = decode_video(tmp_path / "a.mp4")
    assert {image.shape for image in images} == {(66, 98, 3)}
    bright = images[1][:, :, 1] > 128
    assert bright[:, 35:63].all() and not bright[:, :30].any() and not bright[:, 68:].any()
    bright = images[2][:, :, 1] > 128
    assert bright[22:43].all() and not bright[:18].any() and not bright[48:].any()


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_wrong_images_are_named(tmp_path, image):
    with VideoWriter(tmp_path / "a.mp4", 10) as video:
        with pytest.raises(ValueError, match=re.escape(f"{list(image.shape)} {image.dtype}")):
            video.write(image, 0.0)
        video.write(plain_image(), 0.0)
    assert len(decode_video(tmp_path / "a.mp4")[0]) == 1


# ---- when something goes wrong


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_exception_of_the_caller_still_gives_a_video(tmp_path, error):
    with pytest.raises(error), VideoWriter(tmp_path / "a.mp4", 10) as video:
        for index in range(7):
            video.write(plain_image(), index / 10)
        raise error
    assert len(decode_video(tmp_path / "a.mp4")[0]) == 7
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


def test_exception_of_the_caller_is_not_hidden(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tracker.sinks.video.remux", lambda part, final: 0)
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", 10) as video:
        video.write(plain_image(), 0.0)
        raise KeyboardInterrupt
    assert "0 of 1 pictures" in caplog.text


def test_pixels_that_are_not_square_stay_so(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10, pixel_aspect=Fraction(16, 11)) as video:
        video.write(plain_image(), 0.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)


def test_older_video_is_replaced_only_at_the_end(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"older")
    with VideoWriter(path, 10) as video:
        video.write(plain_image(), 0.0)
        assert path.read_bytes() == b"older"
    assert len(decode_video(path)[0]) == 1


def test_nothing_written_leaves_nothing(tmp_path):
    (tmp_path / "old.mp4").write_bytes(b"older")
    with VideoWriter(tmp_path / "old.mp4", 10), VideoWriter(tmp_path / "new.mp4", 10) as video:
        pass
    video.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.mp4"]
    assert (tmp_path / "old.mp4").read_bytes() == b"older"


def test_close_twice_and_write_after(tmp_path):
    video = VideoWriter(tmp_path / "a.mp4", 10)
    video.write(plain_image(), 0.0)
    video.close()
    before = (tmp_path / "a.mp4").stat()
    video.close()
    assert (tmp_path / "a.mp4").stat() == before
    with pytest.raises(ValueError, match="closed"):
        video.write(plain_image(), 0.1)


def test_target_that_is_a_folder(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(OutputError, match=r"a\.mp4: a folder has this name"):
        VideoWriter(tmp_path / "a.mp4", 10)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


def test_folder_that_is_missing(tmp_path):
    with pytest.raises(OutputError, match=r"none/a\.mp4: No such file or directory"):
        VideoWriter(tmp_path / "none" / "a.mp4", 10)


def test_folder_without_permission(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # as root nothing is refused
    with pytest.raises(OutputError, match=r"a\.mp4: Permission denied"):
        VideoWriter(tmp_path / "a.mp4", 10)


def test_time_must_be_finite(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10) as video, pytest.raises(ValueError, match="nan"):
        video.write(plain_image(), float("nan"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate", [0, -1.0, float("nan"), float("inf")])
def test_frame_rate_must_be_positive(tmp_path, rate):
    with pytest.raises(OptionError, match="frame_rate"):
        VideoWriter(tmp_path / "a.mp4", rate)
    assert list(tmp_path.iterdir()) == []


def test_names_that_mean_something_to_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("pipe:1.mp4", "100% %03d 行人.mp4", "-a.mp4"):
        write(Path(name), [0.0])
        assert len(decode_video(tmp_path / name)[0]) == 1
