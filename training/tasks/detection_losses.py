"""Losses of an anchor-free detector: those of YOLOX (arXiv 2107.08430), with GIoU."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F

from training.data.batches import Batch
from training.tasks.assignment import assign

STRIDES = (32, 16, 8)


def detection_losses(maps: list[paddle.Tensor], batch: Batch) -> dict[str, paddle.Tensor]:
    """Compute the losses of boxes and confidence, each as a mean over the cells with a person.

    Args:
        maps: [B, 6, h, w] at strides 32, 16, 8: a box's centre relative to the cell's corner in strides, the logarithm
            of its size in strides, and the logits of background and person.
        batch: People and ignored regions.

    Returns:
        ``box``, 1 - GIoU of a cell's box and the box of its person; ``confidence``, the binary cross-entropy with the
        IoU of the box as its target, and with 0 in the background.
    """
    raw = paddle.concat([x.flatten(2).transpose([0, 2, 1]) for x in maps], axis=1)  # [B, M, 6]
    logits = raw[:, :, 5] - raw[:, :, 4]
    cells, strides = _cells([x.shape[2:] for x in maps])
    values = raw.detach().numpy()
    centre = values[:, :, :2] * strides[:, None] + cells
    half = np.exp(np.minimum(values[:, :, 2:4], 8)) * strides[:, None] / 2
    predicted = np.concatenate([centre - half, centre + half], axis=2)
    confidence = values[:, :, 5] - values[:, :, 4]
    middles = cells + strides[:, None] / 2
    assigned, targets, counted = [], np.zeros(confidence.shape, np.float32), np.ones(confidence.shape, np.float32)
    for i, (boxes, ignored) in enumerate(zip(batch.boxes, batch.ignored)):
        part = assign(boxes, ignored, predicted[i], confidence[i], middles, strides)
        targets[i, part.cells] = part.ious
        counted[i] = part.counted
        assigned.append((np.stack([np.full_like(part.cells, i), part.cells], axis=1), boxes[part.people]))
    positive = np.concatenate([cells for cells, _ in assigned])
    people = max(len(positive), 1)
    entropy = F.binary_cross_entropy_with_logits(
        logits, paddle.to_tensor(targets), weight=paddle.to_tensor(counted), reduction="sum"
    )
    if not len(positive):
        return {"box": 0 * raw.sum(), "confidence": entropy / people}
    outputs = paddle.gather_nd(raw, paddle.to_tensor(positive))
    stride = paddle.to_tensor(strides[positive[:, 1], None])
    origin = paddle.to_tensor(cells[positive[:, 1]])
    centre, size = outputs[:, :2] * stride + origin, paddle.exp(outputs[:, 2:4].clip(max=8)) * stride
    boxes = paddle.concat([centre - size / 2, centre + size / 2], axis=1)
    truth = paddle.to_tensor(np.concatenate([boxes for _, boxes in assigned]))
    return {"box": (1 - _giou(boxes, truth)).sum() / people, "confidence": entropy / people}


def _cells(sizes: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the top left corner [M, 2] and stride [M] of the cells of all levels, float32, in pixels."""
    corners, strides = [], []
    for stride, (rows, columns) in zip(STRIDES, sizes):
        y, x = np.mgrid[:rows, :columns].reshape(2, -1)
        corners.append(np.stack([x, y], axis=1) * stride)
        strides.append(np.full(len(x), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _giou(a: paddle.Tensor, b: paddle.Tensor) -> paddle.Tensor:
    """Return the generalised IoU (arXiv 1902.09630) [P] of boxes [P, 4] in pairs."""
    overlap = _area((paddle.minimum(a[:, 2:], b[:, 2:]) - paddle.maximum(a[:, :2], b[:, :2])).clip(min=0))
    hull = _area(paddle.maximum(a[:, 2:], b[:, 2:]) - paddle.minimum(a[:, :2], b[:, :2]))
    union = _area(a[:, 2:] - a[:, :2]) + _area(b[:, 2:] - b[:, :2]) - overlap
    return overlap / (union + 1e-6) - (hull - union) / (hull + 1e-6)


def _area(sides: paddle.Tensor) -> paddle.Tensor:
    return sides[:, 0] * sides[:, 1]  # Paddle's prod() has no gradient where a side is 0
