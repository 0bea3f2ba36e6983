"""The live part of one run of ``track``: a page with ``--preview``, a window with ``--show``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..analysis.scene import load_scene
from ..errors import OptionError
from ..settings.checks import check_installed, check_whole
from ..sinks.base import Sink
from ..sources.opening import readable_again

LOCAL = "127.0.0.1"
PAGE_PACKAGES = ("fastapi", "uvicorn")


def check_page_packages(what: str) -> None:
    """Check that what serves the page is installed, which a light installation does without.

    Raises:
        OptionError: it is not.
    """
    for package in PAGE_PACKAGES:
        check_installed(what, package, "-r requirements-page.txt")


def add_view_arguments(group: argparse._ActionsContainer) -> None:
    """Add the flags that show a run while it goes on."""
    group.add_argument(
        "--preview",
        type=int,
        metavar="PORT",
        help=f"show the run live in a page at http://{LOCAL}:PORT, for browsers on this machine",
    )
    group.add_argument(
        "--show", action="store_true", help="show the run in a window, where there is a display; Escape closes it"
    )


@contextmanager
def viewing(source: Any, arguments: dict[str, Any]) -> Iterator[list[Sink]]:
    """Open the views that the arguments ask for.

    Args:
        source: what is tracked; None for several cameras.
        arguments: those of ``track``; ``preview`` and ``show`` are taken out.

    Yields:
        The sinks to track with.

    Raises:
        OptionError: there are several cameras, the run is private, the port cannot be had, or there is no display.
    """
    port, show = arguments.pop("preview"), arguments.pop("show")
    sinks: list[Sink] = []
    if port is None and not show:
        yield sinks
        return
    if source is None:
        raise OptionError("preview and show are for one SOURCE: the command serve shows several cameras")
    if arguments.get("private"):
        raise OptionError("a private run shows no picture: leave preview and show out")
    scene = load_scene(arguments.get("scene"))
    with ExitStack() as stack:
        if show:
            from ..web.live.window import WindowSink

            sinks.append(WindowSink(scene))
        if port is not None:
            check_whole("preview", port, 0, 65535)
            check_page_packages("preview")
            from ..web.guard import Access
            from ..web.live.sink import LiveSink
            from ..web.server import PageServer
            from ..web.site import Site

            site = Site()
            live = arguments.get("from_device") or readable_again(source) is None
            sink = LiveSink("run", scene, site.events, live)
            site.live[sink.key] = sink
            sinks.append(sink)
            stack.enter_context(PageServer(site, LOCAL, port, Access.on(LOCAL)))
        yield sinks
