"""The backbone of the compact detector: MobileNetV2 (arXiv 1801.04381), and the blocks it is made of.

ReLU6 bounds every map from 0 to 6, so that 8 bits lose next to nothing, on processors without VNNI too.
No convolution has a bias and nearly every one is followed by BatchNorm: paddle.inference fuses exactly that, and the
activation behind it, into one oneDNN call.
"""

from __future__ import annotations

from collections.abc import Callable

import paddle
import paddle.nn.functional as F
from paddle import nn

from ..mobilenet_sizes import EPSILON, OUTPUTS, STAGES, STEM, scaled

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
        inputs: Input channels.
        outputs: Output channels.
        expansion: Channels within, as a multiple of the inputs.
        stride: Of the depthwise convolution.
    """

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.a = Convolution(inputs, inner, 1)
        self.d = Convolution(inner, inner, 3, stride, groups=inner)
        self.p = Convolution(inner, outputs, 1, activation="linear")
        self.shortcut = inputs == outputs and stride == 1

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        y = self.p(self.d(self.a(x)))
        return x + y if self.shortcut else y


class MobileNetV2(nn.Layer):
    """MobileNetV2 without its last convolution and classifier.

    Args:
        width: Channels as a multiple of those of the paper.

    Attributes:
        channels: Channels of the maps that it gives.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        inputs = scaled(STEM, width)
        self.stem = Convolution(3, inputs, 3, 2)
        self.stages = nn.LayerList()
        for expansion, channels, blocks, stride in STAGES:
            outputs = scaled(channels, width)
            first = InvertedResidual(inputs, outputs, expansion, stride)
            rest = [InvertedResidual(outputs, outputs, expansion, 1) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(first, *rest))
            inputs = outputs
        self.channels = tuple(scaled(STAGES[stage][1], width) for stage in OUTPUTS)

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
