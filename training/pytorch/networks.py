"""The compact network in PyTorch: the same layers under the same names as `tracker/models/networks/compact.py`.

Where this runs PaddlePaddle need not be installed: the layers are stated here once more, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tracker.errors import ModelError, OptionError
from tracker.models.mobilenet_sizes import EPSILON, OUTPUTS, STEM, BlockSizes, scaled, stage_sizes
from tracker.settings.files import read_mapping
from training.pytorch.conversion import from_torch, to_torch

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu6": F.relu6,
    "swish": F.silu,
    "linear": lambda x: x,
}
CHANNELS = 3  # of the images
PIXEL_WEIGHT_SCALE = 1 / 64  # weights of a convolution that reads pixels are so much smaller
KERNEL = 5  # of the neck's and the heads' first depthwise convolutions


class Convolution(nn.Module):
    """Convolution, BatchNorm and activation."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, activation: str = "relu6"
    ) -> None:
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.n = nn.BatchNorm2d(outputs, eps=EPSILON)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        return ACTIVATIONS[self.activation](self.n(self.c(x)))


class SeparableConvolution(nn.Module):
    """Depthwise separable convolution: a depthwise one, then a 1x1 one, each with BatchNorm and activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, activation: str = "relu6") -> None:
        super().__init__()
        self.d = Convolution(inputs, inputs, kernel, stride, groups=inputs, activation=activation)
        self.p = Convolution(inputs, outputs, 1, activation=activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        return self.p(self.d(x))


class InvertedResidual(nn.Module):
    """Block of MobileNetV2: widen, a depthwise 3x3 convolution, narrow without activation."""

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        self.a = Convolution(sizes.inputs, sizes.inner, 1)
        self.d = Convolution(sizes.inner, sizes.inner, 3, sizes.stride, groups=sizes.inner)
        self.p = Convolution(sizes.inner, sizes.outputs, 1, activation="linear")
        self.shortcut = sizes.inputs == sizes.outputs and sizes.stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H / stride, W / stride], rounded up."""
        y = self.p(self.d(self.a(x)))
        return x + y if self.shortcut else y


class MobileNetV2(nn.Module):
    """MobileNetV2 (arXiv 1801.04381) without its last convolution and classifier."""

    def __init__(self, width: float = 1.0, inner: Sequence[int] | None = None) -> None:
        super().__init__()
        sizes = stage_sizes(width, inner)
        self.stem = Convolution(3, scaled(STEM, width), 3, 2)
        self.stages = nn.ModuleList([nn.Sequential(*map(InvertedResidual, blocks)) for blocks in sizes])
        self.channels = tuple(sizes[stage][-1].outputs for stage in OUTPUTS)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Map images [N, 3, H, W] to maps at strides 8, 16 and 32."""
        x = self.stem(image)
        maps = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in OUTPUTS:
                maps.append(x)
        return maps


class CompactDetector(nn.Module):
    """Detector with output maps at strides 32, 16 and 8."""

    def __init__(self, width: float = 1.0, neck: int = 64, depth: int = 2, inner: Sequence[int] | None = None) -> None:
        super().__init__()
        self.backbone = MobileNetV2(width, inner)
        self.lat3, self.lat4, self.lat5 = (Convolution(channels, neck, 1) for channels in self.backbone.channels)
        self.p4 = SeparableConvolution(neck, neck, KERNEL)
        self.p3 = SeparableConvolution(neck, neck, KERNEL)
        self.bu2 = SeparableConvolution(neck, neck, 3, 2)
        self.n4 = SeparableConvolution(neck, neck, KERNEL)
        self.bu1 = SeparableConvolution(neck, neck, 3, 2)
        self.n5 = SeparableConvolution(neck, neck, KERNEL)
        self.heads = nn.ModuleList([_head(neck, depth) for _ in range(3)])

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Map images [N, 3, H, W], BGR from 0 to 255, to maps [N, 6, h, w] at strides 32, 16 and 8."""
        return self.read(self.backbone(image))

    def read(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """Map those of the backbone to the outputs, dx, dy, dw, dh and two confidence logits of each cell."""
        c3, c4, c5 = maps
        f5 = self.lat5(c5)
        f4 = self.p4(self.lat4(c4) + F.interpolate(f5, scale_factor=2, mode="nearest"))
        p3 = self.p3(self.lat3(c3) + F.interpolate(f4, scale_factor=2, mode="nearest"))
        n4 = self.n4(self.bu2(p3) + f4)
        n5 = self.n5(self.bu1(n4) + f5)
        return [head(x) for head, x in zip(self.heads, (n5, n4, p3))]


class EmbeddingHead(nn.Module):
    """Small network from the pixels of one person to what tells people apart in an embedding."""

    def __init__(
        self, grid: tuple[int, int], widths: tuple[int, ...], refinements: tuple[str, ...], dimension: int
    ) -> None:
        super().__init__()
        self.grid = grid
        self.first = _swish(CHANNELS, widths[0], 2)
        with torch.no_grad():
            self.first.c.weight *= PIXEL_WEIGHT_SCALE
        self.steps = nn.ModuleList()
        for (before, channels), refinement in zip(pairwise(widths), refinements):
            self.steps.append(nn.ModuleList([_swish(before, channels, 2), *_REFINEMENTS[refinement](channels)]))
        rows, columns = (-(-side // 2 ** len(widths)) for side in grid)  # each convolution of stride 2 rounds up
        self.out = nn.Linear(widths[-1] * rows * columns, dimension - 1)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Map crops [K, 3, rows, columns], BGR from 0 to 255, to [K, D - 1], of any length."""
        x = self.first(crops)
        for step in self.steps:
            x = step[0](x)
            for layer in list(step)[1:]:
                x = x + layer(x)
        return self.out(x.flatten(1))


class CompactJDE(nn.Module):
    """The detector and the embedding head. The arguments are those of the ``CompactJDE`` section of a configuration."""

    def __init__(
        self,
        width: float = 1.0,
        neck: int = 64,
        grid: tuple[int, int] = (80, 32),
        head: tuple[int, ...] = (32, 64, 128, 192),
        refinements: tuple[str, ...] = ("full", "full", "full"),
        dimension: int = 128,
        common: float = 1.25,  # has no weights
        inner: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.det = CompactDetector(width, neck, inner=inner)
        self.head = EmbeddingHead((grid[0], grid[1]), tuple(head), tuple(refinements), dimension)


def build(config: Path) -> CompactJDE:
    """Build the network of a configuration, with fresh weights.

    Raises:
        ModelError: The configuration cannot be read, or lacks or misnames a setting.
    """
    try:
        return CompactJDE(**read_mapping(config)["CompactJDE"])
    except (OptionError, LookupError, TypeError, ValueError) as error:
        raise ModelError(f"{config} lacks or misnames a setting: {' '.join(str(error).split())}") from error


def load(network: nn.Module, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Set the parameters for which there is an array of the same name and shape.

    Args:
        network: The network to change.
        arrays: The project's weights by name.

    Returns:
        The names, in PyTorch, of parameters and statistics that were not set.
    """
    state = network.state_dict()
    given = to_torch(arrays)
    fitting = {n: torch.tensor(v) for n, v in given.items() if n in state and v.shape == tuple(state[n].shape)}
    network.load_state_dict(fitting, strict=False)
    return [name for name in state if name not in fitting and not name.endswith("num_batches_tracked")]


def arrays_of(state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return a network's state as the project's weights by name."""
    return from_torch({name: value.detach().float().cpu().numpy() for name, value in state.items()})


def normalise(network: nn.Module, backbone: nn.Module, images: torch.Tensor) -> None:
    """Make weights trainable that have BatchNorm folded into the convolutions; the output stays the same.

    As `training.pretrained.normalise`: the BatchNorm of every convolution gets the statistics of its output, and every
    filter the size that random initialisation gives.

    Args:
        network: It is run on the images.
        backbone: The part whose blocks are changed.
        images: [N, 3, H, W] to measure on.
    """
    found: dict[Convolution, tuple[torch.Tensor, torch.Tensor]] = {}

    def note(block: Convolution) -> Callable:
        def hook(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
            found[block] = (output.mean(dim=(0, 2, 3)), output.var(dim=(0, 2, 3), correction=0))

        return hook

    blocks = [block for block in backbone.modules() if isinstance(block, Convolution)]
    hooks = [block.c.register_forward_hook(note(block)) for block in blocks]
    network.eval()
    with torch.no_grad():
        network(images)
        for hook in hooks:
            hook.remove()
        for block, (mean, variance) in found.items():
            _normalise(block, mean, variance.clamp(min=1e-6))


def _normalise(block: Convolution, mean: torch.Tensor, variance: torch.Tensor) -> None:
    norm, weight = block.n, block.c.weight
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * scale
    # He initialisation has a variance of 2 / inputs: filters of length sqrt(2)
    length = 2**0.5 / weight.flatten(1).norm(dim=1).clamp(min=1e-8)
    weight *= length[:, None, None, None]
    mean, variance, scale = mean * length, variance * length**2, scale / length
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(scale * (variance + norm.eps).sqrt())
    norm.bias.copy_(shift + scale * mean)


def _head(neck: int, depth: int) -> nn.Sequential:
    layers = [SeparableConvolution(neck, neck, 3 if index else KERNEL) for index in range(depth)]
    return nn.Sequential(*layers, nn.Conv2d(neck, 6, 1))


def _swish(inputs: int, outputs: int, stride: int = 1) -> Convolution:
    return Convolution(inputs, outputs, 3, stride, activation="swish")


# by name, the layers of a step of the embedding head that each add to its map
_REFINEMENTS: dict[str, Callable[[int], list[nn.Module]]] = {
    "none": lambda channels: [],
    "separable": lambda channels: [SeparableConvolution(channels, channels, 3, activation="swish")],
    "full": lambda channels: [_swish(channels, channels)],
}
