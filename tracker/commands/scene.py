"""The command ``scene``: a page to draw one scene on, or a picture with a grid to read places from."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..analysis.scene import load_scene
from ..errors import OptionError, OutputError
from ..pipeline.interrupts import StopRequest
from ..predictor import Predictor
from ..settings.checks import check_whole, shown
from ..sinks.files import make_parent, text_path
from ..sources import open_source
from .base import Command
from .viewing import LOCAL, check_page_packages

HELP = "Draw a scene, lines, zones and regions, with the mouse on a page; or write a frame with a grid of fractions."
USAGE = "SOURCE [--output FILE | --snapshot PICTURE]"
LOOK = 0.2  # seconds between two looks whether the scene is drawn
PICTURES = (".png", ".jpg", ".jpeg")
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Drawn:
    """What came of drawing a scene.

    Attributes:
        scene: its file; None for a picture alone.
        lines: names of its lines.
        zones: names of its zones.
        picture: the picture with a grid; None for a scene.
    """

    scene: Path | None = None
    lines: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    picture: Path | None = None

    def __str__(self) -> str:
        if self.scene is None:
            return f"{self.picture}: fractions of the picture, from its upper left corner"
        return f"{self.scene}: lines {', '.join(self.lines) or 'none'}; zones {', '.join(self.zones) or 'none'}"


def add_scene_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    """Add the arguments of ``scene``."""
    parser.add_argument("source", metavar="SOURCE", help="video, image, address, or with --from_device a camera")
    parser.add_argument("--from_device", action="store_true", help="SOURCE is the number of a camera of this machine")
    parser.add_argument(
        "--output",
        default="scene.yml",
        metavar="FILE",
        help="the scene; one that exists is changed (default: %(default)s)",
    )
    parser.add_argument(
        "--snapshot", metavar="PICTURE", help="write a frame with a grid of fractions, in place of opening a page"
    )
    parser.add_argument("--port", type=int, default=0, help=f"of the page on {LOCAL} (default: any that is free)")
    parser.add_argument(
        "--output_dir",
        default="mot_result",
        help="folder of an earlier run of SOURCE, whose tracks are counted while you draw (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")


def run_scene(predictor: Predictor, arguments: dict[str, Any]) -> Drawn:
    """Have somebody draw a scene on a page, until it is saved or Ctrl-C.

    Args:
        predictor: not needed.
        arguments: those of the command by name.

    Raises:
        OptionError: an argument, or the scene there is, is not accepted.
        SourceError: the source cannot be read.
        OutputError: the picture cannot be written.
        KeyboardInterrupt: Ctrl-C.
    """
    source, from_device = arguments["source"], arguments["from_device"]
    if arguments["snapshot"] is not None:
        return Drawn(picture=_snapshot(source, from_device, Path(arguments["snapshot"])))
    path = Path(arguments["output"])
    if path.suffix.lower() not in (".yml", ".yaml"):
        raise OptionError(f"output must end in .yml, not {shown(path.name)}")
    if path.exists():
        load_scene(path)
    check_whole("port", arguments["port"], 0, 65535)
    check_page_packages("the page to draw on")
    from ..web.guard import Access
    from ..web.scenes.easels import SourceEasel
    from ..web.server import PageServer
    from ..web.site import Site

    easel = SourceEasel(source, path, from_device)
    easel.text_file = text_path(Path(arguments["output_dir"]), easel.title)
    site = Site(easels={"source": easel}, single=True)
    with StopRequest() as stop, ExitStack() as stack:
        stack.enter_context(PageServer(site, LOCAL, arguments["port"], Access.on(LOCAL)))
        while stop.received is None and not site.done.wait(LOOK):
            pass
    scene = load_scene(path)
    return Drawn(path, tuple(scene.lines), tuple(scene.zones))


def _snapshot(source: str, from_device: bool, path: Path) -> Path:
    """Write a frame with a grid of fractions.

    Raises:
        OptionError: the name ends as no picture does.
        OutputError: it cannot be written.
    """
    if path.suffix.lower() not in PICTURES:
        raise OptionError(f"snapshot must end in {', '.join(PICTURES)}, not {shown(path.name)}")
    with open_source(source, from_device) as opened:
        image = next(iter(opened)).image
    make_parent(path)
    data = cv2.imencode(path.suffix.lower(), with_grid(image))[1].tobytes()
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    return path


def with_grid(image: np.ndarray) -> np.ndarray:
    """Return a picture with a line at every tenth of its width and height, which says so, and a thin one at every 20th.

    Args:
        image: [H, W, 3] uint8 BGR, left unchanged.
    """
    height, width = image.shape[:2]
    scale = max(0.35, (width + height) / 3600)
    lines = image.copy()
    for step in range(1, 20):
        x, y, thick = round(width * step / 20), round(height * step / 20), 1
        color = (255, 255, 255) if step % 2 == 0 else (190, 190, 190)
        cv2.line(lines, (x, 0), (x, height), color, thick)
        cv2.line(lines, (0, y), (width, y), color, thick)
    canvas = cv2.addWeighted(lines, 0.5, image, 0.5, 0)
    for step in range(1, 10):
        x, y = round(width * step / 10), round(height * step / 10)
        for corner in ((x + 3, round(34 * scale)), (3, y - 4)):
            for color, stroke in (((0, 0, 0), 4), ((255, 255, 255), 1)):
                cv2.putText(canvas, f"{step / 10:.1f}", corner, _FONT, scale, color, stroke, cv2.LINE_AA)
    return canvas


COMMAND = Command(HELP, USAGE, add_scene_arguments, run_scene)
