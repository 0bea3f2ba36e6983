"""The compact JDE network: a YOLOX-nano style detector, and a small embedding head that runs once for each detection.

The head reads the image within the person's box, in the image's own resolution. The detector's feature maps would be
free, but have lost appearance: already a cell of 4x4 pixels is a third of the head of a person 100 pixels tall. So its
cost grows with the number of people.

Nearly every convolution has no bias and is followed by BatchNorm and swish: paddle.inference fuses exactly that into
one oneDNN call.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
import yaml
from paddle import nn

from ...errors import ModelError

EPSILON = 1e-5  # of every BatchNorm
CHANNELS = 3  # of the images
# Weights of a convolution that reads pixels, which go to 255, are so much smaller than those on feature maps.
PIXEL_WEIGHT_SCALE = 1 / 64


class ConvNorm(nn.Layer):
    """Convolution, BatchNorm and swish.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel: Side of the square kernel, odd.
        stride: Of the convolution.
        groups: Of the convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2D(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias_attr=False)
        self.n = nn.BatchNorm2D(outputs, epsilon=EPSILON)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        return F.swish(self.n(self.c(x)))  # not silu: it is not fused, and its gradient overflows below -88


class Separable(nn.Layer):
    """Depthwise separable convolution: a depthwise one, then a 1x1 one.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel: Side of the depthwise kernel, odd.
        stride: Of the depthwise convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.d = ConvNorm(inputs, inputs, kernel, stride, groups=inputs)
        self.p = ConvNorm(inputs, outputs, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        return self.p(self.d(x))


class Bottleneck(nn.Layer):
    """A 1x1 and a separable 3x3 convolution.

    Args:
        channels: Input and output channels.
        shortcut: Whether the input is added to the output.
    """

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.a = ConvNorm(channels, channels, 1)
        self.b = Separable(channels, channels)
        self.shortcut = shortcut

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, channels, H, W] to the same shape."""
        y = self.b(self.a(x))
        return x + y if self.shortcut else y


class CSP(nn.Layer):
    """Cross-stage partial block (arXiv 1911.11929): half of the channels go through bottlenecks, half around them.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        depth: Number of bottlenecks.
        shortcut: Whether the bottlenecks have a shortcut.
    """

    def __init__(self, inputs: int, outputs: int, depth: int = 1, shortcut: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.c1 = ConvNorm(inputs, half, 1)
        self.c2 = ConvNorm(inputs, half, 1)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(depth)))
        self.c3 = ConvNorm(2 * half, outputs, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H, W]."""
        return self.c3(paddle.concat([self.m(self.c1(x)), self.c2(x)], axis=1))


class SpatialPyramid(nn.Layer):
    """Spatial pyramid pooling (arXiv 1406.4729): the input and its maxima in three windows, concatenated.

    Args:
        channels: Input and output channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = ConvNorm(channels, channels // 2, 1)
        self.b = ConvNorm(2 * channels, channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, channels, H, W] to the same shape."""
        x = self.a(x)
        pools = [F.max_pool2d(x, size, stride=1, padding=size // 2) for size in (5, 9, 13)]
        return self.b(paddle.concat([x, *pools], axis=1))


# by name, the layers of a step of the embedding head that each add to its map
REFINEMENTS: dict[str, Callable[[int], list[nn.Layer]]] = {
    "none": lambda channels: [],
    "separable": lambda channels: [Separable(channels, channels)],
    "full": lambda channels: [ConvNorm(channels, channels, 3)],
}


class CompactDetector(nn.Layer):
    """Detector with output maps at strides 32, 16 and 8.

    The backbone is that of YOLOX-nano (arXiv 2107.08430). The neck is a PANet (arXiv 1803.01534) that takes half of the
    time: most maps are added instead of concatenated, and one separable convolution follows. So does each head.

    Args:
        width: Channels of the first convolution; all other widths are multiples of it.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w2, w3, w4, w5 = 2 * width, 4 * width, 8 * width, 16 * width
        self.stem = ConvNorm(4 * CHANNELS, width, 3)
        self.d2 = nn.Sequential(Separable(width, w2, stride=2), CSP(w2, w2))
        self.d3 = nn.Sequential(Separable(w2, w3, stride=2), CSP(w3, w3, 3))
        self.d4 = nn.Sequential(Separable(w3, w4, stride=2), CSP(w4, w4, 3))
        self.d5 = nn.Sequential(Separable(w4, w5, stride=2), SpatialPyramid(w5), CSP(w5, w5, shortcut=False))
        self.lat = ConvNorm(w5, w4, 1)
        self.p4 = CSP(2 * w4, w4, shortcut=False)
        self.red = ConvNorm(w4, w3, 1)
        self.p3 = Separable(w3, w3, 5)
        self.bu2 = Separable(w3, w3, stride=2)
        self.n3 = Separable(w3, w3, 5)
        self.bu1 = Separable(w3, w4, stride=2)
        self.n4 = Separable(w4, w3, 5)
        self.heads = nn.LayerList([nn.Sequential(Separable(w3, w3), nn.Conv2D(w3, 6, 1)) for _ in range(3)])
        self.register_buffer("blocks", _block_kernel(), persistable=False)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Compute the raw output maps of an image.

        Args:
            image: [N, 3, H, W] BGR pixels, 0 to 255; H and W are multiples of 32.

        Returns:
            Maps [N, 6, h, w] at strides 32, 16 and 8: dx, dy, dw, dh and two confidence logits for each cell.
        """
        c3 = self.d3(self.d2(self.stem(F.conv2d(image, self.blocks, stride=2))))
        c4 = self.d4(c3)
        f0 = self.lat(self.d5(c4))
        f1 = self.red(self.p4(paddle.concat([_double(f0), c4], axis=1)))
        p3 = self.p3(c3 + _double(f1))
        n3 = self.n3(self.bu2(p3) + f1)
        n4 = self.n4(self.bu1(n3) + f0)
        return [head(x) for head, x in zip(self.heads, (n4, n3, p3))]


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
        self.first = ConvNorm(CHANNELS, widths[0], 3, 2)
        self.first.c.weight.set_value(self.first.c.weight * PIXEL_WEIGHT_SCALE)
        if len(refinements) != len(widths) - 1:
            raise ValueError(f"{len(widths)} widths need one refinement less, not {len(refinements)}")
        self.steps = nn.LayerList()
        for (before, channels), refinement in zip(pairwise(widths), refinements):
            self.steps.append(nn.LayerList([ConvNorm(before, channels, 3, 2), *REFINEMENTS[refinement](channels)]))
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
        width: Channels of the detector's first convolution; its other widths are multiples of it.
        grid: Rows and columns of the crop that the embedding head reads.
        head: Channels of the embedding head's first convolution and of each step after it.
        refinements: What each step of it adds to its map, of `REFINEMENTS`.
        dimension: Length of an embedding.
        common: Square of the entry that all embeddings have in common, where the squares of the others sum to 1.
    """

    def __init__(
        self,
        width: int = 16,
        grid: tuple[int, int] = (80, 32),
        head: tuple[int, ...] = (32, 64, 128, 192),
        refinements: tuple[str, ...] = ("full", "full", "full"),
        dimension: int = 128,
        common: float = 1.25,
    ) -> None:
        super().__init__()
        self.det = CompactDetector(width)
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


def _double(x: paddle.Tensor) -> paddle.Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _block_kernel() -> paddle.Tensor:
    """Return the [12, 3, 2, 2] one-hot kernel that turns 2x2 pixel blocks into channels (space to depth).

    Strided slices would do the same in several times the time. Blocks are read column by column.
    """
    kernel = np.zeros((4 * CHANNELS, CHANNELS, 2, 2), dtype=np.float32)
    for position, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        for channel in range(CHANNELS):
            kernel[position * CHANNELS + channel, channel, row, column] = 1
    return paddle.to_tensor(kernel)
