"""Damaged and cut off videos: what can be read comes, the rest is counted."""

import logging

import av
import numpy as np
import pytest

from tests.helpers.videos import (
    JPEG,
    BreakingContainer,
    damage_packets,
    number_of,
    numbered_frames,
    read_source,
    write_video,
)
from tracker.sources import open_source
from tracker.sources.video import VideoSource


@pytest.mark.parametrize(
    ("name", "options", "damaged"),
    [
        ("clip.mp4", {}, [9, 10]),
        ("clip.avi", JPEG, [0, 1]),
        ("clip.avi", JPEG, [9, 11]),
        ("clip.avi", JPEG, [18]),
        ("clip.mp4", {"options": {"g": "1"}}, [0]),
        ("clip.mp4", {"options": {"g": "1"}}, [8, 17, 18]),
    ],
)
def test_damaged_frames_are_skipped_and_keep_their_numbers(tmp_path, name, options, damaged):
    path = write_video(tmp_path / name, numbered_frames(20), **options)
    whole = list(open_source(path))
    damage_packets(path, damaged)
    source, frames = read_source(path)
    assert source.skipped == len(damaged)
    assert len(frames) == 20 - len(damaged)
    for frame in frames:
        assert frame.time == pytest.approx(whole[frame.index].time)
    if "options" in options or options == JPEG:  # Every picture stands alone: the rest is as it was.
        assert sorted({frame.index for frame in frames} ^ set(range(20))) == damaged
        assert [number_of(frame.image) for frame in frames] == [frame.index for frame in frames]


def test_pictures_the_decoder_cannot_rebuild_are_counted(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(40), options={"g": "20", "sc_threshold": "0"})
    damage_packets(path, [0])
    source, frames = read_source(path)
    assert source.skipped > 1
    assert source.skipped + len(frames) == 40
    assert frames[-1].index == 39
    assert frames[-1].time == pytest.approx(39 / 25)


@pytest.mark.parametrize(("name", "options"), [("clip.mp4", {}), ("clip.avi", JPEG)])
def test_truncated_file_gives_its_readable_part(tmp_path, name, options):
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (64, 96, 3)).astype(np.uint8) for _ in range(20)]
    faststart = {"movflags": "faststart"} if name.endswith("mp4") else None
    path = write_video(tmp_path / name, images, container_options=faststart, **options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source, frames = read_source(path)
    assert 3 < len(frames) < 17
    assert source.skipped <= 1
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_container_that_breaks_off_gives_what_the_decoder_holds(tmp_path, caplog):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(20))
    error = av.error.TimeoutError(110, "Connection timed out", "rtsp://secret")
    with (
        VideoSource(BreakingContainer(path, error, after=10), "'the camera'", "clip") as source,
        caplog.at_level(logging.WARNING),
    ):
        frames = list(source)
    assert len(frames) == 10
    assert "'the camera'" in caplog.text and "Connection timed out" in caplog.text
    assert "secret" not in caplog.text
