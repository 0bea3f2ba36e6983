"""Counts made of events: crossings so far, and who is inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .hub import Event


class Tally:
    """Counts the events of one camera. A place that it was not told of counts nothing.

    Args:
        lines: the names of the two directions of each line.
        zones: names.

    Attributes:
        crossings: how many crossed, by line and direction.
        inside: who is inside, by zone.
    """

    def __init__(self, lines: Mapping[str, tuple[str, str]], zones: Sequence[str]) -> None:
        self.crossings = {(line, direction): 0 for line, directions in lines.items() for direction in directions}
        self.inside: dict[str, set[int]] = {zone: set() for zone in zones}

    def take(self, event: Event) -> None:
        """Count an event."""
        kind = event["event"]
        if kind == "crossed":
            if (event["line"], event["direction"]) in self.crossings:
                self.crossings[event["line"], event["direction"]] += 1
        elif kind == "entered":
            self.inside.get(event["zone"], set()).add(event["id"])
        elif kind == "left":
            self.inside.get(event["zone"], set()).discard(event["id"])
        elif kind in ("ended", "still"):  # a thing leaves no zone
            for people in self.inside.values():
                people.discard(event["id"])
