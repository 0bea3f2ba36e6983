"""The answers to a scene while a run goes on: a sink that writes them, and the scene drawn into the video."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis.events import EventList
from ..analysis.measures.crossings import IN, OUT, CrossingCounter
from ..analysis.measures.visits import VisitLog
from ..analysis.measures.zone_counts import CrowdWatch
from ..analysis.recording import Recording
from ..analysis.regions import Regions
from ..analysis.scene import Scene
from ..analysis.trajectories import Trajectories
from ..sinks.draw_scene import DrawnLine, DrawnZone, draw_scene
from ..sinks.files import answers_path, refined_path, run_path, text_path
from ..sinks.records.times import Clock
from ..structures import Frame, SequenceInfo, Tracks
from .analyse import analyse
from .answering.private_answers import AnyAnswers, PrivateAnswers
from .answering.scene_answers import Asked, SceneAnswers

logger = logging.getLogger(__name__)


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


class AnswersSink:
    """Writes the answers to a scene, each row as soon as it is known, flushed.

    Args:
        output_dir: folder of the results of the run; these go to ``answers/NAME`` in it.
        asked: what is asked.
        interval: length of the intervals that are counted by, seconds.
        start: clock time of the first frame; None where it is not known.
        private: whether nothing but counts is written, see `PrivateFiles`.
    """

    name = "answers"

    def __init__(
        self,
        output_dir: Path,
        asked: Asked,
        interval: float = 60.0,
        start: datetime | None = None,
        private: bool = False,
    ) -> None:
        self._output_dir = output_dir
        self._asked = asked
        self._interval = interval
        self._start = start
        self._private = private
        self._clock: Clock
        self._answers: AnyAnswers

    def open(self, info: SequenceInfo) -> None:
        """Create the files.

        Raises:
            OutputError: one cannot be made.
        """
        recording = Recording(info.name, info.size, info.frame_rate, info.skip_frames, self._start, self._interval)
        self._clock = Clock(info.frame_rate)
        folder, name = self._output_dir, info.name
        answers = answers_path(folder, name)
        if self._private:
            self._answers = PrivateAnswers(answers, self._asked.scene, recording)
        else:
            text, about = text_path(folder, name), run_path(folder, name)
            self._answers = SceneAnswers(answers, self._asked, recording, text, about, with_frames=True)
        if self._answers.analysis.floor:
            logger.info("the plane of the scene fits its points to %.2f m", self._answers.analysis.floor.error)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Write what a frame tells."""
        self._answers.write(*observe(self._clock, frame, tracks), frame, tracks)

    def close(self) -> dict[str, Path]:
        """Write what is left, and return the folder, as ``answers``, and the report, if any, as ``report``."""
        return self._answers.close()


class RefinedAnswersSink:
    """Writes the answers to a scene from the refined text of a run, once that is there.

    Args:
        output_dir: folder of the results of the run. The answers to ``mot_results/NAME_refined.txt`` in it, which
            another sink writes and which must be closed before this one, go to ``answers/NAME_refined``.
        asked: what is asked.
        interval: as for `AnswersSink`.
        start: as for `AnswersSink`.
        video: file that the frames came from, for pictures; None for none.
    """

    name = "answers"

    def __init__(
        self,
        output_dir: Path,
        asked: Asked,
        interval: float = 60.0,
        start: datetime | None = None,
        video: Path | None = None,
    ) -> None:
        self._output_dir = output_dir
        self._info: SequenceInfo
        self._asked, self._interval, self._start, self._video = asked, interval, start, video

    def open(self, info: SequenceInfo) -> None:
        """Note the name of the run."""
        self._info = info

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Do nothing yet."""

    def close(self) -> dict[str, Path]:
        """Analyse the text, and return the folder of the answers, as ``answers_refined``."""
        asked = self._asked
        result = analyse(
            refined_path(self._output_dir, self._info.name),
            asked.scene,
            output_dir=self._output_dir,
            video=self._video,
            start=self._start,
            interval=self._interval,
            language=asked.language,
        )
        return {"answers_refined": result.folder}


class SceneOverlay:
    """Draws a scene into the frames of a run, with the counts so far beside the lines.

    Args:
        scene: what is drawn.
        tell: called with every event, a mapping as `EventList` makes it; None for nobody who listens.
        start: clock time of the first frame, for the events; None where it is not known.
    """

    def __init__(
        self, scene: Scene, tell: Callable[[dict[str, Any]], None] | None = None, start: datetime | None = None
    ) -> None:
        self._scene = scene
        self._tell = tell
        self._start = start

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
        movement = self._trajectories.update(observations, now)
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
        lines = [
            DrawnLine(
                name,
                np.array(line.points) * scale,
                f"{line.in_name} {self._counts[number, IN]}",
                f"{line.out_name} {self._counts[number, OUT]}",
            )
            for number, (name, line) in enumerate(self._scene.lines.items())
        ]
        zones = [
            DrawnZone(f"{name} {inside}", np.array(self._scene.zones[name].points) * scale)
            for name, inside in self.inside()
        ]
        draw_scene(canvas, lines, zones, [np.array(polygon) * scale for polygon in self._scene.ignore])
