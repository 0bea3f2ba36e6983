"""Training of the full DarkNet53 JDE network with the losses and targets of PaddleDetection.

All computation is ppdet's: the model, `Gt2JDETargetThres`, `JDEDetectionLoss`, `JDEEmbeddingLoss` and `JDELoss`. This
file adds inputs and outputs, and two cases that ppdet does not handle: ignored boxes, and images without people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
from paddle import nn

from tracker.boxes import intersection
from tracker.models.networks import darknet53
from tracker.models.pdparams import check_parameters, load_pdparams
from tracker.settings.checks import check_settings, flag, from_mapping, number

if TYPE_CHECKING:
    from training.data.batches import Batch

# from PaddleDetection's configs/mot/jde/_base_/jde_reader_1088x608.yml; an IoU between the last two is ignored
IDENTITY_IOU = 0.5
PERSON_IOU = 0.5
BACKGROUND_IOU = 0.4
IGNORED_SHARE = 0.5  # share of an anchor inside an ignored box from which it is ignored too

CLASSIFIER = ("reid.classifier.weight", "reid.classifier.bias")
NO_BOX = np.zeros((1, 4), np.float32)


@dataclass(frozen=True)
class FullSettings:
    """Settings of the full network's task.

    ppdet's ``freeze_norm`` freezes scale and offset of BatchNorm only, and normalises by the batch in training, which
    takes several images at a time. ``freeze_statistics`` normalises by the running statistics. Random weights have
    none: set it to False for them.

    Raises:
        OptionError: A value is of the wrong type or out of its range.
    """

    backbone_factor: float = number(0.1, "learning rate of DarkNet53 as a part of that of the rest")
    freeze_statistics: bool = flag(True, "normalise by the statistics of the loaded weights, and keep these")

    def __post_init__(self) -> None:
        check_settings(self, "task.")


class FullTask:
    """The full DarkNet53 JDE network with PaddleDetection's losses, with random weights at first.

    Args:
        config_path: The model configuration, in PaddleDetection's keys.
        settings: Fields of `FullSettings`.
        identities: How many identities the data has.

    Attributes:
        network: ppdet's ``JDE``; its ``state_dict()`` has PaddleDetection's names.
        identities: Classes of the identity classifier, at least 1.

    Raises:
        OptionError: A setting is unknown or not accepted.
    """

    def __init__(self, config_path: Path, settings: Mapping[str, Any], identities: int) -> None:
        chosen = from_mapping(FullSettings, settings, "task")
        self.backbone_factor = chosen.backbone_factor
        self.identities = max(identities, 1)  # there is no linear layer of no outputs

        self.network, config = darknet53.build(config_path)
        from ppdet.data.transform.mot_operators import Gt2JDETargetThres

        reid = self.network.reid
        levels, losses = (reid.anchor_levels, reid.anchor_scales, reid.embedding_dim), (reid.emb_loss, reid.jde_loss)
        # not by ppdet's create(), which takes the number of identities from a global configuration
        reid = type(reid)(reid.num_classes, self.identities, *levels, *losses)
        # sqrt(2) log(n - 1) is meant for thousands of identities: for two it is 0, and so would be the gradient
        reid.emb_scale = max(reid.emb_scale, 1.0)
        reid.emb_loss.phony.stop_gradient = True  # a placeholder for a loss of 0, not a weight
        self.network.reid = reid

        head = config["YOLOv3Head"]
        stride = config["JDEBBoxPostProcess"]["decode"]["downsample_ratio"]
        self._anchors = [[head["anchors"][index] for index in mask] for mask in head["anchor_masks"]]
        self._strides = [stride // 2**level for level in range(len(self._anchors))]
        self._encode = Gt2JDETargetThres(
            self._anchors, head["anchor_masks"], self._strides, IDENTITY_IOU, PERSON_IOU, BACKGROUND_IOU
        )
        if chosen.freeze_statistics:
            for layer in self.network.sublayers():
                if isinstance(layer, nn.BatchNorm2D):
                    layer._use_global_stats = True  # ppdet passes on no such option
        self.network.train()

    @property
    def layer(self) -> nn.Layer:
        """The layer that is trained and saved: the network."""
        return self.network

    def seed(self, numbers: list[int]) -> None:
        """Do nothing: no step draws random numbers."""

    def fit_teacher(self, teacher_embeddings: np.ndarray, batches: Sequence[Batch] = ()) -> None:
        """Do nothing: this network is trained on identities alone."""

    def load(self, path: Path, images: Sequence[np.ndarray] = ()) -> None:
        """Start from the weights of a ``.pdparams`` file of this network.

        What only training needs may be missing: the weights of the losses and the identity classifier. A classifier of
        another number of identities is left out; one of the same number is used, whatever its identities were.

        Args:
            path: The file.
            images: Not used: the weights of this network come with BatchNorm.

        Raises:
            ModelError: The file cannot be read, or its arrays are not for this network.
        """
        state = self.network.state_dict()
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        arrays = load_pdparams(path)
        if any(arrays[name].shape != shapes[name] for name in CLASSIFIER if name in arrays):
            arrays = {name: array for name, array in arrays.items() if name not in CLASSIFIER}
        needed = darknet53.needed_parameters(self.network)
        expected = {name: shape for name, shape in shapes.items() if name in needed or name in arrays}
        check_parameters(arrays, expected, str(path))
        for name, array in arrays.items():
            state[name].set_value(array.astype(np.float32))

    def losses(self, batch: Batch) -> dict[str, paddle.Tensor]:
        """Compute the losses of a batch, whose images have sides that are multiples of 32.

        Returns:
            Scalars. ``total`` is minimised: the sum over the levels, each loss by its trained weight. ``box``,
            ``confidence`` and ``identity`` are for the log: sums over the levels without weights and gradients.
        """
        self.network.train()  # makes ppdet return losses in place of detections
        image = np.ascontiguousarray(batch.images[:, :, :, ::-1].transpose(0, 3, 1, 2), np.float32) / 255
        inputs = {"image": image, **self.targets(batch)}
        losses = self.network({name: paddle.to_tensor(array) for name, array in inputs.items()})
        self.network.inputs = {}  # where ppdet keeps the batch until the next one
        return {
            "total": losses["loss"].sum(),
            "box": losses["loss_box"].detach().sum(),
            "confidence": losses["loss_conf"].detach().sum(),
            "identity": losses["loss_ide"].detach().sum(),
        }

    def targets(self, batch: Batch) -> dict[str, np.ndarray]:
        """Compute the targets of the network's output maps, with `Gt2JDETargetThres`.

        Args:
            batch: The batch; of ``teacher_embeddings`` nothing is used.

        Returns:
            For level i of h x w cells and A anchors: ``tconf<i>`` [B, A, h, w], 1 for a person, 0 for background and
            -1 for ignored; ``tbox<i>`` [B, A, h, w, 4]; ``tide<i>`` [B, A, h, w, 1], -1 where unknown. And
            ``gt_bbox`` [B, N, 4] of people, centre and size relative to the image, padded with zeros.
        """
        height, width = batch.images.shape[1:3]
        samples = []
        for boxes, identities, ignored in zip(batch.boxes, batch.identities, batch.ignored):
            people = boxes[~ignored]
            center_size = np.concatenate([people[:, :2] + people[:, 2:], 2 * (people[:, 2:] - people[:, :2])], 1) / 2
            relative = (center_size / np.array([width, height] * 2)).astype(np.float32)
            sample = {
                "image": np.empty((3, height, width), np.bool_),  # for its shape only
                # ppdet fails on an image without boxes; a box of size 0 is background everywhere
                "gt_bbox": relative if len(people) else NO_BOX,
                "gt_ide": identities[~ignored].reshape(-1, 1) if len(people) else np.array([[-1]]),
                "gt_class": None,  # ppdet deletes it unread
            }
            samples.append(sample)
        self._encode(samples)
        names = [f"{kind}{level}" for kind in ("tbox", "tconf", "tide") for level in range(len(self._strides))]
        targets = {name: np.stack([sample[name] for sample in samples]) for name in (*names, "gt_bbox")}
        for index, (boxes, ignored) in enumerate(zip(batch.boxes, batch.ignored)):
            for level, (anchors, stride) in enumerate(zip(self._anchors, self._strides)):
                confidence = targets[f"tconf{level}"][index]
                inside = _inside(boxes[ignored], np.array(anchors, np.float32), stride, (height, width))
                confidence[inside & (confidence == 0)] = -1
        return targets

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all trained parameters in groups for a Paddle optimizer, whose ``learning_rate`` is a factor.

        Groups override what ppdet sets for single parameters, so it is repeated here: the classifier's bias has twice
        the learning rate, and neither biases nor the weights of losses decay.
        """
        factors = {}
        for name, parameter in self.network.named_parameters():
            if parameter.stop_gradient:
                continue
            factor = self.backbone_factor if name.startswith("detector.backbone.") else 1.0
            factor *= 2.0 if name == CLASSIFIER[1] else 1.0
            decays = name.endswith(".weight") and parameter.ndim > 1  # not biases, norms and weights of losses
            factors.setdefault((factor, decays), []).append(parameter)
        return [
            {"params": parameters, "learning_rate": factor, **({} if decays else {"weight_decay": 0.0})}
            for (factor, decays), parameters in factors.items()
        ]

    def export_state(self, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Select from a state of ``layer`` what inference needs, by PaddleDetection's names."""
        return {name: state[name] for name in darknet53.needed_parameters(self.network)}


def _inside(boxes: np.ndarray, anchors: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Find the anchors that lie in one of the boxes by more than half of their area.

    An anchor at the border counts as well when this holds for its part in the image: an ignored region ends at the
    border, even though the crowd that it covers does not.

    Args:
        boxes: [N, 4] left, top, right, bottom in pixels.
        anchors: [A, 2] width, height in pixels.
        stride: Pixels from one cell to the next.
        size: Height and width of the image.

    Returns:
        [A, h, w] bool.
    """
    height, width = size
    rows, columns = np.mgrid[: height // stride, : width // stride] * stride  # of centres, as in ppdet
    center = np.stack([columns, rows], -1)[None]
    half = anchors[:, None, None] / 2
    whole = np.concatenate([center - half, center + half], -1)
    visible = np.clip(whole, 0, [width, height] * 2)
    inside = np.zeros(whole.shape[:3], bool)
    for box in boxes:
        for anchor in (whole, visible):
            area = (anchor[..., 2:] - anchor[..., :2]).prod(-1)
            inside |= intersection(anchor, box) > IGNORED_SHARE * area
    return inside
