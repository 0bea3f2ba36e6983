"""How cameras are doing, and what became of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import printable
from ..pipeline.result import TrackingResult, what_is_whole
from ..pipeline.sequence import SequenceRun

WAITING, LIVE, LOST, ENDED, FAILED = "waiting", "live", "lost", "ended", "failed"
OVER = 10.0  # seconds that a rate is measured over


@dataclass(frozen=True)
class CameraStatus:
    """How a camera is doing.

    Attributes:
        name: of the camera.
        state: ``waiting`` for the first frame, ``live``, ``lost`` while it is tried again, ``ended``, or ``failed``.
        frames: tracked so far.
        rate: frames per second in the last seconds.
        lag_p50: seconds from the arrival of a frame to its result that half of them did not take longer than; None
            where frames do not arrive by themselves.
        lag_p95: likewise for 95 %.
        people_now: people in sight.
        dropped: frames left out because they came too fast.
        reconnects: how often it was lost and came back.
        error: why it failed; None unless it did.
    """

    name: str
    state: str
    frames: int = 0
    rate: float = 0.0
    lag_p50: float | None = None
    lag_p95: float | None = None
    people_now: int = 0
    dropped: int = 0
    reconnects: int = 0
    error: str | None = None


class Watch:
    """Tells the status of one camera, from any thread.

    Args:
        name: of the camera.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.run: SequenceRun | None = None
        self.state = WAITING
        self.error: str | None = None
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def status(self) -> CameraStatus:
        """Return the status at present."""
        run = self.run
        if run is None:
            return CameraStatus(self._name, self.state, error=self.error)
        frames, told = run.frames, run.keeping_up.status()
        over = self.state in (ENDED, FAILED)
        state = self.state if over or not frames else told["state"]
        return CameraStatus(
            self._name,
            state,
            frames,
            0.0 if over else self._rate(frames),
            told.get("lag_p50"),
            told.get("lag_p95"),
            0 if over else run.told_people(told["people_now"]),
            told.get("dropped", 0),
            told.get("reconnects", 0),
            self.error,
        )

    def _rate(self, frames: int) -> float:
        now = time.monotonic()
        seen = self._seen
        while len(seen) > 1 and seen[1][0] < now - OVER:
            seen.popleft()
        before, count = seen[0]
        if now - seen[-1][0] > 0.5:
            seen.append((now, frames))
        return (frames - count) / max(now - before, 1e-3)


@dataclass(frozen=True)
class CameraOutcome:
    """What became of a camera.

    Attributes:
        name: of the camera.
        result: of its run; None where it had none.
        error: why it failed; None unless it did.
    """

    name: str
    result: TrackingResult | None = None
    error: str | None = None


@dataclass(frozen=True)
class CamerasResult:
    """What became of several cameras; its text is a table.

    Attributes:
        cameras: in the order in which they were given.
        seconds: wall time of all together.
        delivery: how many events were ``sent`` and ``lost``, by the option that asked for it.
    """

    cameras: list[CameraOutcome]
    seconds: float
    delivery: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Frames tracked of all cameras."""
        return sum(one.result.frames for one in self.cameras if one.result)

    @property
    def fps(self) -> float:
        """Frames per second of all cameras together."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    @property
    def failed(self) -> list[CameraOutcome]:
        """The cameras that failed for good."""
        return [one for one in self.cameras if one.error is not None]

    @property
    def when_stopped(self) -> str:
        """What is there if the cameras were stopped, as a clause of a message."""
        return what_is_whole(bool(self.frames))

    def __str__(self) -> str:
        head = ("camera", "frames", "frames/s", "people", "lag p50", "lag p95", "dropped", "lost", "files")
        rows = [head, *(_cells(one) for one in self.cameras)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        lines.append(f"{self.frames} frames in {self.seconds:.1f} s, {self.fps:.1f} frames/s together")
        for receiver, number in self.delivery.items():
            lines.append(f"{receiver}: {number['sent']} sent" + (f", {number['lost']} lost" if number["lost"] else ""))
        return "\n".join(map(printable, lines))


def _cells(one: CameraOutcome) -> Sequence[str]:
    result = one.result
    if result is None:
        return (printable(one.name), *"-" * 7, one.error or "no frame")
    lags = [f"{lag:.2f} s" if lag is not None else "-" for lag in (result.lag_p50, result.lag_p95)]
    numbers = (str(result.frames), f"{result.fps:.1f}", str(int(result.people)), *lags)
    made = str(result.files.get("text") or result.files.get("answers") or "-")
    return (printable(one.name), *numbers, str(result.dropped), str(result.reconnects), one.error or made)
