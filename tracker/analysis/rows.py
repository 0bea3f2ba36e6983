"""The rows of all answers, as named tuples: a field is a column of the CSV file of the same name.

Times are in seconds of the source, from its first frame; places in pixels of the picture. A value that is not known
is None, and an empty field in a file.
"""

from __future__ import annotations

from typing import NamedTuple


class Crossing(NamedTuple):
    """Somebody crossed a line.

    Attributes:
        time: ISO 8601 clock time; None where the start of the recording is not known.
        seconds: when the new side was taken on.
        frame: number of that frame.
        line: name of the line.
        direction: the name that the scene gives the direction.
        id: identity.
        x: where the way cut the line, pixels.
        y: likewise.
        score: of the detection in that frame, 0 to 1.
        certainty: 0 to 1, see `crossings.certainty`.
    """

    time: str | None
    seconds: float
    frame: int
    line: str
    direction: str
    id: int
    x: float
    y: float
    score: float
    certainty: float


class Count(NamedTuple):
    """How many crossed a line in an interval.

    Attributes:
        start: seconds, part of the interval.
        end: seconds, no part of it.
        line: name of the line.
        in_: crossings inwards; the column is called ``in``.
        out: crossings outwards.
        net: in_ - out.
        unique_in: those inwards of people who had not crossed the line inwards before.
        unique_out: likewise outwards.
    """

    start: float
    end: float
    line: str
    in_: int
    out: int
    net: int
    unique_in: int
    unique_out: int


class Range(NamedTuple):
    """Between which numbers a count likely lies.

    Attributes:
        start: seconds, part of the interval.
        end: seconds, no part of it.
        line: name of the line.
        direction: the name that the scene gives the direction.
        counted: crossings counted; the column is called ``count``.
        low: from the certainty of each of them.
        high: from that, and from tracks that began or ended at the line.
    """

    start: float
    end: float
    line: str
    direction: str
    counted: int
    low: int
    high: int


class Visit(NamedTuple):
    """Somebody was in a zone.

    Attributes:
        zone: name of the zone.
        id: identity.
        entered: first time inside, seconds.
        left: last time inside, seconds.
        dwell: left - entered.
        open: 1 for a visit that the end of the recording cut short.
    """

    zone: str
    id: int
    entered: float
    left: float
    dwell: float
    open: int


class ZoneCount(NamedTuple):
    """What went on in a zone in an interval.

    Attributes:
        start: seconds, part of the interval.
        end: seconds, no part of it.
        zone: name of the zone.
        entries: visits that began.
        exits: visits that ended.
        mean_inside: mean number of people inside.
        max_inside: greatest number of people inside.
        mean_dwell: of the visits that ended, seconds.
        median_dwell: likewise.
        p90_dwell: likewise, 90th percentile.
        served: of a queue, those who left it.
        expected_wait: of a queue, mean_inside over those served a second (Little's law), seconds.
        net: of a room, those who came in by its doors less those who went out, since the beginning.
        drift: net less the people inside at the end, which is 0 where nobody was missed.
    """

    start: float
    end: float
    zone: str
    entries: int
    exits: int
    mean_inside: float
    max_inside: int
    mean_dwell: float | None
    median_dwell: float | None
    p90_dwell: float | None
    served: int | None
    expected_wait: float | None
    net: int | None
    drift: int | None


class Person(NamedTuple):
    """One identity.

    Attributes:
        id: identity.
        first_seen: seconds.
        last_seen: seconds.
        seconds: time in sight, short gaps included.
        frames: frames in sight.
        mean_score: of the detections, 0 to 1.
        path_px: length of the way of the foot, pixels.
        path_m: likewise on the floor, metres; None without a plane.
        mean_speed: path_m over seconds, metres a second; None without a plane.
        picture: best picture, a path relative to the file; None without pictures.
    """

    id: int
    first_seen: float
    last_seen: float
    seconds: float
    frames: int
    mean_score: float
    path_px: float
    path_m: float | None
    mean_speed: float | None
    picture: str | None


class FloorPoint(NamedTuple):
    """Where somebody was on the floor in one second, by a straight line through their foot points.

    Attributes:
        seconds: middle of the points.
        frame: number of the last frame of that second.
        id: identity.
        x_m: metres.
        y_m: metres.
        vx: metres a second.
        vy: metres a second.
    """

    seconds: float
    frame: int
    id: int
    x_m: float
    y_m: float
    vx: float
    vy: float


class Suspect(NamedTuple):
    """A place where numbers may be wrong.

    Attributes:
        seconds: when.
        frame: number of that frame.
        kind: ``found`` for somebody new who may be one lost before, ``jumped`` for a number that may have gone over to
            somebody else, ``short`` for somebody who may be nobody.
        id: identity.
        other: whom ``found`` may be; None else.
        edit: line of the edits that would correct it.
    """

    seconds: float
    frame: int
    kind: str
    id: int
    other: int | None
    edit: str


class HeatCell(NamedTuple):
    """How long people stood in a cell of the picture.

    Attributes:
        x: left border, pixels.
        y: upper border, pixels.
        size: width and height, pixels.
        seconds: person-seconds.
    """

    x: int
    y: int
    size: int
    seconds: float
