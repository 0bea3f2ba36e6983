"""What runs the network, and how: the same for every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .checks import check_settings, check_whole, choice, flag, setting, text

PRECISIONS = ("auto", "fp32", "bf16", "int8")


def _check_threads(name: str, value: Any) -> None:
    if value is not None:
        check_whole(name, value)


@dataclass(frozen=True)
class RuntimeOptions:
    """What runs the network, and how.

    Attributes:
        backend: Name of a backend, or ``auto`` for the fastest one installed. Which names exist, and which go
            together with the other options, is checked by ``tracker.detection.backends``.
        precision: Number format of the network's computation, one of ``PRECISIONS``. ``auto`` is int8 where the model
            has a valid int8 form and the processor supports it, else fp32.
        use_gpu: Whether the network runs on the first GPU.
        threads: Processor threads of the network; None for all cores.
        throughput: Whether more than one forward pass may be in flight: more images a second, a longer wait for each.

    Raises:
        OptionError: A value is of the wrong type or unknown.
    """

    backend: str = text("auto", "what runs the network")
    precision: str = choice("auto", "number format of the network's computation", PRECISIONS)
    use_gpu: bool = flag(False, "run the network on the first GPU")
    threads: int | None = setting(None, "processor threads of the network", _check_threads)
    throughput: bool = flag(False, "have more than one forward pass in flight")

    def __post_init__(self) -> None:
        check_settings(self)
