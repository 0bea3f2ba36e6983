"""What of the answers to a scene is made on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import OptionError
from ..checks import check_settings, setting, shown, whole
from .segments import read_duration

LEAST_HEAT = 10.0  # seconds


def _check_heat_interval(name: str, value: Any) -> None:
    if value is not None and read_duration(name, value) < LEAST_HEAT:
        raise OptionError(f"{name} must be {LEAST_HEAT:g} s or more, not {shown(value)}")


@dataclass(frozen=True)
class AnswerOptions:
    """What of the answers to a scene is made on request.

    Attributes:
        people_count: Pictures of each person at most, taken at least two seconds after one another.
        heat_interval: Length of the intervals that have a heat map each, such as ``1h``; None for the whole alone.

    Raises:
        OptionError: A value is not accepted.
    """

    people_count: int = whole(1, "pictures of each person at most, the best first", high=20)
    heat_interval: str | float | None = setting(
        None, "also a heat map for every 10m, 1h or 1d", _check_heat_interval, kind=str
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def heat_seconds(self) -> float:
        """Length of the intervals that have a heat map each, seconds; 0 for none."""
        return 0.0 if self.heat_interval is None else read_duration("heat_interval", self.heat_interval)
