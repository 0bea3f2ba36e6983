"""The bundled compact network: its shapes and sizes, its export against the network itself, and other weights."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from tests.helpers.paths import ROOT
from tracker.detection.backends.network import to_floats
from tracker.detection.backends.paddle_network import PaddleNetwork
from tracker.detection.crops import read_crops
from tracker.detection.decode import Decoder
from tracker.detection.detector import Model
from tracker.detection.letterbox import Letterbox, LetterboxedImage
from tracker.errors import ModelError
from tracker.models import int8
from tracker.models.locate import COMPACT, verified
from tracker.settings.model import ModelConfig

CONFIG = ROOT / "config" / "jde_compact.yml"


@pytest.fixture(scope="module")
def letterboxed(clip_frames):
    """A picture of the clip as network input, and where it lies in there."""
    return Letterbox(ModelConfig.load(COMPACT).letterbox)(clip_frames[0])


@pytest.fixture(scope="module")
def task(letterboxed, dynamic_mode):
    """Network and classifier with random weights, statistics of BatchNorm too: near those of the picture, so that
    signals neither die nor explode on the way."""
    import paddle

    from training.tasks.compact_task import CompactTask

    paddle.seed(0)
    random = np.random.default_rng(0)
    task = CompactTask(CONFIG, {"freeze_statistics": False}, identities=4, teacher_dimension=6)
    norms = [layer for layer in task.network.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    for norm in norms:
        size = norm._num_features
        norm.weight.set_value(random.uniform(0.5, 1, size).astype(np.float32))
        norm.bias.set_value(random.normal(0, 0.5, size).astype(np.float32))
        norm._momentum = 0.0  # the statistics become those of the next input
    task.train()
    with paddle.no_grad():
        task.network(paddle.to_tensor(to_floats(letterboxed[0], 1)))
    for norm in norms:
        size, variance = norm._num_features, norm._variance.numpy()
        shift = np.sqrt(variance) * random.normal(0, 0.3, size)
        norm._mean.set_value((norm._mean.numpy() + shift).astype(np.float32))
        norm._variance.set_value((variance * random.uniform(1, 2, size)).astype(np.float32))
    task.eval()
    return task


@pytest.fixture(scope="module")
def maps(task, letterboxed, dynamic_mode):
    """What the network itself makes of the picture."""
    import paddle

    with paddle.no_grad():
        return task.network(paddle.to_tensor(to_floats(letterboxed[0], 1)))


def save_checkpoint(task, path):
    """A checkpoint whose averages are the task's numbers; what the last step left are others."""
    import paddle

    from training.checkpoint import MovingAverage, collect, save_arrays

    average = MovingAverage(task, 0.999)
    kept = {name: value.clone() for name, value in task.state_dict().items()}
    for value in task.state_dict().values():
        value.set_value(value * 0.9)
    optimizer = paddle.optimizer.Momentum(0.1, parameters=task.parameters())
    save_arrays(path, collect(task, average, optimizer, step=3))
    task.set_state_dict(kept)


def export(weights, output):
    command = [sys.executable, str(ROOT / "tools" / "export_model.py"), "-c", str(CONFIG)]
    command += ["--weights", str(weights), "--output", str(output)]
    environment = {name: value for name, value in os.environ.items() if name != "FLAGS_enable_pir_api"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)


@pytest.fixture(scope="module", params=["model.pdparams", "checkpoint.npz"])
def exported(request, task, dynamic_mode, tmp_path_factory):
    """The task's network, written in one of two forms and exported to a folder."""
    from training.checkpoint import save_parameters

    scratch = tmp_path_factory.mktemp("exported")
    weights, folder = scratch / request.param, scratch / "made" / "compact"
    if weights.suffix == ".npz":
        save_checkpoint(task, weights)
    else:
        save_parameters({name: value.numpy() for name, value in task.network.state_dict().items()}, weights)
    done = export(weights, folder)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.parent.iterdir()] == ["compact"]  # nothing half-made is left
    for program in (*folder.glob("*.pdmodel"), *COMPACT.glob("*.pdmodel")):
        assert b".py" not in program.read_bytes(), "a program tells of files on the machine that made it"
    return folder


def assert_close(found, expected):
    assert found.shape == expected.shape and found.dtype == np.float32
    error, size = np.abs(found - expected).max(), np.abs(expected).max()
    assert error < 3e-4 * size, f"{error} of {size}"  # weights are stored in 16 bits


def test_an_export_computes_what_the_network_does(exported, task, maps, letterboxed, clip_frames):
    import paddle
    import paddle.nn.functional as F

    pixels, transform = letterboxed
    config = ModelConfig.load(verified(exported))
    network = PaddleNetwork(exported, config)
    found = network.run(pixels)
    assert len(found) == len(maps) == len(config.levels)
    for ours, expected in zip(found, maps):
        assert np.ptp(expected.numpy()) > 0.1
        assert_close(ours, expected.numpy())

    random, image = np.random.default_rng(1), clip_frames[0]
    corner, far = random.uniform(0, 0.8, (20, 2)), random.uniform(0.02, 0.2, (20, 2))
    boxes = np.rint(np.concatenate([corner, corner + far], axis=1) * np.tile(image.shape[1::-1], 2))
    with paddle.no_grad():
        rows = paddle.to_tensor(read_crops(image, boxes, (80, 32)))
        expected = F.normalize(task.network.head(rows), axis=1).numpy()
    embeddings = Decoder(config).embed_boxes(found, LetterboxedImage(pixels, transform, image), boxes, network.embed)
    assert_close(embeddings, expected)
    assert np.abs(expected - expected.mean(axis=0)).max() > 0.01, "all look the same"


def test_an_export_describes_itself_like_the_bundled_model(exported):
    bundled = {path.name for path in COMPACT.iterdir() if path.name not in int8.FILES}
    assert {path.name for path in exported.iterdir()} == bundled
    assert ModelConfig.load(exported) == ModelConfig.load(COMPACT)


def test_all_embeddings_have_a_part_in_common(task, dynamic_mode):
    """Its square is stated by the configuration, as a multiple of the rest's."""
    import paddle

    head = task.network.head
    rows = np.random.default_rng(6).normal(size=(4, head.input_length)).astype(np.float32)
    with paddle.no_grad():
        found, features = head(paddle.to_tensor(rows)).numpy(), head.identity_features(paddle.to_tensor(rows)).numpy()
    assert found.shape == (4, 128)
    np.testing.assert_array_equal(found[:, :127], features)
    np.testing.assert_allclose(found[:, 127] ** 2, 1.25 * (features**2).sum(axis=1), rtol=1e-4)


def test_rows_may_come_in_any_number(exported, task):
    network = PaddleNetwork(exported, ModelConfig.load(exported))
    rows = np.random.default_rng(5).normal(size=(7, task.network.head.input_length)).astype(np.float32)
    together = network.embed([rows])
    one_by_one = np.concatenate([network.embed([rows[i : i + 1]]) for i in range(7)])
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)
    assert network.embed([rows[:0]]).shape == (0, 128)


def test_the_bundled_model_finds_people_and_tells_them_apart(clip_frames):
    """That its weights are trained ones, whichever."""
    found = Model(COMPACT).detector()(clip_frames[20])
    sure = found.scores > 0.7
    assert 4 <= sure.sum() <= 6 and found.embeddings.shape == (len(found), 128)
    alike = found.embeddings[sure] @ found.embeddings[sure].T
    assert alike[~np.eye(len(alike), dtype=bool)].mean() < 0.7


def test_number_of_parameters(dynamic_mode):
    from tracker.models.networks.compact import build

    network, _ = build(CONFIG)
    parts = dict.fromkeys(("det", "head"), 0)
    for name, parameter in network.named_parameters():
        if not parameter.stop_gradient:
            parts[name.partition(".")[0]] += parameter.size
    assert parts == {"det": 1_104_906, "head": 1_075_871}


def test_steps_of_the_head_are_refined_as_configured(dynamic_mode):
    """Without a refinement there is nothing but the halving, and a separable one is a small part of a full one."""
    import paddle

    from tracker.models.networks.compact import EmbeddingHead

    rows = paddle.to_tensor(np.random.default_rng(7).uniform(0, 255, (2, 3 * 80 * 32)).astype(np.float32))
    sizes = {}
    for refinement in ("none", "separable", "full"):
        head = EmbeddingHead((80, 32), (24, 64, 128), ("none", refinement), 128, 1.25)
        sizes[refinement] = sum(value.size for value in head.parameters() if not value.stop_gradient)
        assert head(rows).shape == [2, 128]
    assert sizes["separable"] - sizes["none"] == 128 * (9 + 128) + 2 * 2 * 128
    assert sizes["full"] - sizes["none"] == 128 * 9 * 128 + 2 * 128


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"width": None}, "NoneType"),
        ({"head": []}, "out of range"),
        ({"inner": [24, 64]}, "inner must be 17 positive numbers, one for each block, not [24, 64]"),
        ({"inner": [0] * 17}, "inner must be 17 positive numbers"),
        ({"head": 48}, "int"),
        ({"head": [24, 48]}, "2 widths need one refinement less, not 3"),
        ({"refinements": []}, "one refinement less, not 0"),
        ({"refinements": ["none", "none", "double"]}, "double"),
        ({"grid": 6}, "int"),
        ({"grid": [24]}, "out of range"),
        ({"kernel": 3}, "kernel"),
    ],
)
def test_sizes_that_make_no_network_are_refused_in_one_line(tmp_path, dynamic_mode, changes, part):
    from tracker.models.networks.compact import build

    settings = yaml.safe_load(CONFIG.read_text())
    settings["CompactJDE"] |= changes
    (tmp_path / "config.yml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ModelError, match=r"config\.yml lacks or misnames a setting") as caught:
        build(tmp_path / "config.yml")
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_unfold_biases_keeps_the_function(dynamic_mode):
    """A convolution with its bias, and the same without one before the BatchNorm made of it."""
    import paddle
    import paddle.nn.functional as F

    from tracker.models.networks.mobilenet import Convolution
    from training.pretrained import unfold_biases

    random = np.random.default_rng(1)
    weight, bias = random.normal(size=(4, 3, 3, 3)).astype(np.float32), random.normal(size=4).astype(np.float32)
    layer = Convolution(3, 4, 3, activation="swish")
    layer.eval()
    values = unfold_biases({"c.weight": weight, "c.bias": bias}, set(layer.state_dict()))
    assert values.keys() == layer.state_dict().keys()
    layer.set_state_dict(values)
    image = paddle.to_tensor(random.normal(size=(1, 3, 8, 9)).astype(np.float32))
    folded = F.conv2d(image, paddle.to_tensor(weight), paddle.to_tensor(bias), padding=1)
    np.testing.assert_allclose(layer(image).numpy(), F.swish(folded).numpy(), atol=1e-5)


def test_unfold_biases_renames_statistics_and_turns_matrices():
    from training.pretrained import unfold_biases

    matrix = np.arange(6.0).reshape(2, 3)
    names = {"f.weight", "f.bias", "n.weight", "n.bias", "n._mean", "n._variance"}
    arrays = {"f.weight": matrix, "f.bias": matrix[0], "n.running_mean": matrix[1], "n.running_var": matrix[0]}
    values = unfold_biases(arrays, names)
    assert values.keys() == {"f.weight", "f.bias", "n._mean", "n._variance"}
    np.testing.assert_array_equal(values["f.weight"], matrix.T)
    np.testing.assert_array_equal(values["n._mean"], matrix[1])


def other_checkpoint(path):
    np.savez(path, **{"average/network.backbone.conv.weight": np.ones((4, 3, 3, 3), np.float32)})


def folded_weights(path):
    np.savez(
        path,
        **{"det.backbone.stem.c.weight": np.ones((32, 3, 3, 3), np.float32), "det.backbone.stem.c.bias": np.ones(32)},
    )


def other_pdparams(path):
    import paddle

    paddle.save({"backbone.conv.weight": np.ones((4, 3, 3, 3), np.float32)}, str(path))


def damaged_npz(path):
    np.savez(path, **{"average/a": np.ones(1000)})
    path.write_bytes(path.read_bytes()[:500])


def flipped_npz(path):
    np.savez(path, **{"average/a": np.ones(1000)})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty_file(path):
    path.touch()


def single_array(path):
    np.save(path.with_suffix(".npy"), np.ones(3))
    shutil.move(path.with_suffix(".npy"), path)


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        pytest.param(
            "other.npz", other_checkpoint, ["backbone.conv.weight", "det.backbone.stem.c.weight"], id="checkpoint"
        ),
        pytest.param(
            "other.pdparams", other_pdparams, ["backbone.conv.weight", "det.backbone.stem.c.weight"], id="pdparams"
        ),
        pytest.param("folded.npz", folded_weights, ["folded.npz is no checkpoint", "no averaged network"], id="folded"),
        pytest.param("cut.npz", damaged_npz, ["is no whole checkpoint", "cut.npz"], id="damaged"),
        pytest.param("flip.npz", flipped_npz, ["is no whole checkpoint", "flip.npz"], id="a bit flipped"),
        pytest.param("empty.npz", empty_file, ["is no whole checkpoint", "empty.npz"], id="empty"),
        pytest.param("array.npz", single_array, ["is no whole checkpoint", "array.npz"], id="a single array"),
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
