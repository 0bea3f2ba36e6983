"""The scene, as a file or a mapping gives it: lines to count at, zones to stay in, regions to leave out, and the floor.

    size: [1920, 1080]      # optional: makes the numbers below pixels of this size; without it they are fractions
    lines:
      door: {points: [[0.2, 0.8], [0.7, 0.8]], in: entered, out: left}
    zones:
      till: {points: [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]], loitering: 30, crowd: 8}
    ignore: [[[0.8, 0.0], [1.0, 0.0], [1.0, 0.3]]]
    plane: {points: [[0.3, 0.5], [0.7, 0.5], [0.9, 0.9], [0.1, 0.9]], metres: [[0, 0], [4, 0], [4, 6], [0, 6]]}

Nothing here depends on the size of the picture: places are kept as fractions, so that a scene fits a camera whose
resolution changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError
from ..settings.checks import (
    REQUIRED,
    check_number,
    check_settings,
    check_text,
    check_whole,
    choice,
    flag,
    from_mapping,
    number,
    setting,
    shown,
    text,
)
from ..settings.files import read_mapping
from .geometry import cuts_itself

Points = tuple[tuple[float, float], ...]

ANCHORS = ("foot", "centre", "head")  # of a box: the middle of its lower side, the middle, the middle of its upper side
MEMORY = 2.0  # seconds; that of the tracker and of the refinement by default


def _check_points(name: str, value: Any, least: int = 2) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise OptionError(f"{name} must be a list of [x, y], not {shown(value)}")
    for point in value:
        if not isinstance(point, Sequence) or isinstance(point, str) or len(point) != 2:
            raise OptionError(f"{name} must be a list of [x, y], {shown(point)} in it is none")
        for coordinate in point:
            check_number(name, coordinate, -1e9, 1e9)
    if len(value) < least:
        raise OptionError(f"{name} needs at least {least} points, not {len(value)}")
    for before, after in pairwise(value):
        if tuple(before) == tuple(after):
            raise OptionError(f"{name} has the point {list(after)} twice in a row: leave one out")


def _check_polygon(name: str, value: Any) -> None:
    _check_points(name, value, 3)
    if cuts_itself(np.array(value, np.float64)):
        raise OptionError(f"{name} cuts itself: give its corners in order, around it once")


def _check_polygons(name: str, value: Any) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise OptionError(f"{name} must be a list of polygons, not {shown(value)}")
    for position, polygon in enumerate(value):
        _check_polygon(f"{name}[{position}]", polygon)


def _check_names(name: str, value: Any) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(item, str) for item in value):
        raise OptionError(f"{name} must be a list of names of lines, not {shown(value)}")


@dataclass(frozen=True)
class Line:
    """A line to count at, straight or with bends.

    Attributes:
        points: two or more [x, y], fractions of the picture. Walking along it from the first to the last, ``in`` is
            from one's left to one's right as the picture shows it: downwards for a line drawn from left to right.
        in_name: what the direction ``in`` is called.
        out_name: what the other one is called.
        anchor: the point of a box that has to cross, one of `ANCHORS`.

    Raises:
        OptionError: A value is not accepted.
    """

    points: tuple[tuple[float, float], ...] = setting(REQUIRED, "two or more [x, y]", _check_points)
    in_name: str = text("in", "name of the direction in", key="in")
    out_name: str = text("out", "name of the direction out", key="out")
    anchor: str = choice("foot", "point of the box that crosses", ANCHORS)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.in_name == self.out_name:
            raise OptionError(f"in and out need two names, both are {self.in_name!r}")


@dataclass(frozen=True)
class Zone:
    """A zone to stay in.

    Attributes:
        points: three or more [x, y], fractions of the picture, around it once; its border is part of it.
        loitering: seconds after which a stay is told as an event; 0 for never.
        crowd: more people than this are told as an event; 0 for never.
        queue: whether people wait there, so that the expected wait is of interest.
        doors: names of lines that are the only ways into it and out of it; ``in`` leads into it.

    Raises:
        OptionError: A value is not accepted.
    """

    points: tuple[tuple[float, float], ...] = setting(REQUIRED, "three or more [x, y]", _check_polygon)
    loitering: float = number(0.0, "seconds after which a stay is an event; 0 for never")
    crowd: int = setting(0, "more people than this are an event; 0 for never", lambda n, v: check_whole(n, v, 0))
    queue: bool = flag(False, "whether people wait there")
    doors: tuple[str, ...] = setting((), "lines that are the only ways in and out", _check_names)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class Plane:
    """The floor, by places in the picture whose place on the floor is known.

    Attributes:
        points: four or more [x, y], fractions of the picture.
        metres: as many [x, y] on the floor.
        guessed: whether nobody measured them, see `guess_plane`.

    Raises:
        OptionError: A value is not accepted.
    """

    points: tuple[tuple[float, float], ...] = setting(
        REQUIRED, "four or more [x, y]", lambda n, v: _check_points(n, v, 4)
    )
    metres: tuple[tuple[float, float], ...] = setting(
        REQUIRED, "as many [x, y] on the floor", lambda n, v: _check_points(n, v, 4)
    )
    guessed: bool = flag(False, "whether nobody measured them")

    def __post_init__(self) -> None:
        check_settings(self)
        if len(self.points) != len(self.metres):
            raise OptionError(f"points and metres must be as many, not {len(self.points)} and {len(self.metres)}")


@dataclass(frozen=True, eq=False)
class Scene:
    """All that is drawn into a picture.

    Attributes:
        lines: by name.
        zones: by name; they may overlap.
        ignore: polygons, fractions of the picture: whoever's foot is in one of them is left out.
        only: polygons: whoever's foot is in none of them is left out; () for the whole picture.
        mask: [H, W] bool of any size, False where people are left out; None for nowhere.
        plane: the floor; None where no place on it is known.
        memory: how long somebody out of sight who appears again is taken to have walked there, seconds.
        still: who has not moved for this long is a thing and left out of counts, seconds; 0 for nobody.
    """

    lines: Mapping[str, Line] = field(default_factory=dict)
    zones: Mapping[str, Zone] = field(default_factory=dict)
    ignore: tuple[Points, ...] = ()
    only: tuple[Points, ...] = ()
    mask: np.ndarray | None = None
    plane: Plane | None = None
    memory: float = MEMORY
    still: float = 600.0

    def to_mapping(self) -> dict[str, Any]:
        """Return the scene as a mapping of plain values, in fractions; of a mask only that there is one."""
        lines = {
            name: {
                "points": [list(point) for point in line.points],
                "in": line.in_name,
                "out": line.out_name,
                "anchor": line.anchor,
            }
            for name, line in self.lines.items()
        }
        zones = {
            name: {
                "points": [list(point) for point in zone.points],
                "loitering": zone.loitering,
                "crowd": zone.crowd,
                "queue": zone.queue,
                "doors": list(zone.doors),
            }
            for name, zone in self.zones.items()
        }
        made: dict[str, Any] = {"lines": lines, "zones": zones, "memory": self.memory, "still": self.still}
        for region, polygons in (("ignore", self.ignore), ("only", self.only)):
            if polygons:
                made[region] = [[list(point) for point in polygon] for polygon in polygons]
        if self.plane:
            made["plane"] = {
                "points": [list(point) for point in self.plane.points],
                "metres": [list(point) for point in self.plane.metres],
                **({"guessed": True} if self.plane.guessed else {}),
            }
        if self.mask is not None:
            made["mask"] = True
        return made


SceneLike = Scene | Mapping[str, Any] | str | os.PathLike | None


def load_scene(scene: SceneLike) -> Scene:
    """Return the scene that a file or a mapping describes.

    Args:
        scene: a path, a mapping as YAML gives it, a `Scene`, or None for one without anything.

    Raises:
        OptionError: It cannot be read, a key is unknown, or a value is not accepted. The message is one line and names
            the key.
    """
    if scene is None:
        return Scene()
    if isinstance(scene, Scene):
        return scene
    if isinstance(scene, Mapping):
        return _read_scene(scene, Path())
    if not isinstance(scene, (str, os.PathLike)) or "\0" in os.fspath(scene):
        raise OptionError(f"scene must be a path or a mapping, not {shown(scene)}")
    path = Path(scene)
    values = read_mapping(path)
    try:
        return _read_scene(values, path.parent)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from error


KEYS = ("size", "lines", "zones", "ignore", "only", "mask", "plane", "memory", "still")


def _read_scene(values: Mapping[str, Any], folder: Path) -> Scene:
    for key in values:
        if key not in KEYS:
            raise OptionError(f"unknown key {shown(key)}; known are {', '.join(KEYS)}")
    given = {key: value for key, value in values.items() if value is not None}
    size = _read_size(given.get("size"))
    lines = {name: _placed(Line, line, f"lines.{name}", size) for name, line in _named(given, "lines")}
    zones = {name: _placed(Zone, zone, f"zones.{name}", size) for name, zone in _named(given, "zones")}
    for name, zone in zones.items():
        for door in zone.doors:
            if door not in lines:
                raise OptionError(f"zones.{name}.doors: there is no line {door!r}")
    regions: dict[str, tuple[Points, ...]] = {}
    for name in ("ignore", "only"):
        _check_polygons(name, given.get(name, ()))
        regions[name] = tuple(
            _fractions(polygon, f"{name}[{position}]", size) for position, polygon in enumerate(given.get(name, ()))
        )
    return Scene(
        lines,
        zones,
        **regions,
        mask=_read_mask(given["mask"], folder) if "mask" in given else None,
        plane=_placed(Plane, given["plane"], "plane", size) if "plane" in given else None,
        memory=check_number("memory", given.get("memory", MEMORY), 0.5, 3600),
        still=check_number("still", given.get("still", Scene.still), 0),
    )


def _read_size(size: Any) -> tuple[float, float] | None:
    if size is None:
        return None
    if not isinstance(size, Sequence) or isinstance(size, str) or len(size) != 2:
        raise OptionError(f"size must be [width, height] in pixels, not {shown(size)}")
    return check_whole("size", size[0]), check_whole("size", size[1])


def stated_size(scene: SceneLike) -> tuple[int, int] | None:
    """Return the picture's width and height in pixels that a scene states, or None.

    Raises:
        OptionError: It cannot be read.
    """
    if isinstance(scene, Scene) or scene is None:
        return None
    values = scene if isinstance(scene, Mapping) else read_mapping(Path(scene))
    size = _read_size(values.get("size"))
    return None if size is None else (int(size[0]), int(size[1]))


def _named(values: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    named = values.get(key, {})
    if not isinstance(named, Mapping):
        raise OptionError(f"{key} must be a mapping of names to {key}, not {shown(named)}")
    for name in named:
        check_text(f"the name of one of {key}", name)
    return list(named.items())


def _placed(kind: type, values: Any, name: str, size: tuple[float, float] | None) -> Any:
    """Build a part of the scene from a mapping, its points as fractions."""
    try:
        made: Any = from_mapping(kind, values)
    except OptionError as error:
        raise OptionError(f"{name}: {error}") from error
    return replace(made, points=_fractions(made.points, f"{name}.points", size))


def _fractions(points: Any, name: str, size: tuple[float, float] | None) -> Points:
    width, height = size or (1.0, 1.0)
    for x, y in points:
        if not (0 <= x <= width and 0 <= y <= height):
            where = f"the size {width:g} x {height:g}" if size else "0 to 1, or give size: [width, height] for pixels"
            raise OptionError(f"{name}: [{x:g}, {y:g}] is outside of the picture; coordinates go by {where}")
    return tuple((x / width, y / height) for x, y in points)


def _read_mask(path: Any, folder: Path) -> np.ndarray:
    import cv2

    if not isinstance(path, (str, os.PathLike)):
        raise OptionError(f"mask must be the path of a PNG, white where to look, not {shown(path)}")
    file = folder / path
    try:
        if not file.is_file():
            raise OSError(0, "there is no such file")
        picture = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    except (OSError, cv2.error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no picture"
        raise OptionError(f"mask: cannot read {file}: {reason}") from error
    if picture is None:
        raise OptionError(f"mask: cannot read {file}: it is no picture")
    return picture > 127
