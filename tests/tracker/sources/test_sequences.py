"""MOTChallenge sequences as a source: which folders are one, their frames by the names of images, their seqinfo.ini."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.dataset_files import write_image, write_mot, write_text
from tests.helpers.videos import read_source, source_error
from tracker import Detections, FunctionDetector, Predictor
from tracker.errors import SourceError
from tracker.sources.images import frame_numbers
from tracker.sources.seqinfo import read_seqinfo


def numbers(frames):
    return [frame.index + 1 for frame in frames]


def half(folder, info="[Sequence]\nimDir=img1\nframeRate=10\n", names=(301, 302, 304)):
    """A sequence cut out of a longer one, with a picture missing."""
    for number in names:
        write_image(folder / "img1" / f"{number:06d}.jpg")
    write_text(folder / "gt" / "gt.txt", "301,1,1,1,9,9,1\n")
    if info is not None:
        write_text(folder / "seqinfo.ini", info)
    return folder


@pytest.mark.parametrize("given", [".", "img1", "img1/../img1", "img1/*.jpg"])
@pytest.mark.parametrize("info", [None, "[Sequence]\r\nframeRate=10\r\n", "\ufeff[Sequence]\nframeRate=10\n"])
def test_frames_have_the_numbers_of_their_images(tmp_path, given, info):
    source, frames = read_source(half(tmp_path / "SEQ", info) / given)
    assert (source.name, source.frame_rate, source.first_frame) == ("SEQ", 30 if info is None else 10, 301)
    assert numbers(frames) == [301, 302, 304]
    assert [frame.time * source.frame_rate for frame in frames] == pytest.approx([0, 1, 3])


def test_folder_of_its_images_is_known_from_within(tmp_path, monkeypatch):
    monkeypatch.chdir(half(tmp_path / "SEQ") / "img1")
    source, frames = read_source(".")
    assert (source.name, numbers(frames)) == ("SEQ", [301, 302, 304])


def test_sequence_without_ground_truth_and_seqinfo(tmp_path):
    write_image(tmp_path / "SEQ" / "img1" / "000003.jpg")
    (tmp_path / "SEQ" / "._img1").touch()
    assert numbers(read_source(tmp_path / "SEQ")[1]) == [3]


def test_images_by_another_name_are_numbered_by_order(tmp_path, caplog):
    for name in ("b.jpg", "a7.jpg"):
        write_image(half(tmp_path / "SEQ") / "img1" / name)
    assert numbers(read_source(tmp_path / "SEQ")[1]) == [1, 2, 3, 4, 5]
    assert "not named by frame" in caplog.text


def test_other_folders_are_numbered_by_order(tmp_path):
    for name in ("cam/000301.jpg", "cam/000305.jpg", "walk/img1/7.jpg", "pictures/4.jpg", "pictures/img1/9.jpg"):
        write_image(tmp_path / name)
    for folder, name in (("cam", "cam"), ("walk/img1", "img1"), ("pictures", "pictures"), ("cam/*", "cam")):
        source, frames = read_source(f"{tmp_path}/{folder}")
        assert (source.name, numbers(frames)) == (name, [1, 2][: len(frames)])


@pytest.mark.parametrize("name", ["..", "../other", "/etc", "img1/../../other", "a\0b", "\x1b[31m/../.."])
def test_images_outside_of_the_sequence_are_not_read(tmp_path, name):
    folder = half(tmp_path / "SEQ")
    write_image(tmp_path / "other" / "000001.jpg")
    (folder / "seqinfo.ini").write_text(f"[Sequence]\nimDir={name}\n")
    for given in (folder, folder / "img1"):
        with pytest.raises(SourceError, match=r"has imDir '.*: make it a folder beside the file") as caught:
            read_source(given)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["img1/", "./img1", "img1/../img1"])
def test_other_spellings_of_a_folder_inside(tmp_path, name):
    folder = half(tmp_path / "SEQ")
    (folder / "seqinfo.ini").write_text(f"[Sequence]\nimDir={name}\n")
    assert numbers(read_source(folder)[1]) == numbers(read_source(folder / "img1")[1])


def test_lengths_of_thousands_of_digits(tmp_path):
    (tmp_path / "seqinfo.ini").write_text(f"[Sequence]\nseqLength={'9' * 5000}\n")
    with pytest.raises(SourceError, match="make it a whole number"):
        _ = read_seqinfo(tmp_path / "seqinfo.ini").length


def test_other_folder_beside_a_seqinfo_is_none_of_its_sequence(tmp_path):
    write_image(half(tmp_path / "SEQ") / "masks" / "000301.jpg")
    source, frames = read_source(tmp_path / "SEQ" / "masks")
    assert (source.name, numbers(frames)) == ("masks", [1])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("000301 000302 000305", [301, 302, 305]),
        ("9 10 11", [9, 10, 11]),
        ("walk_000001 walk_000004", [1, 4]),
        ("000000 000001 000003", [1, 2, 4]),
        ("1 01", None),
        ("a1 b2", None),
        ("1a 2a", None),
        ("20261127141618001 20261127141618034", None),
        ("", []),
    ],
)
def test_numbers_in_names(names, expected):
    assert frame_numbers([Path("img1", f"{name}.jpg") for name in names.split()]) == expected


@pytest.mark.parametrize(("skip", "tracked"), [(1, [301, 302, 303, 304, 305]), (2, [301, 303, 305])])
def test_results_have_the_numbers_of_the_images(tmp_path, skip, tracked):
    """Beginning with the first image, as those of a video do; a picture that is missing has an empty frame."""
    person = Detections(np.float32([[5, 5, 25, 28]]), np.float32([0.9]), np.zeros((1, 0), np.float32))
    detector = FunctionDetector(lambda image: person)
    folder = half(tmp_path / "SEQ", names=range(302, 306))
    write_image(folder / "img1" / "000301.jpg")
    (folder / "img1" / "000304.jpg").unlink()
    result = Predictor(detector=detector).mot_predict(folder, tmp_path / "out", visualization=False, skip_frames=skip)
    read = [number for number in tracked if number != 304]
    assert [int(line.split(",")[0]) for line in result.text_path.read_text().splitlines()] == read
    assert [frame.frame for frame in result] == tracked
    assert [frame.frame for frame in result if len(frame)] == read
    assert (result.first_frame, result.last_frame, result.frames) == (301, 305, len(read))


def test_what_macos_lays_beside_images_is_no_frame(tmp_path):
    folder = write_mot(tmp_path / "SEQ", 2)
    (folder / "img1" / "._000001.jpg").write_bytes(b"\0\5\x16\7")
    for given in (folder, folder / "img1", f"{folder}/img1/*"):
        source, frames = read_source(given)
        assert (numbers(frames), source.skipped) == ([1, 2], 0)


# ---- seqinfo.ini


def stated(tmp_path, text):
    (tmp_path / "seqinfo.ini").write_text(text, encoding="utf-8")
    info = read_seqinfo(tmp_path / "seqinfo.ini")
    return info.image_folder, info.frame_rate, info.length


def test_stated_values(tmp_path):
    text = "\ufeff[Sequence]\nname=50%\nimDir=100%frames\nframeRate=12.5\nseqLength=30\n"
    assert stated(tmp_path, text) == ("100%frames", 12.5, 30)


@pytest.mark.parametrize("text", ["", "[Sequence]\nname=walk\n", "[Other]\nframeRate=fast\n"])
def test_nothing_need_be_stated(tmp_path, text):
    assert stated(tmp_path, text) == ("img1", None, None)


@pytest.mark.parametrize("text", ["", "fast", "50%", "0", "-25", "nan", "inf"])
def test_frame_rate_must_be_a_positive_number(tmp_path, text):
    with pytest.raises(SourceError) as caught:
        stated(tmp_path, f"[Sequence]\nframeRate={text}\n")
    for part in (str(tmp_path / "seqinfo.ini"), "frameRate", repr(text)):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["", "many", "-3", "2.5"])
def test_length_must_be_a_whole_number(tmp_path, text):
    with pytest.raises(SourceError) as caught:
        stated(tmp_path, f"[Sequence]\nseqLength={text}\n")
    for part in (str(tmp_path / "seqinfo.ini"), "seqLength", repr(text)):
        assert part in str(caught.value)


@pytest.mark.parametrize("content", [b"seqLength=3\n", b"[Sequence]\nseqLength=\xff\n", None])
def test_file_that_cannot_be_read_costs_one_line(tmp_path, content):
    path = tmp_path / "seqinfo.ini"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read_seqinfo(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_folder_of_images_is_named(tmp_path):
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nimDir=missing\n")
    assert re.search(r"missing.*imDir", source_error(tmp_path))
