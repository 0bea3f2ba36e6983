"""The scene drawn into a video, with the counts so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...analysis.geometry import middle_and_aside
from ...analysis.scene import Scene
from ...delivery.tally import Tally
from ...sinks.draw_scene import DrawnLine, DrawnZone, draw_scene
from ...structures import Frame, SequenceInfo, Tracks
from .watch import SceneWatch


class SceneOverlay:
    """Draws a scene into the frames of a run, with the counts so far beside the lines.

    Args:
        scene: what is drawn.
        staff: identities that are not counted.
    """

    def __init__(self, scene: Scene, staff: Sequence[int] = ()) -> None:
        self._scene, self._staff = scene, staff

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence.

        Args:
            info: size and frame rate.
        """
        self._watch, self._tally = SceneWatch(self._scene, info, staff=self._staff), tally_of(self._scene)

    def draw(self, canvas: np.ndarray, frame: Frame, tracks: Tracks) -> None:
        """Count what a frame tells, and draw the scene into its picture.

        Args:
            canvas: [H, W, 3] uint8 BGR, drawn into.
            frame: of the run, in order.
            tracks: the people in sight.
        """
        for event in self._watch.update(frame, tracks).events:
            self._tally.take(event)
        paint_scene(canvas, self._scene, self._tally)


def tally_of(scene: Scene) -> Tally:
    """Return the counts of a scene in which nothing has happened yet."""
    return Tally({name: (line.in_name, line.out_name) for name, line in scene.lines.items()}, list(scene.zones))


def paint_scene(canvas: np.ndarray, scene: Scene, tally: Tally) -> None:
    """Draw a scene, with the counts so far.

    Args:
        canvas: [H, W, 3] uint8 BGR, drawn into.
        scene: what is drawn.
        tally: the counts, of `tally_of`.
    """
    scale = np.array([canvas.shape[1], canvas.shape[0]], float)
    lines = []
    for name, line in scene.lines.items():
        points = np.array(line.points) * scale
        labels = (f"{way} {tally.crossings[name, way]}" for way in (line.in_name, line.out_name))
        lines.append(DrawnLine(name, points, *middle_and_aside(points), *labels))
    zones = [
        DrawnZone(f"{name} {len(tally.inside[name])}", np.array(zone.points) * scale)
        for name, zone in scene.zones.items()
    ]
    draw_scene(canvas, lines, zones, [np.array(polygon) * scale for polygon in scene.ignore])
