"""The files that every run writes: where they go, and the sinks that write them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..analysis.answers import check_interval
from ..analysis.report.words import check_language
from ..analysis.scene import Scene
from ..delivery.hub import Tell
from ..delivery.push import Pusher
from ..errors import OptionError
from ..privacy.counts import FEW, check_private
from ..refinement.sink import RefinedTextSink
from ..settings.checks import check_flag, check_installed, check_number
from ..settings.groups.answers import AnswerOptions
from ..settings.refinement import RefineSettings
from ..sinks.annotated_video import DRAW_THRESHOLD, Overlay, VideoSink
from ..sinks.base import Sink
from ..sinks.claim import RunFiles
from ..sinks.mot_text import MotTextSink
from ..sinks.records.run_file import RunSink
from ..sinks.records.times import TimesSink
from ..sinks.trails import Trails
from .answering.event_sink import EventSink
from .answering.overlay import SceneOverlay
from .answering.scene_answers import Asked
from .answers import AnswersSink, RefinedAnswersSink
from .live.push_sink import PushSink
from .timing import StageTimes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutputOptions:
    """Where results go.

    Attributes:
        folder: folder of ``mot_results/NAME.txt`` and ``mot_outputs/NAME_vis.mp4``.
        visualization: whether to write the video.
        draw_threshold: least score, 0 to 1, of the tracks drawn; the text has all. The default is the model's own
            score of a high-confidence detection where that is lower.
        refine: whether to write ``mot_results/NAME_refined.txt`` at the end.
        scene: lines, zones and the like to answer to in ``answers/NAME``; None for no answers.
        start: clock time of the first frame; None where it is not known.
        interval: length of the intervals that are counted by, seconds.
        language: of the report, ``en`` or ``zh``.
        trails: length of the ways drawn into the video, seconds.
        video: file that the frames come from, for pictures of what refinement changes; None if it cannot be read again.
        private: whether nothing but counts is kept, see `PrivateFiles`: no video, no text, no pictures, no report.
        answers: what of the answers to the scene is made on request.

    Raises:
        OptionError: a value is of the wrong type or out of its range, or a package that it needs is not installed.
    """

    folder: Path
    visualization: bool = True
    draw_threshold: float = DRAW_THRESHOLD
    refine: bool = False
    scene: Scene | None = None
    start: datetime | None = None
    interval: float = 60.0
    language: str = "en"
    trails: float = 0.0
    video: Path | None = None
    private: bool = False
    answers: AnswerOptions = field(default_factory=AnswerOptions)

    def __post_init__(self) -> None:
        check_flag("visualization", self.visualization)
        if check_flag("refine", self.refine):
            check_installed("refine", "scipy")
        check_number("draw_threshold", self.draw_threshold, 0, 1)
        check_interval(self.interval)
        check_language(self.language)
        Trails(self.trails)
        if check_flag("private", self.private):
            check_private(self.scene, self.interval)
            if self.refine:
                raise OptionError("private keeps no tracks that could be refined: leave refine out")

    @property
    def least_people(self) -> int:
        """Numbers of people below this are told as 0."""
        return FEW if self.private else 0

    @property
    def is_rendered(self) -> bool:
        """Whether frames are drawn."""
        return self.visualization and not self.private

    def claim(self) -> RunFiles:
        """Return the claim of one run on its files."""
        return RunFiles(self.folder, self.is_rendered, not self.private)

    def recorders(
        self,
        settings: RefineSettings,
        about: Mapping[str, Any] | None = None,
        at_end: Callable[[], Mapping[str, Any]] = dict,
        model: Path | None = None,
        run: EventSink | None = None,
        tell: Tell | None = None,
    ) -> list[Sink]:
        """Return the sinks that write a sequence's tracks as soon as they are known.

        Args:
            settings: settings of the refinement.
            about: what ``mot_results/NAME_run.json`` tells of the run; None for no such file.
            at_end: called at the end of the run; returns what is known then only.
            model: folder of the model; None for none.
            run: what happens in the whole run, of which these are a segment; None for a run that is one whole.
            tell: called with every event that the scene makes; None for nobody who listens.
        """
        if self.private:
            logger.info("private: nothing is kept but counts, of %d people and more", FEW)
        sinks: list[Sink] = [] if self.private else [MotTextSink(self.folder), TimesSink(self.folder)]
        if about is not None:
            start = self.start.isoformat() if self.start else None
            sinks.append(RunSink(self.folder, {**about, "start": start}, at_end, model))
        if self.refine:
            sinks.append(RefinedTextSink(self.folder, settings))
        if self.scene:
            asked = Asked(self.scene, self.language, options=self.answers)
            sinks.append(AnswersSink(self.folder, asked, self.interval, self.start, self.private, run, tell))
            if self.refine:
                video = self.video
                if video and about and about.get("anonymise"):
                    video = None
                    logger.info("the refined answers get no pictures, for the video shows whom the run hides")
                sinks.append(RefinedAnswersSink(self.folder, asked, self.interval, self.start, video))
        return sinks

    def renderers(self, times: StageTimes, high_conf_thres: float = 1.0) -> list[Sink]:
        """Return the sinks that draw a sequence.

        Args:
            times: counts how long drawing takes.
            high_conf_thres: score of a high-confidence detection of the detector at hand.
        """
        if not self.is_rendered:
            return []
        least, overlays = self.drawing(high_conf_thres)
        return [VideoSink(self.folder, least, times.stage, overlays)]

    def push_sink(self, url: str, high_conf_thres: float = 1.0) -> PushSink:
        """Return the sink that draws a sequence for a streaming server, whether or not there is a video.

        Args:
            url: of the server.
            high_conf_thres: as for `renderers`.
        """
        return PushSink(Pusher(url), *self.drawing(high_conf_thres))

    def drawing(self, high_conf_thres: float) -> tuple[float, list[Overlay]]:
        """Return the least score of the tracks drawn, and what else is drawn; the argument is that of `renderers`."""
        least = self.draw_threshold
        if least == DRAW_THRESHOLD:  # as whoever asked for nothing: not to lose people whom a model gives low scores
            least = min(least, high_conf_thres)
        overlays: list[Overlay] = [Trails(self.trails, least)] if self.trails else []
        if self.scene:
            overlays.append(SceneOverlay(self.scene))
        return least, overlays
