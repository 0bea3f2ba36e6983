"""Depthwise convolutions for training on a processor.

Paddle trains depthwise convolutions on a processor with a plain loop, by far the slowest part of a compact network's
step. Here the same sums are taken by OpenCV's filters and by dot products of shifted rows: equal but for rounding.
"""

from __future__ import annotations

import cv2
import numpy as np
import paddle
from paddle import nn
from paddle.utils.dlpack import from_dlpack

CACHE = 100_000  # numbers of one operand that are worked on at a time


class DepthwiseConv2D(nn.Conv2D):
    """In place of a depthwise ``nn.Conv2D`` with an odd square kernel, half of it as padding, and no bias."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return _Depthwise.apply(x, self.weight, self._stride[0])


def use_opencv(network: nn.Layer) -> int:
    """Have the depthwise convolutions of a network computed by OpenCV; names and values of parameters stay.

    Returns:
        How many layers were replaced.
    """
    count = 0
    for parent in network.sublayers(include_self=True):
        for name, layer in parent.named_children():
            if _can_replace(layer):
                new = DepthwiseConv2D(
                    layer._in_channels,
                    layer._out_channels,
                    layer._kernel_size,
                    layer._stride,
                    layer._padding,
                    groups=layer._groups,
                    bias_attr=False,
                )
                new.weight = layer.weight
                setattr(parent, name, new)
                count += 1
    return count


def _can_replace(layer: nn.Layer) -> bool:
    if type(layer) is not nn.Conv2D or not layer._groups == layer._in_channels == layer._out_channels > 1:
        return False
    side, half = layer._kernel_size[0], layer._kernel_size[0] // 2
    return (
        list(layer._kernel_size) == [side, side]
        and side % 2 == 1 < side
        and layer._stride[0] == layer._stride[1]
        and layer._padding in (half, [half, half], (half, half))
        and list(layer._dilation) == [1, 1]
        and layer._padding_mode == "zeros"
        and layer.bias is None
    )


class _Depthwise(paddle.autograd.PyLayer):
    @staticmethod
    def forward(ctx, x: paddle.Tensor, weight: paddle.Tensor, stride: int) -> paddle.Tensor:  # noqa: ANN001
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.learns = stride, not x.stop_gradient
        y = _correlate(np.from_dlpack(x.detach()), np.from_dlpack(weight.detach())[:, 0])
        return from_dlpack(np.ascontiguousarray(y[:, :, ::stride, ::stride]))

    @staticmethod
    def backward(ctx, gradient: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:  # noqa: ANN001
        x, weight = (np.from_dlpack(value.detach()) for value in ctx.saved_tensor())
        gradient = np.from_dlpack(gradient.detach())
        if ctx.stride > 1:  # of the output before every stride-th of it was taken
            spread = np.zeros_like(x)
            spread[:, :, :: ctx.stride, :: ctx.stride] = gradient
            gradient = spread
        of_weight = from_dlpack(_weight_gradient(x, gradient, weight.shape[-1])[:, None])
        if not ctx.learns:  # what came before is frozen, and Paddle takes no gradient for it
            return None, of_weight
        return from_dlpack(_correlate(gradient, np.ascontiguousarray(weight[:, 0, ::-1, ::-1]))), of_weight


def _correlate(x: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """[N, C, H, W] with [C, k, k], zeros beyond the border, to [N, C, H, W]."""
    result = np.empty(x.shape, x.dtype)  # row by row, however x lies in memory
    for planes, filtered in zip(x, result):
        for plane, kernel, target in zip(planes, kernels, filtered):
            cv2.filter2D(plane, -1, kernel, target, borderType=cv2.BORDER_CONSTANT)
    return result


def _weight_gradient(x: np.ndarray, gradient: np.ndarray, side: int) -> np.ndarray:
    """[C, k, k] sums of products of the gradient with the shifted input, both [N, C, H, W].

    With as many columns of padding on both, a shift in two dimensions is one in a row-major line. As many channels
    are taken at a time as stay in the processor's cache.
    """
    reach = side // 2
    images, channels, height, width = x.shape
    columns = width + 2 * reach
    length = height * columns - 2 * reach
    step = max(1, CACHE // (height * columns))
    padded = np.zeros((step, height + 2 * reach, columns), dtype=x.dtype)
    factor = np.zeros((step, height, columns), dtype=x.dtype)
    result = np.zeros((side, side, channels), dtype=x.dtype)
    for image in range(images):
        for first in range(0, channels, step):
            part = slice(first, min(first + step, channels))
            count = part.stop - first
            padded[:count, reach:-reach, reach:-reach] = x[image, part]
            factor[:count, :, :width] = gradient[image, part]
            lines, flat = padded.reshape(step, 1, -1)[:count], factor.reshape(step, -1, 1)[:count, :length]
            for row in range(side):
                for column in range(side):
                    start = row * columns + column
                    result[row, column, part] += (lines[:, :, start : start + length] @ flat)[:, 0, 0]
    return np.ascontiguousarray(result.transpose(2, 0, 1))
