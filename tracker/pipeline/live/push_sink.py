"""The annotated pictures of a run, pushed to a streaming server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...delivery.push import Pusher
from ...sinks.annotated_video import DRAW_THRESHOLD, Overlay
from ...sinks.draw import draw_tracks
from ...structures import Frame, SequenceInfo, Tracks
from .sizes import resized, scaled_tracks, size_of


class PushSink:
    """Draws the tracks into the frames, and pushes the newest picture.

    Frames of another size than the first are brought to that one.

    Args:
        pusher: where the pictures go.
        draw_threshold: least score, 0 to 1, of the tracks drawn.
        overlays: draw more into each picture, on top, one after the other.
    """

    name = "push"

    def __init__(
        self, pusher: Pusher, draw_threshold: float = DRAW_THRESHOLD, overlays: Sequence[Overlay] = ()
    ) -> None:
        self._pusher = pusher
        self._draw_threshold = draw_threshold
        self._overlays = tuple(overlays)
        self._coming = self._overlays  # of the next picture; never taken back, as other threads write it
        self._info: SequenceInfo
        self._size = (0, 0)

    def change(self, overlays: Sequence[Overlay]) -> None:
        """Draw other overlays from the next picture on; from any thread."""
        self._coming = tuple(overlays)

    def open(self, info: SequenceInfo) -> None:
        """Begin to connect."""
        self._info, self._size = info, info.size
        self._pusher.open(info.size, info.frame_rate / info.skip_frames, info.pixel_aspect)
        self._open_overlays()

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Draw a frame, and hand it on."""
        if self._coming is not self._overlays:
            self._overlays = self._coming
            self._open_overlays()
        tracks = scaled_tracks(tracks, size_of(frame), self._size)
        frame = resized(frame, self._size)
        picture = draw_tracks(frame.image, tracks.ids, tracks.boxes, tracks.scores, self._draw_threshold)
        for overlay in self._overlays:
            overlay.draw(picture, frame, tracks)
        self._pusher.take(picture)

    def _open_overlays(self) -> None:
        for overlay in self._overlays:
            overlay.open(self._info)

    def totals(self) -> dict[str, int]:
        """Return how many pictures were ``sent``, and how many dropped, as ``lost``."""
        return self._pusher.totals()

    def close(self) -> dict[str, Path]:
        """End the stream; nothing is left of it."""
        self._pusher.close()
        return {}
