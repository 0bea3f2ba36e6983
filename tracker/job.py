"""The checked options of one run, and the run that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from .association.base import SequenceTracker
from .detection.base import Detector
from .pipeline.outputs import OutputOptions
from .pipeline.sequence import SequenceRun
from .pipeline.timing import StageTimes
from .privacy.cover import Cover, Hiding
from .settings.runtime import RuntimeOptions
from .settings.tracking import TrackerConfig
from .sinks.base import Sink
from .structures import SequenceInfo


@dataclass(frozen=True)
class Job:
    """The options of one run, checked before a camera is opened or a model loaded.

    Attributes:
        outputs: the files to write; None for none.
        sinks: the user's own sinks.
        runtime: backend, precision, device and threads of the network.
        thresholds: thresholds of detection in place of the model's own.
        config: settings of the association.
        given: names of the settings that somebody asked for; of the others those that the model states are used.
        progress: whether to show a bar while a model is downloaded; None for when stderr is a terminal.
        hiding: who is hidden before any sink gets a frame; None for nobody.
        delay: whether a frame may wait for what later ones tell of people in it.
        groups: instances of the classes in `GROUPS`, by class.
    """

    outputs: OutputOptions | None
    sinks: Sequence[Sink]
    runtime: RuntimeOptions
    thresholds: dict[str, Any]
    config: TrackerConfig
    given: frozenset[str]
    progress: bool | None = None
    hiding: Hiding | None = None
    delay: bool = False
    groups: dict[type, Any] = field(default_factory=dict)

    def sequence_run(self, info: SequenceInfo, detector: Detector) -> SequenceRun:
        """Return the run of a sequence with these options.

        Args:
            info: what is known of the sequence.
            detector: detects the people.
        """
        stated = getattr(detector, "tracker_settings", {"conf_thres": detector.high_conf_thres})
        config = self.config.override({name: value for name, value in stated.items() if name not in self.given})
        times, recorders, renderers, claim, scene = StageTimes(), [], [], None, None
        if self.outputs:
            scene = self.outputs.scene
            about = {
                "model": detector.name,
                "backend": detector.backend,
                "options": {**asdict(config), **self.thresholds, "scene": scene.to_mapping() if scene else None},
                "anonymise": asdict(self.hiding) if self.hiding else None,
            }
            at_end = partial(dict[str, Any], stage_seconds=times.seconds)
            recorders = self.outputs.recorders(config.refine, about, at_end, detector.folder)
            renderers = self.outputs.renderers(times, detector.high_conf_thres)
            claim = self.outputs.claim()
        tracker = SequenceTracker(config, info.frame_rate, times.stage)
        cover = Cover(self.hiding, info, self.delay) if self.hiding else None
        every_sink, least_people = [*renderers, *self.sinks], self.outputs.least_people if self.outputs else 0
        return SequenceRun(
            info, detector, tracker, recorders, every_sink, times, claim, scene, cover, least_people=least_people
        )
