"""What the compact network learns: boxes, confidence and appearance, in one pass.

The loss is a sum with fixed weights. JDE learns its weights as task uncertainties; here the detector starts from a
trained one while the appearance starts from nothing, and learned weights would give way to whichever loss is
large at the time: the appearance of the first hundreds of steps.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.vision.ops import roi_align

from tracker.config import check_flag, check_number
from tracker.errors import OptionError
from tracker.networks.compact import PIXEL, build

from .assignment import assign
from .batches import Batch
from .depthwise import use_opencv
from .pretrained import normalise, read_weights, start_from

logger = logging.getLogger(__name__)

STRIDES = (32, 16, 8)


@dataclass(frozen=True)
class CompactSettings:
    """What a training configuration may say about this task.

    Attributes:
        box: factor of 1 - GIoU of a cell's box with that of the person it answers for.
        confidence: of the binary cross-entropy, whose target is the IoU of the box, and 0 for cells that answer for
            nobody.
        vector: of 1 - cosine of an embedding and the teacher's, without what all of these share and reduced to as many
            dimensions.
        relation: of the mean squared difference of the cosines among all embeddings and among the teacher's.
        identity: of the cross-entropy of the identity, from cosines with a learned vector for each.
        detector_factor: learning rate of the detector as a part of that of the rest; with 0 it stays as it is, and a
            step takes half the time.
        freeze_statistics: normalise the detector by the statistics of the loaded weights, and leave these as they are.
        box_jitter: standard deviation of the sides of boxes that embeddings are read from, as a part of its size.
    """

    box: float = 5.0
    confidence: float = 1.0
    vector: float = 4.0
    relation: float = 5.0
    identity: float = 0.25
    detector_factor: float = 0.1
    freeze_statistics: bool = True
    box_jitter: float = 0.06

    @classmethod
    def checked(cls, values: dict[str, Any]) -> CompactSettings:
        """Settings from a dict of some of the attributes.

        Raises:
            OptionError: one is unknown or of no use.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise OptionError(f"the compact network has no setting {name!r}; known are {', '.join(known)}")
            if name == "freeze_statistics":
                check_flag(f"task.{name}", value)
            else:
                check_number(f"task.{name}", value, 0)
        return cls(**values)


class Classifier(nn.Layer):
    """Tells identities apart by the cosine of an embedding with a learned vector of each."""

    SCALE = 16.0
    SMOOTHING = 0.1

    def __init__(self, dimension: int, identities: int) -> None:
        super().__init__()
        self.weight = self.create_parameter(
            [dimension, max(identities, 1)], default_initializer=nn.initializer.Normal(std=dimension**-0.5)
        )

    def forward(self, embeddings: paddle.Tensor, identities: paddle.Tensor) -> paddle.Tensor:
        """Mean loss of embeddings [K, D] of length 1 and identities [K]."""
        logits = self.SCALE * embeddings @ F.normalize(self.weight, axis=0)
        return F.cross_entropy(logits, identities, label_smoothing=self.SMOOTHING)


class CompactTask(nn.Layer):
    """The compact network and its losses; the layer's state is what a checkpoint holds.

    Args:
        config_path: the model configuration, for its ``CompactJDE`` sizes.
        settings: fields of `CompactSettings`.
        identities: how many people the data tells apart.
        vectors: length of the teacher's embeddings, 0 without one.

    Attributes:
        network: the network itself.

    Raises:
        OptionError: a setting is unknown or of no use.
        ModelError: the configuration is none of this network.
    """

    def __init__(self, config_path: Path, settings: dict[str, Any], identities: int, vectors: int = 0) -> None:
        super().__init__()
        self.settings = CompactSettings.checked(settings)
        self.network = build(config_path)[0]
        dimension = self.network.head.out.weight.shape[1]  # of what tells people apart
        self.classifier = Classifier(dimension, identities)
        # what all of the teacher's embeddings share, and the main directions in which they differ, see `fit_teacher`
        self.register_buffer("mean", paddle.zeros([vectors]))
        self.register_buffer("directions", paddle.zeros([vectors, dimension]))
        if not paddle.is_compiled_with_cuda():
            use_opencv(self.network)
        if self.settings.freeze_statistics:
            for layer in self.network.det.sublayers():
                if isinstance(layer, nn.BatchNorm2D):
                    layer._use_global_stats = True
        self._rng = np.random.default_rng(0)

    @property
    def layer(self) -> nn.Layer:
        """What is trained and saved."""
        return self

    def seed(self, numbers: list[int]) -> None:
        """Start the random numbers of the next step, so that a resumed run draws the same."""
        self._rng = np.random.default_rng(numbers)

    def load(self, path: Path, images: list[np.ndarray]) -> list[str]:
        """Start from trained weights, whatever part of the network they are for.

        Args:
            path: ``.pdparams``, or ``.npz`` with folded BatchNorm.
            images: [N, H, W, 3] uint8 network inputs, on which folded weights are made trainable.

        Returns:
            Parameters that stay freshly drawn.

        Raises:
            ModelError: the file is not whole or for another network.
        """
        left = start_from(self.network, read_weights(path, self.network))
        logger.info(
            "%d parameters from %s, %d freshly drawn", len(self.network.state_dict()) - len(left), path, len(left)
        )
        if path.suffix == ".npz":
            normalise(self.network.det, [self.network.to_blocks(_to_tensor(image)) for image in images])
        return left

    def fit_teacher(self, vectors: np.ndarray, batches: Sequence[Batch] = ()) -> None:
        """Find the mean of the teacher's embeddings and their main directions (singular value decomposition).

        Without their mean, which says nothing of anybody, they tell people apart better than with it. The directions
        are turned to where the network's embeddings have them already (orthogonal Procrustes problem, Schoenemann
        1966): one that has learned from such a teacher would have to learn them anew otherwise.

        Args:
            vectors: [K, T] all embeddings of the teacher.
            batches: to compare the network's embeddings with the teacher's on; none for a network from nothing.
        """
        vectors = vectors.astype(np.float64)
        mean = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1])
        self.mean.set_value(mean.astype(np.float32))
        _, _, rows = np.linalg.svd(vectors - mean, full_matrices=False)
        directions = np.zeros(self.directions.shape, np.float32)
        count = min(len(rows), directions.shape[1])
        directions[:, :count] = rows[:count].T
        self.directions.set_value(directions)
        self.network.eval()
        with paddle.no_grad():
            pairs = [self._embeddings(self._maps(batch)[0], batch) for batch in batches]
        pairs = [(found.numpy(), said) for found, said, _ in pairs if len(said)]
        if pairs:
            found, said = (np.concatenate(part) for part in zip(*pairs))
            known = said.any(axis=1)
            if known.any():
                left, _, right = np.linalg.svd(self._targets(paddle.to_tensor(said[known])).numpy().T @ found[known])
                self.directions.set_value(directions @ (left @ right))

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Everything that is trained, in groups for a Paddle optimizer, whose ``learning_rate`` is a factor there."""
        special = {"network.det.": self.settings.detector_factor, "network.map.picture.0.": PIXEL}
        factors: dict[tuple[float, bool], list[paddle.Tensor]] = {}
        for name, parameter in self.named_parameters():
            factor = next((value for prefix, value in special.items() if name.startswith(prefix)), 1.0)
            if parameter.stop_gradient or not factor:
                continue
            factors.setdefault((factor, parameter.ndim > 1), []).append(parameter)
        return [
            {"params": parameters, "learning_rate": factor, **({} if decays else {"weight_decay": 0.0})}
            for (factor, decays), parameters in factors.items()
        ]

    def export_state(self, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Of the state of ``layer`` what inference needs, by the network's names."""
        return {name: state[f"network.{name}"] for name in self.network.state_dict()}

    def losses(self, batch: Batch) -> dict[str, paddle.Tensor]:
        """Losses of a batch; ``total`` is the weighted sum of the others."""
        self.train()
        feature, begun = self._maps(batch)
        parts = self._detection(self.network.det.end(begun)[::-1], batch) if self.settings.detector_factor else {}
        parts |= self._appearance(feature, batch)
        total = sum(getattr(self.settings, name) * value for name, value in parts.items())
        return {"total": total, **parts}

    def _maps(self, batch: Batch) -> tuple[paddle.Tensor, paddle.Tensor]:
        """The appearance map, and what the detector begins with."""
        image = _to_tensor(batch.images)
        with paddle.set_grad_enabled(bool(self.settings.detector_factor) and paddle.is_grad_enabled()):
            begun = self.network.det.begin(self.network.to_blocks(image))
        return self.network.map(image, begun), begun

    def _detection(self, maps: list[paddle.Tensor], batch: Batch) -> dict[str, paddle.Tensor]:
        raw = paddle.concat([x.flatten(2).transpose([0, 2, 1]) for x in maps], axis=1)  # [B, M, 6]
        logits = raw[:, :, 5] - raw[:, :, 4]
        cells, strides = _cells([x.shape[2:] for x in maps])
        known = raw.detach().numpy()
        centre = known[:, :, :2] * strides[:, None] + cells
        half = np.exp(np.minimum(known[:, :, 2:4], 8)) * strides[:, None] / 2
        predicted = np.concatenate([centre - half, centre + half], axis=2)
        confidence = known[:, :, 5] - known[:, :, 4]
        middles = cells + strides[:, None] / 2
        found, targets, counted = [], np.zeros(confidence.shape, np.float32), np.ones(confidence.shape, np.float32)
        for i, (boxes, ignored) in enumerate(zip(batch.boxes, batch.ignored)):
            part = assign(boxes, ignored, predicted[i], confidence[i], middles, strides)
            targets[i, part.cells] = part.ious
            counted[i] = part.counted
            found.append((np.stack([np.full_like(part.cells, i), part.cells], axis=1), boxes[part.people]))
        where = np.concatenate([item for item, _ in found])
        people = max(len(where), 1)
        each = F.binary_cross_entropy_with_logits(
            logits, paddle.to_tensor(targets), weight=paddle.to_tensor(counted), reduction="sum"
        )
        if not len(where):
            return {"box": 0 * raw.sum(), "confidence": each / people}
        answers = paddle.gather_nd(raw, paddle.to_tensor(where))
        stride = paddle.to_tensor(strides[where[:, 1], None])
        origin = paddle.to_tensor(cells[where[:, 1]])
        centre, size = answers[:, :2] * stride + origin, paddle.exp(answers[:, 2:4].clip(max=8)) * stride
        boxes = paddle.concat([centre - size / 2, centre + size / 2], axis=1)
        truth = paddle.to_tensor(np.concatenate([item for _, item in found]))
        return {"box": (1 - _giou(boxes, truth)).sum() / people, "confidence": each / people}

    def _appearance(self, feature: paddle.Tensor, batch: Batch) -> dict[str, paddle.Tensor]:
        embeddings, vectors, identities = self._embeddings(feature, batch)
        if not len(identities):
            nothing = 0 * feature.sum()
            return {"vector": nothing, "relation": nothing, "identity": nothing}
        return self._teacher_losses(embeddings, vectors) | {"identity": self._identity_loss(embeddings, identities)}

    def _embeddings(self, feature: paddle.Tensor, batch: Batch) -> tuple[paddle.Tensor, np.ndarray, np.ndarray]:
        """Of all K people of whom something is known: embeddings [K, D] of length 1, the teacher's vectors [K, T] and
        identities [K]."""
        known = [(who >= 0) | says.any(axis=1) for who, says in zip(batch.identities, batch.vectors)]
        boxes, vectors, identities = (
            np.concatenate([values[which] for values, which in zip(of_all, known)])
            for of_all in (batch.boxes, batch.vectors, batch.identities)
        )
        if not len(boxes):
            return paddle.zeros([0, self.directions.shape[1]]), vectors, identities
        boxes = self._jittered(boxes)
        height, width = batch.images.shape[1:3]
        parts = roi_align(
            feature,
            paddle.to_tensor(boxes.clip(0, [width, height, width, height]).astype(np.float32)),
            paddle.to_tensor(np.array([which.sum() for which in known], np.int32)),
            self.network.head.grid,
            spatial_scale=1 / self.network.map.STRIDE,
        )
        return F.normalize(self.network.head.looks(parts.flatten(1)), axis=1), vectors, identities

    def _targets(self, vectors: paddle.Tensor) -> paddle.Tensor:
        """What the teacher's vectors [K, T] are to an embedding, [K, D] of length 1."""
        return F.normalize((vectors - self.mean) @ self.directions, axis=1)

    def _teacher_losses(self, embeddings: paddle.Tensor, vectors: np.ndarray) -> dict[str, paddle.Tensor]:
        known = np.flatnonzero(vectors.any(axis=1))
        if not len(known):
            return {"vector": 0 * embeddings.sum(), "relation": 0 * embeddings.sum()}
        embeddings, target = embeddings[paddle.to_tensor(known)], self._targets(paddle.to_tensor(vectors[known]))
        cosines = paddle.matmul(embeddings, embeddings, transpose_y=True)
        difference = cosines - paddle.matmul(target, target, transpose_y=True)
        return {"vector": (1 - (embeddings * target).sum(axis=1)).mean(), "relation": (difference**2).mean()}

    def _identity_loss(self, embeddings: paddle.Tensor, identities: np.ndarray) -> paddle.Tensor:
        known = np.flatnonzero(identities >= 0)
        if not len(known):
            return 0 * embeddings.sum() + 0 * self.classifier.weight.sum()
        return self.classifier(embeddings[paddle.to_tensor(known)], paddle.to_tensor(identities[known]))

    def _jittered(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes as a detector would find them: not quite the true ones."""
        size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        return boxes + self._rng.normal(scale=self.settings.box_jitter, size=boxes.shape).astype(np.float32) * size


def _to_tensor(images: np.ndarray) -> paddle.Tensor:
    return paddle.to_tensor(np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32))


def _cells(sizes: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Top left corner [M, 2] and stride [M] of the cells of all levels, float32, in pixels."""
    corners, strides = [], []
    for stride, (rows, columns) in zip(STRIDES, sizes):
        y, x = np.mgrid[:rows, :columns].reshape(2, -1)
        corners.append(np.stack([x, y], axis=1) * stride)
        strides.append(np.full(len(x), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _giou(a: paddle.Tensor, b: paddle.Tensor) -> paddle.Tensor:
    """Generalised IoU (arXiv 1902.09630) of boxes [P, 4] in pairs."""
    overlap = _area((paddle.minimum(a[:, 2:], b[:, 2:]) - paddle.maximum(a[:, :2], b[:, :2])).clip(min=0))
    hull = _area(paddle.maximum(a[:, 2:], b[:, 2:]) - paddle.minimum(a[:, :2], b[:, :2]))
    union = _area(a[:, 2:] - a[:, :2]) + _area(b[:, 2:] - b[:, :2]) - overlap
    return overlap / (union + 1e-6) - (hull - union) / (hull + 1e-6)


def _area(sides: paddle.Tensor) -> paddle.Tensor:
    return sides[:, 0] * sides[:, 1]  # Paddle's prod() has no gradient where a side is 0
