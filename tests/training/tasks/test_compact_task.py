"""What the compact network learns: losses by hand, gradients where they belong, and reading as in inference."""

import dataclasses

import numpy as np
import paddle
import pytest

from tests.helpers.training_setups import (
    ONE,
    PEOPLE,
    SIZE,
    TINY,
    TWO,
    make_batch,
    make_task,
    model_config,
    numbers,
    tiny_config,
)
from tracker.detection.decode import Candidates, gather_rows
from tracker.detection.letterbox import LetterboxedImage, LetterboxTransform
from tracker.errors import ModelError
from training.tasks.compact_task import CompactTask

pytestmark = pytest.mark.usefixtures("dynamic_mode")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tiny_config(tmp_path_factory.mktemp("config"))


def rows_in_inference(image, boxes, grid, size=SIZE):
    """What tracker/decode.py reads for boxes of the network's input."""
    nothing = np.zeros(len(boxes), np.int64)
    candidates = Candidates(np.asarray(boxes, np.float32), np.ones(len(boxes)), nothing, nothing, nothing)
    transform = LetterboxTransform(0, 0, size[1], size[0], 1.0, 1.0)
    return gather_rows([], candidates, LetterboxedImage(image[None], transform, image), model_config(grid))[0][0]


def test_embeddings_are_of_the_rows_that_inference_reads(config, monkeypatch):
    task = make_task(config, box_jitter=0)
    batch = make_batch(*PEOPLE)
    seen = []
    looks = task.network.head.identity_features
    monkeypatch.setattr(task.network.head, "identity_features", lambda rows: seen.append(rows.numpy()) or looks(rows))
    task.losses(batch)
    grid = tuple(TINY["grid"])
    expected = [rows_in_inference(batch.images[i], batch.boxes[i], grid) for i in range(2)]
    assert seen[0].shape == (4, task.network.head.input_length)
    np.testing.assert_array_equal(seen[0], np.concatenate(expected))


@pytest.mark.parametrize(
    "people",
    [[[], []], [[([0, 0, 128, 96], -1, True)], []], [[], [(ONE, 0, False)]], [[(ONE, 3, True)], []]],
    ids=["nobody", "ignored", "one picture", "a pasted crop"],
)
@pytest.mark.parametrize("factor", [0.1, 0])
def test_losses_of_batches_with_few_people(config, people, factor):
    task = make_task(config, detector_factor=factor)
    batch = make_batch(*people)
    for vectors, ignored, identities in zip(batch.teacher_embeddings, batch.ignored, batch.identities):
        vectors[ignored & (identities < 0)] = 0
    losses = task.losses(batch)
    losses["total"].backward()
    found = numbers(losses)
    assert np.isfinite(list(found.values())).all()
    gradients = {name: p.grad for name, p in task.named_parameters() if p.grad is not None}
    assert all(np.isfinite(value.numpy()).all() for value in gradients.values())
    known = any((identities >= 0).any() for identities in batch.identities)
    assert (found["vector"] > 0) == known and (found["identity"] > 0) == known
    head = any(float(gradients[name].abs().sum()) > 0 for name in gradients if name.startswith("network.head."))
    assert head == known
    detector = [name for name in gradients if name.startswith("network.det.")]
    assert bool(detector) == bool(factor) == ("confidence" in found)
    if factor:
        assert (found["box"] > 0) == (batch.boxes[1].size > 0) and found["confidence"] > 0


def test_the_total_is_the_weighted_sum(config):
    batch = make_batch(*PEOPLE)
    weights = {"box": 2.0, "confidence": 0.5, "vector": 3.0, "relation": 0.25, "identity": 7.0}
    found = numbers(make_task(config, **weights).losses(batch))
    assert set(found) == {*weights, "total"}
    assert found["total"] == pytest.approx(sum(weights[name] * found[name] for name in weights), rel=1e-5)


def test_every_part_of_the_network_learns(config):
    task = make_task(config)
    task.losses(make_batch(*PEOPLE))["total"].backward()
    grouped = [p for group in task.parameter_groups() for p in group["params"]]
    trained = {name: p for name, p in task.named_parameters() if not p.stop_gradient}
    assert sorted(id(p) for p in grouped) == sorted(id(p) for p in trained.values())
    dead = [name for name, p in trained.items() if p.grad is None or not np.isfinite(p.grad.numpy()).all()]
    assert dead == []


def test_learning_rates_and_decay_of_the_groups(config):
    task = make_task(config, detector_factor=0.3)
    names = {id(p): name for name, p in task.named_parameters()}
    chosen = {
        names[id(p)]: (group["learning_rate"], group.get("weight_decay"))
        for group in task.parameter_groups()
        for p in group["params"]
    }
    assert chosen["network.det.lat3.c.weight"] == (0.3, None) and chosen["network.det.lat3.n.bias"] == (0.3, 0)
    assert not [name for name in chosen if name.startswith("network.det.backbone.")]
    assert chosen["network.head.out.weight"] == (1, None) and chosen["network.head.out.bias"] == (1, 0)
    assert chosen["network.head.first.c.weight"] == (1 / 64, None) and chosen["network.head.first.n.bias"] == (1, 0)
    assert chosen["classifier.weight"] == (1, None)
    whole = make_task(config, detector_factor=0.3, backbone_factor=0.1)
    names = {id(p): name for name, p in whole.named_parameters()}
    factors = {names[id(p)]: group["learning_rate"] for group in whole.parameter_groups() for p in group["params"]}
    assert (factors["network.det.backbone.stem.c.weight"], factors["network.det.lat3.c.weight"]) == (0.1, 0.3)
    frozen = make_task(config, detector_factor=0)
    names = {id(p): name for name, p in frozen.named_parameters()}
    kept = [names[id(p)] for group in frozen.parameter_groups() for p in group["params"]]
    assert kept and not [name for name in kept if name.startswith("network.det.")]


def test_the_detector_learns_alone(config):
    task = make_task(config, detector_factor=1, appearance_factor=0)
    losses = task.losses(make_batch(*PEOPLE))
    assert set(losses) == {"total", "box", "confidence"}
    losses["total"].backward()
    names = {id(p): name for name, p in task.named_parameters()}
    trained = {names[id(p)] for group in task.parameter_groups() for p in group["params"]}
    assert trained == {name for name, p in task.named_parameters() if p.grad is not None}
    own = {name for name in names.values() if name.startswith("network.det.") and "._" not in name}
    assert trained == {name for name in own if not name.startswith("network.det.backbone.")}


def test_one_small_batch_can_be_learnt_by_heart(config):
    task = make_task(config, box_jitter=0, detector_factor=1)
    batch = make_batch(*PEOPLE)
    optimizer = paddle.optimizer.AdamW(1e-2, parameters=task.parameter_groups())
    history = []
    for _ in range(26):
        losses = task.losses(batch)
        losses["total"].backward()
        optimizer.step()
        optimizer.clear_grad()
        history.append(numbers(losses))
    parts = {"total": 0.3, "box": 0.8, "confidence": 0.25, "vector": 0.7, "relation": 0.6, "identity": 0.7}
    for name, part in parts.items():
        assert np.mean([losses[name] for losses in history[-4:]]) < part * history[0][name], name


HELD = {  # by settings, the parts whose statistics stay
    "frozen": ({"freeze_statistics": True}, "network.det."),
    "detector": ({"detector_factor": 0}, "network.det."),
    "appearance": ({"appearance_factor": 0}, "network.head."),
    "nothing": ({}, ()),
}


@pytest.mark.parametrize("case", HELD)
def test_statistics_of_what_does_not_learn_stay(config, case):
    values, parts = HELD[case]
    task = make_task(config, **values)
    state = task.state_dict()
    statistics = {name: state[name].numpy() for name in state if name.endswith(("_mean", "_variance"))}
    task.losses(make_batch(*PEOPLE))
    changed = {name for name, value in statistics.items() if (task.state_dict()[name].numpy() != value).any()}
    assert changed == {name for name in statistics if not name.startswith(parts)}


def test_people_without_identity_and_ignored_ones(config):
    """A box without identity counts for boxes and, with a vector, for appearance; an ignored one not for boxes."""
    whole = numbers(make_task(config, box_jitter=0).losses(make_batch(PEOPLE[0])))
    unknown = make_batch([(box, -1, False) for box, *_ in PEOPLE[0]])
    found = numbers(make_task(config, box_jitter=0).losses(unknown))
    assert found["identity"] == 0 < whole["identity"]
    assert (found["box"], found["vector"]) == pytest.approx((whole["box"], whole["vector"]), rel=1e-3)
    silent = dataclasses.replace(unknown, teacher_embeddings=[np.zeros_like(v) for v in unknown.teacher_embeddings])
    found = numbers(make_task(config, box_jitter=0).losses(silent))
    assert found["vector"] == found["relation"] == found["identity"] == 0 < found["box"]
    pasted = make_batch([(box, who, True) for box, who, _ in PEOPLE[0]])
    found = numbers(make_task(config, box_jitter=0).losses(pasted))
    assert found["box"] == 0 and found["identity"] == pytest.approx(whole["identity"], rel=1e-3)


def test_boxes_for_embeddings_are_drawn_anew_each_step_and_again_for_the_same(config):
    task, boxes = make_task(config, box_jitter=0.1), np.array([ONE, TWO] * 200, np.float32)
    drawn = []
    for step in (3, 3, 4):
        task.seed([step, 0])
        drawn.append(task._jittered(boxes))
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any() and drawn[0].dtype == np.float32
    size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    np.testing.assert_allclose(((drawn[0] - boxes) / size).std(axis=0), 0.1, rtol=0.15)


@pytest.mark.parametrize(("rank", "exact"), [(5, True), (7, True), (20, False)])
def test_the_main_directions_of_the_teacher(config, rank, exact):
    """Seven dimensions hold the cosines of vectors that span no more."""
    random = np.random.default_rng(rank)
    vectors = (random.normal(size=(60, rank)) @ random.normal(size=(rank, 32))).astype(np.float32)
    task = make_task(config, teacher_dimension=32)
    task.fit_teacher(vectors)

    def cosines(x):
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return x @ x.T

    directions = task.directions.numpy()
    assert directions.shape == (32, 7)
    difference = np.abs(cosines(vectors @ directions) - cosines(vectors)).max()
    assert (difference < 1e-4) == exact
    shared = directions.T @ directions
    np.testing.assert_allclose(shared, np.eye(7), atol=1e-5)


def test_a_network_that_has_learned_from_the_teacher_keeps_its_directions(config):
    """A teacher whose embeddings are the network's, rotated: nothing is left to train."""
    task = make_task(config, teacher_dimension=9, box_jitter=0)
    task.network.eval()
    batches = [make_batch(*PEOPLE, teacher_dimension=9, seed=seed) for seed in range(4)]
    random = np.random.default_rng(5)
    turn, shift = np.linalg.qr(random.normal(size=(9, 7)))[0], random.normal(size=9)
    taught, teacher = [], []
    for batch in batches:
        found = task._embeddings(batch)[0].numpy()
        vectors = (found @ turn.T + shift).astype(np.float32)
        counts = np.cumsum([len(one) for one in batch.teacher_embeddings])[:-1]
        taught.append(dataclasses.replace(batch, teacher_embeddings=np.split(vectors, counts)))
        teacher += [vectors, 2 * shift - vectors]  # so that their mean is the shift

    def cosines():
        task.network.eval()
        pairs = [task._embeddings(batch)[:2] for batch in taught]
        return [float((own * task._targets(paddle.to_tensor(other))).sum(axis=1).min()) for own, other in pairs]

    task.fit_teacher(np.concatenate(teacher))
    assert min(cosines()) < 0.7
    task.fit_teacher(np.concatenate(teacher), taught)
    assert min(cosines()) > 0.999
    np.testing.assert_allclose(task.directions.numpy().T @ task.directions.numpy(), np.eye(7), atol=1e-5)


def test_what_all_vectors_of_the_teacher_share_teaches_nothing(config):
    """The same number added to all of them changes no loss."""
    batch = make_batch(*PEOPLE)
    known = np.concatenate([batch.teacher_embeddings[0], batch.teacher_embeddings[1]])
    assert known.any(axis=1).all()
    shift = np.float32([3, -1, 2, 0.5])
    losses = []
    for added in (0, shift):
        task = make_task(config, box_jitter=0)
        random = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
        task.fit_teacher(random + added)
        shifted = [embeddings + added for embeddings in batch.teacher_embeddings]
        losses.append(numbers(task.losses(dataclasses.replace(batch, teacher_embeddings=shifted))))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3) and losses[0]["vector"] > 0


def test_a_teacher_without_embeddings(config):
    for vectors, length in ((np.zeros((0, 0)), 0), (np.zeros((0, 6)), 6)):
        task = CompactTask(config, {}, 3, length)
        task.fit_teacher(vectors)
        batch = make_batch(*PEOPLE, teacher_dimension=length)
        silent = dataclasses.replace(batch, teacher_embeddings=[np.zeros_like(v) for v in batch.teacher_embeddings])
        task.fit_teacher(vectors, [silent])
        assert np.isfinite(float(task.losses(silent)["total"]))


def test_what_is_exported_is_the_network(config):
    task = make_task(config)
    state = {name: value.numpy() for name, value in task.state_dict().items()}
    exported = task.export_state(state)
    assert exported.keys() == task.network.state_dict().keys()
    assert all((exported[name] == value.numpy()).all() for name, value in task.network.state_dict().items())


def test_a_configuration_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.yml"
    path.write_text("CompactJDE: {depth: 5}\n")
    with pytest.raises(ModelError, match=r"other\.yml lacks or misnames"):
        CompactTask(path, {}, 3)
