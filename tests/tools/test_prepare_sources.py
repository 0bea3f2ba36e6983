"""Which files tools/prepare_data.py takes: every container of the tracker, and archives as macOS writes them."""

import tarfile

import pytest

from tests.helpers.dataset_files import write_crops, write_image, write_mot, write_yolo
from tests.helpers.videos import numbered_frames, write_video
from tools.prepare_data import main, prepare
from training.data.readers import MotSequence


@pytest.mark.parametrize("name", ["a.mp4", "a.MOV", "a.avi", "a.mkv", "a.webm", "a.ts", "a.mts", "a.m4v", "a.flv", "a"])
def test_every_container_that_the_tracker_reads(tmp_path, name):
    codec = {"a.webm": "libvpx", "a.m4v": "mpeg4"}.get(name, "libx264")
    made = write_video(tmp_path / (name if "." in name else "a.mp4"), numbered_frames(6), codec=codec)
    (entry,) = prepare([made.rename(tmp_path / name)], tmp_path / "data", every=3)["sources"]
    assert (entry["name"], entry["images"]) == ("a", 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [("notes.txt", "is neither a .tar nor a video"), ("a.zip", "is neither"), ("a.jpg", "is a single image")],
)
def test_other_files_are_refused_in_one_line(tmp_path, name, words, capsys):
    (tmp_path / name).write_bytes(b"PK\3\4 and some text\n" * 50)
    assert main(["--output", str(tmp_path / "data"), str(tmp_path / name)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / name}: ") and words in line


def test_archive_by_any_name(tmp_path):
    write_mot(tmp_path / "SEQ", 4)
    with tarfile.open(tmp_path / "export.data", "w:xz") as tar:
        tar.add(tmp_path / "SEQ", "SEQ")
    assert prepare([tmp_path / "export.data"], tmp_path / "data")["sources"][0]["name"] == "SEQ"


def test_what_macos_lays_beside_files_is_left_out(tmp_path):
    """Of every file it makes another, ._NAME, when it writes to an archive or a foreign disk."""
    write_mot(tmp_path / "all" / "SEQ", 4)
    write_yolo(tmp_path / "all" / "yolo", a="", b="")
    write_crops(tmp_path / "all" / "crops", _1=2, _2=2)
    write_image(tmp_path / "all" / "street" / "a.jpg")
    (tmp_path / "all" / "street" / "bboxes_gt.txt").write_text("a.jpg\n1\n-1 1 2 10 20\n")
    for path in list((tmp_path / "all").rglob("*")):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "all", "all")
    manifest = prepare([tmp_path / "all.tar.gz"], tmp_path / "data", hold_back=0.5)
    images = {entry["name"]: entry["images"] for entry in manifest["sources"]}
    assert images == {"SEQ": 2, "crops": 4, "street": 1, "yolo": 2} and manifest["totals"]["skipped"] == 0
    assert MotSequence(tmp_path / "data" / "validation" / "SEQ").frames == [1, 2]


def test_sequence_saved_on_windows(tmp_path):
    """With a byte order mark and CRLF in gt.txt and seqinfo.ini, and ids with decimals."""
    folder = write_mot(tmp_path / "SEQ", 4)
    for path in (folder / "gt" / "gt.txt", folder / "seqinfo.ini"):
        text = path.read_text().replace(",7,", ",7.0,").replace("\n", "\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    sequence = MotSequence(folder)
    assert (sequence.identities, sequence.frame_rate, len(sequence[0].boxes)) == (2, 25, 2)
    assert prepare([folder], tmp_path / "data")["totals"]["boxes"] == 5


def test_sequence_without_seqinfo(tmp_path):
    folder = write_mot(tmp_path / "SEQ", 4)
    (folder / "seqinfo.ini").unlink()
    assert MotSequence(folder).frames == [1, 2, 3, 4]
