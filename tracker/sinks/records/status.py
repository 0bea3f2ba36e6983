"""How a run with a live source is doing, as a small JSON file that is written anew every few seconds."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ...structures import Frame, SequenceInfo, Tracks
from ..files import make_parent, status_path, write_whole

logger = logging.getLogger(__name__)

SCHEMA = 1
PERIOD = 5.0  # seconds


class StatusSink:
    """Writes the state of a run at the first frame, every 5 seconds, also when no frames come, and at the end.

    The file has ``name``, ``updated`` (clock time), ``state`` (live, lost, or ended), ``frames`` so far, ``fps`` since
    it was written before, ``frame_age`` (seconds since the last frame was tracked), and what the run tells. One that
    cannot be written is told once and stops nothing.

    Args:
        folder: output folder; the file is ``mot_results/NAME_status.json`` in it.
        status: returns what else is known.
        period: seconds.
    """

    name = "text"  # it takes no time of its own

    def __init__(self, folder: Path, status: Callable[[], Mapping[str, Any]], period: float = PERIOD) -> None:
        self._folder = folder
        self._status = status
        self._period = period
        self._path: Path
        self._name = ""
        self._frames = self._before = 0
        self._written = self._tracked = time.monotonic()
        self._warned = False
        self._ending = threading.Event()
        self._thread: threading.Thread

    def open(self, info: SequenceInfo) -> None:
        """Write the file, and from now on every few seconds.

        Raises:
            OutputError: its folder cannot be made.
        """
        self._name, self._path = info.name, status_path(self._folder, info.name)
        make_parent(self._path)
        self._tracked = time.monotonic()  # the first frame is what opens it
        self._write()
        self._thread = threading.Thread(target=self._go_on, name="status", daemon=True)
        self._thread.start()

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Count a frame."""
        self._frames += 1
        self._tracked = time.monotonic()

    def close(self) -> dict[str, Path]:
        """Write that the run has ended, and return the path, as ``status``."""
        self._ending.set()
        self._thread.join()
        self._write(state="ended")
        return {"status": self._path}

    def _go_on(self) -> None:
        while not self._ending.wait(self._period):
            self._write()

    def _write(self, **changes: Any) -> None:
        frames, clock = self._frames, time.monotonic()
        fps = round((frames - self._before) / max(clock - self._written, 0.001), 2)
        self._before, self._written = frames, clock
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        known = {"schema": SCHEMA, "name": self._name, "updated": now, "frames": frames, "fps": fps}
        known["frame_age"] = round(clock - self._tracked, 1)
        text = json.dumps({**known, **self._status(), **changes}, indent=1, ensure_ascii=False)
        try:
            write_whole(self._path, f"{text}\n")
        except OSError as error:
            if not self._warned:
                logger.warning("cannot write %s: %s; the run goes on", self._path, error.strerror)
            self._warned = True
