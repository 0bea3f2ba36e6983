"""The full DarkNet53 JDE network with the losses and targets of PaddleDetection, as `tools/train.py` drives it.

Everything that computes is ppdet's: the model, `Gt2JDETargetThres`, `JDEDetectionLoss`, `JDEEmbeddingLoss` and
`JDELoss`. Here are only the way in and out, and what ppdet does not know: ignored boxes, and images without people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
from paddle import nn

from tracker.boxes import intersection
from tracker.errors import OptionError
from tracker.models.networks import darknet53
from tracker.models.pdparams import check_parameters, load_pdparams

if TYPE_CHECKING:
    from training.data.batches import Batch

# PaddleDetection's configs/mot/jde/_base_/jde_reader_1088x608.yml; an IoU between the last two is neither.
IDENTITY_IOU = 0.5
PERSON_IOU = 0.5
BACKGROUND_IOU = 0.4
IGNORED_SHARE = 0.5  # of an anchor, inside an ignored box

CLASSIFIER = ("reid.classifier.weight", "reid.classifier.bias")
NO_BOX = np.zeros((1, 4), np.float32)


@dataclass(frozen=True)
class FullSettings:
    """What a training configuration may say about this task.

    Attributes:
        backbone_factor: learning rate of DarkNet53 as a part of that of the rest.
        freeze_statistics: normalise by the running statistics of the loaded weights, and leave these as they are.
            ppdet's `freeze_norm` freezes scale and offset only; its training normalises by the batch, which takes
            several images at a time. Weights from scratch need the batch's statistics: False.
    """

    backbone_factor: float = 0.1
    freeze_statistics: bool = True

    @classmethod
    def checked(cls, settings: dict[str, Any]) -> FullSettings:
        """Settings from a dict of some of the attributes.

        Raises:
            OptionError: one is unknown or of no use.
        """
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise OptionError(f"the full network has no setting {name!r}; known are {', '.join(known)}")
        chosen = cls(**settings)
        factor = chosen.backbone_factor
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 <= factor < math.inf:
            raise OptionError(f"backbone_factor is {factor!r}; it has to be a number, 0 or more")
        if not isinstance(chosen.freeze_statistics, bool):
            raise OptionError(f"freeze_statistics is {chosen.freeze_statistics!r}; it has to be true or false")
        return chosen


class FullTask:
    """The full DarkNet53 JDE network with PaddleDetection's losses.

    Attributes:
        network: ppdet's ``JDE``; its ``state_dict()`` has PaddleDetection's names.
        identities: classes of the identity classifier, at least 1.
    """

    def __init__(self, config_path: Path, settings: dict[str, Any], identities: int) -> None:
        """Build the network with fresh weights.

        Args:
            config_path: the model configuration, in PaddleDetection's keys.
            settings: fields of `FullSettings`.
            identities: how many identities the data set has; 0 where it has none.

        Raises:
            OptionError: a setting is unknown or of no use.
        """
        chosen = FullSettings.checked(settings)
        self.backbone_factor = chosen.backbone_factor
        self.identities = max(identities, 1)  # there is no linear layer of no outputs

        self.network, config = darknet53.build(config_path)
        from ppdet.data.transform.mot_operators import Gt2JDETargetThres

        reid = self.network.reid
        levels, losses = (reid.anchor_levels, reid.anchor_scales, reid.embedding_dim), (reid.emb_loss, reid.jde_loss)
        # made anew: ppdet's create() takes the number from a configuration that is global to the process
        reid = type(reid)(reid.num_classes, self.identities, *levels, *losses)
        # sqrt(2) log(n - 1) is for thousands of identities: it is 0 for two of them, and nothing would be learnt.
        reid.emb_scale = max(reid.emb_scale, 1.0)
        reid.emb_loss.phony.stop_gradient = True  # stands for a zero loss; a parameter only in name
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
        """What is trained and saved."""
        return self.network

    def seed(self, numbers: list[int]) -> None:
        """Start the random numbers of the next step: there are none."""

    def fit_teacher(self, vectors: np.ndarray, batches: Sequence[Batch] = ()) -> None:
        """Take note of a teacher's embeddings: this network learns identities alone."""

    def load(self, weights: Path, images: Sequence[np.ndarray] = ()) -> None:
        """Take the weights of a ``.pdparams`` file of this network.

        What only training needs may be absent: the weights of the losses and the identity classifier. A classifier of
        another number of identities is passed over. One of the same number is taken, whoever its identities were.

        Args:
            weights: the file.
            images: not needed, as the weights of this network come with BatchNorm.

        Raises:
            ModelError: the file cannot be read, or its arrays are not for this network.
        """
        state = self.network.state_dict()
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        found = load_pdparams(weights)
        if any(found[name].shape != shapes[name] for name in CLASSIFIER if name in found):
            found = {name: array for name, array in found.items() if name not in CLASSIFIER}
        needed = darknet53.needed_parameters(self.network)
        expected = {name: shape for name, shape in shapes.items() if name in needed or name in found}
        check_parameters(found, expected, str(weights))
        for name, array in found.items():
            state[name].set_value(array.astype(np.float32))

    def losses(self, batch: Batch) -> dict[str, paddle.Tensor]:
        """The losses of a batch, whose images have sides that are multiples of 32.

        Returns:
            Scalars. ``total`` is to be minimised: the sum over the levels, each loss by its learned weight. For the
            log, without gradient and weights, are ``box``, ``confidence`` and ``identity``, also summed over levels.
        """
        self.network.train()  # by this ppdet gives losses in place of detections
        image = np.ascontiguousarray(batch.images[:, :, :, ::-1].transpose(0, 3, 1, 2), np.float32) / 255
        inputs = {"image": image, **self.targets(batch)}
        found = self.network({name: paddle.to_tensor(array) for name, array in inputs.items()})
        self.network.inputs = {}  # ppdet would hold the batch until the next one
        return {
            "total": found["loss"].sum(),
            "box": found["loss_box"].detach().sum(),
            "confidence": found["loss_conf"].detach().sum(),
            "identity": found["loss_ide"].detach().sum(),
        }

    def targets(self, batch: Batch) -> dict[str, np.ndarray]:
        """What the maps of the network should be, by `Gt2JDETargetThres`.

        Returns:
            For level i of h x w cells and A anchors: ``tconf<i>`` [B, A, h, w], 1 for a person, 0 for background and
            -1 for neither; ``tbox<i>`` [B, A, h, w, 4]; ``tide<i>`` [B, A, h, w, 1], -1 where unknown. And
            ``gt_bbox`` [B, N, 4] of people, center and size as a part of the image, filled up by zeros.
        """
        height, width = batch.images.shape[1:3]
        samples = []
        for boxes, identities, ignored in zip(batch.boxes, batch.identities, batch.ignored):
            people = boxes[~ignored]
            center_size = np.concatenate([people[:, :2] + people[:, 2:], 2 * (people[:, 2:] - people[:, :2])], 1) / 2
            relative = (center_size / np.array([width, height] * 2)).astype(np.float32)
            sample = {
                "image": np.empty((3, height, width), np.bool_),  # for its shape only
                # ppdet fails on an image without boxes; a box of no size is background everywhere
                "gt_bbox": relative if len(people) else NO_BOX,
                "gt_ide": identities[~ignored].reshape(-1, 1) if len(people) else np.array([[-1]]),
                "gt_class": None,  # is taken out unread
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

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Everything that is trained, in groups for a Paddle optimizer.

        Paddle's groups tell their learning rate as a factor of that of the optimizer, and forget what ppdet set for
        single parameters: the classifier's bias learns twice as fast, biases and weights of losses do not decay.

        Args:
            learning_rate: of the optimizer; the factors do not depend on it.
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

    def export_state(self, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Of the state of ``layer`` what inference needs, by PaddleDetection's names."""
        return {name: state[name] for name in darknet53.needed_parameters(self.network)}


def _inside(boxes: np.ndarray, anchors: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Which anchors lie by more than half of their area in one of the boxes.

    An anchor whose IoU with a box is above 0.5 does so too. Near a border the anchor's part in the image may do instead
    of the whole: a region ends there that people stand in beyond.

    Args:
        boxes: [N, 4] left, top, right, bottom in pixels.
        anchors: [A, 2] width, height in pixels.
        stride: pixels from one cell to the next.
        size: height and width of the image.

    Returns:
        [A, h, w] bool.
    """
    height, width = size
    rows, columns = np.mgrid[: height // stride, : width // stride] * stride  # of centers, as ppdet has them
    center = np.stack([columns, rows], -1)[None]
    half = anchors[:, None, None] / 2
    whole = np.concatenate([center - half, center + half], -1)
    seen = np.clip(whole, 0, [width, height] * 2)
    found = np.zeros(whole.shape[:3], bool)
    for box in boxes:
        for anchor in (whole, seen):
            area = (anchor[..., 2:] - anchor[..., :2]).prod(-1)
            found |= intersection(anchor, box) > IGNORED_SHARE * area
    return found
