"""What outlets have in common: a bounded queue, a thread that empties it in order, and a count of what is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

from .hub import Event

QUEUE = 1000  # events that may wait

logger = logging.getLogger(__name__)


class Sender:
    """An outlet whose `deliver` may take its time: a thread calls it for one event after the other.

    Of a queue that is full the oldest event is lost. What was lost is counted, and told once, at the end.

    Args:
        label: what messages call the receiver; it holds no password.
        limit: events that may wait.
    """

    name = "sender"

    def __init__(self, label: str, limit: int = QUEUE) -> None:
        self.label = label
        self._limit = limit
        self._queue: deque[Event] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._sent = self._lost = 0
        self._busy = self._hurried = self._stopped = False
        self._failing = False

    def open(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=f"tracker {self.name}", daemon=True)
        self._thread.start()

    def begin(self, camera: str, lines: Mapping[str, tuple[str, str]], zones: Sequence[str]) -> None:
        """Do nothing."""

    def count(self, event: Event) -> None:
        """Do nothing."""

    def take(self, event: Event) -> None:
        """Queue an event."""
        with self._changed:
            if len(self._queue) >= self._limit:
                self._queue.popleft()
                self._lost += 1
            self._queue.append(event)
            self._changed.notify_all()

    def deliver(self, event: Event) -> bool:
        """Deliver an event, and return whether that worked. Called in the thread of this sender."""
        raise NotImplementedError

    def idle(self) -> None:
        """Do what is to be done between events. Called in the thread of this sender, also where there is no event."""

    def finish(self) -> None:
        """Let go of the receiver. Called in the thread of this sender, at its end."""

    def pause(self, seconds: float) -> bool:
        """Wait, unless the run is at its end; return whether it is not, so that trying again makes sense."""
        with self._changed:
            self._changed.wait_for(lambda: self._hurried, seconds)
            return not self._hurried

    def failed(self, reason: str, meanwhile: str = "") -> None:
        """Tell that the receiver does not take events, once until it takes one again.

        Args:
            reason: why.
            meanwhile: what becomes of events until then; by default they wait.
        """
        if not self._failing and not self._stopped:
            meanwhile = meanwhile or f"what happens meanwhile is kept, up to {self._limit} events"
            logger.warning("%s: %s; %s", self.label, reason, meanwhile)
        self._failing = True

    def hurry(self) -> None:
        """Stop waiting between tries: from now on the first failure is the end."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def close(self, deadline: float) -> None:
        """Wait for the thread until a deadline, and count what is left as lost."""
        self.hurry()
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            self._stopped = True
            self._lose_all()
            sent, lost = self._sent, self._lost
            self._changed.notify_all()
        if lost:
            logger.warning("%s: %d of %d events were lost", self.label, lost, sent + lost)

    def totals(self) -> dict[str, int]:
        """Return how many events were ``sent`` and ``lost`` so far."""
        with self._changed:
            return {"sent": self._sent, "lost": self._lost}

    def _lose_all(self) -> None:
        self._lost += len(self._queue) + self._busy
        self._queue.clear()
        self._busy = False

    def _run(self) -> None:
        try:
            while True:
                event = self._next()
                if event is None:
                    return
                delivered = self.deliver(event)
                with self._changed:
                    if self._stopped:
                        return
                    self._busy = False
                    self._sent += delivered
                    self._lost += not delivered
                    if not delivered and self._hurried:
                        self._lose_all()
                self._failing = self._failing and not delivered
        finally:
            self.finish()

    def _next(self) -> Event | None:
        """Return the next event once there is one, or None at the end."""
        while True:
            self.idle()
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._hurried or self._has_more())
                if self._queue:
                    self._busy = True
                    return self._queue.popleft()
                if self._hurried:
                    return None

    def _has_more(self) -> bool:
        """Return whether `idle` has something to do."""
        return False
