"""What runs the network, and how: the same for every model."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import OptionError
from .checks import check_flag, check_whole

PRECISIONS = ("auto", "fp32", "bf16", "int8")


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

    backend: str = "auto"
    precision: str = "auto"
    use_gpu: bool = False
    threads: int | None = None
    throughput: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.backend, str) or not self.backend:
            raise OptionError(f"backend must be the name of a backend, not {self.backend!r}")
        if self.precision not in PRECISIONS:
            raise OptionError(f"precision must be one of {', '.join(PRECISIONS)}, not {self.precision!r}")
        check_flag("use_gpu", self.use_gpu)
        check_flag("throughput", self.throughput)
        if self.threads is not None:
            check_whole("threads", self.threads)
