import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.dataset_files import PENN_FUDAN, write_crops, write_image, write_mot, write_text, write_yolo
from tests.helpers.paths import ROOT
from tools.prepare_data import main, prepare
from tracker.errors import DataError, OptionError, OutputError
from tracker.evaluation.mot_files import read_mot
from tracker.evaluation.mot_metrics import evaluate
from training.data.readers import IdentityFolders, JdeList, MotSequence
from training.data.samples import make_sample
from training.data.writer import Found, Writer

SCRIPT = ROOT / "tools" / "prepare_data.py"


def pack(folder, archive):
    with tarfile.open(archive, "w:gz" if archive.name.endswith("gz") else "w") as tar:
        tar.add(folder, arcname=folder.name)
    return archive


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def data(tmp_path):
    """The output, in a folder where anything left over would be seen."""
    return tmp_path / "made" / "data"


# ---------------------------------------------------------------- what is written


def test_end_of_a_sequence_is_held_back(tmp_path, data):
    source = write_mot(tmp_path / "SEQ", 10)
    manifest = prepare([source], data, hold_back=0.3)
    train, held = JdeList(data / "SEQ.train"), MotSequence(data / "validation" / "SEQ")
    assert (len(train), len(held), held.frames) == (7, 3, [1, 2, 3])
    # Person 7 stands at left = frame of the original, from which the two parts must be told apart.
    assert [sample.boxes[0, 0] for sample in train] == pytest.approx(range(1, 8), abs=1e-3)
    assert [sample.boxes[0, 0] for sample in held] == [8, 9, 10]
    for sample, frame in [*zip(train, range(1, 8)), *zip(held, range(8, 11))]:
        assert sample.path.read_bytes() == (source / "img1" / f"{frame:06d}.jpg").read_bytes()
    assert (data / "validation/SEQ/gt/gt.txt").read_text().splitlines()[0] == "1,7,8,2,10,20,1,-1,-1,-1"
    seqinfo = (data / "validation/SEQ/seqinfo.ini").read_text()
    assert "seqLength=3\n" in seqinfo and "imWidth=40\nimHeight=30\nimExt=.jpg" in seqinfo and held.frame_rate == 25
    entry = manifest["sources"][0]
    assert entry["held_back"]["first_frame"] == 8 and entry["held_back"]["last_frame"] == 10
    assert (entry["images"], entry["boxes"], entry["identities"], train.identities) == (7, 9, 2, 2)
    assert manifest["totals"]["held_back_frames"] == 3
    assert manifest == json.loads((data / "manifest.json").read_text())


def test_held_back_part_can_be_scored(tmp_path, data):
    prepare([write_mot(tmp_path / "SEQ", 10)], data)
    gt = data / "validation" / "SEQ" / "gt" / "gt.txt"
    assert evaluate(gt.parents[1], gt)["MOTA"] == 1
    assert read_mot(gt)[:, 0].tolist() == [1, 2]


def test_identities_are_those_of_the_training_part(tmp_path, data):
    lines = [f"{frame},{3 if frame > 2 else 50},1,2,10,20,{frame % 2},-1,-1,-1" for frame in range(1, 7)]
    entry = prepare([write_mot(tmp_path / "SEQ", 6, lines)], data, hold_back=0.5)["sources"][0]
    samples = list(JdeList(data / "SEQ.train"))
    assert [sample.identities.tolist() for sample in samples] == [[0], [-1], [1]]
    assert [sample.ignored.tolist() for sample in samples] == [[False], [True], [False]]
    assert (entry["boxes"], entry["ignored_boxes"], entry["identities"]) == (2, 1, 2)


def test_whole_sequence_is_held_back(tmp_path, data):
    write_mot(tmp_path / "all" / "A", 4)
    write_mot(tmp_path / "all" / "B", 4)
    prepare([tmp_path / "all"], data, hold_back=0, hold_back_whole=["B"])
    assert len(JdeList(data / "A.train")) == 4 and len(MotSequence(data / "validation" / "B")) == 4
    assert sorted(path.name for path in data.iterdir()) == ["A", "A.train", "manifest.json", "validation"]


def test_every_kind_is_recognised_below_an_archive(tmp_path, data):
    top = tmp_path / "top"
    write_mot(top / "a" / "SEQ", 5)
    write_yolo(top / "yolo", a="0 0.5 0.5 0.5 0.4\n", b="", c=None)
    write_image(top / "penn" / "PNGImages" / "a.png")
    write_text(top / "penn" / "Annotation" / "a.txt", PENN_FUDAN.format(label="PAScar"))
    write_image(top / "siwr" / "frames" / "a.jpg")
    write_text(top / "siwr" / "bboxes_gt.txt", "a.jpg\n1\n-1 1.5 2 10 20\n")
    write_crops(top / "market1501", _0002=2, _0010=1)
    for number in (1, 2):
        write_image(top / "flat" / f"000{number}_c1s1_000451_03.jpg", 8, 16)
    manifest = prepare([pack(top, tmp_path / "all.tar.gz")], data, licences={"siwr": "none known"})
    entries = {entry["name"]: entry for entry in manifest["sources"]}
    assert {name: (entry["kind"], entry["images"], entry["boxes"]) for name, entry in entries.items()} == {
        "SEQ": ("mot", 4, 6),
        "flat": ("identities", 2, 0),
        "market1501": ("identities", 3, 0),
        "penn": ("pascal", 1, 1),
        "siwr": ("siwr", 1, 1),
        "yolo": ("yolo", 3, 1),
    }
    assert {entry["origin"] for entry in entries.values()} == {str(tmp_path / "all.tar.gz")}
    licences = [entries[name]["licence"] for name in ("market1501", "siwr", "yolo")]
    assert licences == ["research only", "none known", "unstated"]
    np.testing.assert_allclose(JdeList(data / "penn.train")[0].boxes, [[0, 1, 10, 20]], atol=1e-3)
    np.testing.assert_allclose(JdeList(data / "siwr.train")[0].boxes, [[1.5, 2, 11.5, 22]], atol=1e-3)
    assert [sample.labelled for sample in JdeList(data / "yolo.train")] == [True, True, False]
    assert [identity for _, identity in IdentityFolders(data / "market1501" / "identities")] == [0, 0, 1]
    assert len(IdentityFolders(data / "flat" / "identities")) == 2
    assert sorted(path.name for path in data.parent.iterdir()) == ["data"]


def test_every_nth_frame_of_a_video(tmp_path, data):
    path = str(tmp_path / "some clip.avi")
    video = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for shade in range(0, 250, 25):
        video.write(np.full((48, 64, 3), shade, np.uint8))
    video.release()
    prepare([path], data, every=4)
    samples = list(JdeList(data / "some_clip.train"))
    assert [sample.path.name for sample in samples] == [f"some_clip_{index:06d}.jpg" for index in (0, 4, 8)]
    assert [sample.image.mean() for sample in samples] == pytest.approx([0, 100, 200], abs=8)
    assert not any(sample.labelled for sample in samples)


def test_images_keep_their_bytes_or_their_pixels_and_have_names_of_their_own(tmp_path, data):
    folder = write_yolo(tmp_path / "y", a="")
    write_image(folder / "images" / "more" / "a.png", shade=50)
    write_image(folder / "images" / "zweites bild.bmp", shade=70)
    write_text(folder / "labels" / "zweites bild.txt", "0 0.5 0.5 0.5 0.4\n")
    prepare([folder], data)
    images = data / "y" / "images"
    assert sorted(path.name for path in images.iterdir()) == ["a.jpg", "a_2.png", "zweites_bild.png"]
    assert (images / "a.jpg").read_bytes() == (folder / "images" / "a.jpg").read_bytes()
    assert cv2.imread(str(images / "zweites_bild.png")).mean() == 70
    assert [len(sample.boxes) for sample in JdeList(data / "y.train")] == [0, 0, 1]


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from([(30, 40), (2, 8000), (7000, 2)]),
    boxes=st.lists(
        st.tuples(
            st.floats(-0.5, 1.2),
            st.floats(-0.5, 1.2),
            st.floats(0, 1.5),
            st.floats(0, 1.5),
            st.integers(-1, 5),
            st.booleans(),
        ),
        max_size=6,
    ),
)
def test_boxes_come_back(tmp_path_factory, shape, boxes):
    root, (height, width) = tmp_path_factory.mktemp("round"), shape
    rows = np.array([box[:4] for box in boxes]).reshape(-1, 4)
    corners = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:]]) * (width, height, width, height)
    image = np.zeros((height, width, 3), np.uint8)
    sample = make_sample(Path("a"), image, corners, [box[4] for box in boxes], [box[5] for box in boxes])
    writer = Writer(Found("yolo", "n", Path("n"), "n"), root)
    writer.add(sample)
    writer.finish("none")
    back = JdeList(root / "n.train")[0]
    np.testing.assert_allclose(back.boxes, sample.boxes, atol=1e-3, rtol=0)
    np.testing.assert_array_equal(back.ignored, sample.ignored)
    # Numbers may change, but who is the same person, and who is unknown, may not.
    pairs = set(zip(sample.identities.tolist(), back.identities.tolist()))
    assert len(pairs) == len(set(sample.identities.tolist())) == len(set(back.identities.tolist()))
    assert all((old < 0) == (new < 0) for old, new in pairs)


# ---------------------------------------------------------------- damage


def test_damaged_files_are_listed_and_the_rest_is_used(tmp_path, data, capsys):
    folder = write_yolo(tmp_path / "y", a="", b="0 1 2\n", c="")
    (folder / "images" / "c.jpg").write_bytes(b"nothing")
    manifest = prepare([pack(folder, tmp_path / "y.tar")], data)
    skipped = manifest["sources"][0]["skipped"]
    assert len(JdeList(data / "y.train")) == 1 and manifest["totals"]["skipped"] == 2
    assert skipped[0].startswith(f"{tmp_path / 'y.tar'}: y/labels/b.txt, line 1: expected")
    assert skipped[1].endswith(".tar: y/images/c.jpg: is no readable image")
    printed = capsys.readouterr().err
    assert all(f"skipped: {line}\n" in printed for line in skipped)


def test_damaged_frame_that_is_held_back(tmp_path, data):
    source = write_mot(tmp_path / "SEQ", 4)
    (source / "img1" / "000003.jpg").write_bytes(b"nothing")
    entry = prepare([source], data, hold_back=0.5)["sources"][0]
    held = MotSequence(data / "validation" / "SEQ")
    assert len(held) == 1 and held[0].boxes[0, 0] == 4
    assert entry["held_back"]["frames"] == 1 and "000003.jpg" in entry["skipped"][0]


def test_source_without_anything_readable_leaves_nothing(tmp_path, data):
    folder = write_yolo(tmp_path / "y", a="x")
    with pytest.raises(DataError, match="no image can be read"):
        prepare([write_crops(tmp_path / "m", _0001=1), folder], data)
    assert list(data.parent.iterdir()) == []


def test_damaged_archive(tmp_path, data):
    archive = pack(write_yolo(tmp_path / "y", a=""), tmp_path / "y.tar.gz")
    archive.write_bytes(archive.read_bytes()[:-60])
    for name, content in [("y.tar.gz", None), ("z.tar", b"nothing at all")]:
        if content:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            prepare([tmp_path / name], data)
    assert list(data.parent.iterdir()) == []


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", ["../../evil.txt", "/tmp/../evil.txt", "link"])
def test_archive_with_a_path_outside_is_refused(tmp_path, data, name):
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "../../../outside"
        elif name.startswith("/"):
            member.type, member.linkname = tarfile.LNKTYPE, "../../evil.txt"
        else:
            member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(DataError, match=r"bad\.tar: refused, it has an unsafe member"):
        prepare([tmp_path / "bad.tar"], data)
    assert not list(tmp_path.rglob("*evil*")) and list(data.parent.iterdir()) == []


@pytest.mark.parametrize("disguise", [False, True])
def test_evaluation_sequence_is_refused(tmp_path, data, disguise):
    folder = write_mot(tmp_path / "all" / "PETS09-S2L1", 2)
    if disguise:
        folder.rename(folder.with_name("street"))
    with pytest.raises(DataError, match=r"PETS09-S2L1.*evaluation"):
        prepare([tmp_path / "all"], data)
    assert list(data.parent.iterdir()) == []


def test_output_in_use_is_refused_and_replaced_on_request(tmp_path, data):
    folder = write_yolo(tmp_path / "y", a="")
    data.mkdir(parents=True)
    prepare([folder], data)
    (data / "old.txt").write_text("old")
    with pytest.raises(OutputError, match="not empty"):
        prepare([folder], data)
    assert (data / "old.txt").exists()
    prepare([folder], data, overwrite=True)
    assert not (data / "old.txt").exists() and len(JdeList(data / "y.train")) == 1


def test_a_failed_run_keeps_what_was_there(tmp_path, data):
    prepare([write_yolo(tmp_path / "y", a="")], data)
    before = files_below(data)
    with pytest.raises(DataError):
        prepare([write_yolo(tmp_path / "z", a="x")], data, overwrite=True)
    assert files_below(data) == before and list(data.parent.iterdir()) == [data]


def test_only_datasets_are_overwritten(tmp_path):
    folder = write_yolo(tmp_path / "y", a="")
    write_text(tmp_path / "home" / "letter.txt", "dear")
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        prepare([folder], tmp_path / "home", overwrite=True)
    for output in (folder, tmp_path):
        with pytest.raises(OutputError, match="holds the source"):
            prepare([folder], output, overwrite=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hold_back": 1.0}, "hold_back .* got 1.0"),
        ({"hold_back": -0.1}, "hold_back .* got -0.1"),
        ({"every": 0}, "every .* got 0"),
        ({"hold_back_whole": ["TUD"]}, "'TUD' is no MOTChallenge sequence"),
        ({"hold_back_whole": ["y"]}, "'y' is no MOTChallenge sequence"),
        ({"licences": {"z": "free"}}, "no dataset is named 'z'; there are y"),
    ],
)
def test_wrong_options_are_refused(tmp_path, data, options, words):
    with pytest.raises(OptionError, match=words):
        prepare([write_yolo(tmp_path / "y", a="")], data, **options)
    assert not data.exists()


def test_two_of_one_name_are_refused(tmp_path, data):
    sources = [write_yolo(tmp_path / part / "y", a="") for part in "ab"]
    with pytest.raises(DataError, match=r"b/y: the name y is taken by .*a/y"):
        prepare(sources, data)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_source_that_is_nothing(tmp_path, data, name, capsys):
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    assert main([str(tmp_path / name), "--output", str(data)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / name}: ") and error.count("\n") == 1


def test_command_line(tmp_path, data):
    write_mot(tmp_path / "SEQ", 5)
    command = [
        sys.executable,
        SCRIPT,
        "--output",
        data,
        tmp_path / "SEQ",
        "--licence",
        "SEQ=mine",
        "--hold_back",
        "0.4",
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "SEQ: 3 images, 5 boxes, 0 ignored, 2 identities, 2 frames held back, 0 skipped\n"
    assert json.loads((data / "manifest.json").read_text())["sources"][0]["licence"] == "mine"
    again = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path)
    assert again.returncode == 1 and again.stderr.startswith("error: ") and again.stderr.count("\n") == 1
