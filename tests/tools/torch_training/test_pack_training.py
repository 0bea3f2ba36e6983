"""Packing of lists and of folders with labels, by the command line."""

import cv2
import numpy as np
import pytest

from tests.helpers.dataset_files import write_image, write_text
from tests.helpers.training.packed_sets import TEACHER, draw_person
from tools.torch_training import pack_training
from training.pytorch.packed import IGNORED, PERSON, read_packed

FRAMES = 4


class Reid:
    """In place of the teacher: the mean colour of a box is its vector."""

    dimension = TEACHER

    def __init__(self, path, threads):
        pass

    def embed(self, image, boxes):
        vectors = np.zeros((len(boxes), TEACHER), np.float32)
        for row, (left, top, right, bottom) in enumerate(boxes.astype(int)):
            vectors[row, :3] = image[top:bottom, left:right].mean(axis=(0, 1))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def folder(tmp_path):
    """Frames 0, 10, 20, ... with a person and an ignored box each, and their labels."""
    random = np.random.default_rng(0)
    for number in range(FRAMES):
        image = random.integers(150, 180, (240, 320, 3), dtype=np.uint8)
        draw_person(image, [100, 30, 160, 200], (30, 20, 60 + 10 * number))
        path = tmp_path / "frames" / "street" / f"{10 * number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    (tmp_path / "labels").mkdir()
    np.savez(
        tmp_path / "labels" / "street.npz",
        frame=np.repeat(10 * np.arange(FRAMES), 2),
        boxes=np.tile(np.array([[100, 30, 160, 200], [250, 20, 300, 90]], np.float32), (FRAMES, 1)),
        kind=np.tile([1, 0], FRAMES),
    )
    return tmp_path / "frames" / "street"


def pack(tmp_path, *arguments):
    output = tmp_path / "set.npz"
    assert pack_training.main([*map(str, arguments), "--output", str(output)]) == 0
    return read_packed(output)


def refused(capsys, *arguments):
    assert pack_training.main([*map(str, arguments)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message


def test_a_folder_with_labels(tmp_path, folder, monkeypatch, capsys):
    monkeypatch.setattr(pack_training, "ReidNetwork", Reid)
    packed = pack(
        tmp_path, folder, "--labels", tmp_path / "labels", "--embeddings", "reid.xml", "--before", "street=30"
    )
    assert packed.sources == ["street"] and packed.numbers.tolist() == [0, 10, 20]
    for index in range(3):
        boxes, kinds = packed.people(index)
        np.testing.assert_array_equal(boxes, [[100, 30, 160, 200], [250, 20, 300, 90]])
        assert kinds.tolist() == [PERSON, IGNORED]
    assert len(packed.vectors) == 3 and packed.vector_of.tolist() == [0, -1, 1, -1, 2, -1]
    assert len(packed.cutouts) == 3
    assert "3 frames of quality 90, 3 people, 3 ignored, 3 vectors, 3 cut out" in capsys.readouterr().out


def test_a_list_of_the_project(tmp_path, capsys):
    for number in range(3):
        write_image(tmp_path / "data" / "a" / "images" / f"{number}.jpg", 200, 100)
        write_text(tmp_path / "data" / "a" / "labels_with_ids" / f"{number}.txt", "0 4 0.5 0.5 0.2 0.6\n")
    write_text(tmp_path / "data" / "a.train", "".join(f"a/images/{number}.jpg\n" for number in range(3)))
    (tmp_path / "data" / "a" / "images" / "2.jpg").write_bytes(b"damaged")
    packed = pack(tmp_path, tmp_path / "data" / "a.train")
    assert packed.sources == ["a"] and packed.numbers.tolist() == [0, 1] and packed.vectors.shape == (0, 0)
    np.testing.assert_allclose(packed.boxes, [[80, 20, 120, 80]] * 2, atol=1e-3)
    assert "skipped" in capsys.readouterr().err
    (tmp_path / "data" / "a" / "labels_with_ids" / "0.txt").unlink()
    assert "--boxes" in refused(capsys, tmp_path / "data" / "a.train", "--output", tmp_path / "no.npz")
    assert not (tmp_path / "no.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--labels"),
        (["--labels", "{labels}", "--before", "road=3"], "road"),
        (["--labels", "{labels}/none"], "none"),
        (["--labels", "{labels}", "--megabytes", "0.001"], "too little"),
        (["--labels", "{labels}", "--megabytes", "-1"], "megabytes"),
        (["--labels", "{labels}", "--every", "0"], "every"),
    ],
)
def test_what_cannot_be_packed(tmp_path, folder, capsys, arguments, words):
    given = [text.format(labels=tmp_path / "labels") for text in arguments]
    assert words in refused(capsys, folder, "--output", tmp_path / "set.npz", *given)
    assert not (tmp_path / "set.npz").exists()


def test_labels_of_another_layout(tmp_path, folder, capsys):
    np.savez(tmp_path / "labels" / "street.npz", boxes=np.zeros((3, 4)))
    message = refused(capsys, folder, "--output", tmp_path / "set.npz", "--labels", tmp_path / "labels")
    assert "street.npz has no array" in message
