"""The checked options of one run, and the run that they make."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from .association.base import SequenceTracker
from .delivery.hub import EventHub, Tell
from .delivery.push import Pusher
from .detection.base import Detector
from .errors import OptionError
from .pipeline.answering.event_sink import EventSink
from .pipeline.answering.past import Past
from .pipeline.live.keeping_up import KeepingUp
from .pipeline.live.pace import Pace
from .pipeline.live.push_sink import PushSink
from .pipeline.outputs import OutputOptions
from .pipeline.sequence import SequenceRun
from .pipeline.timing import StageTimes
from .privacy.cover import Cover, Hiding
from .settings.groups.delivery import DeliveryOptions
from .settings.groups.live import LiveOptions
from .settings.groups.people import PeopleOptions
from .settings.groups.segments import SegmentOptions
from .settings.runtime import RuntimeOptions
from .settings.tracking import TrackerConfig
from .sinks.base import Sink
from .sinks.claim import RunFiles
from .sinks.records.people import PeopleSink
from .sinks.records.status import StatusSink
from .sinks.segments.names import SEGMENT
from .sinks.segments.plan import SegmentPlan
from .sinks.segments.segment import Outputs, SegmentInfo
from .sinks.segments.segments import Segments
from .sources import Source
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
        events: takes what happens in the run, by ``events.tell``, from whoever has something to tell.
        source: the source, where it is live; None for others.

    Raises:
        OptionError: options contradict each other.
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
    events: EventHub = field(default_factory=EventHub)
    source: Source | None = None

    def __post_init__(self) -> None:
        length = self.segments.length
        if self.outputs and self.outputs.private and length is not None and length < self.outputs.interval:
            raise OptionError(
                f"private counts by intervals of {self.outputs.interval:g} s: split {self.segments.split} is shorter"
            )
        if self._saves_embeddings and not self.outputs:
            raise OptionError("save_embeddings has no place without output_dir: give that too")
        if self._saves_embeddings and self.outputs and self.outputs.private:
            raise OptionError("private keeps nothing of what people look like: leave save_embeddings out")

    @property
    def live(self) -> LiveOptions:
        """How cameras and streams are read."""
        return self.groups.get(LiveOptions, LiveOptions())

    @property
    def segments(self) -> SegmentOptions:
        """How the files are cut and kept."""
        return self.groups.get(SegmentOptions, SegmentOptions())

    @property
    def _saves_embeddings(self) -> bool:
        return self.groups.get(PeopleOptions, PeopleOptions()).save_embeddings

    def sequence_run(self, info: SequenceInfo, detector: Detector) -> SequenceRun:
        """Return the run of a sequence with these options.

        Args:
            info: what is known of the sequence.
            detector: detects the people.
        """
        stated = getattr(detector, "tracker_settings", {"conf_thres": detector.high_conf_thres})
        config = self.config.override({name: value for name, value in stated.items() if name not in self.given})
        times, scene = StageTimes(), self.outputs.scene if self.outputs else None
        tell = self.events.tell if self.events.wanted else None
        pace = Pace(info.frame_rate, info.skip_frames) if self.live.realtime else None
        keeping_up = KeepingUp(self.live, self.source, pace)
        recorders: list[Sink] = []
        renderers: list[Sink] = []
        claim: RunFiles | Segments | None = None
        tells_itself = False  # whether the answers tell what the scene makes of it
        if self.outputs:
            about = {
                "model": detector.name,
                "backend": detector.backend,
                "options": {**asdict(config), **self.thresholds, "scene": scene.to_mapping() if scene else None},
                "anonymise": asdict(self.hiding) if self.hiding else None,
            }

            def made(outputs: OutputOptions, more: Mapping[str, Any], past: Past | None, tell: Tell | None) -> Outputs:
                recorders = outputs.recorders(config.refine, {**about, **more}, at_end, detector.folder, past, tell)
                if self._saves_embeddings:
                    recorders.append(PeopleSink(outputs.folder, detector.name, config.longest_memory))
                return Outputs(
                    recorders,
                    outputs.renderers(times, detector.high_conf_thres),
                    outputs.claim(),
                )

            def at_end() -> dict[str, Any]:
                return {"stage_seconds": dict(times.seconds), **keeping_up.figures()}

            # the files of a camera are cut where it changes the size of its pictures, whatever else
            if self.source or self.segments.split is not None:
                claim = self._in_segments(self.outputs, made, times, tell)
                recorders, renderers = [claim], [claim.renderer] if self.outputs.is_rendered else []
            else:
                whole = made(self.outputs, {}, None, tell)
                recorders, renderers, claim = [*whole.recorders], [*whole.renderers], whole.claim
                tells_itself = scene is not None
            if self.source:
                hidden = {"people_now"} if self.outputs.private else set()  # one person is too few to be told
                recorders.append(StatusSink(self.outputs.folder, lambda: without(keeping_up.status(), hidden)))
        if tell and not tells_itself and not (self.outputs and self.outputs.private):
            recorders.append(EventSink(tell, self.outputs.start if self.outputs else None, scene))
        push = self.groups.get(DeliveryOptions, DeliveryOptions()).push
        if push:
            sink = self.outputs.push_sink(push, detector.high_conf_thres) if self.outputs else PushSink(Pusher(push))
            renderers.append(sink)
            self.events.report(sink.name, sink.totals)
        self.events.open()
        private = self.outputs is not None and self.outputs.private  # and tells of nobody
        tracker = SequenceTracker(config, info.frame_rate, times.stage, None if private else tell)
        cover = Cover(self.hiding, info, self.delay) if self.hiding else None
        every_sink, least_people = [*renderers, *self.sinks], self.outputs.least_people if self.outputs else 0
        return SequenceRun(
            info,
            detector,
            tracker,
            recorders,
            every_sink,
            times,
            claim,
            scene,
            cover,
            least_people,
            self.events,
            keeping_up,
            own_size=isinstance(claim, Segments),
        )

    def _in_segments(
        self,
        outputs: OutputOptions,
        made: Callable[[OutputOptions, Mapping[str, Any], Past | None, Tell | None], Outputs],
        times: StageTimes,
        tell: Tell | None,
    ) -> Segments:
        """Return the outputs of a run that are cut into segments; ``made`` makes those of one."""
        past = Past()

        def make(segment: SegmentInfo | None, start: datetime | None) -> Outputs:
            # frames of the source have other numbers than those of a segment: no pictures are taken from it again
            own = replace(outputs, start=start, video=None)
            # events go on from one segment to the next, and are told by a sink of the whole run
            return made(own, {SEGMENT: asdict(segment)} if segment else {}, past, None)

        live, kept = self.source is not None, self.segments.kept
        plan = SegmentPlan(self.segments.length, outputs.start, by_clock=live)
        return Segments(outputs.folder, make, plan, kept, live, outputs.is_rendered, times.stage, tell)


def without(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return a mapping without some of its names."""
    return {name: value for name, value in values.items() if name not in names}
