"""The annotated video of a run, as a sink."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

import numpy as np

from ..structures import Frame, SequenceInfo, Tracks
from .draw import draw_tracks
from .files import make_parent, video_path
from .video import VideoWriter

DRAW_THRESHOLD = 0.5  # least score of the tracks drawn, by default


class Overlay(Protocol):
    """Something that is drawn into every picture of a video."""

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence.

        Args:
            info: size, frame rate and the like of the sequence.
        """
        ...

    def draw(self, canvas: np.ndarray, frame: Frame, tracks: Tracks) -> None:
        """Draw into the next picture.

        Args:
            canvas: [H, W, 3] uint8 BGR, drawn into; it has the boxes already.
            frame: number and time of the picture.
            tracks: the people in sight.
        """
        ...


class VideoSink:
    """Draws the tracks into the frames and encodes them, with the source's timing and sound.

    Args:
        folder: output folder; the video is ``mot_outputs/NAME_vis.mp4`` in it.
        draw_threshold: least score, 0 to 1, of the tracks drawn.
        timed: called with ``draw``; returns a context manager that times the drawing of a frame.
        overlays: draw more into each picture, on top, one after the other.
        names: of identities, drawn beside them.
        path: of the video, in place of that in the folder.
    """

    name = "encode"  # drawing is timed by itself

    def __init__(
        self,
        folder: Path,
        draw_threshold: float = DRAW_THRESHOLD,
        timed: Callable[[str], AbstractContextManager] = nullcontext,
        overlays: Sequence[Overlay] = (),
        names: Mapping[int, str] | None = None,
        path: Path | None = None,
    ) -> None:
        self._folder = folder
        self._draw_threshold = draw_threshold
        self._timed = timed
        self._overlays = tuple(overlays)
        self._names = names
        self._place = path
        self._path: Path
        self._writer: VideoWriter

    def open(self, info: SequenceInfo) -> None:
        """Create the file.

        Args:
            info: name, frame rate, sound, start and pixel aspect of the source.

        Raises:
            OutputError: the file or its folder cannot be made.
        """
        self._path = self._place or video_path(self._folder, info.name)
        make_parent(self._path)
        self._writer = VideoWriter(self._path, info.frame_rate, info.audio, info.start, info.pixel_aspect)
        for overlay in self._overlays:
            overlay.open(info)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Draw and encode a frame.

        Args:
            frame: the picture, its time and its sound.
            tracks: the tracks to draw.

        Raises:
            OutputError: the file cannot be written; the video so far is kept.
        """
        with self._timed("draw"):
            shown = (tracks.ids, tracks.boxes, tracks.scores, self._draw_threshold, self._names)
            picture = draw_tracks(frame.image, *shown)
            for overlay in self._overlays:
                overlay.draw(picture, frame, tracks)
        self._writer.write(picture, frame.time, frame.audio)

    def close(self) -> dict[str, Path]:
        """Finish the file.

        Returns:
            Its path, as ``video``.

        Raises:
            OutputError: its end cannot be written; the video before is kept.
        """
        self._writer.close()
        return {"video": self._path}
