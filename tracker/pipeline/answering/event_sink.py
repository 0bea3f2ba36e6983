"""Events of a run without a scene: who appeared, and who was out of sight for good."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ...analysis.events import EventList
from ...analysis.recording import Recording
from ...analysis.scene import Scene
from ...analysis.trajectories import Trajectories
from ...delivery.hub import Tell
from ...sinks.records.times import Clock
from ...structures import Frame, SequenceInfo, Tracks
from ..answers import observe


class EventSink:
    """Tells the events ``appeared`` and ``ended``.

    Args:
        tell: called with each event.
        start: clock time of the first frame; None where it is not known.
    """

    name = "events"

    def __init__(self, tell: Tell, start: datetime | None = None) -> None:
        self._tell = tell
        self._start = start

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence."""
        scene = Scene()
        self._clock = Clock(info.frame_rate)
        self._trajectories = Trajectories(scene.memory)
        recording = Recording(info.name, info.size, info.frame_rate, info.skip_frames, self._start)
        self._events = EventList(scene, recording)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Tell what a frame shows."""
        movement = self._trajectories.update(*observe(self._clock, frame, tracks))
        for event in self._events.of(movement, {}, (), (), ()):
            self._tell(event)

    def close(self) -> dict[str, Path]:
        """Do nothing: who is in sight at the end has not ended."""
        return {}
