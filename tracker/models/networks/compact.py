"""The compact JDE network: a detector on MobileNetV2, and a small embedding head that runs once for each detection.

The head reads the image within the person's box, in the image's own resolution. The detector's feature maps would be
free, but have lost appearance: already a cell of 4x4 pixels is a third of the head of a person 100 pixels tall. So its
cost grows with the number of people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import paddle
import paddle.nn.functional as F
import yaml
from paddle import nn

from ...errors import ModelError
from .mobilenet import Convolution, MobileNetV2, SeparableConvolution

CHANNELS = 3  # of the images
# Weights of a convolution that reads pixels, which go to 255, are so much smaller than those on feature maps.
PIXEL_WEIGHT_SCALE = 1 / 64


# by name, the layers of a step of the embedding head that each add to its map
REFINEMENTS: dict[str, Callable[[int], list[nn.Layer]]] = {
    "none": lambda channels: [],
    "separable": lambda channels: [SeparableConvolution(channels, channels, 3, activation="swish")],
    "full": lambda channels: [_swish(channels, channels)],
}


class CompactDetector(nn.Layer):
    """Detector with output maps at strides 32, 16 and 8.

    The backbone is a MobileNetV2. The neck is a PANet (arXiv 1803.01534) of separable convolutions in which maps are
    added, not concatenated. So the backbone takes nine tenths of the work, and what reads it can be taught anew alone.

    Args:
        width: Channels of the backbone, as a multiple of those of the paper.
        neck: Channels of the neck and the heads.
        depth: Separable convolutions of a head.
        inner: Channels within each block of the backbone; None for the multiples of the paper.
    """

    KERNEL = 5  # of the neck's and the heads' first depthwise convolutions

    def __init__(self, width: float = 1.0, neck: int = 64, depth: int = 2, inner: Sequence[int] | None = None) -> None:
        super().__init__()
        self.backbone = MobileNetV2(width, inner)
        self.lat3, self.lat4, self.lat5 = (Convolution(channels, neck, 1) for channels in self.backbone.channels)
        self.p4 = SeparableConvolution(neck, neck, self.KERNEL)
        self.p3 = SeparableConvolution(neck, neck, self.KERNEL)
        self.bu2 = SeparableConvolution(neck, neck, 3, 2)
        self.n4 = SeparableConvolution(neck, neck, self.KERNEL)
        self.bu1 = SeparableConvolution(neck, neck, 3, 2)
        self.n5 = SeparableConvolution(neck, neck, self.KERNEL)
        self.heads = nn.LayerList([self._head(neck, depth) for _ in range(3)])

    def _head(self, neck: int, depth: int) -> nn.Sequential:
        layers = [SeparableConvolution(neck, neck, 3 if index else self.KERNEL) for index in range(depth)]
        return nn.Sequential(*layers, nn.Conv2D(neck, 6, 1))

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Compute the raw output maps of an image.

        Args:
            image: [N, 3, H, W] BGR pixels, 0 to 255; H and W are multiples of 32.

        Returns:
            Maps [N, 6, h, w] at strides 32, 16 and 8: dx, dy, dw, dh and two confidence logits for each cell.
        """
        c3, c4, c5 = self.backbone(image)
        f5 = self.lat5(c5)
        f4 = self.p4(self.lat4(c4) + _double(f5))
        p3 = self.p3(self.lat3(c3) + _double(f4))
        n4 = self.n4(self.bu2(p3) + f4)
        n5 = self.n5(self.bu1(n4) + f5)
        return [head(x) for head, x in zip(self.heads, (n5, n4, p3))]


class EmbeddingHead(nn.Layer):
    """Small network from the pixels of one person to an embedding.

    Args:
        grid: Rows and columns of the crop it reads.
        widths: Channels of the first convolution and of each step after it. Each of them begins by halving the grid.
        refinements: What each step adds to its map, of `REFINEMENTS`; on the first, largest maps it costs most.
        dimension: Length D of an embedding.
        common: Square of the last entry of an embedding, where the squares of all others sum to 1. As it is the same
            for everybody, it brings all embeddings nearer to each other and keeps the order of their distances: the
            fixed distance thresholds of association ``jde`` are made for embeddings with such a common part.

    Attributes:
        input_length: Length L of an input: a crop's pixels, channel by channel and row by row.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        widths: tuple[int, ...],
        refinements: tuple[str, ...],
        dimension: int,
        common: float,
    ) -> None:
        super().__init__()
        self.dimension, self.common = dimension, common
        self.grid = grid
        self.input_length = CHANNELS * grid[0] * grid[1]
        self.first = _swish(CHANNELS, widths[0], 2)
        self.first.c.weight.set_value(self.first.c.weight * PIXEL_WEIGHT_SCALE)
        if len(refinements) != len(widths) - 1:
            raise ValueError(f"{len(widths)} widths need one refinement less, not {len(refinements)}")
        self.steps = nn.LayerList()
        for (before, channels), refinement in zip(pairwise(widths), refinements):
            self.steps.append(nn.LayerList([_swish(before, channels, 2), *REFINEMENTS[refinement](channels)]))
        rows, columns = (-(-side // 2 ** len(widths)) for side in grid)  # each convolution of stride 2 rounds up
        self.out = nn.Linear(widths[-1] * rows * columns, dimension - 1)

    def forward(self, crops: paddle.Tensor) -> paddle.Tensor:
        """Compute embeddings.

        Args:
            crops: [K, L] BGR pixels, 0 to 255, one person a row.

        Returns:
            [K, D], not yet of length 1.
        """
        features = self.identity_features(crops)
        length = paddle.norm(features, axis=1, keepdim=True)
        return paddle.concat([features, length * self.common**0.5], axis=1)

    def identity_features(self, crops: paddle.Tensor) -> paddle.Tensor:
        """Compute the part of the embeddings that tells people apart: all but the last entry.

        Args:
            crops: [K, L] BGR pixels, 0 to 255, one person a row.

        Returns:
            [K, D - 1], of any length.
        """
        x = self.first(crops.reshape([-1, CHANNELS, *self.grid]))
        for step in self.steps:
            halve, *refinement = list(step.children())
            x = halve(x)
            for layer in refinement:
                x = x + layer(x)
        return self.out(x.flatten(1))


class CompactJDE(nn.Layer):
    """The whole network: the detector, which `forward` runs, and the embedding head.

    Args:
        width: Channels of the detector's backbone, as a multiple of those of MobileNetV2.
        neck: Channels of the detector's neck and heads.
        grid: Rows and columns of the crop that the embedding head reads.
        head: Channels of the embedding head's first convolution and of each step after it.
        refinements: What each step of it adds to its map, of `REFINEMENTS`.
        dimension: Length of an embedding.
        common: Square of the entry that all embeddings have in common, where the squares of the others sum to 1.
        inner: Channels within each block of the backbone; None for the multiples of MobileNetV2's paper.
    """

    def __init__(
        self,
        width: float = 1.0,
        neck: int = 64,
        grid: tuple[int, int] = (80, 32),
        head: tuple[int, ...] = (32, 64, 128, 192),
        refinements: tuple[str, ...] = ("full", "full", "full"),
        dimension: int = 128,
        common: float = 1.25,
        inner: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.det = CompactDetector(width, neck, inner=inner)
        self.head = EmbeddingHead((grid[0], grid[1]), tuple(head), tuple(refinements), dimension, common)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Compute the raw output maps of an image.

        Args:
            image: [N, 3, H, W] BGR pixels, 0 to 255; H and W are multiples of 32.

        Returns:
            Maps [N, 6, h, w] at strides 32, 16 and 8: dx, dy, dw, dh and two confidence logits for each cell.
        """
        return self.det(image)


def build(config: Path) -> tuple[CompactJDE, dict[str, Any]]:
    """Build the network of a configuration, with fresh weights.

    Args:
        config: A model configuration whose section ``CompactJDE`` holds the arguments of `CompactJDE`.

    Returns:
        The network, and the configuration.

    Raises:
        ModelError: The configuration cannot be read, or lacks or misnames a setting.
    """
    try:
        settings = yaml.safe_load(config.read_text())
        return CompactJDE(**settings["CompactJDE"]), settings
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError) as error:
        raise ModelError(f"{config} lacks or misnames a setting: {' '.join(str(error).split())}") from error


def inference_settings(settings: dict[str, Any], network: CompactJDE) -> dict[str, Any]:
    """Return the contents of ``infer_cfg.yml``: the configuration's own section, and how embeddings are computed.

    Args:
        settings: The configuration.
        network: Built from it.

    Raises:
        ModelError: The configuration lacks a setting.
    """
    try:
        infer_cfg = dict(settings["infer_cfg"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the configuration lacks a setting: {error}") from error
    embedding = {"dimension": network.head.dimension, "read": "crop", "grid": list(network.head.grid)}
    return {**infer_cfg, "embedding": embedding}


def _swish(inputs: int, outputs: int, stride: int = 1) -> Convolution:
    return Convolution(inputs, outputs, 3, stride, activation="swish")


def _double(x: paddle.Tensor) -> paddle.Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
