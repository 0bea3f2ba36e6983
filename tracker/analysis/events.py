"""Events: what happens, as plain mappings in the order in which it could be known first, for ``events.jsonl``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .measures.crossings import IN, Crossed
from .measures.visits import ENTERED, LEFT, LOITERING, Still, ZoneEvent
from .measures.zone_counts import Crowd
from .recording import Recording
from .scene import Scene
from .trajectories import FRAME, HEIGHT, ID, KEY, KIND, LATE, MS, SCORE, STEP, Movement
from .trajectories import LEFT as LEFT_SIDE

SCHEMA = 1  # of docs/events.schema.json
# Of what one person does at one moment, in this order.
_ORDER = {"appeared": 0, "crossed": 1, ENTERED: 2, LOITERING: 3, LEFT: 4, "crowd": 5, "still": 5, "ended": 6}


class EventList:
    """Puts events of all kinds into one order.

    Each has ``event``, ``time`` (ISO 8601 or null), ``seconds``, ``camera`` (the name of the recording), ``schema``,
    and, where they apply, ``id``, ``frame``, ``box`` (left, top, width, height), ``score``, ``line``, ``direction``,
    ``zone``, ``dwell`` and ``people``. The kinds are appeared, ended, crossed, entered, left, loitering, crowd, still.

    Args:
        scene: names lines and zones.
        recording: name and start.
    """

    def __init__(self, scene: Scene, recording: Recording) -> None:
        self._lines, self._zones = list(scene.lines.items()), list(scene.zones)
        self._memory = 1000 * scene.memory
        self._recording = recording

    def of(
        self,
        movement: Movement,
        still: Still,
        crossed: Iterable[Crossed],
        visits: Iterable[ZoneEvent],
        crowds: Iterable[Crowd],
    ) -> list[dict[str, Any]]:
        """Return the events of a portion of frames.

        Args:
            movement: tells who appeared, and who is out of sight for longer than the memory.
            still: tracks that turned out to be things.
            crossed: crossings; halves are left out.
            visits: what happened in zones; visits that the end of the recording cut short are left out.
            crowds: zones that became too full.
        """
        made: list[tuple[tuple, dict[str, Any]]] = []

        def add(
            kind: str, key: tuple[float, int], ms: float, identity: int | None, place: int = 0, **more: Any
        ) -> None:
            order = (*key, -1 if identity is None else identity, _ORDER[kind], place, ms)
            made.append((order, self._event(kind, ms, identity, more)))

        for point in movement.points[movement.points[:, STEP] < 0]:
            add("appeared", (point[KEY], int(point[KIND])), point[MS], int(point[ID]), point=point)
        for _, identity, key in movement.ended.tolist():
            if key < np.inf:
                add("ended", (key, LATE), key - self._memory, int(identity))
        for one in crossed:
            if not one.half:
                name, line = self._lines[one.line]
                direction = line.in_name if one.direction == IN else line.out_name
                add("crossed", one.key, one.ms, one.id, one.line, point=one.point, line=name, direction=direction)
        for event in visits:
            if event.kind in _ORDER and not event.is_open:
                more = {} if event.kind == ENTERED else {"dwell": round((event.ms - event.stay.first) / 1000, 3)}
                zone = self._zones[event.zone]
                add(event.kind, event.key, event.ms, event.stay.id, event.zone, point=event.point, zone=zone, **more)
        for crowd in crowds:
            zone = self._zones[crowd.zone]
            add("crowd", crowd.key, crowd.ms, None, crowd.zone, frame=crowd.frame, zone=zone, people=crowd.people)
        for key, kind, ms, identity in still.values():
            add("still", (key, kind), ms, identity)
        return [event for _, event in sorted(made, key=lambda item: item[0])]

    def _event(self, kind: str, ms: float, identity: int | None, more: dict[str, Any]) -> dict[str, Any]:
        seconds = float(ms) / 1000
        event: dict[str, Any] = {"event": kind, "time": self._recording.clock_time(seconds), "seconds": seconds}
        point = more.pop("point", None)
        if point is not None:
            event["frame"] = int(point[FRAME])
        event["camera"] = self._recording.name
        if identity is not None:
            event["id"] = identity
        event |= more
        if point is not None:
            event["box"] = [round(side, 2) for side in point[LEFT_SIDE : HEIGHT + 1].tolist()]
            event["score"] = round(float(point[SCORE]), 4)
        return {**event, "schema": SCHEMA}
