"""The outputs of a long run, segment by segment."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ...errors import TrackingError
from ...settings.groups.segments import Keep
from ...structures import Frame, SequenceInfo, Tracks
from ..base import Sink
from ..mot_text import MotTextSink
from ..records.run_file import RunSink
from ..records.times import TimesSink
from .full_disk import Sparing, has_room, is_full
from .keeping import Keeper, finish_killed
from .names import segment_name
from .plan import SegmentPlan
from .segment import OpenSegment, Outputs, Segment, SegmentInfo

LISTED = 100  # of the finished segments, the newest: a run may last for years
SMALL = (MotTextSink, TimesSink, RunSink)  # what goes on where there is no room for anything else
CLOSING = 3  # segments that may wait to be closed, before tracking waits for them

logger = logging.getLogger(__name__)


class Segments:
    """The first recorder of a run, which writes its files segment by segment.

    A segment is a recording by itself: frames are numbered from 1 and timed from 0, its start is the clock time of its
    first frame, and only the identities go on. A frame belongs to one segment as a whole. New files are made before the
    first frame of a segment is written; the old ones are finished in a thread of their own, so that tracking goes on.

    Without a length in the plan the first segment has the name and the numbers of the run, and only a new size of the
    picture begins another.

    Args:
        folder: output folder.
        make: called for each segment with what it is and with the clock time of its first frame (None where that is not
            known); returns its sinks.
        plan: where segments begin.
        keep: how much of the old segments stays.
        new_names: whether no older file may be replaced; else only those of this run may not.
        rendered: whether `renderer` is a sink of the run, so that segments have renderers.
        timed: as for `SinkGroup`.
        tell: called with an event when a segment is finished; None for nobody.
    """

    name = "text"  # its sinks are timed by their own names

    def __init__(
        self,
        folder: Path,
        make: Callable[[SegmentInfo | None, datetime | None], Outputs],
        plan: SegmentPlan,
        keep: Keep,
        new_names: bool,
        rendered: bool,
        timed: Callable[[str], AbstractContextManager],
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._folder, self._make, self._plan, self._keep = folder, make, plan, keep
        self._rendered, self._new_names, self._timed, self._tell = rendered, new_names, timed, tell
        self._run = ""
        self._info: SequenceInfo
        self._keeper: Keeper
        self._outputs: tuple[str, Outputs] | None = None  # claimed, for the segment that begins next
        self._current: OpenSegment | None = None  # of the recorders
        self._shown: OpenSegment | None = None  # of the renderers
        self._ahead: deque[OpenSegment] = deque()  # begun, and not reached by the renderers yet
        self._size = (0, 0)
        self._number = 0
        self._closing: queue.Queue[OpenSegment | None] = queue.Queue(CLOSING)
        self._closer: threading.Thread | None = None
        self._listed: deque[Segment] = deque(maxlen=LISTED)
        self._failure: TrackingError | None = None
        self._renew = self._video_off = self._warned = False
        self._making_room, self._listing = threading.Lock(), threading.Lock()
        self.count = 0

    # A run asks for these as for `RunFiles`.

    def claim(self, name: str, size: tuple[int, int]) -> str:
        """Claim the files of the first segment.

        Args:
            name: of the sequence.
            size: width and height of its pictures.

        Returns:
            The name of the run.

        Raises:
            OutputError: they cannot be written.
        """
        self._run = name
        self._keeper = Keeper(self._folder, name, self._keep)
        if self._plan.length is None:
            outputs = self._spared(self._make(None, self._plan.start))
            self._run = outputs.claim.claim(name, size)
            self._outputs = self._run, outputs
            return self._run
        finish_killed(self._folder, name)
        self._outputs = self._claimed(1, 0.0, size)
        return name

    def release(self) -> None:
        """Let go of what was claimed and never written."""
        if self._outputs:
            self._outputs[1].claim.release()
            self._outputs = None

    def renew(self) -> None:
        """Let the next frame begin a segment."""
        self._renew = True

    # As a recorder.

    @property
    def readable_files(self) -> dict[str, Path]:
        """The files of the segment that is being written that can be read already."""
        return self._current.readable_files() if self._current else {}

    def open(self, info: SequenceInfo) -> None:
        """Begin the run."""
        self._info = info

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Give a frame to the recorders of its segment, which may begin with it."""
        height, width = frame.image.shape[:2]
        number = self._plan.number(frame.time)
        if self._current is None or self._renew or (width, height) != self._size or number > self._number:
            self._begin(frame, (width, height))
            self._number = number
        assert self._current
        self._current.record(frame, tracks)

    @property
    def renderer(self) -> _Renderer:
        """The sink that gives frames to the renderers of their segments."""
        return _Renderer(self)

    def render(self, frame: Frame, tracks: Tracks) -> None:
        """Give a frame to the renderers of its segment."""
        while self._ahead and frame.index >= self._ahead[0].first:
            done, self._shown = self._shown, self._ahead.popleft()
            if done:
                self._finish(done)
        if self._shown:
            self._shown.render(frame, tracks)

    def close(self) -> dict[str, Path]:
        """Finish all segments.

        Returns:
            The files of the last one.

        Raises:
            TrackingError: a sink failed; the others are closed.
        """
        if self._closer:
            self._closing.put(None)
            self._closer.join()
        files: dict[str, Path] = {}
        last = [*([self._shown] if self._shown else []), *self._ahead]
        if self._current and self._current not in last:
            last.append(self._current)
        self._current = self._shown = None
        self._ahead.clear()
        for segment in last:
            files = self._close(segment)
        if self._plan.length is not None:
            self._forget(self._keeper.prune())
        if self._failure:
            raise self._failure
        return files

    # What it has made.

    @property
    def finished(self) -> tuple[Segment, ...]:
        """The newest of the finished segments that are there, in order; none for a run whose files were never cut."""
        return tuple(self._listed) if self._plan.length is not None or self.count > 1 else ()

    def _begin(self, frame: Frame, size: tuple[int, int]) -> None:
        """Begin a segment with a frame."""
        first = self._current is None
        index, seconds = frame.index, frame.time
        name, outputs = self._outputs or self._claimed(index + 1, seconds, size)
        self._outputs, self._renew, self._size = None, False, size
        shifted = not first or self._plan.length is not None
        info = replace(self._info, name=name, size=size)
        if shifted:
            info = replace(info, start=info.start + seconds, first_frame=1, pixel_aspect=frame.pixel_aspect)
        before, self._current = self._current, OpenSegment(info, outputs, frame, shifted, self._timed)
        self.count += 1
        if self._rendered:
            self._ahead.append(self._current)
        elif before:
            self._finish(before)

    def _claimed(self, first_frame: int, seconds: float, size: tuple[int, int]) -> tuple[str, Outputs]:
        """Make the sinks of a segment, and claim its files."""
        start = self._plan.start
        begins = None if start is None else start + timedelta(seconds=seconds)
        outputs = self._spared(self._make(SegmentInfo(self._run, first_frame, round(seconds, 6)), begins))
        self._video_off = self._video_off and not has_room(self._folder)
        wanted = segment_name(self._run, self._plan.stamp(seconds))
        used = self._current is not None and self._current.info.name.startswith(wanted)
        return outputs.claim.claim(wanted, size, new=self._new_names or used), outputs

    def _spared(self, outputs: Outputs) -> Outputs:
        """Let a full disk end the video and not the run."""

        def spared(sink: Sink) -> Sink:
            room = None if isinstance(sink, SMALL) else self._has_room
            return Sparing(sink, self._full, isinstance(sink, MotTextSink), room)

        return Outputs([*map(spared, outputs.recorders)], [*map(spared, outputs.renderers)], outputs.claim)

    def _has_room(self) -> bool:
        return not self._video_off and has_room(self._folder)

    def _finish(self, segment: OpenSegment) -> None:
        """Let a segment be closed beside the run; wait where too many are."""
        if self._closer is None:
            self._closer = threading.Thread(target=self._close_all, name="segments", daemon=True)
            self._closer.start()
        self._closing.put(segment)

    def _close_all(self) -> None:
        while segment := self._closing.get():
            self._close(segment)
            try:
                self._forget(self._keeper.prune(self._open_names()))
            except OSError as error:
                logger.warning("cannot look for old segments in %s: %s", self._folder, error.strerror)

    def _close(self, segment: OpenSegment) -> dict[str, Path]:
        files: dict[str, Path] = {}
        try:
            segment.close(files)
        except TrackingError as error:
            if is_full(error) or not has_room(self._folder):
                logger.info("segment %s: %s", segment.info.name, error)
                self._full()
            else:
                logger.warning("segment %s: %s", segment.info.name, error)
                self._failure = self._failure or error
        files = {kind: path for kind, path in files.items() if path.exists()}  # a full disk took no picture
        with self._listing:
            self._listed.append(segment.finished(files))
        self._announce(segment, files)
        return files

    def _announce(self, segment: OpenSegment, files: dict[str, Path]) -> None:
        if self._tell is None or (self._plan.length is None and self.count == 1):
            return
        start = self._plan.start
        time = (
            None if start is None else (start + timedelta(seconds=segment.seconds)).isoformat(timespec="milliseconds")
        )
        self._tell(
            {
                "event": "segment",
                "time": time,
                "seconds": round(segment.seconds, 3),
                "camera": self._run,
                "segment": segment.info.name,
                "files": {kind: str(path) for kind, path in files.items()},
                "schema": 1,
            }
        )

    def _forget(self, names: Collection[str]) -> None:
        """List segments no longer that were removed."""
        with self._listing:
            self._listed = deque((one for one in self._listed if one.name not in names), LISTED)

    def _open_names(self) -> list[str]:
        return [segment.info.name for segment in (self._shown, *self._ahead, self._current) if segment]

    def _full(self) -> bool:
        """Make room on a full disk, so that new files can begin; without, turn the video off. Return whether it did."""
        with self._making_room:
            removed = False
            while not removed or not has_room(self._folder):
                name = self._keeper.remove_oldest(self._open_names())
                if name is None:
                    break
                removed = True
                self._forget([name])
            self._renew = self._renew or removed
            if not removed and not self._video_off:
                self._video_off = True
                if not self._warned:
                    logger.warning("the disk of %s is full: video and answers end, the text goes on", self._folder)
                self._warned = True
            return removed


class _Renderer:
    """Gives frames to the renderers of segments, which close them too."""

    name = "encode"

    def __init__(self, segments: Segments) -> None:
        self._segments = segments

    def open(self, info: SequenceInfo) -> None:
        """Do nothing: sinks are opened segment by segment."""

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Give a frame to the renderers of its segment."""
        self._segments.render(frame, tracks)

    def close(self) -> dict[str, Path]:
        """Do nothing, for the segments are closed as a whole."""
        return {}
