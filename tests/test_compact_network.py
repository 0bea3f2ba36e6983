"""The bundled compact network: the numbers of the original one, its export, and weights that are not its own.

``data/compact_reference.npz`` holds a small picture and samples of what the original network, run by onnxruntime, and
a few lines of numpy make of it; ``python tests/test_compact_network.py`` writes it anew, ``make_reference`` says how.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "tests" / "data" / "compact_reference.npz"
SHARED_WEIGHTS = ROOT.parent / "shared" / "weights"
ORIGINAL = SHARED_WEIGHTS / "jde_compact_v0.npz"
ORIGINAL_ONNX = SHARED_WEIGHTS / "jde_compact_v0.onnx"
FOLDER = ROOT / "weights" / "jde_compact"
CONFIG = ROOT / "config" / "jde_compact.yml"

STRIDES = (32, 16, 8)  # order of the outputs
SAMPLES = 400  # of each output
PEOPLE = 20


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def make_reference():
    """The contents of the reference file, from the original network's ONNX and arrays.

    The picture is frame 250 of the demo clip at 204x152, as an input of 816x608 at the top left of 114s.
    Detection samples are the best cells of each level and random others; embeddings are those of the best boxes with
    centres at least 24 pixels apart.
    """
    import cv2
    import onnxruntime

    video = cv2.VideoCapture(str(ROOT / "demo" / "pedestrians.mp4"))
    video.set(cv2.CAP_PROP_POS_FRAMES, 250)
    picture = cv2.resize(video.read()[1], (204, 152), interpolation=cv2.INTER_AREA)

    blob = np.full((1, 3, 608, 1088), 114, np.float32)
    blob[0, :, :, :816] = cv2.resize(picture, (816, 608), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)
    session = onnxruntime.InferenceSession(str(ORIGINAL_ONNX))
    rows, *features = session.run(None, {session.get_inputs()[0].name: blob})  # strides 8, 16, 32
    features = dict(zip((8, 16, 32), features))

    random = np.random.default_rng(0)
    made = {"picture": picture}
    boxes = []
    start = 0
    for stride in (8, 16, 32):
        height, width = 608 // stride, 1088 // stride
        level = rows[start : start + height * width]
        start += height * width
        score = sigmoid(level[:, 4]) * sigmoid(level[:, 5])
        best = np.argsort(-score)[: SAMPLES // 4]
        cells = np.union1d(best, random.choice(len(score), SAMPLES - len(best), replace=False))
        made[f"cells_{stride}"] = cells.astype(np.int32)
        made[f"rows_{stride}"] = np.concatenate([level[cells, :4], score[cells, None]], axis=1).astype(np.float32)
        places = random.choice(features[stride].size, SAMPLES, replace=False)
        made[f"places_{stride}"] = places.astype(np.int32)
        made[f"features_{stride}"] = features[stride].ravel()[places]
        x, y = (np.arange(len(score)) % width + level[:, 0]) * stride, (np.arange(len(score)) // width + level[:, 1])
        boxes += list(zip(score, [stride] * len(score), np.arange(len(score)), x, y * stride))

    people = []
    for box in sorted(boxes, reverse=True):
        if len(people) < PEOPLE and all(abs(box[3] - p[3]) + abs(box[4] - p[4]) > 24 for p in people):
            people.append(box)
    made["people"] = np.array([box[1:3] for box in people], np.int32)  # stride and cell
    made["embeddings"] = original_embeddings([box[3:] for box in people], features)
    return made


def original_embeddings(centres, features):
    """[K, 128] float32: the original embedding network in plain numpy, at box centres (x, y) in network pixels."""
    with np.load(ORIGINAL) as file:
        f = {name[len("emb.f.") :]: file[name].astype(np.float64) for name in file.files if name.startswith("emb.f.")}
    made = []
    for x, y in centres:
        x, y = int(min(max(x, 0), 815)), int(min(max(y, 0), 607))
        row = np.concatenate([features[s][0, :, y // s, x // s] for s in (8, 16, 32)]).astype(np.float64)
        hidden = f["0.weight"] @ row + f["0.bias"]
        hidden = (hidden - f["1.running_mean"]) / np.sqrt(f["1.running_var"] + 1e-5) * f["1.weight"] + f["1.bias"]
        hidden = hidden / (1 + np.exp(-hidden))
        embedding = f["3.weight"] @ hidden + f["3.bias"]
        made.append(embedding / np.sqrt((embedding**2).sum()))
    return np.array(made, np.float32)


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def config():
    from tracker.config import ModelConfig

    return ModelConfig.load(FOLDER)


@pytest.fixture(scope="module")
def network(config):
    from tracker.network import PaddleNetwork

    return PaddleNetwork(FOLDER, config)


@pytest.fixture(scope="module")
def letterboxed(reference, config):
    from tracker.letterbox import Letterbox

    return Letterbox(config.letterbox)(reference["picture"])


@pytest.fixture(scope="module")
def outputs(network, letterboxed):
    return network.run(letterboxed[0])


@pytest.fixture(scope="module")
def cells(outputs, config):
    """Every cell's box, in the order of the outputs and row by row."""
    from tracker.decode import decode_boxes

    return decode_boxes(outputs[:3], config, 0.0)


@pytest.fixture
def dynamic_mode():
    import paddle

    static = not paddle.in_dynamic_mode()
    paddle.disable_static()
    yield
    if static:
        paddle.enable_static()


def first_cell(stride):
    """Where the cells of a level begin."""
    return sum((608 // s) * (1088 // s) for s in STRIDES[: STRIDES.index(stride)])


def test_outputs_have_the_promised_shapes(outputs):
    assert [output.shape for output in outputs] == [
        (1, 6, 19, 34),
        (1, 6, 38, 68),
        (1, 6, 76, 136),
        (1, 192, 19, 34),
        (1, 160, 38, 68),
        (1, 96, 76, 136),
    ]
    assert all(output.dtype == np.float32 for output in outputs)


def test_the_picture_has_people_in_it(reference):
    """So that the other comparisons are of more than background."""
    scores = np.concatenate([reference[f"rows_{stride}"][:, 4] for stride in STRIDES])
    assert scores.max() > 0.6 and (scores > 0.3).sum() >= 10 and (scores < 0.01).sum() > 100


@pytest.mark.parametrize("stride", STRIDES)
def test_boxes_and_scores_equal_the_original(stride, cells, reference):
    width = 1088 // stride
    index, rows = reference[f"cells_{stride}"], reference[f"rows_{stride}"].astype(np.float64)
    x, y = (index % width + rows[:, 0]) * stride, (index // width + rows[:, 1]) * stride
    w, h = np.exp(rows[:, 2]) * stride, np.exp(rows[:, 3]) * stride
    expected = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    mine = first_cell(stride) + index
    # a thousandth of a pixel, or of the box where that is more
    error = np.abs(cells.boxes[mine] - expected) / np.maximum(1, np.maximum(w, h))[:, None]
    assert error.max() < 1e-3
    np.testing.assert_allclose(cells.scores[mine], rows[:, 4], rtol=0, atol=1e-3)


@pytest.mark.parametrize("stride", STRIDES)
def test_features_equal_the_original(stride, outputs, reference):
    found = outputs[3 + STRIDES.index(stride)].ravel()[reference[f"places_{stride}"]]
    expected = reference[f"features_{stride}"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


def test_embeddings_equal_the_original(outputs, cells, network, letterboxed, config, reference):
    from tracker.decode import gather_rows

    kept = cells.take(np.array([first_cell(stride) + cell for stride, cell in reference["people"]]))
    groups, place = gather_rows(outputs[3:], kept, letterboxed[1], config)
    embeddings = network.embed(groups)[place]
    assert embeddings.shape == (PEOPLE, 128)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(embeddings, reference["embeddings"], rtol=0, atol=1e-3)


def test_rows_may_come_in_any_number(network):
    rows = np.random.default_rng(5).normal(size=(7, 448)).astype(np.float32)
    together = network.embed([rows])
    one_by_one = np.concatenate([network.embed([rows[i : i + 1]]) for i in range(7)])
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)
    assert network.embed([rows[:0]]).shape == (0, 128)


def test_the_reference_is_what_the_original_network_gives(reference):
    for path in (ORIGINAL, ORIGINAL_ONNX):
        if not path.exists():
            pytest.skip(f"{path} is not here")
    pytest.importorskip("onnxruntime")
    made = make_reference()
    assert made.keys() == reference.keys()
    for name, expected in reference.items():
        np.testing.assert_allclose(made[name], expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_number_of_parameters(dynamic_mode):
    from tracker.networks.compact import CompactJDE

    network = CompactJDE()
    learned = {name: parameter.size for name, parameter in network.named_parameters() if not parameter.stop_gradient}
    # the detector's BatchNorm factors are all 1: in the original they are part of the convolutions
    folded = sum(size for name, size in learned.items() if name.startswith("det.") and not name.endswith("n.weight"))
    assert folded == 889_058
    assert sum(learned.values()) == 1_451_398
    assert network.emb.f[0].weight.shape == [448, 256] and network.emb.f[3].weight.shape == [256, 128]


def test_unfold_biases_keeps_the_function(dynamic_mode):
    """A convolution with its bias, and the same without one before the BatchNorm made of it."""
    import paddle
    import paddle.nn.functional as F

    from tracker.networks.compact import ConvNorm, unfold_biases

    random = np.random.default_rng(1)
    weight, bias = random.normal(size=(4, 3, 3, 3)).astype(np.float32), random.normal(size=4).astype(np.float32)
    layer = ConvNorm(3, 4, 3)
    layer.eval()
    values = unfold_biases({"c.weight": weight, "c.bias": bias}, set(layer.state_dict()))
    assert values.keys() == layer.state_dict().keys()
    layer.set_state_dict(values)
    image = paddle.to_tensor(random.normal(size=(1, 3, 8, 9)).astype(np.float32))
    folded = F.conv2d(image, paddle.to_tensor(weight), paddle.to_tensor(bias), padding=1)
    np.testing.assert_allclose(layer(image).numpy(), F.swish(folded).numpy(), atol=1e-5)


def test_unfold_biases_renames_statistics_and_turns_matrices():
    from tracker.networks.compact import unfold_biases

    matrix = np.arange(6.0).reshape(2, 3)
    names = {"f.weight", "f.bias", "n.weight", "n.bias", "n._mean", "n._variance"}
    arrays = {"f.weight": matrix, "f.bias": matrix[0], "n.running_mean": matrix[1], "n.running_var": matrix[0]}
    values = unfold_biases(arrays, names)
    assert values.keys() == {"f.weight", "f.bias", "n._mean", "n._variance"}
    np.testing.assert_array_equal(values["f.weight"], matrix.T)
    np.testing.assert_array_equal(values["n._mean"], matrix[1])


def export(weights, output):
    command = [sys.executable, str(ROOT / "tools" / "export_model.py"), "-c", str(CONFIG)]
    command += ["--weights", str(weights), "--output", str(output)]
    environment = {name: value for name, value in os.environ.items() if name != "FLAGS_enable_pir_api"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)


def test_a_new_export_gives_the_same_outputs(tmp_path, outputs, letterboxed, network):
    from tracker.model import ModelConfig
    from tracker.network import PaddleNetwork
    from tracker.weights import verified

    if not ORIGINAL.exists():
        pytest.skip(f"{ORIGINAL} is not here")
    folder = tmp_path / "made" / "compact"
    done = export(ORIGINAL, folder)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in FOLDER.iterdir())
    assert [p.name for p in folder.parent.iterdir()] == ["compact"]  # nothing half-made is left
    config = ModelConfig.load(verified(folder))
    assert config == ModelConfig.load(FOLDER)
    again = PaddleNetwork(folder, config)
    for found, expected in zip(again.run(letterboxed[0]), outputs):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    rows = np.random.default_rng(2).normal(size=(5, 448)).astype(np.float32)
    np.testing.assert_allclose(again.embed([rows]), network.embed([rows]), atol=1e-5)


def other_npz(path):
    np.savez(path, **{"backbone.conv.weight": np.ones((4, 3, 3, 3), np.float32)})


def other_pdparams(path):
    import paddle

    paddle.save({"backbone.conv.weight": np.ones((4, 3, 3, 3), np.float32)}, str(path))


def damaged_npz(path):
    np.savez(path, a=np.ones(1000))
    path.write_bytes(path.read_bytes()[:500])


def empty_file(path):
    path.touch()


def single_array(path):
    np.save(path.with_suffix(".npy"), np.ones(3))
    shutil.move(path.with_suffix(".npy"), path)


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        pytest.param(
            "other.npz", other_npz, ["backbone.conv.weight", "det.stem.c.weight"], id="npz of another network"
        ),
        pytest.param("other.pdparams", other_pdparams, ["backbone.conv.weight", "det.stem.c.weight"], id="pdparams"),
        pytest.param("cut.npz", damaged_npz, ["is no whole .npz file", "cut.npz"], id="damaged"),
        pytest.param("empty.npz", empty_file, ["is no whole .npz file", "empty.npz"], id="empty"),
        pytest.param("array.npz", single_array, ["is no whole .npz file", "array.npz"], id="a single array"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, monkeypatch, capsys, dynamic_mode, name, write, words):
    monkeypatch.setenv("FLAGS_enable_pir_api", "0")  # the tool sets it when imported: have it taken back
    from tools import export_model

    write(tmp_path / name)
    arguments = ["-c", str(CONFIG), "--weights", str(tmp_path / name), "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["export_model.py", *arguments])
    assert export_model.main() == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    for word in words:
        assert word in message
    assert not (tmp_path / "out").exists()


if __name__ == "__main__":
    np.savez_compressed(REFERENCE, **make_reference())
    print(f"{REFERENCE}: {REFERENCE.stat().st_size} bytes")
