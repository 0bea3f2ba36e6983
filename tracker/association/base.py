"""The associations by name, and the one loop body around them: detections of a frame in, tracks out."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np

from ..appearance.recogniser import Recogniser
from ..errors import OptionError
from ..settings.tracking import TrackerConfig
from ..structures import Detections, Tracks
from .camera_motion import CameraMotion
from .clock import frame_periods
from .fused_tracker import FusedTracker
from .jde_tracker import JDETracker


class Tracker(Protocol):
    """Follows the people of one sequence, a frame at a time; all state is in the instance.

    Attributes:
        num_identities: different identities given out so far.
    """

    num_identities: int

    def update(self, detections: Detections, warp: np.ndarray | None = None, elapsed: float = 1.0) -> Tracks:
        """Track the next frame.

        Args:
            detections: the people found in it, in pixels of the original image, low scores included.
            warp: [2, 3] affine map from pixels of the last frame taken to those of this one, see `camera_motion`;
                None for a camera that stands still.
            elapsed: time since the last frame taken, in frame periods (1 / frame rate).

        Returns:
            The tracks in sight.
        """
        ...


# by the name that the option `association` has for it: makes a tracker from its settings and the frame rate
ASSOCIATIONS: dict[str, Callable[[TrackerConfig, float], Tracker]] = {
    "fused": FusedTracker,
    "byte": functools.partial(FusedTracker, appearance=False),
    "jde": JDETracker,
}


def make_tracker(config: TrackerConfig, frame_rate: float) -> Tracker:
    """Return a new tracker for one sequence.

    Args:
        config: names the association and holds its settings.
        frame_rate: frames per second of the sequence.

    Raises:
        OptionError: no association has this name.
    """
    check_association(config.association)
    return ASSOCIATIONS[config.association](config, frame_rate)


def check_association(name: str) -> None:
    """Check that an association exists.

    Raises:
        OptionError: none has this name.
    """
    if name not in ASSOCIATIONS:
        raise OptionError(f"association must be one of {', '.join(ASSOCIATIONS)}, not {name!r}")


class SequenceTracker:
    """Follows the people of one sequence by its frames' time: association and camera motion together.

    Whatever tracks frames does it by this class: videos, streams of images, evaluation, and your own detector.

        tracker = SequenceTracker(TrackerConfig(conf_thres=0.5), frame_rate=25)
        for number, image in enumerate(images):
            tracks = tracker.update(number / 25, detect(image), image)
            print(tracks.ids, tracks.boxes)

    A frame that is left out needs no call: the next one's time tells.

    Args:
        config: names the association and holds its settings.
        frame_rate: nominal frames per second of the sequence.
        timed: is called with ``camera`` and ``track`` and gives a context manager for that part of an update.
        tell: is called with an event ``recognised`` for everybody who gets an old number back, if the settings say so:
            the numbers ``was`` and ``is``, the frame's time as ``seconds``, and the ``similarity``.

    Raises:
        OptionError: no association has the name that the settings state.
    """

    def __init__(
        self,
        config: TrackerConfig,
        frame_rate: float,
        timed: Callable[[str], AbstractContextManager] = nullcontext,
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._tracker = make_tracker(config, frame_rate)
        self._camera_motion = CameraMotion() if config.uses("camera_motion") and config.camera_motion else None
        self._recogniser: Recogniser | None = None
        if config.remember:
            self._recogniser = Recogniser(config.remember, config.association_memory)
        self._tell = tell
        self._config = config
        self._frame_rate = frame_rate
        self._timed = timed
        self._last_time: float | None = None

    @property
    def num_identities(self) -> int:
        """Different identities given out so far, who came back and was recognised counted once."""
        return (self._recogniser or self._tracker).num_identities

    @property
    def embedding_threshold(self) -> float:
        """Score that a detection must exceed for its embedding to be used; below it zeros do."""
        return self._config.conf_thres

    def update(self, time: float, detections: Detections, image: np.ndarray | None = None) -> Tracks:
        """Track the next frame.

        Args:
            time: of the frame, seconds from any beginning. One that does not increase counts as one frame later.
            detections: the people found in it, in pixels of the original image, low scores included.
            image: [H, W, 3] uint8 BGR, from which the motion of the camera is estimated; None for a camera that
                stands still.

        Returns:
            The confirmed tracks in sight, boxes in the same pixels.

        Raises:
            OptionError: the time is not finite.
        """
        if not math.isfinite(time):
            raise OptionError(f"the time of a frame must be a finite number of seconds, not {time!r}")
        elapsed = 1.0 if self._last_time is None else frame_periods(time - self._last_time, self._frame_rate)
        self._last_time = time
        warp = None
        if self._camera_motion and image is not None:
            with self._timed("camera"):
                warp = self._camera_motion.estimate(image, detections.boxes)
        with self._timed("track"):
            tracks = self._tracker.update(detections, warp, elapsed)
            if self._recogniser is None:
                return tracks
            size = None if image is None else (image.shape[1], image.shape[0])
            tracks = self._recogniser.update(time, tracks, size)
        if self._tell:
            for one in tracks.recognised:
                event = {"event": "recognised", "seconds": time, "was": one.was, "is": one.now}
                self._tell({**event, "similarity": round(one.similarity, 4)})
        return tracks
