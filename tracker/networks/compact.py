"""The compact JDE network: a YOLOX-nano style detector, and an appearance trunk beside it.

The detector's neck throws appearance away, so the trunk starts from the picture at strides 2 and 4, takes the
detector's maps in on the way down, and ends in one map a level; the embedding of a person is made of what all of them
show at a grid of points over the predicted box.

Every convolution but the last of a level is followed by BatchNorm and swish, without a bias of its own:
paddle.inference fuses exactly that into one oneDNN call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
import yaml
from paddle import nn

from ..errors import ModelError

EPSILON = 1e-5  # of every BatchNorm


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
    """Maps of boxes at strides 32, 16 and 8, and the inner maps that the appearance trunk takes in."""

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

    def forward(self, blocks: paddle.Tensor) -> tuple[list[paddle.Tensor], list[paddle.Tensor]]:
        """Args: blocks: [N, 12, H/2, W/2] 2x2 pixel blocks. Returns: maps [N, 6, h, w] by rising stride; inner maps."""
        c1 = self.stem(blocks)
        c2 = self.d2(c1)
        c3 = self.d3(c2)
        c4 = self.d4(c3)
        f0 = self.lat(self.d5(c4))
        f1 = self.red(self.p4(paddle.concat([_double(f0), c4], axis=1)))
        p3 = self.p3(paddle.concat([_double(f1), c3], axis=1))
        n3 = self.n3(paddle.concat([self.bu2(p3), f1], axis=1))
        n4 = self.n4(paddle.concat([self.bu1(n3), f0], axis=1))
        maps = [self._head(level, x) for level, x in enumerate((p3, n3, n4))]
        return maps, [c1, c2, p3, n3, n4]

    def _head(self, level: int, x: paddle.Tensor) -> paddle.Tensor:
        x = self.hs[level](x)
        return self.out[level](paddle.concat([self.hr[level](x), self.hc[level](x)], axis=1))


class Residual(nn.Layer):
    """x + swish(BN(1x1(swish(BN(depthwise(x))))))."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.d = nn.Conv2D(channels, channels, kernel, padding=kernel // 2, groups=channels, bias_attr=False)
        self.n = nn.BatchNorm2D(channels, epsilon=EPSILON)
        self.p = nn.Conv2D(channels, channels, 1, bias_attr=False)
        self.q = nn.BatchNorm2D(channels, epsilon=EPSILON)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return x + F.swish(self.q(self.p(F.swish(self.n(self.d(x))))))


class AppearanceTrunk(nn.Layer):
    """Appearance maps at strides 8, 16 and 32.

    Colours and texture come from the picture and the detector's first maps; where a person is, and which part of one,
    from its neck.
    """

    def __init__(self, width: int, channels: tuple[int, ...], taken: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        inputs, *outputs = channels
        self.i2 = nn.Sequential(
            ConvNorm(12 + width, 12 + width, 3, 2, groups=12 + width), ConvNorm(12 + width, 2 * width, 1)
        )
        self.m2 = ConvNorm(4 * width, inputs, 1)
        self.b2 = nn.Sequential(*(Residual(inputs, 3) for _ in range(depths[0])))
        for stage, maps, neck, kept, depth in zip((3, 4, 5), outputs, (4, 8, 16), taken, depths[1:], strict=True):
            step = nn.Sequential(ConvNorm(inputs, inputs, 5, 2, groups=inputs), ConvNorm(inputs, maps, 1))
            setattr(self, f"i{stage}", step)
            setattr(self, f"t{stage}", ConvNorm(neck * width, kept, 1))
            setattr(self, f"m{stage}", ConvNorm(maps + kept, maps, 1))
            setattr(self, f"b{stage}", nn.Sequential(*(Residual(maps, 5) for _ in range(depth))))
            inputs = maps

    def forward(self, blocks: paddle.Tensor, inner: list[paddle.Tensor]) -> list[paddle.Tensor]:
        """Args: blocks as for the detector; its inner maps. Returns: maps by rising stride."""
        c1, c2, *necks = inner
        x = self.i2(paddle.concat([blocks / 64 - 1.7, c1], axis=1))
        x = self.b2(self.m2(paddle.concat([x, c2], axis=1)))
        maps = []
        for stage, neck in zip((3, 4, 5), necks):
            x, neck = getattr(self, f"i{stage}")(x), getattr(self, f"t{stage}")(neck)
            x = getattr(self, f"b{stage}")(getattr(self, f"m{stage}")(paddle.concat([x, neck], axis=1)))
            maps.append(x)
        return maps


class EmbeddingHead(nn.Layer):
    """Points read from a grid over a box to the embedding of who is in it."""

    def __init__(self, row: int, hidden: int, dimension: int) -> None:
        super().__init__()
        self.row = row
        self.hidden = nn.Linear(row, hidden)
        self.out = nn.Linear(hidden, dimension)

    def forward(self, rows: paddle.Tensor) -> paddle.Tensor:
        """Args: rows [K, points * channels]. Returns: [K, dimension], length not yet 1."""
        return self.out(F.swish(self.hidden(rows)))


class CompactJDE(nn.Layer):
    """The whole network: pixels 0 to 255 (BGR) in, raw maps out.

    Args:
        width: channels of the first convolution; the detector's other widths are multiples of it.
        channels: of the appearance maps at strides 4, 8, 16 and 32.
        taken: channels that the last three take in from the detector's neck.
        depths: residual blocks of each.
        grid: rows and columns of the points that are read from a box.
        hidden: width of the embedding head.
        dimension: length of an embedding.
    """

    def __init__(
        self,
        width: int = 16,
        channels: tuple[int, ...] = (48, 96, 160, 192),
        taken: tuple[int, ...] = (48, 80, 80),
        depths: tuple[int, ...] = (1, 2, 3, 2),
        grid: tuple[int, int] = (5, 1),
        hidden: int = 256,
        dimension: int = 128,
    ) -> None:
        super().__init__()
        self.grid = tuple(grid)
        self.det = Detector(width)
        self.emb = AppearanceTrunk(width, tuple(channels), tuple(taken), tuple(depths))
        self.head = EmbeddingHead(grid[0] * grid[1] * sum(channels[1:]), hidden, dimension)
        self.register_buffer("blocks", _block_kernel(), persistable=False)

    def to_blocks(self, image: paddle.Tensor) -> paddle.Tensor:
        """[N, 3, H, W] to 2x2 pixel blocks [N, 12, H/2, W/2]."""
        return F.conv2d(image, self.blocks, stride=2)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Args: image [N, 3, H, W], H and W multiples of 32. Returns: detection maps at strides 32, 16, 8; appearance
        maps likewise."""
        blocks = self.to_blocks(image)
        maps, inner = self.det(blocks)
        return maps[::-1] + self.emb(blocks, inner)[::-1]


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
    dimension = network.head.out.weight.shape[1]
    embedding = {"dimension": dimension, "read": "box_grid", "strides": [8, 16, 32], "grid": list(network.grid)}
    return {**infer_cfg, "embedding": embedding}


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
