"""The command ``serve``: cameras, videos and scenes on one page."""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..options import CHOSEN, add_model_arguments
from ..pipeline.interrupts import StopRequest
from ..predictor import Predictor
from ..settings.checks import check_whole, shown
from ..sinks.files import checked_folder
from ..web.limits import Limits
from .base import Command
from .first_run import agreed_model
from .viewing import LOCAL, check_page_packages

HELP = "Serve a page: cameras live, scenes drawn with the mouse, videos tracked for whoever uploads them."
USAGE = "[--port PORT] [--sources FILE] [options]"
LEAST_TOKEN = 8  # characters
LOOK = 0.2  # seconds between two looks whether to end


@dataclass(frozen=True)
class Served:
    """What a server was.

    Attributes:
        address: of the page.
    """

    address: str

    def __str__(self) -> str:
        return f"served {self.address}"


def add_serve_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    """Add the arguments of ``serve``.

    Args:
        parser: gets them.
        everything: whether help shows the rarely needed ones too.
    """
    group = parser.add_argument_group("The page")
    group.add_argument("--port", type=int, default=8080, help="of the page (default: %(default)s)")
    group.add_argument("--sources", metavar="FILE", help="YAML file of cameras to track: name, source, scene, options")
    group.add_argument(
        "--host",
        default=LOCAL,
        metavar="ADDRESS",
        help="address to listen on (default: %(default)s, this machine only); any other needs a token",
    )
    group.add_argument(
        "--token", help="what visitors must know; other users of this machine see it among its processes"
    )
    group.add_argument("--token_file", metavar="FILE", help="file that has the token")
    group.add_argument(
        "--name", action="append", default=[], metavar="NAME", help="another name of this server, as behind a proxy"
    )
    group.add_argument("--output_dir", default="mot_result", help="folder of all results (default: %(default)s)")
    group.add_argument(
        "--allow_sources",
        action="store_true",
        help="let visitors name an address that this machine then fetches a video from",
    )
    for limit in dataclasses.fields(Limits):
        help = f"{limit.metadata['help']} (default: %(default)g)" if everything else argparse.SUPPRESS
        group.add_argument(f"--{limit.name}", type=limit.metadata["kind"], default=limit.default, help=help)
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")
    add_model_arguments(parser.add_argument_group("Model options", "What tracks."))


def read_token(token: str | None, file: str | None) -> str | None:
    """Return the token that the arguments give; None for none.

    Raises:
        OptionError: both are given, the file cannot be read, or the token is too short to be one.
    """
    if token is not None and file is not None:
        raise OptionError("give token or token_file, not both")
    if file is not None:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise OptionError(f"token_file: cannot read {shown(file)}: {reason}") from error
    if token is not None and len(token) < LEAST_TOKEN:
        raise OptionError(f"a token needs at least {LEAST_TOKEN} characters, this one has {len(token)}")
    return token


def check_host(host: str, token: str | None) -> None:
    """Check that a page that others can reach has a token.

    Raises:
        OptionError: it has none.
    """
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local and token is None:
        raise OptionError(f"on host {shown(host)} others can reach the page: give token or token_file")


def run_serve(predictor: Predictor, arguments: dict[str, Any]) -> Served:
    """Serve the page until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        predictor: tracks, with the model of the arguments.
        arguments: those of the command by name.

    Raises:
        OptionError: an argument is not accepted.
        KeyboardInterrupt: Ctrl-C, once all is closed; SystemExit for the other signals.
    """
    token, host = read_token(arguments["token"], arguments["token_file"]), arguments["host"]
    check_host(host, token)
    check_whole("port", arguments["port"], 0, 65535)
    check_page_packages("serve")
    limits = Limits(**{limit.name: arguments[limit.name] for limit in dataclasses.fields(Limits)})
    folder = checked_folder(arguments["output_dir"])
    arguments["model"] = agreed_model(arguments["model"])
    predictor.change_model(*(arguments[name] for name in CHOSEN))
    # only now: a wrong argument is told before a second is spent on imports
    from ..cameras.config import read_cameras
    from ..web.cameras import CameraRuns
    from ..web.guard import Access
    from ..web.server import PageServer
    from ..web.site import Site
    from ..web.videos.videos import Videos

    cameras = read_cameras(Path(arguments["sources"])) if arguments["sources"] else []
    site = Site(limits=limits)
    gpu = {"use_gpu": arguments["use_gpu"]}
    site.videos = Videos(predictor, folder / "videos", limits, gpu, arguments["allow_sources"])
    runs = CameraRuns(predictor, cameras, site, {"output_dir": folder / "cameras", **gpu})
    access = Access.on(host, token, arguments["name"])
    with StopRequest() as stop, ExitStack() as stack:
        stack.enter_context(site.videos)
        stack.enter_context(runs)
        server = stack.enter_context(PageServer(site, host, arguments["port"], access))
        while stop.received is None:
            time.sleep(LOOK)
    return Served(server.address)


COMMAND = Command(HELP, USAGE, add_serve_arguments, run_serve)
