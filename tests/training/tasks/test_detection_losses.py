"""What the compact network learns of boxes: as inference decodes them, and the losses by hand."""

import numpy as np
import paddle
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.training_setups import ONE, PEOPLE, make_batch, make_task, model_config, numbers, tiny_config
from tracker.detection.decode import decode_boxes
from training.tasks import detection_losses

pytestmark = pytest.mark.usefixtures("dynamic_mode")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tiny_config(tmp_path_factory.mktemp("config"))


def test_boxes_are_those_that_inference_decodes(config, monkeypatch):
    task = make_task(config)
    batch = make_batch(PEOPLE[0])
    seen = []
    assign = detection_losses.assign
    monkeypatch.setattr(detection_losses, "assign", lambda *given: seen.append(given) or assign(*given))
    task.losses(batch)
    outputs = [x.numpy() for x in task.network(paddle.to_tensor(batch.images.transpose(0, 3, 1, 2).astype(np.float32)))]
    cells = decode_boxes(outputs[:3], model_config((1, 1)), 0.0)
    _, _, predicted, logits, middles, strides = seen[0]
    np.testing.assert_allclose(predicted, cells.boxes, rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), cells.scores, atol=1e-3)
    stride = np.array([32, 16, 8])[cells.level]
    np.testing.assert_array_equal(strides, stride)
    np.testing.assert_array_equal(middles, (np.stack([cells.column, cells.row], axis=1) + 0.5) * stride[:, None])


def test_the_loss_of_the_confidence_by_hand(config, monkeypatch):
    """Cross-entropy of the score that inference gives: to the IoU where a cell answers for somebody, to 0 elsewhere,
    nothing in ignored regions; for each cell that answers."""
    task = make_task(config)
    batch = make_batch([(ONE, 0, False), ([50, -50, 300, 300], -1, True)], PEOPLE[1])
    parts = []
    assign = detection_losses.assign
    monkeypatch.setattr(detection_losses, "assign", lambda *given: parts.append(assign(*given)) or parts[-1])
    found = numbers(task.losses(batch))["confidence"]
    outputs = [x.numpy() for x in task.network(paddle.to_tensor(batch.images.transpose(0, 3, 1, 2).astype(np.float32)))]
    expected = 0.0
    for i, part in enumerate(parts):
        scores = decode_boxes([x[i : i + 1] for x in outputs[:3]], model_config((1, 1)), 0.0).scores.astype(np.float64)
        target = np.zeros(len(scores))
        target[part.cells] = part.ious
        entropy = -target * np.log(scores) - (1 - target) * np.log(1 - scores)
        expected += entropy[part.counted].sum()
    assert not parts[0].counted.all() and all(part.ious.max() > 0.01 for part in parts)
    assert found == pytest.approx(expected / sum(len(part.cells) for part in parts), rel=1e-3)


BOX = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.5, 80), st.floats(0.5, 80)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=100, deadline=None)
@given(a=BOX, b=BOX)
@example(a=(0, 0, 10, 10), b=(0, 0, 10, 10))
@example(a=(0, 0, 10, 10), b=(10, 0, 20, 10))
@example(a=(0, 0, 10, 10), b=(300, 0, 310, 10))
def test_giou_by_hand(a, b):
    width, height = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    union = sum(areas) - width * height
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    first = paddle.to_tensor([a], dtype="float32", stop_gradient=False)
    found = detection_losses._giou(first, paddle.to_tensor([b], dtype="float32"))
    assert float(found) == pytest.approx(width * height / union - (hull - union) / hull, abs=1e-4)
    found.sum().backward()
    assert np.isfinite(first.grad.numpy()).all()
