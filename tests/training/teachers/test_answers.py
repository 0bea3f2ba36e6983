"""What teachers add to data without labels, and that they are asked once. Networks are stood in for by lookups."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.dataset_files import cut_short, write_crops, write_image, write_text, write_yolo
from tracker.errors import DataError, ModelError, OutputError
from training.data.readers import IdentityFolders, YoloImages
from training.data.samples import NOBODY, make_sample
from training.settings import TeacherSettings
from training.teachers.answers import Teachers
from training.teachers.network import TeacherNetwork

INPUT = (64, 96)  # height and width of the detector
CELLS = 8 * 12 + 4 * 6 + 2 * 3


class StandIn:
    """In place of OpenVINO: detectors find what ``people`` says, embeddings are the mean colour of a crop."""

    people = ()  # left, top, right, bottom in pixels of the detector's input, score
    asked = 0

    def __init__(self, path, threads, size=None):
        self.path, self.outputs = path, ["output"]
        self._detects = "boxes" in path.name
        self.shape = (1, 3, *INPUT) if self._detects else (1, 256, 128, 3)

    def __call__(self, blob):
        StandIn.asked += 1
        if not self._detects:
            return [blob.mean(axis=(1, 2)) - 90]
        rows = np.zeros((1, CELLS, 85), np.float32)
        rows[0, :, 6] = 1  # another class is found everywhere
        rows[0, :, 4] = 0.9
        for cell, (left, top, right, bottom, score) in enumerate(StandIn.people):
            # cells of stride 8, in the first row
            centre = np.array([left + right, top + bottom]) / 2 / 8 - [cell, 0]
            size = np.log(np.array([right - left, bottom - top]) / 8)
            rows[0, cell] = [*centre, *size, 0.8, score / 0.8, *([1] * 79)]
        return [rows]


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(StandIn, "people", ())
    monkeypatch.setattr(StandIn, "asked", 0)
    for name in ("__init__", "__call__"):  # of which ReidNetwork is made, too
        monkeypatch.setattr(TeacherNetwork, name, getattr(StandIn, name))
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


def test_labels_are_completed_with_people_of_whom_the_teachers_are_sure(network, files, tmp_path, images):
    network.people = [(12, 12, 32, 52, 0.9), (60, 10, 80, 50, 0.9), (40, 10, 50, 30, 0.4)]
    sample, vectors = only(ask(files, tmp_path / "cache", images, complete=True), 2)
    np.testing.assert_allclose(sample.boxes, [[10, 10, 30, 50], [60, 10, 80, 50], [40, 10, 50, 30]], atol=1e-3)
    assert sample.ignored.tolist() == [False, False, True] and (sample.identities == NOBODY).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 0], abs=1e-3)
    assert ask(files, tmp_path / "cache", images)[2][0].ignored.tolist() == [False, True, True]


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
    assert sorted(path.suffix for path in cache.iterdir()) == [".npz", ".sqlite"]


def test_another_question_is_asked_anew(network, files, tmp_path, images):
    cache, network.people = tmp_path / "cache", [(10, 10, 30, 50, 0.7)]

    def boxes(**changes):
        return len(ask({**files, **changes}, cache, images)[0][0].boxes)

    assert boxes() == 1
    network.people = [*network.people, (40, 10, 60, 50, 0.6)]
    assert boxes() == 1, "the answer of before"
    asked = StandIn.asked
    assert boxes(sure=0.55) == 1 and boxes(doubtful=0.8) == 0
    assert StandIn.asked - asked <= 2 * 3, "the detector is not asked again for other thresholds: embeddings alone are"
    write_text(Path(files["boxes"]), "other boxes")
    assert boxes() == 2
    network.people = []
    assert boxes() == 2
    write_image(images._files[0].with_name("z.png"), 96, 64, shade=50)
    more = ask(files, cache, YoloImages(images._files[0].parent.parent))
    assert len(more) == 4 and [len(sample.boxes) for sample, _ in (more[0], more[3])] == [2, 0], "but the new image"


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
    with pytest.raises(OutputError, match="cannot be kept in"):
        ask(files, tmp_path / "file" / "cache", images)


def test_answers_that_were_damaged_cost_one_line(network, files, tmp_path, images):
    ask(files, tmp_path / "cache", images)
    cut_short(next((tmp_path / "cache").glob("*.npz")))
    with pytest.raises(ModelError, match="is no whole"):
        ask(files, tmp_path / "cache", images)
