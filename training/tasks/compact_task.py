"""Training of the compact network: losses of boxes, scores and embeddings, and their sum.

The sum has fixed weights. JDE trains its weights as task uncertainties. Here the detector starts from a trained one
while the embedding head starts from random weights, and trained loss weights would favour the loss that is large at
the time: that of the embeddings, in the first hundreds of steps.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
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
from tracker.settings.checks import check_settings, flag, from_mapping, number
from training.data.batches import Batch
from training.pretrained import normalise, read_weights, start_from
from training.tasks.detection_losses import detection_losses

logger = logging.getLogger(__name__)

DETECTOR = "network.det."
BACKBONE = "network.det.backbone."


@dataclass(frozen=True)
class CompactSettings:
    """Settings of the compact network's task: weights of the losses, and what is trained.

    Raises:
        OptionError: A value is of the wrong type or out of its range, or nothing would be trained.
    """

    box: float = number(5.0, "weight of 1 - GIoU of a cell's box and the box of the person assigned to it")
    confidence: float = number(
        1.0, "weight of the binary cross-entropy of the score, whose target is the IoU of the box, 0 in the background"
    )
    vector: float = number(
        4.0, "weight of 1 - cosine of an embedding and the teacher's, without the teacher's mean and reduced in length"
    )
    relation: float = number(
        5.0, "weight of the mean squared difference between the cosines among all embeddings and among the teacher's"
    )
    identity: float = number(
        0.25, "weight of the cross-entropy of the identity, from cosines with a trained vector of each"
    )
    detector_factor: float = number(
        0.1, "learning rate of the detector as a part of the schedule's; 0 keeps it, and a step is several times faster"
    )
    backbone_factor: float = number(
        0.0, "learning rate of the detector's backbone, likewise; 0 keeps it, and with it what it knows of the world"
    )
    appearance_factor: float = number(1.0, "learning rate of the embedding head, likewise")
    freeze_statistics: bool = flag(True, "normalise the detector by the loaded statistics, and keep these")
    box_jitter: float = number(
        0.06, "standard deviation of the sides of boxes that embeddings are read from, as a part of its size"
    )

    def __post_init__(self) -> None:
        check_settings(self, "task.")
        if not self.detector_factor and not self.appearance_factor:
            raise OptionError("task.detector_factor and task.appearance_factor are both 0: nothing would be trained")


class Classifier(nn.Layer):
    """Classifier of identities, by the cosine of an embedding with a trained vector of each.

    Args:
        dimension: Length of an embedding.
        identities: How many identities there are.
    """

    SCALE = 16.0
    SMOOTHING = 0.1

    def __init__(self, dimension: int, identities: int) -> None:
        super().__init__()
        self.weight = self.create_parameter(
            [dimension, max(identities, 1)], default_initializer=nn.initializer.Normal(std=dimension**-0.5)
        )

    def forward(self, embeddings: paddle.Tensor, identities: paddle.Tensor) -> paddle.Tensor:
        """Return the mean loss.

        Args:
            embeddings: [K, D], L2-normalised.
            identities: [K] int64.
        """
        logits = self.SCALE * embeddings @ F.normalize(self.weight, axis=0)
        return F.cross_entropy(logits, identities, label_smoothing=self.SMOOTHING)


class CompactTask(nn.Layer):
    """The compact network with its losses.

    Args:
        config_path: The model configuration, for its ``CompactJDE`` sizes.
        settings: Fields of `CompactSettings`.
        identities: How many identities the data has.
        teacher_dimension: Length of a teacher embedding; 0 without a teacher.

    Attributes:
        network: The network itself.

    Raises:
        OptionError: A setting is unknown or not accepted.
        ModelError: The configuration is not one of this network.
    """

    def __init__(
        self, config_path: Path, settings: Mapping[str, Any], identities: int, teacher_dimension: int = 0
    ) -> None:
        super().__init__()
        self.settings = from_mapping(CompactSettings, settings, "task")
        self.network = build(config_path)[0]
        dimension = self.network.head.out.weight.shape[1]
        self.classifier = Classifier(dimension, identities)
        # of the teacher's embeddings, see `fit_teacher`
        self.register_buffer("mean", paddle.zeros([teacher_dimension]))
        self.register_buffer("directions", paddle.zeros([teacher_dimension, dimension]))
        if self.settings.freeze_statistics or not self.settings.detector_factor:
            for name, layer in self.named_sublayers():
                if isinstance(layer, nn.BatchNorm2D) and name.startswith(DETECTOR):
                    layer._use_global_stats = True
        if not self.settings.backbone_factor:
            for parameter in self.network.det.backbone.parameters():
                parameter.stop_gradient = True  # nothing before the neck takes part in a backward pass
        self._rng = np.random.default_rng(0)

    @property
    def layer(self) -> nn.Layer:
        """The layer that is trained and saved: the network and the classifier."""
        return self

    def seed(self, numbers: list[int]) -> None:
        """Seed the random numbers of the next step, so that a resumed run draws the same ones."""
        self._rng = np.random.default_rng(numbers)

    def load(self, path: Path, images: Sequence[np.ndarray]) -> list[str]:
        """Start from trained weights, of the whole network or of a part.

        Args:
            path: ``.pdparams``, or ``.npz`` or an OpenVINO model (``.xml``) with folded BatchNorm.
            images: Batches [N, H, W, 3] uint8 of network inputs, on which folded weights are made trainable.

        Returns:
            Names of the parameters that keep their random weights.

        Raises:
            ModelError: The file is damaged or for another network.
        """
        left = start_from(self.network, read_weights(path, self.network))
        logger.info(
            "%d parameters from %s, %d with random weights", len(self.network.state_dict()) - len(left), path, len(left)
        )
        if path.suffix in (".npz", ".xml"):
            normalise(self.network.det, [_to_tensor(image) for image in images])
        return left

    def fit_teacher(self, teacher_embeddings: np.ndarray, batches: Sequence[Batch] = ()) -> None:
        """Find the mean of the teacher's embeddings and their principal directions (singular value decomposition).

        The mean says nothing about anybody, and without it the embeddings tell people apart better. The directions are
        rotated to those that the network's own embeddings have (orthogonal Procrustes problem, Schoenemann 1966).
        Otherwise a network that was trained with such a teacher would have to be trained to new directions.

        Args:
            teacher_embeddings: [K, T], all embeddings of the teacher.
            batches: Batches to compare the network's own embeddings on; none for a network with random weights.
        """
        teacher_embeddings = teacher_embeddings.astype(np.float64)
        count, dimension = teacher_embeddings.shape
        mean = teacher_embeddings.mean(axis=0) if count else np.zeros(dimension)
        self.mean.set_value(mean.astype(np.float32))
        _, _, rows = np.linalg.svd(teacher_embeddings - mean, full_matrices=False)
        directions = np.zeros(self.directions.shape, np.float32)
        rank = min(len(rows), directions.shape[1])
        directions[:, :rank] = rows[:rank].T
        self.directions.set_value(directions)
        self.network.eval()
        with paddle.no_grad():
            pairs = [self._embeddings(batch)[:2] for batch in batches]
        pairs = [(own.numpy(), teacher) for own, teacher in pairs if len(teacher)]
        if pairs:
            own, teacher = (np.concatenate(part) for part in zip(*pairs))
            known = teacher.any(axis=1)
            if known.any():
                targets = self._targets(paddle.to_tensor(teacher[known])).numpy()
                left, _, right = np.linalg.svd(targets.T @ own[known])
                self.directions.set_value(directions @ (left @ right))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all trained parameters in groups for a Paddle optimizer, whose ``learning_rate`` is a factor."""
        detector, appearance = self.settings.detector_factor, self.settings.appearance_factor
        backbone = self.settings.backbone_factor
        special = {BACKBONE: backbone, DETECTOR: detector, "network.head.first.c.": PIXEL_WEIGHT_SCALE * appearance}
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

    def export_state(self, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Select from a state of ``layer`` what inference needs, by the network's names."""
        return {name: state[f"network.{name}"] for name in self.network.state_dict()}

    def losses(self, batch: Batch) -> dict[str, paddle.Tensor]:
        """Compute the losses of a batch; ``total`` is the weighted sum of the others."""
        self.train()
        parts = {}
        if self.settings.detector_factor:
            parts |= detection_losses(self.network(_to_tensor(batch.images)), batch)
        if self.settings.appearance_factor:
            parts |= self._appearance(batch)
        total = sum(getattr(self.settings, name) * value for name, value in parts.items())
        return {"total": total, **parts}

    def _appearance(self, batch: Batch) -> dict[str, paddle.Tensor]:
        embeddings, teacher_embeddings, identities = self._embeddings(batch)
        if not len(identities):
            nothing = 0 * self.network.head.out.weight.sum()
            return {"vector": nothing, "relation": nothing, "identity": nothing}
        losses = self._teacher_losses(embeddings, teacher_embeddings)
        return losses | {"identity": self._identity_loss(embeddings, identities)}

    def _embeddings(self, batch: Batch) -> tuple[paddle.Tensor, np.ndarray, np.ndarray]:
        """Embed the K people whose identity or teacher embedding is known.

        Returns:
            [K, D] their embeddings, L2-normalised; [K, T] the teacher's, zeros where there is none; [K] identities.
        """
        crops, teacher_embeddings, identities = [], [], []
        for image, boxes, own_identities, own_teacher in zip(
            batch.images, batch.boxes, batch.identities, batch.teacher_embeddings
        ):
            known = (own_identities >= 0) | own_teacher.any(axis=1)
            crops.append(read_crops(image, self._jittered(boxes[known]), self.network.head.grid))
            teacher_embeddings.append(own_teacher[known])
            identities.append(own_identities[known])
        teacher, identity = np.concatenate(teacher_embeddings), np.concatenate(identities)
        if not len(identity):
            return paddle.zeros([0, self.directions.shape[1]]), teacher, identity
        embeddings = self.network.head.identity_features(paddle.to_tensor(np.concatenate(crops)))
        return F.normalize(embeddings, axis=1), teacher, identity

    def _targets(self, teacher_embeddings: paddle.Tensor) -> paddle.Tensor:
        """Project teacher embeddings [K, T] to targets of embeddings, [K, D], L2-normalised."""
        return F.normalize((teacher_embeddings - self.mean) @ self.directions, axis=1)

    def _teacher_losses(self, embeddings: paddle.Tensor, teacher_embeddings: np.ndarray) -> dict[str, paddle.Tensor]:
        known = np.flatnonzero(teacher_embeddings.any(axis=1))
        if not len(known):
            return {"vector": 0 * embeddings.sum(), "relation": 0 * embeddings.sum()}
        embeddings = embeddings[paddle.to_tensor(known)]
        target = self._targets(paddle.to_tensor(teacher_embeddings[known]))
        cosines = paddle.matmul(embeddings, embeddings, transpose_y=True)
        difference = cosines - paddle.matmul(target, target, transpose_y=True)
        return {"vector": (1 - (embeddings * target).sum(axis=1)).mean(), "relation": (difference**2).mean()}

    def _identity_loss(self, embeddings: paddle.Tensor, identities: np.ndarray) -> paddle.Tensor:
        known = np.flatnonzero(identities >= 0)
        if not len(known):
            return 0 * embeddings.sum() + 0 * self.classifier.weight.sum()
        return self.classifier(embeddings[paddle.to_tensor(known)], paddle.to_tensor(identities[known]))

    def _jittered(self, boxes: np.ndarray) -> np.ndarray:
        """Move the sides of boxes at random, as a detector would."""
        size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        return boxes + self._rng.normal(scale=self.settings.box_jitter, size=boxes.shape).astype(np.float32) * size


def _to_tensor(images: np.ndarray) -> paddle.Tensor:
    return paddle.to_tensor(np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32))
