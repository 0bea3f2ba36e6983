"""The scene drawn into a video, with the counts so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from ...analysis.events import EventList
from ...analysis.geometry import middle_and_aside
from ...analysis.measures.crossings import IN, OUT, CrossingCounter
from ...analysis.measures.visits import VisitLog
from ...analysis.measures.zone_counts import CrowdWatch
from ...analysis.recording import Recording
from ...analysis.regions import Regions
from ...analysis.scene import Scene
from ...analysis.trajectories import Trajectories
from ...sinks.draw_scene import DrawnLine, DrawnZone, draw_scene
from ...sinks.records.times import Clock
from ...structures import Frame, SequenceInfo, Tracks


def observe(clock: Clock, frame: Frame, tracks: Tracks) -> tuple[np.ndarray, float]:
    """Return the tracks of a frame as the MOT text has them, rounded as it rounds, and the frame's time.

    Args:
        clock: tells the time of frames.
        frame: the frame.
        tracks: the people in sight.

    Returns:
        [N, 8] milliseconds, frame, id, left, top, width, height, score; and milliseconds.
    """
    number = frame.index + 1
    now, _ = clock.tell(number, frame.time)
    rows = [
        (now, number, identity, *(float(f"{side:.2f}") for side in box), float(f"{score:.4f}"))
        for identity, box, score in zip(tracks.ids.tolist(), tracks.boxes.tolist(), tracks.scores.tolist())
    ]
    return np.array(rows, np.float64).reshape(-1, 8), float(now)


class SceneOverlay:
    """Draws a scene into the frames of a run, with the counts so far beside the lines.

    Args:
        scene: what is drawn.
        staff: identities that are not counted.
        tell: called with every event, a mapping as `EventList` makes it; None for nobody who listens.
        start: clock time of the first frame, for the events; None where it is not known.
    """

    def __init__(
        self,
        scene: Scene,
        staff: Sequence[int] = (),
        tell: Callable[[dict[str, Any]], None] | None = None,
        start: datetime | None = None,
    ) -> None:
        self._scene, self._staff, self._tell, self._start = scene, staff, tell, start

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence.

        Args:
            info: size and frame rate.
        """
        scene, size = self._scene, info.size
        self._clock = Clock(info.frame_rate)
        self._regions = Regions(scene, size)
        self._trajectories = Trajectories(scene.memory)
        self._crossings = CrossingCounter(scene.lines, size)
        self._visits = VisitLog(scene.zones, size)
        self._inside = CrowdWatch(scene.zones)
        self._events = EventList(scene, Recording(info.name, size, info.frame_rate, info.skip_frames, self._start))
        self._counts = {(line, direction): 0 for line in range(len(scene.lines)) for direction in (IN, OUT)}

    def counts(self) -> list[tuple[str, str, int]]:
        """Return line, name of the direction and count so far, of every line and direction."""
        names = [(name, {IN: line.in_name, OUT: line.out_name}) for name, line in self._scene.lines.items()]
        return [(names[line][0], names[line][1][direction], count) for (line, direction), count in self._counts.items()]

    def inside(self) -> list[tuple[str, int]]:
        """Return the people inside every zone."""
        return [(name, self._inside.inside[number]) for number, name in enumerate(self._scene.zones)]

    def draw(self, canvas: np.ndarray, frame: Frame, tracks: Tracks) -> None:
        """Count what a frame tells, and draw the scene into its picture.

        Args:
            canvas: [H, W, 3] uint8 BGR, drawn into.
            frame: of the run, in order.
            tracks: the people in sight.
        """
        self.count(frame, tracks)
        self.paint(canvas)

    def count(self, frame: Frame, tracks: Tracks) -> None:
        """Count what a frame tells.

        Args:
            frame: of the run, in order.
            tracks: the people in sight.
        """
        observations, now = observe(self._clock, frame, tracks)
        if len(observations) and self._regions:
            feet = observations[:, 3] + observations[:, 5] / 2, observations[:, 4] + observations[:, 6]
            observations = observations[self._regions.keep(*feet)]
        movement = self._trajectories.update(observations, now).without(self._staff)
        crossings, visits = self._crossings.update(movement), self._visits.update(movement, {})
        for crossed in crossings:
            if not crossed.half:
                self._counts[crossed.line, crossed.direction] += 1
        crowds = self._inside.update(visits, now)
        if self._tell:
            for event in self._events.of(movement, {}, crossings, visits, crowds):
                self._tell(event)

    def paint(self, canvas: np.ndarray) -> None:
        """Draw the scene, with the counts so far.

        Args:
            canvas: [H, W, 3] uint8 BGR, drawn into.
        """
        scale = np.array([canvas.shape[1], canvas.shape[0]], float)
        lines = []
        for number, (name, line) in enumerate(self._scene.lines.items()):
            points = np.array(line.points) * scale
            labels = (f"{word} {self._counts[number, way]}" for word, way in ((line.in_name, IN), (line.out_name, OUT)))
            lines.append(DrawnLine(name, points, *middle_and_aside(points), *labels))
        zones = [
            DrawnZone(f"{name} {inside}", np.array(self._scene.zones[name].points) * scale)
            for name, inside in self.inside()
        ]
        draw_scene(canvas, lines, zones, [np.array(polygon) * scale for polygon in self._scene.ignore])
