"""The backbone of the compact detector: MobileNetV2 (arXiv 1801.04381), and the blocks it is made of.

ReLU6 bounds every map from 0 to 6, so that 8 bits lose next to nothing, on processors without VNNI too.
No convolution has a bias and nearly every one is followed by BatchNorm: paddle.inference fuses exactly that, and the
activation behind it, into one oneDNN call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import paddle
import paddle.nn.functional as F
from paddle import nn

from ..mobilenet_sizes import EPSILON, OUTPUTS, STEM, BlockSizes, scaled, stage_sizes

ACTIVATIONS: dict[str, Callable[[paddle.Tensor], paddle.Tensor]] = {
    "relu6": F.relu6,
    "swish": F.swish,  # not silu: it is not fused, and its gradient overflows below -88
    "linear": lambda x: x,
}


class Convolution(nn.Layer):
    """Convolution, BatchNorm and activation.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel: Side of the square kernel, odd.
        stride: Of the convolution.
        groups: Of the convolution.
        activation: One of `ACTIVATIONS`.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, activation: str = "relu6"
    ) -> None:
        super().__init__()
        self.c = nn.Conv2D(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias_attr=False)
        self.n = nn.BatchNorm2D(outputs, epsilon=EPSILON)
        self.activation = activation

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        return ACTIVATIONS[self.activation](self.n(self.c(x)))


class SeparableConvolution(nn.Layer):
    """Depthwise separable convolution: a depthwise one, then a 1x1 one, each with BatchNorm and activation.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel: Side of the depthwise kernel, odd.
        stride: Of the depthwise convolution.
        activation: One of `ACTIVATIONS`.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, activation: str = "relu6") -> None:
        super().__init__()
        self.d = Convolution(inputs, inputs, kernel, stride, groups=inputs, activation=activation)
        self.p = Convolution(inputs, outputs, 1, activation=activation)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        return self.p(self.d(x))


class InvertedResidual(nn.Layer):
    """Block of MobileNetV2: widen, a depthwise 3x3 convolution, narrow without activation.

    Args:
        sizes: Channels before, within and after it, and the stride.
    """

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.a = Convolution(sizes.inputs, sizes.inner, 1)
        self.d = Convolution(sizes.inner, sizes.inner, 3, sizes.stride, groups=sizes.inner)
        self.p = Convolution(sizes.inner, sizes.outputs, 1, activation="linear")
        self.shortcut = sizes.inputs == sizes.outputs and sizes.stride == 1

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        y = self.p(self.d(self.a(x)))
        return x + y if self.shortcut else y


class MobileNetV2(nn.Layer):
    """MobileNetV2 without its last convolution and classifier.

    Args:
        width: Channels between the blocks, as a multiple of those of the paper.
        inner: Channels within each block, from the first to the last; None for the multiples of the paper.

    Attributes:
        channels: Channels of the maps that it gives.
    """

    def __init__(self, width: float = 1.0, inner: Sequence[int] | None = None) -> None:
        super().__init__()
        sizes = stage_sizes(width, inner)
        self.stem = Convolution(3, scaled(STEM, width), 3, 2)
        self.stages = nn.LayerList([nn.Sequential(*map(InvertedResidual, blocks)) for blocks in sizes])
        self.channels = tuple(sizes[stage][-1].outputs for stage in OUTPUTS)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Compute the maps of an image.

        Args:
            image: [N, 3, H, W].

        Returns:
            Maps [N, C, H / stride, W / stride], rounded up, at strides 8, 16 and 32.
        """
        x = self.stem(image)
        maps = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in OUTPUTS:
                maps.append(x)
        return maps
