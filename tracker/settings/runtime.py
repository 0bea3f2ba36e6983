"""What runs the network, and how: the same for every model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..errors import OptionError
from .checks import check_settings, check_whole, choice, flag, setting, shown, text
from .model import LARGEST_SIDE

PRECISIONS = ("auto", "fp32", "bf16", "int8")
DEVICES = ("auto", "cpu", "cuda", "tensorrt", "directml", "coreml")


def _check_threads(name: str, value: Any) -> None:
    if value is not None:
        check_whole(name, value)


def parse_input_size(value: Any) -> tuple[int, int] | None:
    """Return the size of the network's input that somebody asked for.

    Args:
        value: ``auto``, ``WIDTHxHEIGHT`` such as ``1920x1088``, or a list of width and height, in pixels.

    Returns:
        Width and height, or None for ``auto``, the model's own.

    Raises:
        OptionError: The value is none of these, or a side is out of range.
    """
    if value == "auto":
        return None
    sides = value
    if isinstance(value, str):
        found = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", value.strip())
        sides = [int(side) for side in found.groups()] if found else None
    if not isinstance(sides, (list, tuple)) or len(sides) != 2:
        raise OptionError(f"input_size must be auto or WIDTHxHEIGHT in pixels, such as 1920x1088, not {shown(value)}")
    width, height = sides
    _check_input_size("input_size", (width, height))
    return width, height


def _check_input_size(name: str, value: Any) -> None:
    if value is not None:
        for side, pixels in zip(("width", "height"), value):
            check_whole(f"{side} of {name}", pixels, high=LARGEST_SIDE)


@dataclass(frozen=True)
class RuntimeOptions:
    """What runs the network, and how.

    Attributes:
        backend: Name of a backend, or ``auto`` for the fastest one installed. Which names exist, and which go
            together with the other options, is checked by ``tracker.detection.backends``.
        precision: Number format of the network's computation, one of ``PRECISIONS``. ``auto`` is int8 where the model
            has a valid int8 form and the processor supports it, else fp32.
        use_gpu: Whether the network runs on the first GPU; the same as device ``cuda``.
        threads: Processor threads of the network; None for all cores.
        throughput: Whether more than one forward pass may be in flight: more images a second, a longer wait for each.
        input_size: Width and height of the network's input in pixels; None for the model's own. Which sizes a model
            takes is checked by `ModelConfig.with_input_size`.
        device: What the network runs on, one of ``DEVICES``; ``auto`` is the processor, or with use_gpu ``cuda``.

    Raises:
        OptionError: A value is of the wrong type or unknown, or use_gpu and device disagree.
    """

    backend: str = text("auto", "what runs the network")
    precision: str = choice("auto", "number format of the network's computation", PRECISIONS)
    use_gpu: bool = flag(False, "run the network on the first GPU")
    threads: int | None = setting(None, "processor threads of the network", _check_threads)
    throughput: bool = flag(False, "have more than one forward pass in flight")
    input_size: tuple[int, int] | None = setting(None, "width and height of the network's input", _check_input_size)

    device: str = choice("auto", "what the network runs on", DEVICES)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.use_gpu and self.device == "cpu":
            raise OptionError("device cpu and use_gpu disagree: leave one of them out")

    @property
    def wanted_device(self) -> str:
        """The device asked for: ``auto`` is resolved."""
        if self.device != "auto":
            return self.device
        return "cuda" if self.use_gpu else "cpu"
