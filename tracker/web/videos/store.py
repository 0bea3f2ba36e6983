"""What is known of the uploaded videos, in a file that outlives the server."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ...errors import OutputError

QUEUED, RUNNING, DONE, FAILED, CANCELLED = STATES = ("queued", "running", "done", "failed", "cancelled")


@dataclass(frozen=True)
class Video:
    """An uploaded video.

    Attributes:
        id: random; names its folder.
        name: what the visitor calls it; never a path.
        state: one of `STATES`.
        added: Unix time of the upload.
        seconds: length by what the file states; 0 where it does not.
        frames: number of frames likewise.
        width: of the picture, pixels.
        height: likewise.
        people: how many were found; None before.
        error: why it failed; None otherwise.
        scene: lines and zones, as `load_scene` takes them.
        address: where it is fetched from; None for a file that was uploaded.
        tracked: whether there are results.
    """

    id: str
    name: str
    state: str
    added: float
    seconds: float = 0.0
    frames: int = 0
    width: int = 0
    height: int = 0
    people: int | None = None
    error: str | None = None
    scene: dict[str, Any] | None = None
    address: str | None = None
    tracked: bool = False


_COLUMNS = [field.name for field in fields(Video)]


class Store:
    """The table of videos. Safe to share between threads.

    Args:
        path: of the SQLite file.

    Raises:
        OutputError: it cannot be opened, or is none.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            columns = ", ".join(f"{name} PRIMARY KEY" if name == "id" else name for name in _COLUMNS)
            self._base.execute(f"CREATE TABLE IF NOT EXISTS videos ({columns})")
            known = {row[1] for row in self._base.execute("PRAGMA table_info(videos)")}
            for name in _COLUMNS:
                if name not in known:  # the file is of an earlier version
                    self._base.execute(f"ALTER TABLE videos ADD COLUMN {name}")
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"cannot keep the list of videos in {path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def all(self) -> list[Video]:
        """Return all videos, the newest first."""
        return self._select("ORDER BY added DESC, id")

    def find(self, id: str) -> Video | None:
        """Return the video of an id, or None."""
        return next(iter(self._select("WHERE id = ?", id)), None)

    def next(self) -> Video | None:
        """Return the video that has waited longest, or None."""
        return next(iter(self._select("WHERE state = ? ORDER BY added LIMIT 1", QUEUED)), None)

    def counts(self) -> dict[str, int]:
        """Return how many videos are in each state."""
        rows = dict(self._execute("SELECT state, count(*) FROM videos GROUP BY state"))
        return {state: rows.get(state, 0) for state in STATES}

    def put(self, video: Video) -> Video:
        """Add a video, or replace the one of its id."""
        values = [getattr(video, name) for name in _COLUMNS]
        values = [json.dumps(value) if isinstance(value, dict) else value for value in values]
        marks = ", ".join("?" * len(values))
        self._execute(f"INSERT OR REPLACE INTO videos ({', '.join(_COLUMNS)}) VALUES ({marks})", *values)
        return video

    def change(self, id: str, **values: Any) -> Video | None:
        """Change a video, unless it has been removed; return it as it is then."""
        video = self.find(id)
        return None if video is None else self.put(replace(video, **values))

    def remove(self, id: str) -> None:
        """Forget a video."""
        self._execute("DELETE FROM videos WHERE id = ?", id)

    def _select(self, condition: str, *values: Any) -> list[Video]:
        made = []
        for row in self._execute(f"SELECT {', '.join(_COLUMNS)} FROM videos {condition}", *values):
            known = dict(zip(_COLUMNS, row))
            known["scene"] = json.loads(known["scene"]) if known["scene"] else None
            known["tracked"] = bool(known["tracked"])
            made.append(Video(**known))
        return made

    def _execute(self, statement: str, *values: Any) -> list[tuple]:
        try:
            with self._lock:
                return self._base.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise OutputError(f"the list of videos cannot be kept: {error}") from error
