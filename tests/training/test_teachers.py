"""What teachers add to data without labels, and that they are asked once. Networks are stood in for by lookups."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.dataset_files import cut_short, write_crops, write_image, write_text, write_yolo
from tracker.errors import DataError, ModelError, OutputError
from training import onnx_networks, teachers
from training.data.readers import IdentityFolders, YoloImages
from training.data.samples import NOBODY, make_sample
from training.settings import TeacherSettings
from training.teachers import BoxTeacher, Teachers

INPUT = (64, 96)  # height and width of the detector
CELLS = 8 * 12 + 4 * 6 + 2 * 3


def logit(p):
    return np.log(p / (1 - p))


class StandIn:
    """In place of onnxruntime: detectors find what ``people`` says, embeddings are the mean colour of a crop."""

    people = ()  # left, top, right, bottom in pixels of the detector's input, score
    asked = 0

    def __init__(self, path, threads):
        if not path.is_file():
            raise ModelError(f"there is no ONNX file {path}")
        self._detects = "boxes" in path.name
        self.shape = (1, 3, *INPUT) if self._detects else onnx_networks.REID_INPUT

    def __call__(self, blob):
        StandIn.asked += 1
        if not self._detects:
            return blob.mean(axis=(1, 2)) - 90
        rows = np.zeros((1, CELLS, 85), np.float32)
        rows[0, :, 6] = 1  # another class is found everywhere
        rows[0, :, 4] = 0.9
        for cell, (left, top, right, bottom, score) in enumerate(StandIn.people):
            # cells of stride 8, in the first row
            centre = np.array([left + right, top + bottom]) / 2 / 8 - [cell, 0]
            size = np.log(np.array([right - left, bottom - top]) / 8)
            rows[0, cell] = [*centre, *size, 0.8, score / 0.8, *([1] * 79)]
        return rows


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(StandIn, "people", ())
    monkeypatch.setattr(StandIn, "asked", 0)
    monkeypatch.setattr(teachers, "OnnxNetwork", StandIn)
    for name in ("__init__", "__call__"):  # of which ReidNetwork is made
        monkeypatch.setattr(onnx_networks.OnnxNetwork, name, getattr(StandIn, name))
    return StandIn


@pytest.fixture
def files(tmp_path):
    paths = {name: str(write_text(tmp_path / f"{name}.onnx", name)) for name in ("boxes", "embeddings")}
    return paths


def ask(files, cache, dataset, **changes):
    return Teachers(TeacherSettings(**{**files, **changes}), cache, 1).teach(dataset)


def only(dataset, index=0):
    return dataset[index]


@pytest.fixture
def images(tmp_path):
    """One image that nobody looked at, one without people, one with a person; 96x64, as the detector's input."""
    folder = tmp_path / "images_of"
    for name in ("a", "b", "c"):
        write_image(folder / "images" / f"{name}.png", 96, 64)
    write_text(folder / "labels" / "b.txt", "")
    write_text(folder / "labels" / "c.txt", f"0 {20 / 96} {30 / 64} {20 / 96} {40 / 64}\n")
    return YoloImages(folder)


def test_rows_of_yolox_are_decoded(monkeypatch, tmp_path):
    """Centre = (xy + cell) * stride, size = exp(wh) * stride, score = objectness * first class; at every stride."""
    random = np.random.default_rng(0)
    rows = np.zeros((CELLS, 6), np.float32)
    chosen = {8: (3, 7), 16: (2, 1), 32: (1, 2)}  # row and column
    expected, first = [], 0
    for stride, score in ((8, 0.9), (16, 0.8), (32, 0.7)):
        height, width = INPUT[0] // stride, INPUT[1] // stride
        row, column = chosen[stride]
        dx, dy, dw, dh = random.uniform(-0.3, 0.3, 4)
        rows[first + row * width + column] = [dx, dy, dw, dh, score / 0.95, 0.95]
        x, y, w, h = (column + dx) * stride, (row + dy) * stride, np.exp(dw) * stride, np.exp(dh) * stride
        expected.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2, score])
        first += height * width
    blobs = []

    class Network(StandIn):
        def __call__(self, blob):
            blobs.append(blob.copy())
            return rows[None]

    monkeypatch.setattr(teachers, "OnnxNetwork", Network)
    image = random.integers(0, 256, (INPUT[0] * 2, INPUT[1], 3), dtype=np.uint8)  # is halved, with padding beside it
    boxes, scores = BoxTeacher(write_text(tmp_path / "boxes.onnx", "x"), 1)(image)
    np.testing.assert_allclose(scores, [row[4] for row in expected], rtol=1e-5)
    np.testing.assert_allclose(boxes, 2 * np.array(expected)[:, :4], rtol=1e-4, atol=1e-3)
    assert blobs[0].shape == (1, 3, *INPUT) and blobs[0].dtype == np.float32
    assert (blobs[0][:, :, :, 48:] == 114).all()
    small = cv2.resize(image, (48, 64), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)
    np.testing.assert_allclose(blobs[0][0, :, :, :48], small, atol=1)


def test_of_boxes_that_overlap_the_best_stays(network, files):
    network.people = [(10, 10, 30, 50, 0.6), (11, 10, 31, 50, 0.7), (50, 10, 70, 50, 0.5), (50, 10, 70, 50, 0.05)]
    boxes, scores = BoxTeacher(Path(files["boxes"]), 1)(np.zeros((*INPUT, 3), np.uint8))
    assert scores == pytest.approx([0.7, 0.5])
    np.testing.assert_allclose(boxes, [[11, 10, 31, 50], [50, 10, 70, 50]], atol=1e-3)


def test_images_without_labels_get_sure_and_doubtful_people(network, files, tmp_path, images):
    network.people = [(10, 10, 30, 50, 0.7), (40, 10, 60, 50, 0.4), (70, 10, 90, 50, 0.2)]
    sample, vectors = only(ask(files, tmp_path / "cache", images))
    np.testing.assert_allclose(sample.boxes, [[10, 10, 30, 50], [40, 10, 60, 50]], atol=1e-3)
    assert sample.boxes.dtype == np.float32 and sample.labelled
    assert sample.ignored.tolist() == [False, True] and sample.identities.tolist() == [NOBODY, NOBODY]
    assert vectors.shape == (2, 3) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0], abs=1e-3), "of people alone"
    strict = ask(files, tmp_path / "cache", images, sure=0.8, doubtful=0.1)
    assert strict[0][0].ignored.tolist() == [True, True, True]


def test_what_labels_leave_out_is_ignored(network, files, tmp_path, images):
    network.people = [(12, 12, 32, 52, 0.9), (60, 10, 80, 50, 0.9), (40, 10, 50, 30, 0.2)]
    taught = ask(files, tmp_path / "cache", images)
    empty, known = taught[1][0], taught[2][0]
    np.testing.assert_allclose(empty.boxes, [[12, 12, 32, 52], [60, 10, 80, 50]], atol=1e-3)
    assert empty.ignored.all()
    np.testing.assert_allclose(known.boxes, [[10, 10, 30, 50], [60, 10, 80, 50]], atol=1e-3)
    assert known.ignored.tolist() == [False, True], "the label's own box stays as it is, and is no second person"
    assert np.linalg.norm(taught[2][1], axis=1) == pytest.approx([1, 0], abs=1e-3)


def test_vectors_are_of_what_is_seen_and_large_enough(network, files, tmp_path):
    image = np.full((100, 100, 3), 100, np.uint8)
    image[:, 50:] = (100, 90, 110)
    boxes = [[50, 0, 90, 90], [0, 0, 6, 90], [0, 0, 40, 15], [95, 0, 140, 90], [60, 20, 140, 140], [-60, 0, 5, 90]]

    class One:
        name, identities = "one", 0

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return make_sample(Path("x"), image, boxes, ignored=[index == 1] * 6)

    taught = ask(files, tmp_path, One(), boxes=None)
    vectors = taught[0][1]
    assert vectors.any(axis=1).tolist() == [True, False, False, False, True, False]
    for seen in vectors[[0, 4]]:
        np.testing.assert_allclose(seen, np.array([10, 0, 20]) / np.sqrt(500), atol=2e-3)
    assert not taught[1][1].any()
    assert taught.teacher_embeddings.shape == (2, 3)


def test_answers_are_kept(network, files, tmp_path, images):
    network.people = [(10, 10, 30, 50, 0.7)]
    cache = tmp_path / "cache"
    first = ask(files, cache, images)
    asked = StandIn.asked
    assert asked >= 3
    second = ask(files, cache, images)
    # the length of an embedding is asked for at the start
    assert StandIn.asked - asked <= 1
    for index in range(3):
        (a, x), (b, y) = first[index], second[index]
        for one, other in ((a.boxes, b.boxes), (a.identities, b.identities), (a.ignored, b.ignored), (x, y)):
            assert one.dtype == other.dtype and (one == other).all()
        assert (a.image == b.image).all()
    assert len(list(cache.iterdir())) == 1


def test_another_question_is_asked_anew(network, files, tmp_path, images):
    cache, network.people = tmp_path / "cache", [(10, 10, 30, 50, 0.7)]

    def boxes(**changes):
        return len(ask({**files, **changes}, cache, images)[0][0].boxes)

    assert boxes() == 1
    network.people = [*network.people, (40, 10, 60, 50, 0.6)]
    assert boxes() == 1, "the answer of before"
    assert boxes(sure=0.55) == 2 and boxes(doubtful=0.3) == 2
    write_text(Path(files["boxes"]), "other boxes")
    assert boxes() == 2
    network.people = []
    assert boxes() == 2
    write_image(images._files[0].with_name("z.png"), 96, 64)
    more = ask(files, cache, YoloImages(images._files[0].parent.parent))
    assert len(more) == 4 and len(more[0][0].boxes) == 0


def test_damaged_images_are_named_and_passed_over(network, files, tmp_path, images, caplog):
    network.people = [(10, 10, 30, 50, 0.7)]
    cut_short(images._files[0], 0.3)
    write_text(images._files[1].parent.parent / "labels" / "b.txt", "nonsense")
    taught = ask(files, tmp_path / "cache", images)
    warnings = [record.message for record in caplog.records if record.message.startswith("skipped: ")]
    assert len(warnings) == 2
    assert str(images._files[0]) in warnings[0] and "b.txt, line 1" in warnings[1]
    assert len(taught) == 1 and taught[0][0].path == images._files[2]
    assert len(ask(files, tmp_path / "cache", images)) == 1


def test_all_damaged_until_somebody_repairs_them(network, files, tmp_path, images):
    whole = {file: file.read_bytes() for file in images._files}
    for file in whole:
        cut_short(file, 0.3)
    for _ in range(2):
        with pytest.raises(DataError, match="images_of: all 3 images"):
            ask(files, tmp_path / "cache", images)
    for file, data in whole.items():
        file.write_bytes(data)
    assert len(ask(files, tmp_path / "cache", images)) == 3


def test_without_a_teacher_unlabelled_images_are_refused(tmp_path, images):
    with pytest.raises(DataError, match=r"a\.png has no labels: a teacher of boxes is needed"):
        ask({}, tmp_path / "cache", images)
    labelled = YoloImages(write_yolo(tmp_path / "other", d="0 0.5 0.5 0.2 0.2\n"))
    sample, vectors = only(ask({}, tmp_path / "cache", labelled))
    assert len(sample.boxes) == 1 and vectors.shape == (1, 0)


def test_crops_have_a_vector_each(network, files, tmp_path, caplog):
    folder = write_crops(tmp_path / "crops", a=2, b=1)
    for file in folder.glob("*/*"):
        write_image(file.with_suffix(".png"), 30, 60, shade=110)
        file.unlink()
    small, cut = folder / "a" / "small.png", folder / "b" / "cut.png"
    write_image(small, 5, 60)
    cut_short(write_image(cut, 30, 60), 0.3)
    crops = Teachers(TeacherSettings(**files), tmp_path / "cache", 1).teach_crops(IdentityFolders(folder))
    assert len(crops) == 4 and crops.identities == 2 and str(cut) in caplog.text
    found = [crops[index] for index in range(4)]
    assert sorted(identity for _, identity, _ in found) == [0, 0, 0, 1]
    for image, _, vector in found:
        assert vector.shape == (3,) and vector.dtype == np.float32
        assert vector.any() == (image.shape == (60, 30, 3))
    assert crops.teacher_embeddings.shape == (3, 3)
    alone = IdentityFolders(write_crops(tmp_path / "alone", a=1))
    assert Teachers(TeacherSettings(), tmp_path / "cache", 1).teach_crops(alone)[0][2].shape == (0,)


def test_answers_that_cannot_be_kept_cost_one_line(network, files, tmp_path, images):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot save"):
        ask(files, tmp_path / "file" / "cache", images)


def test_answers_that_were_damaged_cost_one_line(network, files, tmp_path, images):
    ask(files, tmp_path / "cache", images)
    cut_short(next((tmp_path / "cache").iterdir()))
    with pytest.raises(ModelError, match="is no whole"):
        ask(files, tmp_path / "cache", images)


@pytest.mark.parametrize("shape", [(1, 3, 64, 100), (1, 1, 64, 96), (2, 3, 64, 96), (1, 128)])
def test_a_network_of_another_kind_is_no_detector(monkeypatch, network, files, shape):
    monkeypatch.setattr(network, "__init__", lambda self, path, threads: setattr(self, "shape", shape))
    with pytest.raises(ModelError, match=r"must take images \[1, 3, H, W\]"):
        BoxTeacher(Path(files["boxes"]), 1)


@pytest.mark.parametrize("shape", [(1, CELLS + 1, 85), (1, CELLS, 5), (CELLS, 85)])
def test_a_network_that_gives_other_rows_is_no_detector(monkeypatch, network, files, shape):
    monkeypatch.setattr(network, "__call__", lambda self, blob: np.zeros(shape, np.float32))
    with pytest.raises(ModelError, match=r"boxes\.onnx gives"):
        BoxTeacher(Path(files["boxes"]), 1)(np.zeros((*INPUT, 3), np.uint8))


def test_a_network_of_another_kind_tells_nobody_apart(network, files, monkeypatch):
    monkeypatch.setattr(onnx_networks.OnnxNetwork, "__init__", lambda self, *_: setattr(self, "shape", (1, 3, 9, 9)))
    with pytest.raises(ModelError, match=r"must take crops \[1, 256, 128, 3\]"):
        Teachers(TeacherSettings(embeddings=files["embeddings"]), Path(), 1)


def test_without_onnxruntime_the_error_says_so(monkeypatch, files):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="needs onnxruntime"):
        Teachers(TeacherSettings(**files), Path(), 1)


def test_a_real_onnx_file(tmp_path):
    """A graph that finds one person, wherever it looks."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    rows = np.zeros((1, CELLS, 6), np.float32)
    rows[0, 12 * 2 + 3] = [0.5, 0.5, np.log(2), np.log(4), 0.9, 0.9]
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = make.make_graph(
        [
            make.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
            make.make_node("Mul", ["mean", "zero"], ["nothing"]),
            make.make_node("Add", ["rows", "nothing"], ["found"]),
        ],
        "detector",
        [make.make_tensor_value_info("image", kind, [1, 3, *INPUT])],
        [make.make_tensor_value_info("found", kind, [1, CELLS, 6])],
        [onnx.numpy_helper.from_array(rows, "rows"), onnx.numpy_helper.from_array(np.zeros((), np.float32), "zero")],
    )
    path = tmp_path / "boxes.onnx"
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    boxes, scores = BoxTeacher(path, 1)(np.zeros((*INPUT, 3), np.uint8))
    np.testing.assert_allclose(boxes, [[20, 4, 36, 36]], atol=1e-3)
    assert scores == pytest.approx([0.81])
    for damage in ("no network", ""):
        write_text(path, damage)
        with pytest.raises(ModelError, match=r"boxes\.onnx cannot be loaded"):
            BoxTeacher(path, 1)
    with pytest.raises(ModelError, match="there is no ONNX file"):
        BoxTeacher(tmp_path / "missing.onnx", 1)
