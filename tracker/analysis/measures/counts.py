"""Crossings summed up by intervals, with the range that each count likely lies in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..rows import Count, Crossing, Range
from ..scene import Line
from .crossings import BEGINS, IN, OUT, Crossed

LIKELY = 1.64  # standard deviations: nine counts of ten lie in the range


class IdSet:
    """Identities, a bit each where they follow one another, so that many people take little memory."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}

    def add(self, identity: int) -> bool:
        """Add an identity and return whether it is a new one."""
        page, bit = identity >> 10, 1 << (identity & 1023)
        before = self._pages.get(page, 0)
        self._pages[page] = before | bit
        return not before & bit


@dataclass
class Tally:
    """Crossings of one line in one direction.

    Attributes:
        count: crossings.
        unique: those of people who had not crossed in this direction before.
        doubt: sum of what their certainties lack to 1, in thousandths.
        variance: of the number of those that are real, in millionths.
        begins: tracks that begin at the line, as if they had crossed it.
        ends: tracks that end at the line, as if they were about to cross it.
    """

    count: int = 0
    unique: int = 0
    doubt: int = 0
    variance: int = 0
    begins: int = 0
    ends: int = 0

    def add(self, certainty: float, is_new: bool) -> None:
        """Count a crossing."""
        sure = round(1000 * certainty)  # whole numbers add up to the same in any order
        self.count += 1
        self.unique += is_new
        self.doubt += 1000 - sure
        self.variance += sure * (1000 - sure)

    def range(self) -> tuple[int, int]:
        """Return between which numbers the count likely lies.

        Each crossing is real with the probability of its certainty, and so many may be missed as tracks break off on
        one side of the line and begin on the other. Nine true counts of ten lie in the range, or more.
        """
        spread = LIKELY * math.sqrt(self.variance) / 1000
        low = self.count - self.doubt / 1000 - spread
        high = self.count + min(self.begins, self.ends) + spread
        return max(math.floor(low + 0.5), 0), math.floor(high + 0.5)


class CountIntervals:
    """Counts the crossings of each line by intervals, empty ones too.

    Args:
        lines: by name.
        interval: seconds.

    Attributes:
        totals: of each line and direction over all intervals so far.
    """

    def __init__(self, lines: Mapping[str, Line], interval: float) -> None:
        self._lines = lines
        self._interval = round(1000 * interval)
        self._known = {(line, direction): IdSet() for line in range(len(lines)) for direction in (IN, OUT)}
        self.totals = {place: Tally() for place in self._known}
        self._open: dict[int, dict[tuple[int, int], Tally]] = {}
        self._next = 0

    def update(self, crossings: Iterable[Crossed], horizon: float) -> tuple[list[Count], list[Range]]:
        """Count crossings.

        Args:
            crossings: in the order of their keys.
            horizon: milliseconds; all crossings before it have been given.

        Returns:
            The rows of the intervals that are over by then.
        """
        for crossed in crossings:
            place = (crossed.line, crossed.direction)
            tallies = self._open.setdefault(int(crossed.ms // self._interval), {})
            if crossed.half:
                for tally in (tallies.setdefault(place, Tally()), self.totals[place]):
                    if crossed.half == BEGINS:
                        tally.begins += 1
                    else:
                        tally.ends += 1
                continue
            is_new = self._known[place].add(crossed.id)
            tallies.setdefault(place, Tally()).add(crossed.certainty, is_new)
            self.totals[place].add(crossed.certainty, is_new)
        counts: list[Count] = []
        ranges: list[Range] = []
        while horizon >= (self._next + 1) * self._interval and self._lines:
            of_interval = self._rows()
            counts += of_interval[0]
            ranges += of_interval[1]
        return counts, ranges

    def close(self, end: float) -> tuple[list[Count], list[Range]]:
        """Return the rows of the intervals that are left, to the one that holds the last frame.

        Args:
            end: time of the last frame, milliseconds.
        """
        return self.update((), (end // self._interval + 1) * self._interval)

    def _rows(self) -> tuple[list[Count], list[Range]]:
        start, end = (number * self._interval / 1000 for number in (self._next, self._next + 1))
        tallies = self._open.pop(self._next, {})
        self._next += 1
        counts, ranges = [], []
        for number, (name, line) in enumerate(self._lines.items()):
            inwards, outwards = (tallies.get((number, direction), Tally()) for direction in (IN, OUT))
            net = inwards.count - outwards.count
            counts.append(Count(start, end, name, inwards.count, outwards.count, net, inwards.unique, outwards.unique))
            for direction, tally in ((line.in_name, inwards), (line.out_name, outwards)):
                ranges.append(Range(start, end, name, direction, tally.count, *tally.range()))
        return counts, ranges


def count_crossings(
    crossings: Sequence[Crossing], lines: Mapping[str, Line], interval: float, end: float
) -> list[Count]:
    """Count crossings by intervals of any length.

    Args:
        crossings: in order of time.
        lines: by name.
        interval: seconds.
        end: time of the last frame, seconds.

    Returns:
        A row for each line and interval.
    """
    numbers = {name: number for number, name in enumerate(lines)}
    intervals = CountIntervals(lines, interval)
    made = [
        Crossed(
            (1000 * row.seconds, 0),
            numbers[row.line],
            IN if row.direction == lines[row.line].in_name else OUT,
            round(1000 * row.seconds),
            row.id,
            certainty=row.certainty,
        )
        for row in crossings
    ]
    return [*intervals.update(made, 0)[0], *intervals.close(round(1000 * end))[0]]
