"""The hub of a run's events: whoever has something to tell tells it, and every outlet gets it in the same order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

Event = Mapping[str, Any]
Tell = Callable[[dict[str, Any]], None]

SCHEMA = 1  # of docs/events.schema.json
PATIENCE = 5.0  # seconds that what is queued gets to go out at the end of a run


class Outlet(Protocol):
    """Somebody who is told events. No method but `close` may block.

    Attributes:
        name: what results call it.
    """

    name: str

    def open(self) -> None:
        """Get ready; called once.

        Raises:
            OutputError: it cannot.
        """
        ...

    def begin(self, camera: str, lines: Mapping[str, tuple[str, str]], zones: Sequence[str]) -> None:
        """Note what will be counted, once the first frame is there.

        Args:
            camera: name of the recording.
            lines: the names of the two directions of each line.
            zones: names.
        """
        ...

    def count(self, event: Event) -> None:
        """Count an event, whether or not it is told."""
        ...

    def take(self, event: Event) -> None:
        """Queue an event."""
        ...

    def hurry(self) -> None:
        """Take no more events, and give up at the first failure."""
        ...

    def close(self, deadline: float) -> None:
        """Wait until all is delivered, or `time.monotonic` reaches a deadline; what is left then is lost."""
        ...

    def totals(self) -> dict[str, int]:
        """Return how many were delivered, as ``sent``, and how many not, as ``lost``."""
        ...


class EventHub:
    """Hands the events of a run to its outlets; a context manager.

    Every run has one, ``Job.events``, which `SequenceRun` closes. Whoever has something to tell, in whatever thread,
    takes an optional callable ``tell`` and is given ``job.events.tell``:

        tell({"event": "stream_back", "seconds": 12.4, "gap": 3.1})

    It may leave out ``time``, ``camera`` and ``schema``: they become now, the name of the recording, and `SCHEMA`.
    Kinds and fields are those of ``docs/events.schema.json``. A call never blocks and never raises.

    Args:
        outlets: in the order in which they are told.
        cooldown: for some kinds, seconds of the source for which one is told once only at a line or zone.
    """

    def __init__(self, outlets: Sequence[Outlet] = (), cooldown: Mapping[str, float] | None = None) -> None:
        self._outlets = list(outlets)
        self._listeners: list[Tell] = []
        self._others: dict[str, Callable[[], dict[str, int]]] = {}
        self._cooldown = dict(cooldown or {})
        self._told: dict[tuple, float] = {}
        self._lock = threading.RLock()
        self._state = "new"
        self.camera = ""

    @property
    def wanted(self) -> bool:
        """Whether anybody listens, so that events are worth computing."""
        return bool(self._outlets or self._listeners)

    def listen(self, listener: Tell) -> None:
        """Let a function of this process be told every event, once; it must be quick, and must not raise."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def open(self) -> None:
        """Open the outlets; a second call does nothing.

        Raises:
            OutputError: one cannot be opened; all are closed.
        """
        with self._lock:
            if self._state != "new":
                return
            self._state = "open"
        try:
            for outlet in self._outlets:
                outlet.open()
        except BaseException:
            self.close(patience=0)
            raise

    def begin(self, camera: str, lines: Mapping[str, tuple[str, str]] | None = None, zones: Sequence[str] = ()) -> None:
        """Name the recording, and say what is counted in it, see `Outlet.begin`."""
        with self._lock:
            self.camera = camera
            for outlet in self._outlets:
                outlet.begin(camera, lines or {}, zones)

    def tell(self, event: dict[str, Any]) -> None:
        """Tell an event to all outlets. Before `open` and after `close` it is told to nobody."""
        with self._lock:
            if self._state != "open":
                return
            whole = {"event": event["event"], "time": None, "seconds": None, **event}
            if "time" not in event:
                whole["time"] = datetime.now().astimezone().isoformat(timespec="milliseconds")
            whole.setdefault("camera", self.camera)
            whole["schema"] = whole.pop("schema", SCHEMA)  # the last one, as in events.jsonl
            held = self._is_held(whole)
            for outlet in self._outlets:
                outlet.count(whole)
                if not held:
                    outlet.take(whole)
            for listener in self._listeners:
                listener(whole)

    def _is_held(self, event: Event) -> bool:
        """Return whether an event of that kind was told at that place a moment ago."""
        pause = self._cooldown.get(event["event"])
        if pause is None:
            return False
        now = time.monotonic() if event["seconds"] is None else event["seconds"]
        place = event["event"], event["camera"], event.get("line"), event.get("zone")
        last = self._told.get(place)
        if last is not None and last <= now < last + pause:
            return True
        self._told[place] = now
        return False

    def close(self, patience: float = PATIENCE) -> None:
        """Let what is queued go out, and close the outlets; a second call does nothing.

        Args:
            patience: seconds that it may take, for all of them together.
        """
        with self._lock:
            if self._state == "closed":
                return
            self._state = "closed"
        for outlet in self._outlets:
            outlet.hurry()
        deadline = time.monotonic() + patience
        for outlet in self._outlets:
            outlet.close(deadline)

    def totals(self) -> dict[str, dict[str, int]]:
        """Return, by the name of the outlet, how many events were ``sent`` and how many ``lost``, so far."""
        made = {outlet.name: outlet.totals() for outlet in self._outlets}
        return made | {name: totals() for name, totals in self._others.items()}

    def report(self, name: str, totals: Callable[[], dict[str, int]]) -> None:
        """Let `totals` tell of something else that is delivered, such as pictures."""
        self._others[name] = totals

    def __enter__(self) -> EventHub:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
