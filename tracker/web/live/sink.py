"""What the page shows of a run: a sink that keeps the newest frame, the counts so far and the last events."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...analysis.scene import Scene
from ...cameras.status import LIVE, CameraStatus
from ...pipeline.answering.overlay import paint_scene, tally_of
from ...sinks.draw import draw_tracks
from ...structures import Frame, SequenceInfo, Tracks
from ..limits import without_paths

LONGEST_SIDE = 1280  # pixels of a picture that is shown
QUALITY = 80  # of its JPEG
RATE_SECONDS = 5.0  # over which the frame rate is taken
KEPT_EVENTS = 500


class EventLog:
    """The last events of all cameras, each with a number that rises. Safe to share between threads."""

    def __init__(self) -> None:
        self._events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=KEPT_EVENTS)
        self._lock = threading.Lock()
        self._last = 0

    @property
    def last(self) -> int:
        """Number of the last event; 0 before the first one."""
        return self._last

    def add(self, event: dict[str, Any]) -> None:
        """Add an event."""
        with self._lock:
            self._last += 1
            self._events.append((self._last, event))

    def after(self, number: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the events kept whose number is higher, in order."""
        with self._lock:
            return [item for item in self._events if item[0] > number]


@dataclass(frozen=True)
class Moment:
    """One tracked frame, to be drawn where somebody looks.

    Attributes:
        number: of the frames of the run, from 1.
        frame: the frame, with people hidden as the run hides them.
        tracks: the people in sight.
        at: Unix time at which it was tracked.
    """

    number: int
    frame: Frame
    tracks: Tracks
    at: float


class LiveSink:
    """Keeps the newest frame of a run, and what it told so far. Writing a frame draws, encodes and counts nothing.

    Args:
        key: what addresses and events call the run.
        scene: of the run, to draw with the counts of its events; None for none.
        events: gets what happens; None for nobody.
        live: whether the source is a camera, which can fall behind the clock; a file cannot.
        title: what the page calls it; None for the name of the sequence.

    Attributes:
        private: whether the run gives no picture, so that this sink gets nothing.
        newest: the last frame that was tracked; None before the first.
        watch: tells how the camera is doing, which knows more than its frames do; None for nobody.
    """

    name = "live"  # in messages and timings

    def __init__(
        self,
        key: str,
        scene: Scene | None = None,
        events: EventLog | None = None,
        live: bool = False,
        title: str | None = None,
    ) -> None:
        self.key = key
        self.title = title
        self.private = False
        self.watch: Callable[[], CameraStatus | None] | None = None
        self.newest: Moment | None = None
        self._events = events
        self._live = live
        self._state = "waiting"
        self._error: str | None = None
        self.change_scene(scene or Scene())
        self._times: deque[float] = deque(maxlen=256)
        self._counting = threading.Lock()
        self._people_seen = self._frames = self._first = 0
        self._skip = 1
        self._lag: float | None = None

    @property
    def scene(self) -> Scene:
        """What is drawn and counted at."""
        return self._counted[0]

    def on_event(self, event: dict[str, Any]) -> None:
        """Count an event of the run, and add it to the log under the name that the page knows, without paths."""
        with self._counting:
            self._counted[1].take(event)
        if self._events:
            told = {**event, "camera": self.key}
            told.pop("files", None)
            if "reason" in told:
                told["reason"] = without_paths(told["reason"])
            self._events.add(told)

    def open(self, info: SequenceInfo) -> None:
        """Begin a run; what is known of people goes on from an earlier one of the same sink."""
        self.title = self.title or info.name
        with self._counting:
            self._skip, self._first, self._frames = info.skip_frames, 0, 0
            self._state, self._error = "running", None

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Keep a frame as the newest."""
        now = time.monotonic()
        with self._counting:
            self._first = self._first or frame.index + 1
            self._frames += 1
            self._people_seen = max(self._people_seen, int(tracks.ids.max(initial=0)))
            self._times.append(now)
            self._lag = None if frame.arrived is None else now - frame.arrived
            self._state = "running"
        number = self.newest.number + 1 if self.newest else 1
        self.newest = Moment(number, frame, tracks, time.time())

    def close(self) -> dict[str, Path]:
        """End the run; its last picture stays."""
        self._state = "ended"
        return {}

    def change_scene(self, scene: Scene) -> None:
        """Draw another scene, whose counts begin now."""
        self._counted = scene, tally_of(scene)  # in one step, for threads that draw

    def failed(self, reason: str) -> None:
        """Note why the run ended."""
        self._state, self._error = "failed", reason

    def status(self) -> dict[str, Any]:
        """Return what is known now, as plain values."""
        made, told = self._own_status(), self.watch() if self.watch else None
        if told is None or self._state == "failed":
            return made
        made["state"] = "running" if told.state == LIVE else told.state
        made["error"] = None if told.error is None else without_paths(told.error)
        made |= {"dropped": told.dropped, "reconnects": told.reconnects, "people": told.people_now}
        made |= {"lag_p50": told.lag_p50, "lag_p95": told.lag_p95}
        if self.private:
            made |= {"frames": told.frames, "frame_rate": round(told.rate, 2), "people_seen": None}
        elif made["state"] != "running":
            made["frame_rate"] = 0.0
        return made

    def _own_status(self) -> dict[str, Any]:
        now, moment, (_, tally) = time.monotonic(), self.newest, self._counted
        with self._counting:
            recent = [at for at in self._times if now - at <= RATE_SECONDS]
            rate = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0
            lines: dict[str, list[dict[str, Any]]] = {}
            for (line, direction), count in tally.crossings.items():
                lines.setdefault(line, []).append({"direction": direction, "count": count})
            zones = [{"zone": zone, "inside": len(people)} for zone, people in tally.inside.items()]
            index = moment.frame.index + 1 - self._first if moment and self._frames else 0
            return {
                "name": self.key,
                "title": self.title or self.key,
                "state": self._state,
                "error": self._error,
                "live": self._live,
                "private": self.private,
                "frames": self._frames,
                "frame_rate": round(rate, 2) if self._state == "running" else 0.0,
                "lag": None if self._lag is None else round(self._lag, 3),
                "lag_p50": None,
                "lag_p95": None,
                "reconnects": 0,
                "age": round(time.time() - moment.at, 3) if moment else None,
                "dropped": max(0, index // self._skip + 1 - self._frames) if self._frames else 0,
                "people": len(moment.tracks) if moment and self._state in ("running", "lost") else 0,
                "people_seen": self._people_seen,
                "seconds": round(moment.frame.time, 3) if moment else 0.0,
                "size": list(moment.frame.image.shape[1::-1]) if moment else None,
                "lines": [{"line": line, "directions": counts} for line, counts in lines.items()],
                "zones": zones,
            }

    def picture(self, moment: Moment, marked: bool = True) -> bytes:
        """Return a frame as JPEG; the arguments are those of `drawn`."""
        return encoded(self.drawn(moment, marked))

    def drawn(self, moment: Moment, marked: bool = True, longest: int = LONGEST_SIDE) -> np.ndarray:
        """Return a frame, [H, W, 3] uint8 BGR, with square pixels.

        Args:
            moment: the frame.
            marked: whether the people and the scene are drawn into it.
            longest: pixels that its longer side may have.
        """
        image, aspect = moment.frame.image, float(moment.frame.pixel_aspect)
        height, width = image.shape[:2]
        scale = min(1.0, longest / max(width * aspect, height))
        size = max(1, round(width * aspect * scale)), max(1, round(height * scale))
        if size != (width, height):
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        if marked:
            x, y = size[0] / width, size[1] / height
            tracks = moment.tracks
            image = draw_tracks(image, tracks.ids, tracks.boxes * np.array([x, y, x, y]), tracks.scores)
            paint_scene(image, *self._counted)
        return image


def encoded(image: np.ndarray) -> bytes:
    """Return a picture, [H, W, 3] uint8 BGR, as JPEG."""
    made, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert made
    return data.tobytes()
