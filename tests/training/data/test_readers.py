import cv2
import numpy as np
import pytest

from tests.helpers.dataset_files import (
    PENN_FUDAN,
    cut_short,
    write_crops,
    write_image,
    write_mot,
    write_text,
    write_yolo,
)
from tracker.errors import DataError
from training.data.readers import (
    READERS,
    IdentityFolders,
    JdeList,
    MotSequence,
    PascalImages,
    SiwrStreet,
    YoloImages,
    open_dataset,
)
from training.data.samples import read_image


def noise(path, size=64):
    """A JPEG of some kilobytes, so that it can be cut within the image data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8))
    return path


def write_jde(folder, **labels):
    """A list of one image a keyword, with the text as its label file; None leaves that out."""
    for name, text in labels.items():
        write_image(folder / "x" / "images" / f"{name}.jpg")
        if text is not None:
            write_text(folder / "x" / "labels_with_ids" / f"{name}.txt", text)
    return write_text(folder / "x.train", "".join(f"x/images/{name}.jpg\n" for name in labels))


# ---------------------------------------------------------------- each layout


def test_mot15_flag_zero_is_ignored_and_identities_are_renumbered(tmp_path):
    lines = ["2,40,1,2,10,20,1,-3.5,16.3,0.4", "2,7,5,5,4,4,1,1.5,2,3", "2,3,8,8,2,2,0,1.5,2,3", "1,40,0,0,9,9,1,1,1,1"]
    sequence = MotSequence(write_mot(tmp_path / "SEQ", 3, lines))
    assert (sequence.name, len(sequence), sequence.identities, sequence.frames) == ("SEQ", 3, 2, [1, 2, 3])
    sample = sequence[1]
    assert sample.path.name == "000002.jpg" and sample.image.shape == (30, 40, 3) and sample.labelled
    np.testing.assert_array_equal(sample.boxes, [[1, 2, 11, 22], [5, 5, 9, 9], [8, 8, 10, 10]])
    assert sample.identities.tolist() == [1, 0, -1] and sample.ignored.tolist() == [False, False, True]
    assert (sample.boxes.dtype, sample.identities.dtype, sample.ignored.dtype) == (np.float32, np.int64, bool)
    assert sequence[2].boxes.shape == (0, 4) and sequence[2].labelled


def test_mot17_classes(tmp_path):
    kinds = [(1, 1), (0, 1), (0, 7), (0, 3), (0, 12), (1, 11)]  # flag and class
    lines = [f"1,{n},{n},0,5,5,{flag},{kind},1" for n, (flag, kind) in enumerate(kinds, start=1)]
    sample = MotSequence(write_mot(tmp_path / "SEQ", 1, lines))[0]
    assert sample.boxes[:, 0].tolist() == [1, 2, 3, 5]  # car and occluder are left out
    assert sample.ignored.tolist() == [False, True, True, True]
    assert sample.identities.tolist() == [0, -1, -1, -1]


def test_mot_goes_by_the_number_in_the_name(tmp_path):
    folder = write_mot(tmp_path / "SEQ", 4)
    (folder / "img1" / "000002.jpg").unlink()
    sequence = MotSequence(folder)
    assert sequence.frames == [1, 3, 4]
    assert [sample.boxes[0, 0] for sample in (sequence[i] for i in range(3))] == [1, 3, 4]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "gt" / "gt.txt").unlink(), "gt.txt"),
        (lambda f: (f / "gt" / "gt.txt").write_text("1,2,x,1,1,1,1\n"), "line 1"),
        (lambda f: (f / "gt" / "gt.txt").write_text("9,2,1,1,1,1,1\n"), "frame 9"),
        (lambda f: (f / "seqinfo.ini").write_text("nothing"), "seqinfo.ini"),
        (lambda f: [file.unlink() for file in (f / "img1").iterdir()], "no images"),
        (lambda f: (f / "img1" / "000001.jpg").rename(f / "img1" / "a.jpg"), "named by frame"),
    ],
)
def test_mot_with_a_part_missing_is_refused(tmp_path, change, words):
    folder = write_mot(tmp_path / "SEQ", 2)
    change(folder)
    with pytest.raises(DataError, match=words):
        MotSequence(folder)


def test_jde_list(tmp_path):
    text = "0 5 0.5 0.5 0.25 0.2\n1 -1 0.25 0.5 0.5 1\n\n0 -1 0 0 0.1 0.1\n"
    dataset = JdeList(write_jde(tmp_path, a=text, nobody="", unseen=None))
    assert (dataset.name, len(dataset), dataset.identities) == ("x", 3, 6)
    sample = dataset[0]
    np.testing.assert_allclose(sample.boxes, [[15, 12, 25, 18], [0, 0, 20, 30], [-2, -1.5, 2, 1.5]], atol=1e-5)
    assert sample.identities.tolist() == [5, -1, -1] and sample.ignored.tolist() == [False, True, False]
    assert dataset[1].labelled and dataset[1].boxes.shape == (0, 4)
    assert not dataset[2].labelled and dataset[2].boxes.shape == (0, 4)


def test_jde_root_and_outer_folder_called_images(tmp_path):
    root = tmp_path / "images" / "data"
    write_jde(root, a="0 1 0.5 0.5 0.5 0.5\n")
    listed = write_text(tmp_path / "lists" / "some.train", "x/images/a.jpg\n")
    assert len(JdeList(listed, root)[0].boxes) == 1


@pytest.mark.parametrize(
    "line", ["0 1 0.5 0.5 0.5", "0 1 0.5 0.5 0.5 x", "0 1 0.5 0.5 0 1", "0 1 nan 0 1 1", "0 .5 0 0 1 1"]
)
def test_damaged_jde_label_is_named_with_its_line(tmp_path, line):
    dataset = JdeList(write_jde(tmp_path, a=f"0 1 0.5 0.5 0.5 0.5\n{line}\n"))
    with pytest.raises(DataError, match=r"labels_with_ids/a\.txt, line 2"):
        dataset[0]
    assert dataset.identities == 0  # counting is no place for the error


def test_jde_path_outside_of_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="no folder named images"):
        JdeList(write_text(tmp_path / "x.train", "x/img1/a.jpg\n"))


def test_yolo(tmp_path):
    dataset = YoloImages(write_yolo(tmp_path / "y", a="2 0.5 0.5 1 1\n0 0.5 0.5 0.5 0.4\n", b="", c=None))
    np.testing.assert_allclose(dataset[0].boxes, [[10, 9, 30, 21]], atol=1e-5)
    assert dataset[0].identities.tolist() == [-1] and dataset.identities == 0
    assert [dataset[i].labelled for i in range(3)] == [True, True, False]
    with pytest.raises(IndexError):
        dataset[3]


@pytest.mark.parametrize(("label", "count"), [("PASpersonStanding", 2), ("PAScar", 1)])
def test_penn_fudan_counts_pixels_from_one(tmp_path, label, count):
    write_image(tmp_path / "PNGImages" / "a.png")
    write_text(tmp_path / "Annotation" / "a.txt", PENN_FUDAN.format(label=label))
    boxes = PascalImages(tmp_path)[0].boxes
    np.testing.assert_array_equal(boxes, [[0, 1, 10, 20], [4, 5, 7, 8]][:count])


def test_voc(tmp_path):
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>20</ymax></bndbox>"
    things = f"<object><name>person</name>{box}</object><object><name>dog</name>{box}</object>"
    hard = f"<object><name>person</name><difficult>1</difficult>{box}</object>"
    write_image(tmp_path / "JPEGImages" / "a.jpg")
    write_text(tmp_path / "Annotations" / "a.xml", f"<annotation>{things}{hard}</annotation>")
    sample = PascalImages(tmp_path)[0]
    np.testing.assert_array_equal(sample.boxes, [[0, 1, 10, 20]] * 2)
    assert sample.ignored.tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "nothing"),
        ("a.txt", PENN_FUDAN.format(label="PASpersonWalking").replace("truth : 2", "truth : 3")),
        ("a.txt", PENN_FUDAN.format(label="PASpersonWalking").replace("(1, 2)", "(11, 2)")),
        ("a.xml", "<annotation><object>"),
        ("a.xml", "<annotation><object><name>person</name></object></annotation>"),
    ],
)
def test_damaged_annotation_is_named(tmp_path, name, text):
    write_image(tmp_path / "images" / "a.jpg")
    write_text(tmp_path / "annotation" / name, text)
    with pytest.raises(DataError, match=name):
        PascalImages(tmp_path)[0]


@pytest.mark.parametrize("comma", [" ", ","])
def test_siwr(tmp_path, comma):
    for name in "ab":
        write_image(tmp_path / "frames" / f"{name}.jpg")
    lines = ["a.jpg", "2", "-1 1.5 2 10 20", "0 3 4 5 6", "gone.jpg", "1", "0 1 1 1 1"]
    write_text(tmp_path / "bboxes_gt.txt", "\n".join(line.replace(" ", comma) for line in lines))
    dataset = SiwrStreet(tmp_path)
    np.testing.assert_array_equal(dataset[0].boxes, [[1.5, 2, 11.5, 22], [3, 4, 8, 10]])
    assert len(dataset) == 2 and dataset[0].identities.tolist() == [-1, -1] and not dataset[1].labelled


@pytest.mark.parametrize(
    "text", ["a.jpg\nb.jpg\n", "a.jpg\n2\n0 1 1 1 1\n", "a.jpg\n1\n0 1 1 1\n", "a.jpg\n", f"a.jpg\n{'9' * 5000}\n"]
)
def test_malformed_siwr_is_refused(tmp_path, text):
    write_image(tmp_path / "frames" / "a.jpg")
    write_text(tmp_path / "bboxes_gt.txt", text)
    with pytest.raises(DataError, match=r"bboxes_gt\.txt, line"):
        SiwrStreet(tmp_path)


def test_identity_folders(tmp_path):
    crops = IdentityFolders(write_crops(tmp_path / "m", _0002=2, _0010=1))
    assert (len(crops), crops.identities, crops.labels) == (3, 2, ["0002", "0010"])
    assert [(path.parent.name, identity) for path, identity in crops] == [("0002", 0), ("0002", 0), ("0010", 1)]
    assert read_image(crops[0][0]).shape == (16, 8, 3)


def test_flat_market_layout_leaves_junk_out(tmp_path):
    for name in ("0002_c1s1_000451_03", "-1_c1s1_000401_03", "0000_c6s1_1_1", "1500_c1s1_2_2", "0002_c2s1_1_1"):
        write_image(tmp_path / f"{name}.jpg", 8, 16)
    crops = IdentityFolders(tmp_path)
    assert [identity for _, identity in crops] == [0, 0, 1] and crops.labels == ["0002", "1500"]
    write_image(tmp_path / "holiday.jpg")
    with pytest.raises(DataError, match=r"holiday\.jpg"):
        IdentityFolders(tmp_path)


# ---------------------------------------------------------------- damage


def test_image_that_ends_early_is_named(tmp_path):
    path = noise(tmp_path / "a.jpg")
    assert read_image(path).shape == (64, 64, 3)
    cut_short(path)
    with pytest.raises(DataError, match=r"a\.jpg: ends before"):
        read_image(path)


def test_too_large_image_is_named(tmp_path, monkeypatch):
    path = noise(tmp_path / "a.jpg")
    monkeypatch.setattr("tracker.sources.images.read_image.__defaults__", (64 * 64 - 1,))
    with pytest.raises(DataError, match="a\\.jpg' has 64 x 64 pixels"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8nothing", None])
def test_no_image_is_named(tmp_path, content):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.jpg: is (missing|no readable image)"):
        read_image(path)


def test_damaged_png_is_named(tmp_path):
    path = noise(tmp_path / "a.png")
    cut_short(path)
    with pytest.raises(DataError, match=r"a\.png"):
        read_image(path)


# ---------------------------------------------------------------- opening


@pytest.mark.parametrize("reader", READERS.values())
def test_missing_folder_and_empty_folder_are_named(tmp_path, reader):
    with pytest.raises(DataError, match="not_there"):
        reader(tmp_path / "not_there")
    for name in ("images", "annotation", "img1"):
        (tmp_path / "empty" / name).mkdir(parents=True)
    with pytest.raises(DataError, match="empty"):
        reader(tmp_path / "empty")


def test_open_dataset(tmp_path):
    listed = write_jde(tmp_path, a="")
    assert len(open_dataset({"kind": "jde", "path": str(listed), "root": tmp_path})) == 1
    assert isinstance(open_dataset({"kind": "mot", "path": write_mot(tmp_path / "SEQ")}), MotSequence)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kind": "coco", "path": "x"}, "'coco' is unknown; known are mot, jde"),
        ({"path": "x"}, "None is unknown"),
        ({"kind": ["mot"], "path": "x"}, "unknown"),
        ({"kind": "mot", "path": "x", "root": "y"}, "'root'; known are kind, path"),
        ({"kind": "jde", "path": "x", "wurzel": "y"}, "'wurzel'"),
        ({"kind": "mot"}, "must be a path, got None"),
        ({"kind": "jde", "path": "x", "root": 3}, "root .* got 3"),
        ("mot", "got 'mot'"),
    ],
)
def test_wrong_description_is_refused_by_name(spec, words):
    with pytest.raises(DataError, match=words):
        open_dataset(spec)
