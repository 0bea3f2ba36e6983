"""What a page shows: its parts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from .limits import Limits
from .live.sink import EventLog, LiveSink
from .scenes.easels import Easel
from .videos.videos import Videos


@dataclass
class Site:
    """The parts of a page.

    Attributes:
        title: what the page is called.
        live: cameras by name.
        events: what happens on them.
        videos: uploaded videos; None for a page without.
        easels: pictures that a scene is drawn on, by name; those of videos come and go beside them.
        limits: what visitors may take.
        single: whether the page serves one task only, such as drawing a scene, and ends with it.
        done: is set when that task is.
    """

    title: str = "Pedestrians"
    live: dict[str, LiveSink] = field(default_factory=dict)
    events: EventLog = field(default_factory=EventLog)
    videos: Videos | None = None
    easels: dict[str, Easel] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    single: bool = False
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def parts(self) -> list[str]:
        """Names of the parts that this page has."""
        shown = {
            "live": bool(self.live),
            "videos": self.videos is not None,
            "draw": bool(self.easels) or self.videos is not None,
        }
        return [name for name, there in shown.items() if there]
