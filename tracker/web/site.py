"""What a page shows and allows: its parts, its limits, and how an error is told without a word about the server."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import OptionError, printable
from ..settings.checks import check_settings, number, whole
from .live import EventLog, LiveSink

if TYPE_CHECKING:
    from .scenes import Easel
    from .videos.videos import Videos

_PATH = re.compile(r"""(?<![\w:/.])(?:~|[A-Za-z]:)?[/\\](?:[^\s'"<>|:,;()]*[/\\])*([^\s'"<>|:,;()/\\]*)""")


@dataclass(frozen=True)
class Limits:
    """What visitors of a page may take of the machine.

    Attributes:
        max_upload: size of a video, megabytes.
        max_length: length of a video, seconds.
        max_queue: videos that wait or are being tracked.
        max_videos: videos that are kept; the oldest finished one goes when another comes.
        max_viewers: live pictures that are watched at once.

    Raises:
        OptionError: A value is of the wrong type or out of its range.
    """

    max_upload: float = number(2000.0, "size of a video, megabytes", low=0.001)
    max_length: float = number(7200.0, "length of a video, seconds", low=0.1)
    max_queue: int = whole(20, "videos that wait or are being tracked")
    max_videos: int = whole(200, "videos that are kept; the oldest goes when another comes")
    max_viewers: int = whole(32, "live pictures that are watched at once")

    def __post_init__(self) -> None:
        check_settings(self)


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


class NotThere(OptionError):
    """A visitor named something that the page does not have."""


class Busy(OptionError):
    """A visitor asks for more than the page can take now."""


def without_paths(text: object) -> str:
    """Return a text as one line in which every path is only the name of its file."""
    return printable(_PATH.sub(r"\1", str(text)))
