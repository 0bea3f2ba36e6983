"""The compact JDE network: a YOLOX-nano style detector, and a small head for every person found.

The head reads what an appearance map, made of the picture and the detector's beginning, shows in the person's box,
part by part: the detector's later maps throw appearance away. The map costs a twentieth of the detector, and the head
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

from ..errors import ModelError

EPSILON = 1e-5  # of every BatchNorm
PIXEL = 1 / 64  # size of a filter for pixels, which go to 255, to that of one for maps


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
    """Maps of boxes at strides 32, 16 and 8."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w2, w3, w4, w5 = 2 * width, 4 * width, 8 * width, 16 * width
        self.stem = ConvNorm(12, width, 3)
        self.d2 = nn.Sequential(Separable(width, w2, stride=2), CSP(w2, w2))
        self.d3 = nn.Sequential(Separable(w2, w3, stride=2), CSP(w3, w3, 3))
        self.d4 = nn.Sequential(Separable(w3, w4, stride=2), CSP(w4, w4, 3))
        self.d5 = nn.Sequential(Separable(w4, w5, stride=2), SpatialPyramid(w5), CSP(w5, w5, shortcut=False))
        self.lat = ConvNorm(w5, w4, 1)
        self.p4 = CSP(2 * w4, w4, shortcut=False)
        self.red = ConvNorm(w4, w3, 1)
        self.p3 = CSP(2 * w3, w3, shortcut=False)
        self.bu2 = Separable(w3, w3, stride=2)
        self.n3 = CSP(2 * w3, w4, shortcut=False)
        self.bu1 = Separable(w4, w4, stride=2)
        self.n4 = CSP(2 * w4, w5, shortcut=False)
        levels = (w3, w4, w5)  # strides 8, 16, 32
        self.hs = nn.LayerList([ConvNorm(channels, w3, 1) for channels in levels])
        self.hr = nn.LayerList([nn.Sequential(Separable(w3, w3), Separable(w3, w3)) for _ in levels])
        self.hc = nn.LayerList([nn.Sequential(Separable(w3, w3), Separable(w3, w3)) for _ in levels])
        self.out = nn.LayerList([nn.Conv2D(2 * w3, 6, 1) for _ in levels])

    def begin(self, blocks: paddle.Tensor) -> paddle.Tensor:
        """Args: blocks: [N, 12, H/2, W/2] 2x2 pixel blocks. Returns: a map at stride 4."""
        return self.d2(self.stem(blocks))

    def end(self, begun: paddle.Tensor) -> list[paddle.Tensor]:
        """Args: begun: what ``begin`` gave. Returns: maps [N, 6, h, w] by rising stride."""
        c3 = self.d3(begun)
        c4 = self.d4(c3)
        f0 = self.lat(self.d5(c4))
        f1 = self.red(self.p4(paddle.concat([_double(f0), c4], axis=1)))
        p3 = self.p3(paddle.concat([_double(f1), c3], axis=1))
        n3 = self.n3(paddle.concat([self.bu2(p3), f1], axis=1))
        n4 = self.n4(paddle.concat([self.bu1(n3), f0], axis=1))
        return [self._head(level, x) for level, x in enumerate((p3, n3, n4))]

    def forward(self, blocks: paddle.Tensor) -> list[paddle.Tensor]:
        """Both in one."""
        return self.end(self.begin(blocks))

    def _head(self, level: int, x: paddle.Tensor) -> paddle.Tensor:
        x = self.hs[level](x)
        return self.out[level](paddle.concat([self.hr[level](x), self.hc[level](x)], axis=1))


class AppearanceMap(nn.Layer):
    """What people's clothes look like, at stride 4: the sum of what the picture and the detector's beginning say.

    Colours and texture are there; further on, the detector keeps little of them.
    """

    STRIDE = 4

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.picture = _projection(3, channels, 4)
        self.picture[0].weight.set_value(self.picture[0].weight * PIXEL)
        self.texture = _projection(2 * width, channels, 1)

    def forward(self, image: paddle.Tensor, begun: paddle.Tensor) -> paddle.Tensor:
        """Args: image [N, 3, H, W]; what the detector begins with, at stride 4. Returns: [N, C, H/4, W/4]."""
        return F.swish(self.picture(image) + self.texture(begun))


class EmbeddingHead(nn.Layer):
    """What the parts of a box show to the embedding of who is in it: a small network of its own for every person.

    Args:
        inputs: channels of the map.
        grid: rows and columns of parts.
        widths: channels of the first convolution, and of each pair after it, which begins with halving the grid.
        dimension: length of an embedding.
        common: square of a last number that all embeddings have in common, to 1 for all others. It brings strangers
            nearer to each other and changes no order: the fixed distances of association ``jde`` were made for
            embeddings that have more in common than those of a good teacher.

    Attributes:
        row: length of a row of the map's parts, channel by channel, row by row.
    """

    def __init__(
        self, inputs: int, grid: tuple[int, int], widths: tuple[int, ...], dimension: int, common: float
    ) -> None:
        super().__init__()
        self.dimension, self.common = dimension, common
        rows, columns = self.grid = grid
        self.row = inputs * rows * columns
        self.first = ConvNorm(inputs, widths[0], 3)
        self.steps = nn.LayerList()
        for before, channels in pairwise(widths):
            self.steps.append(nn.LayerList([ConvNorm(before, channels, 3, 2), ConvNorm(channels, channels, 3)]))
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        self.out = nn.Linear(widths[-1] * rows * columns, dimension - 1)

    def forward(self, rows: paddle.Tensor) -> paddle.Tensor:
        """Args: rows [K, row]. Returns: [K, dimension], length not yet 1."""
        looks = self.looks(rows)
        length = paddle.norm(looks, axis=1, keepdim=True)
        return paddle.concat([looks, length * self.common**0.5], axis=1)

    def looks(self, rows: paddle.Tensor) -> paddle.Tensor:
        """Args: rows [K, row]. Returns: [K, dimension - 1], what tells people apart, of any length."""
        x = self.first(rows.reshape([-1, self.row // (self.grid[0] * self.grid[1]), *self.grid]))
        for halve, refine in self.steps:
            x = halve(x)
            x = x + refine(x)
        return self.out(x.flatten(1))


class CompactJDE(nn.Layer):
    """The whole network: pixels 0 to 255 (BGR) in, raw maps out.

    Args:
        width: channels of the first convolution; the detector's other widths are multiples of it.
        appearance: channels of the appearance map.
        grid: rows and columns of the parts of a box that are read from it.
        head: channels of the embedding head's convolutions, see there.
        dimension: length of an embedding.
        common: what all of them share, see there.
    """

    def __init__(
        self,
        width: int = 16,
        appearance: int = 32,
        grid: tuple[int, int] = (24, 8),
        head: tuple[int, ...] = (64, 128, 192),
        dimension: int = 128,
        common: float = 1.25,
    ) -> None:
        super().__init__()
        self.det = Detector(width)
        self.map = AppearanceMap(width, appearance)
        self.head = EmbeddingHead(appearance, tuple(grid), tuple(head), dimension, common)
        self.register_buffer("blocks", _block_kernel(), persistable=False)

    def to_blocks(self, image: paddle.Tensor) -> paddle.Tensor:
        """[N, 3, H, W] to 2x2 pixel blocks [N, 12, H/2, W/2]."""
        return F.conv2d(image, self.blocks, stride=2)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Args: image [N, 3, H, W], H and W multiples of 32. Returns: detection maps at strides 32, 16, 8; the
        appearance map."""
        begun = self.det.begin(self.to_blocks(image))
        return [*self.det.end(begun)[::-1], self.map(image, begun)]


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
        "read": "box_grid",
        "strides": [network.map.STRIDE],
        "grid": list(network.head.grid),
    }
    return {**infer_cfg, "embedding": embedding}


def _projection(inputs: int, outputs: int, size: int) -> nn.Sequential:
    """Convolution of patches side by side, and BatchNorm."""
    return nn.Sequential(
        nn.Conv2D(inputs, outputs, size, size, bias_attr=False), nn.BatchNorm2D(outputs, epsilon=EPSILON)
    )


def _double(x: paddle.Tensor) -> paddle.Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _block_kernel() -> paddle.Tensor:
    """[12, 3, 2, 2] one-hot kernel that turns 2x2 pixel blocks into channels (space to depth): the strided slices it
    stands for cost several times as much. Blocks are read column by column."""
    kernel = np.zeros((12, 3, 2, 2), dtype=np.float32)
    for place, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        for channel in range(3):
            kernel[place * 3 + channel, channel, row, column] = 1
    return paddle.to_tensor(kernel)
