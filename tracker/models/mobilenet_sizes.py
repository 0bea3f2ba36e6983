"""The sizes of MobileNetV2 (arXiv 1801.04381), for the compact network in any framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

EPSILON = 1e-5  # of every BatchNorm
STEM = 32  # channels of the first convolution
# of each stage: times as many channels within a block, channels after it, blocks, stride of the first block
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
OUTPUTS = (2, 4, 6)  # stages whose maps are given, at strides 8, 16 and 32


class BlockSizes(NamedTuple):
    """Channels before, within and after a block, and the stride of its depthwise convolution."""

    inputs: int
    inner: int
    outputs: int
    stride: int


def scaled(channels: int, width: float) -> int:
    """Return a multiple of a number of channels, rounded, at least 1."""
    return max(round(channels * width), 1)


def stage_sizes(width: float = 1.0, inner: Sequence[int] | None = None) -> list[list[BlockSizes]]:
    """Return the sizes of the blocks of each stage.

    Args:
        width: Channels between the blocks, as a multiple of those of the paper.
        inner: Channels within each block, from the first to the last; None for the multiples of the paper.

    Raises:
        ValueError: ``inner`` is not one positive number for each block.
    """
    stages = []
    inputs = scaled(STEM, width)
    for expansion, channels, blocks, stride in STAGES:
        outputs = scaled(channels, width)
        first = BlockSizes(inputs, inputs * expansion, outputs, stride)
        stages.append([first, *[BlockSizes(outputs, outputs * expansion, outputs, 1)] * (blocks - 1)])
        inputs = outputs
    if inner is None:
        return stages
    count = sum(map(len, stages))
    if len(inner) != count or min(inner) < 1:
        raise ValueError(f"inner must be {count} positive numbers, one for each block, not {list(inner)}")
    numbers = iter(inner)
    return [[block._replace(inner=next(numbers)) for block in stage] for stage in stages]
