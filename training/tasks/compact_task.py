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

from tracker.detection.crops import read_crops
from tracker.errors import OptionError
from tracker.models.networks.compact import PIXEL_WEIGHT_SCALE, build
from tracker.settings.checks import check_flag, check_number
from training.data.batches import Batch
from training.depthwise import use_opencv
from training.pretrained import normalise, read_weights, start_from
from training.tasks.detection_losses import detection_losses

logger = logging.getLogger(__name__)

DETECTOR = "network.det."


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
        detector_factor: learning rate of the detector as a part of the schedule's; with 0 it stays as it is, and a
            step takes a fraction of the time.
        appearance_factor: of the appearance, likewise.
        freeze_statistics: normalise the detector by the statistics of the loaded weights, and leave these as they are.
        box_jitter: standard deviation of the sides of boxes that embeddings are read from, as a part of its size.
    """

    box: float = 5.0
    confidence: float = 1.0
    vector: float = 4.0
    relation: float = 5.0
    identity: float = 0.25
    detector_factor: float = 0.1
    appearance_factor: float = 1.0
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
        settings = cls(**values)
        if not settings.detector_factor and not settings.appearance_factor:
            raise OptionError("task.detector_factor and task.appearance_factor are both 0: nothing would be learnt")
        return settings


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
        if self.settings.freeze_statistics or not self.settings.detector_factor:
            for name, layer in self.named_sublayers():
                if isinstance(layer, nn.BatchNorm2D) and name.startswith(DETECTOR):
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
            normalise(self.network.det, [_to_tensor(image) for image in images])
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
            pairs = [self._embeddings(batch) for batch in batches]
        pairs = [(found.numpy(), said) for found, said, _ in pairs if len(said)]
        if pairs:
            found, said = (np.concatenate(part) for part in zip(*pairs))
            known = said.any(axis=1)
            if known.any():
                left, _, right = np.linalg.svd(self._targets(paddle.to_tensor(said[known])).numpy().T @ found[known])
                self.directions.set_value(directions @ (left @ right))

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Everything that is trained, in groups for a Paddle optimizer, whose ``learning_rate`` is a factor there."""
        detector, appearance = self.settings.detector_factor, self.settings.appearance_factor
        special = {DETECTOR: detector, "network.head.first.c.": PIXEL_WEIGHT_SCALE * appearance}
        factors: dict[tuple[float, bool], list[paddle.Tensor]] = {}
        for name, parameter in self.named_parameters():
            factor = next((value for prefix, value in special.items() if name.startswith(prefix)), appearance)
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
        parts = {}
        if self.settings.detector_factor:
            parts |= detection_losses(self.network(_to_tensor(batch.images)), batch)
        if self.settings.appearance_factor:
            parts |= self._appearance(batch)
        total = sum(getattr(self.settings, name) * value for name, value in parts.items())
        return {"total": total, **parts}

    def _appearance(self, batch: Batch) -> dict[str, paddle.Tensor]:
        embeddings, vectors, identities = self._embeddings(batch)
        if not len(identities):
            nothing = 0 * self.network.head.out.weight.sum()
            return {"vector": nothing, "relation": nothing, "identity": nothing}
        return self._teacher_losses(embeddings, vectors) | {"identity": self._identity_loss(embeddings, identities)}

    def _embeddings(self, batch: Batch) -> tuple[paddle.Tensor, np.ndarray, np.ndarray]:
        """Of all K people of whom something is known: embeddings [K, D] of length 1, the teacher's vectors [K, T] and
        identities [K].
        """
        rows, known_vectors, known_identities = [], [], []
        for image, boxes, who, says in zip(batch.images, batch.boxes, batch.identities, batch.vectors):
            known = (who >= 0) | says.any(axis=1)
            rows.append(read_crops(image, self._jittered(boxes[known]), self.network.head.grid))
            known_vectors.append(says[known])
            known_identities.append(who[known])
        vectors, identities = np.concatenate(known_vectors), np.concatenate(known_identities)
        if not len(identities):
            return paddle.zeros([0, self.directions.shape[1]]), vectors, identities
        looks = self.network.head.identity_features(paddle.to_tensor(np.concatenate(rows)))
        return F.normalize(looks, axis=1), vectors, identities

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
