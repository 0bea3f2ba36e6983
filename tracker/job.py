"""The checked options of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .delivery.hub import EventHub
from .errors import OptionError
from .pipeline.outputs import OutputOptions
from .privacy.cover import Hiding
from .settings.groups.delivery import DeliveryOptions
from .settings.groups.live import LiveOptions
from .settings.groups.people import PeopleOptions
from .settings.groups.segments import SegmentOptions
from .settings.runtime import RuntimeOptions
from .settings.tracking import TrackerConfig
from .sinks.base import Sink
from .sources import Source


@dataclass(frozen=True)
class Job:
    """The options of one run, checked before a camera is opened or a model loaded.

    Attributes:
        outputs: the files to write; None for none.
        sinks: the user's own sinks. Those with a method ``on_event`` are told the events.
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
        for sink in self.sinks:
            if callable(listener := getattr(sink, "on_event", None)):
                self.events.listen(listener)
        length = self.segments.length
        if self.outputs and self.private and length is not None and length < self.outputs.interval:
            raise OptionError(
                f"private counts by intervals of {self.outputs.interval:g} s: split {self.segments.split} is shorter"
            )
        if self.saves_embeddings and not self.outputs:
            raise OptionError("save_embeddings has no place without output_dir: give that too")
        if self.saves_embeddings and self.private:
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
    def saves_embeddings(self) -> bool:
        """Whether it is kept what people look like."""
        return self.groups.get(PeopleOptions, PeopleOptions()).save_embeddings

    @property
    def push(self) -> str | None:
        """Address of the server that gets the annotated pictures."""
        return self.groups.get(DeliveryOptions, DeliveryOptions()).push

    @property
    def private(self) -> bool:
        """Whether nothing but counts is kept, and nobody is told of."""
        return self.outputs is not None and self.outputs.private
