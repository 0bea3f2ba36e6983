"""The files that every run writes: where they go, and the sinks that write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..analysis.answers import check_interval
from ..analysis.scene import Scene
from ..errors import OptionError
from ..privacy.counts import check_private
from ..refinement.sink import RefinedTextSink
from ..settings.checks import check_flag, check_number
from ..settings.refinement import RefineSettings
from ..sinks.annotated_video import VideoSink
from ..sinks.base import Sink
from ..sinks.mot_text import MotTextSink
from ..sinks.run_file import RunSink, run_path
from ..sinks.times import TimesSink, times_path
from .answers import AnswersSink, RefinedAnswersSink, SceneOverlay
from .timing import StageTimes


@dataclass(frozen=True)
class OutputOptions:
    """Where results go.

    Attributes:
        folder: folder of ``mot_results/NAME.txt`` and ``mot_outputs/NAME_vis.mp4``.
        visualization: whether to write the video.
        draw_threshold: least score, 0 to 1, of the tracks drawn; the text has all.
        refine: whether to write ``mot_results/NAME_refined.txt`` at the end.
        scene: lines, zones and the like to answer to in ``answers/NAME``; None for no answers.
        start: clock time of the first frame; None where it is not known.
        interval: length of the intervals that are counted by, seconds.
        private: whether nothing but counts is kept, see `PrivateFiles`: no video, no text, no pictures.

    Raises:
        OptionError: a value is of the wrong type or out of its range.
    """

    folder: Path
    visualization: bool = True
    draw_threshold: float = 0.5
    refine: bool = False
    scene: Scene | None = None
    start: datetime | None = None
    interval: float = 60.0
    private: bool = False

    def __post_init__(self) -> None:
        check_flag("visualization", self.visualization)
        check_flag("refine", self.refine)
        check_number("draw_threshold", self.draw_threshold, 0, 1)
        check_interval(self.interval)
        if check_flag("private", self.private):
            check_private(self.scene, self.interval)
            if self.refine:
                raise OptionError("private keeps no tracks that could be refined: leave refine out")

    def text_path(self, name: str) -> Path:
        """Return the path of a sequence's MOT text."""
        return self.folder / "mot_results" / f"{name}.txt"

    def refined_path(self, name: str) -> Path:
        """Return the path of a sequence's refined MOT text."""
        return self.folder / "mot_results" / f"{name}_refined.txt"

    def video_path(self, name: str) -> Path:
        """Return the path of a sequence's annotated video."""
        return self.folder / "mot_outputs" / f"{name}_vis.mp4"

    def recorders(
        self,
        name: str,
        settings: RefineSettings,
        about: Mapping[str, Any] | None = None,
        at_end: Callable[[], Mapping[str, Any]] = dict,
        model: Path | None = None,
    ) -> list[Sink]:
        """Return the sinks that write a sequence's tracks as soon as they are known.

        Args:
            name: name of the sequence.
            settings: settings of the refinement.
            about: what ``mot_results/NAME_run.json`` tells of the run; None for no such file.
            at_end: called at the end of the run; returns what is known then only.
            model: folder of the model; None for none.
        """
        text, refined = self.text_path(name), self.refined_path(name)
        sinks: list[Sink] = [] if self.private else [MotTextSink(text), TimesSink(times_path(text))]
        if about is not None:
            start = self.start.isoformat() if self.start else None
            sinks.append(RunSink(run_path(text), {**about, "start": start}, at_end, model))
        if self.refine:
            sinks.append(RefinedTextSink(text, refined, settings))
        if self.scene:
            asked = (self.scene, self.interval, self.start)
            sinks.append(AnswersSink(self.folder / "answers" / name, *asked, self.private))
            if self.refine:
                sinks.append(RefinedAnswersSink(refined, self.folder, *asked))
        return sinks

    def renderers(self, name: str, times: StageTimes) -> list[Sink]:
        """Return the sinks that draw a sequence.

        Args:
            name: name of the sequence.
            times: counts how long drawing takes.
        """
        if self.private or not self.visualization:
            return []
        overlay = SceneOverlay(self.scene) if self.scene else None
        return [VideoSink(self.video_path(name), self.draw_threshold, times.stage, overlay)]
