"""How cameras and streams are read, which may fail and come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import OptionError
from ..checks import check_flag, check_number, check_settings, choice, flag, number, setting, shown

TRANSPORTS = ("tcp", "udp")


def _check_reconnect(name: str, value: Any) -> None:
    if value is not None:
        check_flag(name, value)


def _check_give_up(name: str, value: Any) -> None:
    if value is not None:
        check_number(name, value, 0)


@dataclass(frozen=True)
class LiveOptions:
    """How a camera or a stream is read.

    Attributes:
        reconnect: Whether a source that is lost is opened again, and waited for at first; None for cameras and streams
            without an end, once they were there.
        give_up: Seconds without a picture after which a lost source ends the run; None for never.
        rtsp_transport: How RTSP streams are sent.
        max_lag: Age above which a frame is dropped before it is tracked, seconds.
        realtime: Whether as many frames are skipped as the processor needs to keep up.

    Raises:
        OptionError: A value is not accepted.
    """

    reconnect: bool | None = setting(
        None, "open a source again that is lost (default: cameras and live streams)", _check_reconnect, kind=bool
    )
    give_up: float | None = setting(
        None, "end the run when a lost source is not back after so many seconds (default: never)", _check_give_up,
        kind=float,
    )  # fmt: skip
    rtsp_transport: str = choice("tcp", "how RTSP streams are sent: tcp, or udp", TRANSPORTS)
    max_lag: float = number(0.5, "drop a live frame that is older than so many seconds before it is tracked")
    realtime: bool = flag(False, "skip as many frames as the processor needs to keep up with the source")

    def __post_init__(self) -> None:
        check_settings(self)
        if self.give_up is not None and self.reconnect is False:
            raise OptionError(f"give_up {shown(self.give_up)} needs reconnect, which is off")
