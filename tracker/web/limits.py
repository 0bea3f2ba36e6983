"""What visitors may take of a machine, and how they are told what they may not have."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import OptionError, printable
from ..settings.checks import check_settings, number, whole

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


class NotThere(OptionError):
    """A visitor named something that the page does not have."""


class Busy(OptionError):
    """A visitor asks for more than the page can take now."""


def without_paths(text: object) -> str:
    """Return a text as one line in which every path is only the name of its file."""
    return printable(_PATH.sub(r"\1", str(text)))
