"""The files that every run writes: where they go, and the sinks that write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..refinement.sink import RefinedTextSink
from ..settings.checks import check_flag, check_number
from ..settings.refinement import RefineSettings
from ..sinks.annotated_video import VideoSink
from ..sinks.base import Sink
from ..sinks.claim import RunFiles
from ..sinks.mot_text import MotTextSink
from .timing import StageTimes

DRAW_THRESHOLD = 0.5


@dataclass(frozen=True)
class OutputOptions:
    """Where results go.

    Attributes:
        folder: folder of ``mot_results/NAME.txt`` and ``mot_outputs/NAME_vis.mp4``.
        visualization: whether to write the video.
        draw_threshold: least score, 0 to 1, of the tracks drawn; the text has all. The default is the model's own
            score of a high-confidence detection where that is lower.
        refine: whether to write ``mot_results/NAME_refined.txt`` at the end.

    Raises:
        OptionError: a value is of the wrong type or out of its range.
    """

    folder: Path
    visualization: bool = True
    draw_threshold: float = DRAW_THRESHOLD
    refine: bool = False

    def __post_init__(self) -> None:
        check_flag("visualization", self.visualization)
        check_flag("refine", self.refine)
        check_number("draw_threshold", self.draw_threshold, 0, 1)

    def claim(self) -> RunFiles:
        """Return the claim of one run on its files."""
        return RunFiles(self.folder, self.visualization)

    def recorders(self, settings: RefineSettings) -> list[Sink]:
        """Return the sinks that write a sequence's tracks as soon as they are known.

        Args:
            settings: settings of the refinement.
        """
        sinks: list[Sink] = [MotTextSink(self.folder)]
        if self.refine:
            sinks.append(RefinedTextSink(self.folder, settings))
        return sinks

    def renderers(self, times: StageTimes, high_conf_thres: float = 1.0) -> list[Sink]:
        """Return the sinks that draw a sequence.

        Args:
            times: counts how long drawing takes.
            high_conf_thres: score of a high-confidence detection of the detector at hand.
        """
        least = self.draw_threshold
        if least == DRAW_THRESHOLD:  # as whoever asked for nothing: not to lose people whom a model gives low scores
            least = min(least, high_conf_thres)
        return [VideoSink(self.folder, least, times.stage)] if self.visualization else []
