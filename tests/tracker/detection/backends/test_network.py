"""The bundled network in Paddle: shapes, threads, and folders that are no model or another one."""

import shutil
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from tests.helpers.paths import ROOT
from tracker.detection.backends.network import Network, default_threads
from tracker.detection.backends.paddle_network import PaddleNetwork
from tracker.errors import ModelError
from tracker.models.locate import COMPACT
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions

SIZE = (608, 1088)


@pytest.fixture(scope="module")
def config():
    return ModelConfig.load(COMPACT)


@pytest.fixture(scope="module")
def network(config):
    return PaddleNetwork(COMPACT, config)


@pytest.fixture
def copy(tmp_path):
    """A copy of the bundled model that states no digests."""
    folder = shutil.copytree(COMPACT, tmp_path / "copy")
    set_config(folder, sha256=None)
    return folder


def set_config(folder, **changes):
    path = folder / "infer_cfg.yml"
    values = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({name: value for name, value in values.items() if value is not None}))


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (1, *SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def length(config):
    """Of a row: three channels of every pixel of a crop."""
    return 3 * config.embedding.grid[0] * config.embedding.grid[1]


def rows(seed, count, length):
    return np.random.default_rng(seed).random((count, length), np.float32)


def test_maps_have_the_shapes_of_the_levels(network, config):
    outputs = network.run(pixels(0))
    strides = [level.stride for level in config.levels]
    assert len(outputs) == len(strides)
    for stride, detections in zip(strides, outputs):
        assert detections.shape == (1, 6, SIZE[0] // stride, SIZE[1] // stride)
    assert all(output.dtype == np.float32 and np.isfinite(output).all() for output in outputs)


def test_every_row_has_its_own_embedding(network, config, length):
    three = network.embed([rows(0, 3, length)])
    assert three.shape == (3, config.embedding.dimension) and np.isfinite(three).all()
    for number in range(3):
        np.testing.assert_allclose(
            network.embed([rows(0, 3, length)[number : number + 1]])[0], three[number], rtol=1e-4, atol=1e-5
        )
    assert np.abs(three[0] - three[1]).max() > 0.01


def test_no_rows_have_no_embeddings(network, config, length):
    assert network.embed([rows(0, 0, length)]).shape == (0, config.embedding.dimension)


ROWS = """
    import sys
    from pathlib import Path
    import numpy as np
    from tracker.settings.model import ModelConfig
    from tracker.detection.backends.choice import open_network
    from tracker.settings.runtime import RuntimeOptions

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    folder = Path(sys.argv[1])
    network = open_network(folder, ModelConfig.load(folder), RuntimeOptions(backend=sys.argv[2], precision="fp32"))
    rows = np.zeros((256, int(sys.argv[3])), np.float32)
    for power in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        for eighths in (5, 6, 7, 8):
            network.embed([rows[:max(1, power * eighths // 8)]])
    before = resident()
    for count in range(1, 200):
        network.embed([rows[:count]])
    print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["paddle", "openvino"])
def test_memory_stays_flat_whatever_the_numbers_of_rows(backend, length):
    """In a process of its own, whose memory nothing else takes."""
    command = [sys.executable, "-c", textwrap.dedent(ROWS), str(COMPACT), backend, str(length)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert int(found.stdout.splitlines()[-1]) < 25e6, "as many numbers as there are people would take 40 MB and more"


class Groups(Network):
    """Stands for a graph with a layer for each of three groups of rows, that gives their first two columns."""

    def __init__(self):
        self.sent = []
        self.config = SimpleNamespace(embedding=SimpleNamespace(dimension=2))

    def _forward(self, graph, inputs):
        assert graph == "embed"
        self.sent = [len(group) for group in inputs]
        return [np.concatenate([group[:, :2] for group in inputs])]


@pytest.mark.parametrize(
    "sizes", [(2, 3, 1), (0, 3, 1), (2, 0, 1), (2, 3, 0), (0, 0, 4), (0, 0, 0), (5, 7, 9), (6, 8, 4), (17, 33, 1)]
)
def test_empty_groups_leave_the_others_in_place(sizes):
    groups = [rows(level, count, length) for level, (count, length) in enumerate(zip(sizes, (8, 4, 2)))]
    network = Groups()
    np.testing.assert_array_equal(network.embed(groups), np.concatenate([group[:, :2] for group in groups]))
    usual = {
        0: 1,
        1: 1,
        2: 2,
        3: 3,
        4: 4,
        5: 5,
        6: 6,
        7: 7,
        8: 8,
        9: 10,
        17: 20,
        33: 40,
    }  # Paddle takes no group without rows
    assert network.sent == [usual[count] for count in sizes]


def test_threads_may_share_a_network(network, length):
    inputs = [(pixels(seed), rows(seed, seed + 1, length)) for seed in range(4)]

    def outputs(pair):
        return [*network.run(pair[0]), network.embed([pair[1]])]

    alone = [outputs(pair) for pair in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(outputs, inputs))
    for expected, found in zip(alone, together):
        for before, after in zip(expected, found):
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)


def test_the_number_of_threads_does_not_change_the_maps(network, config):
    single = PaddleNetwork(COMPACT, config, RuntimeOptions(threads=1))
    for one, all_cores in zip(single.run(pixels(0)), network.run(pixels(0))):
        np.testing.assert_allclose(one, all_cores, rtol=1e-3, atol=1e-3)
    assert default_threads() >= 1


@pytest.mark.parametrize(("with_cuda", "message"), [(False, "pip install paddlepaddle-gpu"), (True, "sees no GPU")])
def test_a_missing_gpu_is_told_apart_from_a_missing_build(config, monkeypatch, with_cuda, message):
    import paddle

    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: with_cuda)
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 0)
    with pytest.raises(ModelError, match=f"use_gpu .*{message}.*leave use_gpu off") as caught:
        PaddleNetwork(COMPACT, config, RuntimeOptions(use_gpu=True))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.pdmodel", "model.pdiparams", "embed.pdmodel", "embed.pdiparams"])
def test_a_missing_file_is_named(copy, config, name):
    (copy / name).unlink()
    with pytest.raises(ModelError, match=f"no model folder: {name} is missing"):
        PaddleNetwork(copy, config)


def test_a_graph_with_another_number_of_maps_is_refused(copy):
    set_config(copy, embedding={"dimension": 128, "read": "cell", "strides": [8, 16, 32]})
    with pytest.raises(ModelError, match=r"gives 3 maps where infer_cfg\.yml needs 6: export the model again"):
        PaddleNetwork(copy, ModelConfig.load(copy))


class Outputs(Network):
    """Stands for graphs with given outputs."""

    def __init__(self, config, *outputs):
        self.folder, self.config, self.outputs = Path("model"), config, outputs

    def _forward(self, graph, inputs):
        return list(self.outputs)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(1, 6, 2, 3), (1, 6, 4, 6), (1, 5, 4, 6)], None),
        ([(1, 6, 2, 3), (1, 6, 4, 6), (1, 5, 2, 3)], r"a map of shape \(1, 5, 2, 3\) at stride 16 .* \(1, 5, 4, 6\): "),
        ([(1, 6, 2, 3), (1, 6, 4, 6), (4, 6)], r"a map of shape \(4, 6\) at stride 16 "),
        ([(1, 6, 2, 3), (1, 5, 4, 6), (1, 5, 4, 6)], r"a map of shape \(1, 5, 4, 6\) at stride 16 .* \(1, 6, 4, 6\): "),
    ],
)
def test_maps_of_other_shapes_are_refused(shapes, message):
    levels = [SimpleNamespace(stride=stride, anchors=[(9, 9)]) for stride in (32, 16)]
    config = SimpleNamespace(levels=levels, feature_strides=[16])
    network = Outputs(config, *(np.zeros(shape, np.float32) for shape in shapes))
    if message is None:
        assert [output.shape for output in network.run(np.zeros((1, 64, 96, 3), np.uint8))] == shapes
        return
    with pytest.raises(ModelError, match=message):
        network.run(np.zeros((1, 64, 96, 3), np.uint8))


@pytest.mark.parametrize("shape", [(4, 128), (2, 64)])
def test_other_embeddings_than_asked_for_are_refused(shape):
    config = SimpleNamespace(embedding=SimpleNamespace(dimension=128))
    network = Outputs(config, np.zeros(shape, np.float32))
    with pytest.raises(ModelError, match=rf"embeddings of shape \({shape[0]}, {shape[1]}\) .* needs \(2, 128\)"):
        network.embed([rows(0, 2, 9)])


@pytest.mark.parametrize(
    "levels",
    [
        [(8, 1), (16, 1), (32, 1)],  # in another order
        [(32, 4), (16, 4), (8, 4)],  # with more anchors
    ],
)
def test_a_graph_of_another_network_is_refused_at_the_first_image(copy, levels):
    set_config(copy, levels=[{"stride": stride, "anchors": [[stride, stride]] * count} for stride, count in levels])
    network = PaddleNetwork(copy, ModelConfig.load(copy))
    with pytest.raises(ModelError, match=r"a map of shape .* where infer_cfg\.yml needs .*: export the model again"):
        network.run(pixels(0))


def test_rows_and_images_the_graph_does_not_take_are_model_errors(network):
    for call in (lambda: network.embed([rows(0, 2, 17)]), lambda: network.run(np.zeros((1, *SIZE, 5), np.uint8))):
        with pytest.raises(ModelError, match=r"jde_compact fails: .*export the model again") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert np.isfinite(network.run(pixels(0))[0]).all(), "it goes on working"


LOAD = """
import pathlib, sys
from tracker.settings.model import ModelConfig
from tracker.errors import ModelError
from tracker.detection.backends.paddle_network import PaddleNetwork
for folder in map(pathlib.Path, sys.argv[1:]):
    try:
        PaddleNetwork(folder, ModelConfig.load(folder))
        print("loaded", flush=True)
    except ModelError as error:
        print(error, flush=True)
"""


def test_files_that_are_no_program_are_refused_without_a_crash(tmp_path):
    """In a process of its own: Paddle ends it on some of these."""
    program = (COMPACT / "model.pdmodel").read_bytes()
    cases = {
        "noise": ("model.pdmodel", np.random.default_rng(0).bytes(5000)),
        "page": ("model.pdmodel", b"<html>not found</html>" * 10),
        "empty": ("model.pdmodel", b""),
        "cut": ("model.pdmodel", program[: len(program) // 2]),
        "embedding": ("embed.pdmodel", b"<html>not found</html>"),
        "parameters": ("model.pdiparams", (COMPACT / "model.pdiparams").read_bytes()[:1000]),
    }
    for case, (name, content) in cases.items():
        shutil.copytree(COMPACT, tmp_path / case)
        (tmp_path / case / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *(str(tmp_path / case) for case in cases), str(COMPACT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    messages = done.stdout.splitlines()
    assert done.returncode == 0 and len(messages) == len(cases) + 1, done.stdout + done.stderr
    for (case, (name, _)), message in zip(cases.items(), messages):
        assert message.startswith(f"{tmp_path / case / name} is damaged")
    assert messages[-1] == "loaded"


def test_new_threads_are_as_good_as_old_ones(network):
    """Paddle's oneDNN fails in threads that come and go: a web server has one for every request."""
    picture = pixels(0)
    expected = network.run(picture)
    results = []
    for _ in range(30):
        thread = threading.Thread(target=lambda: results.append(network.run(picture)))
        thread.start()
        thread.join()
    assert len(results) == 30
    for outputs in results[::10]:
        for found, first in zip(outputs, expected):
            np.testing.assert_array_equal(found, first)
