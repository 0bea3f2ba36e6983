"""The sizes of MobileNetV2 (arXiv 1801.04381), for the compact network in any framework."""

from __future__ import annotations

EPSILON = 1e-5  # of every BatchNorm
STEM = 32  # channels of the first convolution
# of each stage: times as many channels within a block, channels after it, blocks, stride of the first block
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
OUTPUTS = (2, 4, 6)  # stages whose maps are given, at strides 8, 16 and 32


def scaled(channels: int, width: float) -> int:
    """Return a multiple of a number of channels, rounded, at least 1."""
    return max(round(channels * width), 1)
