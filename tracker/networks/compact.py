"""The compact JDE network: a YOLOX-nano style detector, and an appearance trunk beside it.

The detector's neck throws appearance away, so the trunk starts from the picture at strides 2 and 4, takes the
detector's maps in on the way down, and ends in one map a level; the embedding of a person is read from all three maps
under the centre of the predicted box.

Every convolution is followed by BatchNorm and swish, without a bias of its own: paddle.inference fuses exactly that
into one oneDNN call.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

EPSILON = 1e-5  # of every BatchNorm


class ConvNorm(nn.Layer):
    """Convolution, BatchNorm, swish."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2D(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias_attr=False)
        self.n = nn.BatchNorm2D(outputs, epsilon=EPSILON)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return F.swish(self.n(self.c(x)))


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
        self.pr = nn.LayerList([nn.Conv2D(w3, 4, 1) for _ in levels])
        self.po = nn.LayerList([nn.Conv2D(w3, 1, 1) for _ in levels])
        self.pc = nn.LayerList([nn.Conv2D(w3, 1, 1) for _ in levels])

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
        regression = self.hr[level](x)
        logit = _logit_of_both(self.po[level](regression), self.pc[level](self.hc[level](x)))
        return paddle.concat([self.pr[level](regression), paddle.zeros_like(logit), logit], axis=1)


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
    """Appearance maps at strides 32, 16 and 8, and the small network that makes an embedding of one row of each."""

    def __init__(self, width: int = 16, dimension: int = 128) -> None:
        super().__init__()
        self.i2 = nn.Sequential(ConvNorm(12 + width, 12 + width, 3, 2, 12 + width), ConvNorm(12 + width, 32, 1))
        self.m2 = ConvNorm(32 + 2 * width, 48, 1)
        self.b2 = nn.Sequential(Residual(48, 3))
        taken = {3: (4 * width, 48), 4: (8 * width, 80), 5: (16 * width, 80)}
        inputs = 48
        for stage, outputs, depth in ((3, 96, 2), (4, 160, 3), (5, 192, 2)):
            step = nn.Sequential(ConvNorm(inputs, inputs, 5, 2, inputs), ConvNorm(inputs, outputs, 1))
            setattr(self, f"i{stage}", step)
            setattr(self, f"t{stage}", ConvNorm(*taken[stage], 1))
            setattr(self, f"m{stage}", ConvNorm(outputs + taken[stage][1], outputs, 1))
            setattr(self, f"b{stage}", nn.Sequential(*(Residual(outputs, 5) for _ in range(depth))))
            inputs = outputs
        rows = 96 + 160 + 192
        self.f = nn.Sequential(
            nn.Linear(rows, 256), nn.BatchNorm1D(256, epsilon=EPSILON), nn.Swish(), nn.Linear(256, dimension)
        )

    def forward(self, blocks: paddle.Tensor, inner: list[paddle.Tensor]) -> list[paddle.Tensor]:
        """Args: blocks as for the detector; its inner maps. Returns: maps of 96, 160, 192 channels, rising stride."""
        c1, c2, p3, n3, n4 = inner
        x = self.i2(paddle.concat([blocks / 64 - 1.7, c1], axis=1))
        x = self.b2(self.m2(paddle.concat([x, c2], axis=1)))
        maps = []
        for stage, taken in ((3, p3), (4, n3), (5, n4)):
            x, taken = getattr(self, f"i{stage}")(x), getattr(self, f"t{stage}")(taken)
            x = getattr(self, f"b{stage}")(getattr(self, f"m{stage}")(paddle.concat([x, taken], axis=1)))
            maps.append(x)
        return maps

    def embed(self, rows: paddle.Tensor) -> paddle.Tensor:
        """Args: rows [K, 448], one cell of each map. Returns: [K, dimension], length not yet 1."""
        return self.f(rows)


class CompactJDE(nn.Layer):
    """The whole network: pixels 0 to 255 (BGR) in, raw maps out (the three detection maps, then the feature maps)."""

    def __init__(self, width: int = 16, dimension: int = 128) -> None:
        super().__init__()
        self.det = Detector(width)
        self.emb = AppearanceTrunk(width, dimension)
        self.register_buffer("blocks", _block_kernel(), persistable=False)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Args: image [N, 3, H, W], H and W multiples of 32. Returns: maps at strides 32, 16, 8; then features."""
        blocks = F.conv2d(image, self.blocks, stride=2)
        maps, inner = self.det(blocks)
        features = self.emb(blocks, inner)
        return maps[::-1] + features[::-1]


def _logit_of_both(a: paddle.Tensor, b: paddle.Tensor) -> paddle.Tensor:
    """The logit of sigmoid(a) * sigmoid(b): -log(e^-a + e^-b + e^-(a + b)) = a + log_softmax([-a, -b, -a - b])[0].

    This form never overflows, and the exporter of Paddle 3.3 can write it; sigmoid, exp and log it cannot.
    """
    terms = paddle.concat([-a, -b, -a - b], axis=1)
    return a + F.log_softmax(terms, axis=1)[:, :1]


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


def unfold_biases(arrays: Mapping[str, np.ndarray], names: set[str]) -> dict[str, np.ndarray]:
    """Weights in PyTorch's layout, with BatchNorm folded into the convolutions, as parameters of the network above.

    A folded convolution has a bias: it becomes a BatchNorm that does nothing but add it. Matrices are transposed.

    Args:
        arrays: names and values; ``X.c.bias`` is a folded bias; BatchNorm statistics end in running_mean/running_var.
        names: the parameter names of the network.
    """
    values: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        name = name.replace("running_mean", "_mean").replace("running_var", "_variance")
        if name in names:
            values[name] = value.T if value.ndim == 2 else value
            continue
        prefix = name.removesuffix("c.bias")
        if prefix == name or f"{prefix}n.bias" not in names:
            values[name] = value  # of another network: kept under its name for the refusal to say so
            continue
        values[f"{prefix}n.bias"] = value
        values[f"{prefix}n.weight"] = np.ones_like(value)
        values[f"{prefix}n._mean"] = np.zeros_like(value)
        values[f"{prefix}n._variance"] = np.full_like(value, 1 - EPSILON)
    return values
