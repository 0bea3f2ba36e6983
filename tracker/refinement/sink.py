"""The refined text of a run, as a sink."""

from __future__ import annotations

from pathlib import Path

from ..settings.refinement import RefineSettings
from ..sinks.files import refined_path, text_path
from ..structures import Frame, SequenceInfo, Tracks
from .frame_times import FrameTimes
from .refine import AppearanceLog, refine_file


class RefinedTextSink:
    """Collects embeddings of tracks and times of frames, and at the end refines the run's MOT text into another one.

    Args:
        folder: output folder. Of the MOT text ``mot_results/NAME.txt`` in it, which another sink writes and which must
            be closed before this one, it makes ``mot_results/NAME_refined.txt``.
        settings: settings of the refinement.
    """

    name = "refine"

    def __init__(self, folder: Path, settings: RefineSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._info: SequenceInfo
        self._times: FrameTimes
        self._log = AppearanceLog()

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence, without any embedding."""
        self._info = info
        self._log = AppearanceLog()
        self._times = FrameTimes(info.frame_rate)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Add the time of a frame, and the embeddings of the tracks in sight."""
        self._times.add(frame.index + 1, frame.time)
        self._log.add(tracks)

    def close(self) -> dict[str, Path]:
        """Write the refined text.

        Returns:
            Its path, as ``refined``.

        Raises:
            OutputError: a text cannot be read or written.
        """
        info = self._info
        source, target = text_path(self._folder, info.name), refined_path(self._folder, info.name)
        refine_file(source, target, self._log, info.frame_rate, self._settings, info.skip_frames, self._times.at)
        return {"refined": target}
