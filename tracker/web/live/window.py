"""A window that shows a run, where there is a display."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import cv2

from ...analysis.scene import Scene
from ...errors import OptionError
from ...structures import Frame, SequenceInfo, Tracks
from .sink import LONGEST_SIDE, LiveSink

ESCAPE = 27


def check_display() -> None:
    """Check that a window can be shown.

    Raises:
        OptionError: OpenCV was built without windows, or there is no display.
    """
    windows = re.search(r"^\s*GUI:\s*(\S+)", cv2.getBuildInformation(), re.MULTILINE)
    if windows is None or windows[1] == "NONE":
        raise OptionError("show needs an OpenCV with windows, this one is headless: use preview, a page in the browser")
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OptionError("show needs a display, and DISPLAY is not set: use preview, a page in the browser")


class WindowSink(LiveSink):
    """Shows every tracked frame in a window; Escape, or closing it, ends the window and not the run.

    Args:
        scene: lines and zones to draw; None for none.

    Raises:
        OptionError: there is no display.
    """

    name = "show"

    def __init__(self, scene: Scene | None = None) -> None:
        check_display()
        super().__init__("window", scene)
        self._window = ""
        self._shown = False

    def open(self, info: SequenceInfo) -> None:
        """Open the window."""
        super().open(info)
        self._window, self._shown = info.name, True
        cv2.namedWindow(self._window, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Show a frame."""
        super().write(frame, tracks)
        if not self._shown or self.newest is None:
            return
        cv2.imshow(self._window, self.drawn(self.newest, longest=LONGEST_SIDE))
        key = cv2.waitKey(1) & 0xFF
        if key == ESCAPE or cv2.getWindowProperty(self._window, cv2.WND_PROP_VISIBLE) < 1:
            cv2.destroyWindow(self._window)
            self._shown = False

    def close(self) -> dict[str, Path]:
        """Close the window."""
        if self._shown:
            cv2.destroyWindow(self._window)
            self._shown = False
        return super().close()
