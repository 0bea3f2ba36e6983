"""The answers to a scene that tell of nobody: counts alone, without pictures and without the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...analysis.analysis import SceneAnalysis
from ...analysis.measures.crossings import Crossed
from ...analysis.recording import Recording
from ...analysis.scene import Scene
from ...privacy.counts import PrivateFiles
from ...structures import Frame, Tracks
from .scene_answers import SceneAnswers


class PrivateAnswers:
    """Answers a scene as `SceneAnswers` does, into `PrivateFiles`.

    Args:
        folder: of the files.
        scene: lines, zones and regions.
        recording: what is known of the recording.
        staff: identities that are counted nowhere.

    Raises:
        OptionError: see `check_private`.
        OutputError: in all methods: a file cannot be written.
    """

    def __init__(self, folder: Path, scene: Scene, recording: Recording, staff: Sequence[int] = ()) -> None:
        self.analysis = SceneAnalysis(scene, recording, staff=staff)
        self._files = PrivateFiles(folder, self.analysis)

    def write(
        self,
        observations: np.ndarray,
        now: float,
        frame: Frame | None = None,
        tracks: Tracks | None = None,
        crossed: list[Crossed] | None = None,
    ) -> None:
        """Take the next frames, see `SceneAnswers.write`; nothing is made of the frame itself."""
        self._files.write(self.analysis.update(observations, now, crossed))

    def close(self, crossed: list[Crossed] | None = None) -> dict[str, Path]:
        """Write what is left, see `SceneAnswers.close`, and return the folder, as ``answers``."""
        try:
            self._files.write(self.analysis.close(crossed))
        finally:
            made = self._files.close()
        return made


AnyAnswers = SceneAnswers | PrivateAnswers
