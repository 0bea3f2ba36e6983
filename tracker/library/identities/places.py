"""Cameras and the ways between them, as ``cameras.yml`` states them.

cameras:
  door: {start: 2026-11-27T09:00:00+01:00}              # in place of the run's own, for clocks to agree
  hall: {plane: {points: [...], metres: [...]}}         # floor in metres, the same for all cameras
travel:
  - {between: [door, hall], seconds: 20}                # nobody is quicker
distance: 1.5                                           # metres: who is farther away at one moment is somebody else
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ...analysis.floor.plane import Floor
from ...analysis.recording import read_start
from ...analysis.scene import load_scene
from ...errors import OptionError
from ...settings.checks import check_number, check_positive, shown
from ...settings.files import read_mapping
from .compare import Sightings
from .recorded import Recorded

DISTANCE = 1.5  # metres
SAME_MOMENT = 0.25  # seconds between two frames that are taken for one moment
COMMON = 3  # such moments, at least, for a distance to count


@dataclass(frozen=True)
class Places:
    """What is known of cameras.

    Attributes:
        starts: clock time of the first frame by camera, ISO 8601.
        planes: the floor by camera, as in a scene file.
        travel: least seconds between two cameras, both ways.
        distance: metres by which two cameras may differ about where somebody is.
    """

    starts: Mapping[str, Any] = field(default_factory=dict)
    planes: Mapping[str, Any] = field(default_factory=dict)
    travel: Mapping[frozenset[str], float] = field(default_factory=dict)
    distance: float = DISTANCE


def read_places(path: Path, cameras: Sequence[str]) -> Places:
    """Read ``cameras.yml``.

    Args:
        path: the file.
        cameras: names of the cameras that there are.

    Raises:
        OptionError: it cannot be read, names an unknown camera, or a value is not accepted.
    """
    try:
        return _read(read_mapping(path), cameras)
    except OptionError as error:
        raise error if str(error).startswith(str(path)) else OptionError(f"{path}: {error}") from error


def _read(values: Mapping[Any, Any], cameras: Sequence[str]) -> Places:
    for key in values:
        if key not in ("cameras", "travel", "distance"):
            raise OptionError(f"unknown entry {shown(key)}; known are cameras, travel, distance")

    def known(name: Any) -> str:
        if name not in cameras:
            raise OptionError(f"there is no camera {shown(name)}, only {', '.join(cameras)}")
        return str(name)

    starts, planes, travel = {}, {}, {}
    for name, entry in _mapping("cameras", values.get("cameras") or {}).items():
        for key in _mapping(f"cameras.{name}", entry or {}):
            if key not in ("start", "plane"):
                raise OptionError(f"unknown entry cameras.{name}.{shown(key)}; known are start, plane")
        if (entry or {}).get("start") is not None:
            starts[known(name)] = str(entry["start"])
            read_start(starts[name])
        if (entry or {}).get("plane") is not None:
            planes[known(name)] = entry["plane"]
    ways = values.get("travel") or []
    if not isinstance(ways, list):
        raise OptionError(f"travel must be a list, not {shown(ways)}")
    for way in ways:
        pair = way.get("between") if isinstance(way, Mapping) else None
        if not isinstance(pair, list) or len(pair) != 2 or set(way) != {"between", "seconds"} or pair[0] == pair[1]:
            raise OptionError(f"travel has {{between: [A, B], seconds: S}} for each two cameras, not {shown(way)}")
        travel[frozenset(map(known, pair))] = check_number("seconds", way["seconds"], 0)
    distance = check_positive("distance", values.get("distance", DISTANCE))
    return Places(starts, planes, travel, distance)


def _mapping(name: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise OptionError(f"{name} must be a mapping of names to values, not {shown(value)}")
    return value


def placed(recordings: Sequence[Recorded], places: Places) -> list[Recorded]:
    """Return the recordings with the clock times that somebody stated."""
    return [
        replace(one, start=read_start(places.starts[one.name])) if one.name in places.starts else one
        for one in recordings
    ]


def impossible(sightings: Sightings, recordings: Sequence[Recorded], places: Places) -> np.ndarray:
    """Return which people, [P, P] bool, are not put together: too quick, at two places of the floor, or of one camera.

    Who comes back to one camera is for its tracker to tell, which knows more: it has ``remember``.
    """
    count = len(sightings)
    never = np.zeros((count, count), bool)
    never |= (sightings.cameras[:, None] == sightings.cameras) & ~np.eye(count, dtype=bool)
    begun = [recording.start.timestamp() if recording.start else np.nan for recording in recordings]
    spans = np.array(
        [recordings[c].span(i) for c, i in zip(sightings.cameras.tolist(), sightings.ids.tolist())], np.float64
    ).reshape(-1, 2)
    spans += np.array(begun)[sightings.cameras][:, None] if count else 0
    for a, b in combinations(range(len(recordings)), 2):
        if np.isnan(begun[a]) or np.isnan(begun[b]):
            continue  # without clocks nobody knows who was where first
        rows, columns = np.flatnonzero(sightings.cameras == a), np.flatnonzero(sightings.cameras == b)
        first, second = spans[rows][:, None], spans[columns][None]
        gap = np.maximum(second[..., 0] - first[..., 1], first[..., 0] - second[..., 1])
        seconds = places.travel.get(frozenset((recordings[a].name, recordings[b].name)))
        block = gap < seconds if seconds else np.zeros(gap.shape, bool)
        floors = [_floor(recordings[camera], places) for camera in (a, b)]
        if floors[0] and floors[1]:
            for row, column in zip(*np.nonzero(gap <= 0)):
                ways = [
                    _walk(recordings[camera], int(sightings.ids[index]), floor, begun[camera])
                    for camera, index, floor in zip((a, b), (rows[row], columns[column]), floors)
                ]
                block[row, column] |= _apart(*ways) > places.distance
        never[np.ix_(rows, columns)] |= block
        never[np.ix_(columns, rows)] |= block.T
    return never


def _floor(recording: Recorded, places: Places) -> Floor | None:
    plane = places.planes.get(recording.name)
    if plane is None:
        return None
    scene = load_scene({"plane": plane})
    return Floor(scene.plane, recording.size) if scene.plane else None


def _walk(recording: Recorded, identity: int, floor: Floor | None, begun: float) -> tuple[np.ndarray, np.ndarray]:
    assert floor is not None
    seconds, feet = recording.feet(identity)
    return seconds + begun, floor.metres(feet)


def _apart(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the median distance at moments that two walks have in common, metres; 0 where these are too few."""
    (times, places), (other_times, other_places) = one, other
    near = np.abs(times[:, None] - other_times).argmin(axis=1)
    common = np.abs(times - other_times[near]) <= SAME_MOMENT
    distance = np.linalg.norm(places - other_places[near], axis=1)[common]
    distance = distance[np.isfinite(distance)]
    return float(np.median(distance)) if len(distance) >= COMMON else 0.0
