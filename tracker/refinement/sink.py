"""The refined text of a run, as a sink."""

from __future__ import annotations

from pathlib import Path

from ..settings.refinement import RefineSettings
from ..sinks.files import refined_path, text_path
from ..structures import Frame, SequenceInfo, Tracks
from .refine import AppearanceLog, refine_file


class RefinedTextSink:
    """Collects the embeddings of all tracks, and at the end refines the MOT text of the run into another one.

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
        self._log = AppearanceLog()

    def open(self, info: SequenceInfo) -> None:
        """Begin a sequence, without any embedding."""
        self._info = info
        self._log = AppearanceLog()

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Add the embeddings of the tracks in sight."""
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
        refine_file(source, target, self._log, info.frame_rate, self._settings, info.skip_frames)
        return {"refined": target}
