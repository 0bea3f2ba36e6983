"""One segment: the sinks that write its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...structures import Frame, SequenceInfo, Tracks
from ..base import Sink, SinkGroup, close_sinks
from ..claim import RunFiles


@dataclass(frozen=True)
class SegmentInfo:
    """Where a segment lies in its run.

    Attributes:
        of: name of the run.
        first_frame: number in the run of what is frame 1 of the segment.
        seconds: of the run at that frame.
    """

    of: str
    first_frame: int
    seconds: float


@dataclass
class Outputs:
    """The sinks of one segment.

    Attributes:
        recorders: get each frame in the tracking thread.
        renderers: get it later, in another thread.
        claim: of their files.
    """

    recorders: Sequence[Sink]
    renderers: Sequence[Sink]
    claim: RunFiles


@dataclass(frozen=True)
class Segment:
    """A finished segment.

    Attributes:
        name: of its files.
        first_frame: number of its first frame in the run; in its own files that has number 1.
        last_frame: number of its last frame in the run.
        first_in_text: number that its first frame has in its own files.
        files: by kind, as in `TrackingResult.files`.
    """

    name: str
    first_frame: int
    last_frame: int
    first_in_text: int = 1
    files: dict[str, Path] = field(default_factory=dict)


class OpenSegment:
    """A segment that is being written: frames of the run in, its own files out.

    Args:
        info: of the segment, complete.
        outputs: its sinks, not open yet; its files are claimed.
        first: its first frame.
        shifted: whether frames are numbered and timed from the first one; else as in the run.
        timed: as for `SinkGroup`.
    """

    def __init__(
        self,
        info: SequenceInfo,
        outputs: Outputs,
        first: Frame,
        shifted: bool,
        timed: Callable[[str], AbstractContextManager],
    ) -> None:
        self.info = info
        self.first = self.last = first.index
        self.seconds = first.time
        self.has_renderers = bool(outputs.renderers)
        self._base = (first.index, first.time) if shifted else (0, 0.0)
        self._claim = outputs.claim
        self._timed = timed
        self._recorders = SinkGroup(outputs.recorders, timed)
        self._renderers = SinkGroup(outputs.renderers, timed)

    def record(self, frame: Frame, tracks: Tracks) -> None:
        """Give a frame of the run to the recorders."""
        self.last = frame.index
        self._recorders.write(self.info, self._own(frame), tracks)

    def render(self, frame: Frame, tracks: Tracks) -> None:
        """Give a frame of the run to the renderers."""
        self._renderers.write(self.info, self._own(frame), tracks)

    def readable_files(self) -> dict[str, Path]:
        """Return the files, by kind, that can be read while the segment is open."""
        return {**self._recorders.readable_files(), **self._renderers.readable_files()}

    def close(self, files: dict[str, Path]) -> Segment:
        """Close all sinks and let the files go.

        Args:
            files: gets those that were made, also when a sink fails.

        Raises:
            TrackingError: a sink failed.
        """
        try:
            close_sinks([*self._recorders.opened(), *self._renderers.opened()], self._timed, files)
        finally:
            self._claim.release()
        return self.finished(files)

    def finished(self, files: dict[str, Path]) -> Segment:
        """Return what it was."""
        return Segment(self.info.name, self.first + 1, self.last + 1, self.first - self._base[0] + 1, files)

    def _own(self, frame: Frame) -> Frame:
        index, seconds = self._base
        return replace(frame, index=frame.index - index, time=frame.time - seconds) if index or seconds else frame
