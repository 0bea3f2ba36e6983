"""A run put together from its options: the tracker, the sinks of its files, and who is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Any

from .analysis.scene import Scene
from .association.base import SequenceTracker
from .delivery.hub import Tell
from .delivery.push import Pusher
from .detection.base import Detector
from .job import Job
from .pipeline.answering.event_sink import EventSink
from .pipeline.live.keeping_up import KeepingUp
from .pipeline.live.pace import Pace
from .pipeline.live.push_sink import PushSink
from .pipeline.outputs import OutputOptions
from .pipeline.sequence import SequenceRun
from .pipeline.timing import StageTimes
from .privacy.cover import LEAST_SCORE, Cover
from .sinks.base import Sink
from .sinks.claim import RunFiles
from .sinks.records.people import PeopleSink
from .sinks.records.status import StatusSink
from .sinks.segments.names import SEGMENT
from .sinks.segments.plan import SegmentPlan
from .sinks.segments.segment import Outputs, SegmentInfo
from .sinks.segments.segments import Segments
from .structures import SequenceInfo


class Assembly:
    """The parts of one run.

    Args:
        job: the options of the run.
        info: what is known of the sequence.
        detector: detects the people.
    """

    def __init__(self, job: Job, info: SequenceInfo, detector: Detector) -> None:
        self._job, self._info, self._detector = job, info, detector
        stated = getattr(detector, "tracker_settings", {"conf_thres": detector.high_conf_thres})
        self._config = job.config.override({name: value for name, value in stated.items() if name not in job.given})
        self._scene = job.outputs.scene if job.outputs else None
        self._tell = job.events.tell if job.events.wanted else None
        self._tell_of_people = None if job.private else self._tell
        self._events = EventSink(self._tell_of_people, job.outputs.start if job.outputs else None, self._scene)
        self._times = StageTimes()
        self._push: PushSink | None = None
        pace = Pace(info.frame_rate, info.skip_frames) if job.live.realtime else None
        self._keeping_up = KeepingUp(job.live, job.source, pace)

    def sequence_run(self) -> SequenceRun:
        """Return the run, which has had no frame yet."""
        job, times = self._job, self._times
        on_scene = None
        recorders, renderers, claim = self._files(job.outputs) if job.outputs else ([], [], None)
        if job.source and job.outputs:
            recorders.append(StatusSink(job.outputs.folder, self._status))
        # the answers of a run in one piece tell what the scene makes of it; those of segments ask what happens in all
        if isinstance(claim, Segments) or (self._tell_of_people and self._scene is None):
            recorders.insert(0, self._events)
        if isinstance(claim, Segments) and not job.private:
            on_scene = partial(self._change_scene, claim)
        if job.push:
            renderers.append(self._push_sink(job.push))
        job.events.open()
        hide_score = getattr(self._detector, "hide_score", LEAST_SCORE)
        return SequenceRun(
            self._info,
            self._detector,
            SequenceTracker(self._config, self._info.frame_rate, times.stage, self._tell_of_people),
            recorders,
            [*renderers, *job.sinks],
            times,
            claim,
            self._scene,
            Cover(job.hiding, self._info, job.delay, hide_score) if job.hiding else None,
            job.outputs.least_people if job.outputs else 0,
            job.events,
            self._keeping_up,
            on_scene,
            own_size=isinstance(claim, Segments),
        )

    def _files(self, outputs: OutputOptions) -> tuple[list[Sink], list[Sink], RunFiles | Segments]:
        """Return what records, what renders and what names the files."""
        # those of a camera are cut where its pictures change in size, whatever else
        if self._job.source or self._job.segments.split is not None:
            segments = self._in_segments(outputs)
            return [segments], [segments.renderer] if outputs.is_rendered else [], segments
        whole = self._outputs(outputs, {}, None, self._tell_of_people)
        return [*whole.recorders], [*whole.renderers], whole.claim

    def _outputs(
        self, outputs: OutputOptions, more: Mapping[str, Any], run: EventSink | None, tell: Tell | None
    ) -> Outputs:
        """Return the sinks of a run in one piece, or of a segment, about which ``NAME_run.json`` tells more."""
        job, detector, config = self._job, self._detector, self._config
        scene = self._scene.to_mapping() if self._scene else None
        about = {
            "model": detector.name,
            "backend": detector.backend,
            "options": {**asdict(config), **job.thresholds, "scene": scene},
            "anonymise": asdict(job.hiding) if job.hiding else None,
            **more,
        }
        recorders = outputs.recorders(config.refine, about, self._at_end, detector.folder, run, tell)
        if job.saves_embeddings:
            recorders.append(PeopleSink(outputs.folder, detector.name, config.longest_memory))
        return Outputs(recorders, outputs.renderers(self._times, detector.high_conf_thres), outputs.claim())

    def _in_segments(self, outputs: OutputOptions) -> Segments:
        job = self._job

        def make(segment: SegmentInfo | None, start: datetime | None) -> Outputs:
            # frames of the source have other numbers than those of a segment: no pictures are taken from it again
            assert self._job.outputs
            own = replace(self._job.outputs, start=start, video=None)
            # events go on from one segment to the next, and are told by a sink of the whole run
            return self._outputs(own, {SEGMENT: asdict(segment)} if segment else {}, self._events, None)

        live, kept = job.source is not None, job.segments.kept
        plan = SegmentPlan(job.segments.length, outputs.start, by_clock=live)
        return Segments(outputs.folder, make, plan, kept, live, outputs.is_rendered, self._times.stage, self._tell)

    def _change_scene(self, segments: Segments, scene: Scene) -> None:
        """Go on with another scene from the next frame on, which begins a segment."""
        assert self._job.outputs
        outputs = replace(self._job.outputs, scene=scene)
        self._job, self._scene = replace(self._job, outputs=outputs), scene
        self._events.change(scene)
        segments.renew()
        if self._push:
            self._push.change(outputs.drawing(self._detector.high_conf_thres)[1])

    def _push_sink(self, address: str) -> PushSink:
        outputs = self._job.outputs
        sink = outputs.push_sink(address, self._detector.high_conf_thres) if outputs else PushSink(Pusher(address))
        self._job.events.report(sink.name, sink.totals)
        self._push = sink
        return sink

    def _at_end(self) -> dict[str, Any]:
        return {"stage_seconds": dict(self._times.seconds), **self._keeping_up.figures()}

    def _status(self) -> dict[str, Any]:
        status = self._keeping_up.status()
        if self._job.private:
            status.pop("people_now", None)  # one person is too few to be told
        return status
