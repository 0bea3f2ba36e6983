"""The compact JDE network: a YOLOX-nano style detector, and a small head for every person found.

The head reads the image within the person's box, in its own resolution. The detector's maps would be at hand, but
throw appearance away: already a cell of 4x4 pixels is a third of the head of somebody who is 100 pixels tall. The head
is paid for by the person.

Nearly every convolution is followed by BatchNorm and swish, without a bias of its own: paddle.inference fuses exactly
that into one oneDNN call.
"""

from __future__ import annotations

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
PIXEL = 1 / 64  # size of a filter for pixels, which go to 255, to that of one for maps
CHANNELS = 3  # of the pictures


class ConvNorm(nn.Layer):
    """Convolution, BatchNorm, swish."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2D(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias_attr=False)
        self.n = nn.BatchNorm2D(outputs, epsilon=EPSILON)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return F.swish(self.n(self.c(x)))  # not silu: it is not fused, and its gradient overflows below -88


class Separable(nn.Layer):
    """Depthwise convolution, then a 1x1 one."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.d = ConvNorm(inputs, inputs, kernel, stride, groups=inputs)
        self.p = ConvNorm(inputs, outputs, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.p(self.d(x))


class Bottleneck(nn.Layer):
    """1x1 and separable 3x3 convolution, with or without a shortcut around them."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.a = ConvNorm(channels, channels, 1)
        self.b = Separable(channels, channels)
        self.shortcut = shortcut

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        y = self.b(self.a(x))
        return x + y if self.shortcut else y


class CSP(nn.Layer):
    """Cross-stage partial block: half of the channels go through bottlenecks, half go around."""

    def __init__(self, inputs: int, outputs: int, depth: int = 1, shortcut: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.c1 = ConvNorm(inputs, half, 1)
        self.c2 = ConvNorm(inputs, half, 1)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(depth)))
        self.c3 = ConvNorm(2 * half, outputs, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.c3(paddle.concat([self.m(self.c1(x)), self.c2(x)], axis=1))


class SpatialPyramid(nn.Layer):
    """Max pooling with three windows, joined (SPP)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = ConvNorm(channels, channels // 2, 1)
        self.b = ConvNorm(2 * channels, channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = self.a(x)
        pools = [F.max_pool2d(x, size, stride=1, padding=size // 2) for size in (5, 9, 13)]
        return self.b(paddle.concat([x, *pools], axis=1))


class Detector(nn.Layer):
    """Maps of boxes at strides 32, 16 and 8.

    The backbone is that of YOLOX-nano (arXiv 2107.08430). The neck is a PANet (arXiv 1803.01534) cut down to half of
    the time: most maps are added in place of joined, and one separable convolution looks at the sum. So does a head.
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
        """Args: image [N, 3, H, W], H and W multiples of 32. Returns: maps [N, 6, h, w] at strides 32, 16, 8."""
        c3 = self.d3(self.d2(self.stem(F.conv2d(image, self.blocks, stride=2))))
        c4 = self.d4(c3)
        f0 = self.lat(self.d5(c4))
        f1 = self.red(self.p4(paddle.concat([_double(f0), c4], axis=1)))
        p3 = self.p3(c3 + _double(f1))
        n3 = self.n3(self.bu2(p3) + f1)
        n4 = self.n4(self.bu1(n3) + f0)
        return [head(x) for head, x in zip(self.heads, (n4, n3, p3))]


class EmbeddingHead(nn.Layer):
    """What the parts of a box show to the embedding of who is in it: a small network of its own for every person.

    Args:
        grid: rows and columns of parts.
        widths: channels of the first convolution and of each pair after it; the first one and each pair begin with
            halving the grid.
        dimension: length of an embedding.
        common: square of a last number that all embeddings have in common, to 1 for all others. It brings strangers
            nearer to each other and changes no order: the fixed distances of association ``jde`` were made for
            embeddings that have more in common than those of a good teacher.

    Attributes:
        row: length of a row of the parts' pixels, channel by channel, row by row.
    """

    def __init__(self, grid: tuple[int, int], widths: tuple[int, ...], dimension: int, common: float) -> None:
        super().__init__()
        self.dimension, self.common = dimension, common
        self.grid = grid
        self.row = CHANNELS * grid[0] * grid[1]
        self.first = ConvNorm(CHANNELS, widths[0], 3, 2)
        self.first.c.weight.set_value(self.first.c.weight * PIXEL)
        self.steps = nn.LayerList()
        rows, columns = _half(grid)
        for before, channels in pairwise(widths):
            self.steps.append(nn.LayerList([ConvNorm(before, channels, 3, 2), ConvNorm(channels, channels, 3)]))
            rows, columns = _half((rows, columns))
        self.out = nn.Linear(widths[-1] * rows * columns, dimension - 1)

    def forward(self, rows: paddle.Tensor) -> paddle.Tensor:
        """Args: rows [K, row]. Returns: [K, dimension], length not yet 1."""
        looks = self.looks(rows)
        length = paddle.norm(looks, axis=1, keepdim=True)
        return paddle.concat([looks, length * self.common**0.5], axis=1)

    def looks(self, rows: paddle.Tensor) -> paddle.Tensor:
        """Args: rows [K, row]. Returns: [K, dimension - 1], what tells people apart, of any length."""
        x = self.first(rows.reshape([-1, CHANNELS, *self.grid]))
        for halve, refine in self.steps:
            x = halve(x)
            x = x + refine(x)
        return self.out(x.flatten(1))


class CompactJDE(nn.Layer):
    """The whole network: pixels 0 to 255 (BGR) in, raw maps out.

    Args:
        width: channels of the first convolution; the detector's other widths are multiples of it.
        grid: rows and columns of the parts of a box whose pixels the embedding head reads.
        head: channels of the embedding head's convolutions, see there.
        dimension: length of an embedding.
        common: what all of them share, see there.
    """

    def __init__(
        self,
        width: int = 16,
        grid: tuple[int, int] = (80, 32),
        head: tuple[int, ...] = (32, 64, 128, 192),
        dimension: int = 128,
        common: float = 1.25,
    ) -> None:
        super().__init__()
        self.det = Detector(width)
        self.head = EmbeddingHead(tuple(grid), tuple(head), dimension, common)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Args: image [N, 3, H, W], H and W multiples of 32. Returns: detection maps at strides 32, 16, 8."""
        return self.det(image)


def build(config: Path) -> tuple[CompactJDE, dict[str, Any]]:
    """The network of a configuration, with fresh weights, and the configuration.

    Raises:
        ModelError: the configuration cannot be read, or lacks or misnames a setting.
    """
    try:
        settings = yaml.safe_load(config.read_text())
        return CompactJDE(**settings["CompactJDE"]), settings
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError) as error:
        raise ModelError(f"{config} lacks or misnames a setting: {' '.join(str(error).split())}") from error


def inference_settings(settings: dict[str, Any], network: CompactJDE) -> dict[str, Any]:
    """Contents of ``infer_cfg.yml``: what the configuration says of inference, and how embeddings are read.

    Raises:
        ModelError: the configuration lacks a setting.
    """
    try:
        infer_cfg = dict(settings["infer_cfg"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the configuration lacks a setting: {error}") from error
    embedding = {
        "dimension": network.head.dimension,
        "read": "crop",
        "grid": list(network.head.grid),
    }
    return {**infer_cfg, "embedding": embedding}


def _half(grid: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns that a 3x3 convolution of stride 2 leaves."""
    return (grid[0] + 1) // 2, (grid[1] + 1) // 2


def _double(x: paddle.Tensor) -> paddle.Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _block_kernel() -> paddle.Tensor:
    """[12, 3, 2, 2] one-hot kernel that turns 2x2 pixel blocks into channels (space to depth): the strided slices it
    stands for cost several times as much. Blocks are read column by column.
    """
    kernel = np.zeros((4 * CHANNELS, CHANNELS, 2, 2), dtype=np.float32)
    for place, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        for channel in range(CHANNELS):
            kernel[place * CHANNELS + channel, channel, row, column] = 1
    return paddle.to_tensor(kernel)
