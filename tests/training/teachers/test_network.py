"""Networks in OpenVINO: what is read, and that anything else costs one line."""

import sys

import cv2
import numpy as np
import openvino
import pytest
from openvino import opset8 as op

from tests.helpers.dataset_files import cut_short, write_text
from tests.helpers.training.teacher_networks import boxes_detector, image_input, mean_colour, save
from tracker.errors import ModelError
from training.teachers.network import TeacherNetwork, network_digest
from training.teachers.reid import ReidNetwork


def field(number, value):
    """One field of a protocol buffer message: a text, a message, or a whole number below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    data = value.encode() if isinstance(value, str) else b"".join(value)
    assert len(data) < 2**14
    return bytes([number << 3 | 2, len(data) & 127 | 128, len(data) >> 7]) + data


def write_onnx(path):
    """A network of one operation: the mean of each channel of an image [1, 3, 8, 8]."""

    def value(name, *shape):
        sides = [field(1, [field(1, side)]) for side in shape]
        return [field(1, name), field(2, [field(1, [field(1, 1), field(2, sides)])])]

    node = [field(1, "image"), field(2, "mean"), field(4, "GlobalAveragePool")]
    graph = [field(1, node), field(2, "g"), field(11, value("image", 1, 3, 8, 8)), field(12, value("mean", 1, 3, 1, 1))]
    path.write_bytes(b"".join([field(1, 8), field(7, graph), field(8, [field(2, 13)])]))
    return path


def test_an_onnx_file(tmp_path):
    network = TeacherNetwork(write_onnx(tmp_path / "mean.onnx"), 1)
    assert network.shape == (1, 3, 8, 8) and network.outputs == ["mean"]
    image = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    (mean,) = network(image)
    np.testing.assert_allclose(mean.ravel(), image.mean(axis=(2, 3)).ravel(), rtol=1e-5)
    (other,) = network(image + 1)
    np.testing.assert_allclose(other, mean + 1, rtol=1e-5)  # a later pass does not write into the first one's output


def test_an_openvino_file(tmp_path):
    path = boxes_detector(tmp_path / "boxes.xml", [[1, 2, 3, 4, 0.5]], labels=[1])
    network = TeacherNetwork(path, 1)
    assert network.shape == (1, 3, 64, 96) and network.outputs == ["boxes", "labels"]
    boxes, labels = network(np.zeros((1, 3, 64, 96), np.float32))
    assert boxes.tolist() == [[1, 2, 3, 4, 0.5]] and labels.tolist() == [1]


def test_the_input_can_have_another_size(tmp_path):
    path = boxes_detector(tmp_path / "boxes.xml", [[1, 2, 3, 4, 0.5]], size=(64, 96))
    network = TeacherNetwork(path, 1, (96, 128))
    assert network.shape == (1, 3, 96, 128)
    assert network(np.zeros(network.shape, np.float32))[0].shape == (1, 5)


def test_the_digest_is_of_both_files(tmp_path):
    path = boxes_detector(tmp_path / "boxes.xml", [[1, 2, 3, 4, 0.5]])
    before = network_digest(path)
    assert network_digest(path) == before
    boxes_detector(path, [[1, 2, 3, 4, 0.25]])
    changed = network_digest(path)
    assert changed != before
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"boxes\.xml cannot be read: .*boxes\.bin"):
        network_digest(path)


def test_files_that_hold_no_network(tmp_path):
    with pytest.raises(ModelError, match=r"there is no network .*missing\.onnx"):
        TeacherNetwork(tmp_path / "missing.onnx", 1)
    for name in ("a.onnx", "b.xml"):
        for text in ("no network", ""):
            with pytest.raises(ModelError, match=rf"{name} cannot be loaded by openvino: \S") as raised:
                TeacherNetwork(write_text(tmp_path / name, text), 1)
            assert "\n" not in str(raised.value)
    path = boxes_detector(tmp_path / "boxes.xml", [[1, 2, 3, 4, 0.5]] * 50)
    cut_short(path.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"boxes\.xml cannot be loaded by openvino: \S"):
        TeacherNetwork(path, 1)


def test_other_inputs_than_one_of_fixed_shape(tmp_path):
    path = save(tmp_path / "open.xml", (image := image_input([1, 3, -1, 8])), {"same": op.relu(image)})
    with pytest.raises(ModelError, match=r"open\.xml must have one input of fixed shape"):
        TeacherNetwork(path, 1)
    two = [op.parameter([1], np.float32) for _ in range(2)]
    openvino.save_model(openvino.Model([op.result(op.add(*two))], two), tmp_path / "two.xml")
    with pytest.raises(ModelError, match=r"two\.xml must have one input of fixed shape, not .*\[1\].*\[1\]"):
        TeacherNetwork(tmp_path / "two.xml", 1)


def test_without_openvino_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError, match="teachers need the package openvino: pip install 'openvino"):
        TeacherNetwork(tmp_path / "any.onnx", 1)


@pytest.mark.parametrize("shape", [(1, 3, 256, 128), (1, 256, 128, 3)])
def test_a_crop_is_the_part_of_its_box_within_the_image(tmp_path, shape):
    network = ReidNetwork(mean_colour(tmp_path / "reid.xml", shape), 1)
    assert network.dimension == 3
    image = np.full((60, 80, 3), 90, np.uint8)
    image[20:50, 10:30] = 90, 120, 130
    image[:10, 70:] = 250, 90, 90
    boxes = [[10.2, 19.7, 29.9, 50.3], [70, -30, 110, 10], [300, -40, 320, -10]]  # the last one lies beyond it
    found = network.embed(image, np.array(boxes))
    np.testing.assert_allclose(found, [[0, 0.6, 0.8], [1, 0, 0], [1, 0, 0]], atol=1e-4)
    assert found.dtype == np.float32
    assert network.embed(image, np.zeros((0, 4))).shape == (0, 3)


def test_both_layouts_see_the_same_crop(tmp_path):
    """The network sees the top left quarter alone."""
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (90, 60, 3), dtype=np.uint8), (9, 9), 0)
    found = []
    for number, shape in enumerate([(1, 3, 256, 128), (1, 256, 128, 3)]):
        pixels = image_input(shape)
        axis = shape.index(256)
        part = op.slice(pixels, [0, 0], [128, 64], [1, 1], [axis, axis + 1])
        mean = op.reduce_mean(part, [axis, axis + 1], keep_dims=False)
        network = ReidNetwork(save(tmp_path / f"{number}.xml", pixels, {"out": mean}), 1)
        found.append(network.embed(image, np.float32([[5, 5, 55, 85]])))
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_a_network_of_another_kind_tells_nobody_apart(tmp_path):
    path = boxes_detector(tmp_path / "boxes.xml", [[1, 2, 3, 4, 0.5]])
    with pytest.raises(ModelError, match=r"must take crops \[1, 3, 256, 128\] or \[1, 256, 128, 3\], not \[1, 3, 64"):
        ReidNetwork(path, 1)
