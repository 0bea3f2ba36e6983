"""What users give by mistake as a source: one line says what is wrong."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.helpers.videos import JPEG, damage_packets, numbered_frames, source_error, write_video
from tracker.errors import OptionError
from tracker.sources import opening


def test_missing_file():
    text = source_error("no/such/clip.mp4")
    assert "'no/such/clip.mp4' does not exist" in text
    assert "from_device" not in text


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", " ", "two\nlines.mp4"])
def test_strange_texts(text):
    assert "does not exist" in source_error(text)


def test_empty_text():
    assert "empty" in source_error("")


def test_an_open_source_is_taken_as_it_is(tmp_path):
    clip = write_video(tmp_path / "street.mp4", numbered_frames(2))
    with opening.open_source(clip) as source:
        assert opening.open_source(source) is source
        assert opening.readable_again(source) == clip == opening.readable_again(clip)


@pytest.mark.parametrize("content", [b"", b"just text\n" * 100])
def test_no_video(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert str(path) in source_error(path)
    assert "is it a video?" in source_error(path)


def test_folder_and_pattern_without_images(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert "has no images" in source_error(tmp_path)
    assert f"'{tmp_path}/*.jpg' has no images" in source_error(f"{tmp_path}/*.jpg")


def test_video_without_a_readable_frame(tmp_path):
    path = write_video(tmp_path / "clip.avi", numbered_frames(4), **JPEG)
    damage_packets(path, range(4))
    assert "no readable frame" in source_error(path)


def test_only_sound(tmp_path):
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        chunk.sample_rate = 44100
        container.mux(stream.encode(chunk))
        container.mux(stream.encode())
    assert "only audio" in source_error(tmp_path / "song.m4a")


def test_cover_of_an_album_is_no_video(tmp_path):
    with av.open(str(tmp_path / "song.mp3"), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100, layout="mono")
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")))
        container.mux(cover.encode())
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
        chunk.sample_rate = 44100
        container.mux(sound.encode(chunk))
        container.mux(sound.encode())
    assert "only audio" in source_error(tmp_path / "song.mp3")


def test_unknown_codec(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(4))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    text = source_error(path)
    assert "unknown video codec" in text
    assert str(path) in text


def test_no_permission(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(2))

    def refuse(*arguments, **keywords):
        raise av.error.PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(av, "open", refuse)  # Whoever runs the tests may be allowed everything.
    assert "no permission" in source_error(path)

    def refuse_path(*arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse_path)
    assert "no permission" in source_error(tmp_path)
    monkeypatch.setattr(Path, "exists", refuse_path)
    assert "no permission" in source_error(tmp_path)


@pytest.mark.parametrize("value", [[], None, 1.5, True, b"clip.mp4", np.zeros(3)])
@pytest.mark.parametrize("from_device", [False, True])
def test_wrong_type(value, from_device):
    assert type(value).__name__ in source_error(value, from_device=from_device, error=OptionError)


@pytest.mark.parametrize("option", ["frame_rate", "timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "25", True, [25]])
def test_wrong_number(option, value):
    text = source_error("clip.mp4", error=OptionError, **{option: value})
    assert option in text
    assert repr(value) in text


def test_nothing_is_left_open(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(4))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    opened = []
    real_open = opening.open_file
    monkeypatch.setattr(opening, "open_file", lambda *a: opened.append(real_open(*a)) or opened[-1])
    source_error(path)
    with pytest.raises(AssertionError):
        next(opened[0].demux())
