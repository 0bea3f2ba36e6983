"""What happens in a whole run, for events and for its segments, which do not know what was before them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from ...analysis.measures.crossings import Crossed
from ...analysis.scene import Scene
from ...analysis.trajectories import CENTRE, COLUMNS, FOOT, FRAME, HEAD, HEIGHT, KEY, LEFT, MS, TOP, WIDTH, X
from ...delivery.hub import Tell
from ...structures import Frame, SequenceInfo, Tracks
from .watch import Happened, SceneWatch

_FIRST = np.full(COLUMNS, -np.inf)  # least values of the point of a crossing, which may lie before its segment
_FIRST[[MS, FRAME]] = 0, 1


class EventSink:
    """Tells who appeared, who was out of sight for good, and what they did in the scene.

    It comes before the answers to the segments of a run, which take their crossings from it: so whoever crosses a line
    where two of them meet is counted once.

    Args:
        tell: called with each event; None for nobody.
        start: clock time of the first frame; None where it is not known.
        scene: lines, zones and regions; None for none.

    Attributes:
        holder: whose segment is being written; it gets what is left in the end.
        name: in timings: its time counts to what it is made for, if to anything.
    """

    def __init__(self, tell: Tell | None, start: datetime | None = None, scene: Scene | None = None) -> None:
        self._tell, self._start, self._scene = tell, start, scene or Scene()
        self.name = "events" if tell else "answers" if scene else "text"
        self.holder: object = None
        self._crossed: list[Crossed] = []  # of the last frame
        self._number = 0
        self._watch: SceneWatch | None = None

    def change(self, scene: Scene) -> None:
        """Go on with another scene, in the thread that writes; see `SceneWatch.change`."""
        self._scene = scene
        if self._watch:
            self._watch.change(scene)

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence."""
        self._info, self._watch = info, SceneWatch(self._scene, info, self._start)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Tell what a frame shows."""
        self._number = frame.index + 1
        if self._tell is None and not self._scene.lines:
            self._crossed = []
            return  # nobody asks
        height, width = frame.image.shape[:2]
        if (width, height) != self._info.size:  # a camera came back with another one
            scale = [self._info.size[0] / width, self._info.size[1] / height] * 2
            tracks = replace(tracks, boxes=tracks.boxes * np.array(scale))
        assert self._watch
        self._take(self._watch.update(frame, tracks))

    def close(self) -> dict[str, Path]:
        """Tell what is left; who is in sight at the end has not ended."""
        assert self._watch
        self._take(self._watch.close())
        return {}

    def crossed(self, segment: SequenceInfo, number: int) -> list[Crossed]:
        """Return the crossings that the last frame settled, or the end of the run, as a segment tells them.

        One that lies before the segment is told at its beginning.

        Args:
            segment: of the run.
            number: of that frame in the segment.
        """
        base, shift = round(1000 * (segment.start - self._info.start)), self._number - number
        x, y = np.array(segment.size) / self._info.size
        made = []
        for one in self._crossed:
            point = one.point
            if point is not None:
                point = point.copy()
                point[[MS, KEY]] -= base
                point[FRAME] -= shift
                point[[LEFT, WIDTH, X]] *= x
                point[[TOP, HEIGHT, FOOT, CENTRE, HEAD]] *= y
                point = np.maximum(point, _FIRST)
            key, kind = one.key
            ms = max(one.ms - base, 0.0)
            made.append(replace(one, key=(key - base, kind), ms=ms, point=point, x=one.x * x, y=one.y * y))
        return made

    def _take(self, happened: Happened) -> None:
        self._crossed = happened.crossed
        if self._tell:
            for event in happened.events:
                self._tell(event)
