"""How detections become identities: the associations by name."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..settings.tracking import TrackerConfig
from ..structures import Detections, Tracks
from .camera_motion import CameraMotion
from .fused_tracker import FusedTracker
from .jde_tracker import JDETracker


class Tracker(Protocol):
    """Follows the people of one sequence, a frame at a time; all state is in the instance.

    Attributes:
        num_identities: different identities given out so far.
    """

    num_identities: int

    def update(self, detections: Detections, warp: np.ndarray | None = None, elapsed: float = 1.0) -> Tracks:
        """Take the next frame.

        Args:
            detections: the people found in it, in pixels of the original image, low scores included.
            warp: [2, 3] affine map from pixels of the last frame taken to those of this one, see `camera_motion`;
                None for a camera that stands still.
            elapsed: time since the last frame taken in frame periods (1 / frame_rate), above 0; ignored at the first.

        Returns:
            The tracks in sight.
        """
        ...


def make_camera_motion(config: TrackerConfig) -> CameraMotion | None:
    """What tells a tracker of one sequence how the camera moves; None where that is not asked for."""
    return CameraMotion() if config.uses("camera_motion") and config.camera_motion else None


def make_tracker(config: TrackerConfig, frame_rate: float) -> Tracker:
    """A tracker for one sequence.

    Args:
        config: names the association and holds its settings.
        frame_rate: frames per second of the sequence.
    """
    if config.association == "jde":
        return JDETracker(config, frame_rate)
    return FusedTracker(config, frame_rate, appearance=config.association == "fused")
