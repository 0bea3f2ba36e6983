"""Folders, patterns, sequences and single images as a source."""

import shutil
from pathlib import Path

import cv2
import pytest

from tests.helpers.videos import number_of, numbered_frames, read_source, source_error, write_video
from tracker.sources import open_source


def write_images(folder: Path, names, size=(32, 24)):
    folder.mkdir(parents=True, exist_ok=True)
    for image, name in zip(numbered_frames(len(names), size), names):
        (folder / name).write_bytes(cv2.imencode(Path(name).suffix.lower(), image)[1].tobytes())
    return folder


def test_folder_of_images_in_natural_order(tmp_path):
    folder = write_images(tmp_path / "walk.v1", ["img1.png", "img2.PNG", "img10.jpg", "img11.bmp"])
    (folder / "notes.txt").write_text("no image")
    source, frames = read_source(str(folder))
    assert (source.name, source.frame_rate, source.frame_count, source.live) == ("walk.v1", 30.0, 4, False)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert [frame.time for frame in frames] == [index / 30 for index in range(4)]


def test_given_rate_dates_the_images(tmp_path):
    source, frames = read_source(write_images(tmp_path / "walk", ["1.png", "2.png"]), frame_rate=4)
    assert source.frame_rate == 4
    assert [frame.time for frame in frames] == [0, 0.25]


def test_unreadable_images_are_skipped(tmp_path):
    folder = write_images(tmp_path / "walk", ["1.png", "2.png", "3.png", "4.png"])
    (folder / "2.png").write_bytes(b"")
    (folder / "3.png").write_bytes(b"broken")
    source, frames = read_source(folder)
    assert source.skipped == 2
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0), (3, 0.1)]
    for name in ["1.png", "4.png"]:
        (folder / name).write_bytes(b"broken")
    assert f"'{folder}' has no readable frame" in source_error(str(folder))


def test_frame_size_may_change(tmp_path):
    folder = write_images(tmp_path / "mixed", ["1.png"], size=(32, 24))
    write_images(folder, ["2.png"], size=(7, 5))
    _, frames = read_source(folder)
    assert [frame.image.shape for frame in frames] == [(24, 32, 3), (5, 7, 3)]


def test_dots_are_resolved_for_the_name(tmp_path, monkeypatch):
    folder = write_images(tmp_path / "walk", ["1.png"])
    (folder / "inner").mkdir()
    monkeypatch.chdir(folder)
    assert open_source(".").name == "walk"
    assert open_source("*.png").name == "walk"
    monkeypatch.chdir(folder / "inner")
    assert open_source("..").name == "walk"


def test_glob_pattern(tmp_path):
    write_images(tmp_path / "walk", ["img2.png", "img10.png", "other.jpg"])
    source, frames = read_source(f"{tmp_path}/walk/img*")
    assert (source.name, source.frame_count) == ("walk", 2)
    assert [number_of(frame.image) for frame in frames] == [0, 1]
    assert open_source(f"{tmp_path}/w*k/*.jpg").name == "w_k"


@pytest.mark.parametrize(("given_rate", "expected"), [(None, 14.0), (7, 7.0)])
def test_motchallenge_sequence(tmp_path, given_rate, expected):
    sequence = tmp_path / "MOT16-05"
    write_images(sequence / "100%frames", ["000001.jpg", "000002.jpg"])
    text = "\ufeff[Sequence]\nname=walk\nimDir=100%frames\nframeRate=14\nseqLength=2\n"
    (sequence / "seqinfo.ini").write_text(text, encoding="utf-8")
    source, frames = read_source(sequence, frame_rate=given_rate)
    assert (source.name, source.frame_rate, source.frame_count) == ("MOT16-05", expected, 2)
    assert frames[1].time == 1 / expected


def test_still_image_is_a_sequence_of_one(tmp_path):
    write_images(tmp_path, ["group.photo.jpg"])
    source, frames = read_source(tmp_path / "group.photo.jpg")
    assert (source.name, source.frame_count) == ("group.photo", 1)
    assert (frames[0].index, frames[0].time, frames[0].image.shape) == (0, 0.0, (24, 32, 3))


@pytest.mark.parametrize("name", ["0", "a*b[1].mp4", "12:30.mp4", "行人 %03d?.mp4"])
def test_existing_path_wins(tmp_path, monkeypatch, name):
    shutil.move(write_video(tmp_path / "clip.mp4", numbered_frames(3)), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    source, frames = read_source(name)
    assert len(frames) == 3
    assert source.name == Path(name).stem
