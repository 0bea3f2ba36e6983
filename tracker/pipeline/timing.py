"""Time spent in the stages of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimes:
    """Seconds spent in each stage, by name, in the order the stages first ran. Safe to share between threads.

    Time in a stage within another stage counts for the inner one only.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._adding = threading.Lock()
        self._thread = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of a block to a stage, also when the block fails."""
        outer = getattr(self._thread, "inner_seconds", None)
        self._thread.inner_seconds = 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            own = seconds - self._thread.inner_seconds
            self._thread.inner_seconds = None if outer is None else outer + seconds
            with self._adding:
                self.seconds[name] = self.seconds.get(name, 0.0) + own

    def rates(self, frames: int) -> dict[str, float]:
        """Return the frames per second of every stage by itself."""
        return {name: frames / seconds for name, seconds in self.seconds.items() if seconds > 0}
