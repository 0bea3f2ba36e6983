"""The answers to a scene while a run goes on: sinks that write them."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from ..analysis.recording import Recording
from ..delivery.hub import Tell
from ..sinks.files import answers_path, refined_path, run_path, text_path
from ..sinks.records.times import Clock
from ..structures import Frame, SequenceInfo, Tracks
from .analyse import analyse
from .answering.event_sink import EventSink
from .answering.private_answers import AnyAnswers, PrivateAnswers
from .answering.scene_answers import Asked, SceneAnswers
from .answering.watch import observe

logger = logging.getLogger(__name__)


class AnswersSink:
    """Writes the answers to a scene, each row as soon as it is known, flushed.

    Args:
        output_dir: folder of the results of the run; these go to ``answers/NAME`` in it.
        asked: what is asked.
        interval: length of the intervals that are counted by, seconds.
        start: clock time of the first frame; None where it is not known.
        private: whether nothing but counts is written, see `PrivateFiles`.
        run: what happens in the whole run, of which this is a segment; None for a run that is one whole.
        tell: called with every event, once the files have it; not in a private run. None for nobody.
    """

    name = "answers"

    def __init__(
        self,
        output_dir: Path,
        asked: Asked,
        interval: float = 60.0,
        start: datetime | None = None,
        private: bool = False,
        run: EventSink | None = None,
        tell: Tell | None = None,
    ) -> None:
        self._output_dir = output_dir
        self._asked = asked
        self._interval = interval
        self._start = start
        self._private = private
        self._run = run
        self._tell = tell
        self._info: SequenceInfo
        self._number = 0
        self._clock: Clock
        self._answers: AnyAnswers

    def open(self, info: SequenceInfo) -> None:
        """Create the files.

        Raises:
            OutputError: one cannot be made.
        """
        recording = Recording(info.name, info.size, info.frame_rate, info.skip_frames, self._start, self._interval)
        self._info, self._clock = info, Clock(info.frame_rate)
        folder, name = self._output_dir, info.name
        answers = answers_path(folder, name)
        if self._private:
            self._answers = PrivateAnswers(answers, self._asked.scene, recording)
        else:
            text, about = text_path(folder, name), run_path(folder, name)
            self._answers = SceneAnswers(
                answers, self._asked, recording, text, about, with_frames=True, tell=self._tell
            )
        if self._run:
            self._run.holder = self
        if self._answers.analysis.floor:
            logger.info("%s", self._answers.analysis.floor)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Write what a frame tells."""
        observations, now = observe(self._clock, frame, tracks)
        self._number = frame.index + 1
        crossed = self._run.crossed(self._info, self._number) if self._run else None
        self._answers.write(observations, now, frame, tracks, crossed)

    def close(self) -> dict[str, Path]:
        """Write what is left, and return the folder, as ``answers``, and the report, if any, as ``report``."""
        if self._run is None:
            return self._answers.close()
        # what is settled after the last frame of a segment is left to the next one
        return self._answers.close(self._run.crossed(self._info, self._number) if self._run.holder is self else [])


class RefinedAnswersSink:
    """Writes the answers to a scene from the refined text of a run, once that is there.

    Args:
        output_dir: folder of the results of the run. The answers to ``mot_results/NAME_refined.txt`` in it, which
            another sink writes and which must be closed before this one, go to ``answers/NAME_refined``.
        asked: what is asked.
        interval: as for `AnswersSink`.
        start: as for `AnswersSink`.
        video: file that the frames came from, for pictures; None for none.
    """

    name = "answers"

    def __init__(
        self,
        output_dir: Path,
        asked: Asked,
        interval: float = 60.0,
        start: datetime | None = None,
        video: Path | None = None,
    ) -> None:
        self._output_dir = output_dir
        self._info: SequenceInfo
        self._asked, self._interval, self._start, self._video = asked, interval, start, video

    def open(self, info: SequenceInfo) -> None:
        """Note the name of the run."""
        self._info = info

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Do nothing yet."""

    def close(self) -> dict[str, Path]:
        """Analyse the text, and return the folder of the answers, as ``answers_refined``."""
        asked = self._asked
        result = analyse(
            refined_path(self._output_dir, self._info.name),
            asked.scene,
            output_dir=self._output_dir,
            video=self._video,
            start=self._start,
            interval=self._interval,
            language=asked.language,
            **vars(asked.options),
        )
        return {"answers_refined": result.folder}
