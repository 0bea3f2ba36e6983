"""Scenes drawn with the mouse: on what, checked how, saved where, counted from which tracks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import yaml

from ...analysis.analysis import SceneAnalysis
from ...analysis.recording import Recording
from ...analysis.scene import Scene, load_scene
from ...errors import OptionError, OutputError
from ...settings.files import read_mapping
from ...sources import open_source
from ..limits import Busy, NotThere
from ..live.sink import LiveSink, encoded
from .counting import count

MOST_POINTS = 2000  # of a scene that a visitor sends: whether a polygon cuts itself takes time that grows fast
MOST_SECONDS = 60.0  # from the beginning of a video, in which a frame to draw on may be chosen
DRAWN = ("lines", "zones", "ignore", "only", "plane")  # what the page changes; other keys of a file stay

_counting = threading.Semaphore(2)  # those who wait for a count, the one being made included


class Easel(Protocol):
    """A picture that a scene is drawn on.

    Attributes:
        title: what the page calls it.
        span: seconds from the beginning in which a frame may be chosen; 0 for the newest only.
        note: what is to be told after saving: ``saved``, ``saved_now`` or ``saved_later``, where it counts so.
    """

    title: str
    span: float
    note: str

    def picture(self, seconds: float) -> bytes:
        """Return the frame at a time, as JPEG.

        Raises:
            TrackingError: there is none.
        """
        ...

    def scene(self) -> Scene:
        """Return the scene as it is now.

        Raises:
            TrackingError: it cannot be read.
        """
        ...

    def save(self, drawn: dict[str, Any]) -> None:
        """Keep a scene, a mapping as `read_drawn` returns it.

        Raises:
            TrackingError: it cannot be kept.
        """
        ...

    def text(self) -> Path | None:
        """Return the MOT text to count in, or None."""
        ...


def read_drawn(given: Any) -> tuple[Scene, dict[str, Any]]:
    """Check a scene that a visitor sent.

    Returns:
        The scene; and the same as a mapping of plain values, as a file has it.

    Raises:
        OptionError: it is not accepted; the message is one line and names the key.
    """
    if not isinstance(given, Mapping):
        raise OptionError("a scene must be an object with lines, zones, ignore, only and plane")
    for key in given:
        if key not in DRAWN:
            raise OptionError(f"unknown key {str(key)[:40]!r}; a scene here has {', '.join(DRAWN)}")
    try:
        if _size(given) > 2 * MOST_POINTS:
            raise OptionError(f"a scene here may have {MOST_POINTS} points at most")
        scene = load_scene(given)
    except RecursionError as error:
        raise OptionError("lists or objects are nested too deeply for a scene") from error
    mapping = {key: value for key, value in scene.to_mapping().items() if key in DRAWN and value}
    return scene, _tidy(mapping)


def _size(value: Any) -> int:
    """Return how many numbers and texts a value holds."""
    if isinstance(value, Mapping):
        return sum(1 + _size(item) for item in value.values())
    return sum(map(_size, value)) if isinstance(value, list) else 1


def _tidy(value: Any) -> Any:
    """Round coordinates, and leave out what is as it is without being said."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, (list, tuple)):
        return [_tidy(item) for item in value]
    if isinstance(value, Mapping):
        usual = {"anchor": "foot", "loitering": 0, "crowd": 0, "queue": False, "doors": []}
        return {k: _tidy(v) for k, v in value.items() if k not in usual or v != usual[k]}
    return value


def scene_text(mapping: Mapping[str, Any]) -> str:
    """Return a scene as the text of a YAML file."""
    head = "# Places are fractions of the picture, from its upper left corner\n"
    return head + yaml.safe_dump(dict(mapping), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


def save_scene(path: Path, drawn: Mapping[str, Any]) -> None:
    """Write a scene to a file, whole or not at all; keys of the file that the page does not draw stay.

    Raises:
        OptionError: the file is there and is no scene.
        OutputError: it cannot be written.
    """
    kept = {}
    if path.exists():
        kept = {key: value for key, value in read_mapping(path).items() if key not in (*DRAWN, "size")}
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(scene_text({**drawn, **kept}), encoding="utf-8")
        load_scene(path.parent / part.name)
        os.replace(part, path)  # noqa: PTH105 (as atomic, and says so)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def count_drawn(easel: Easel, scene: Scene) -> dict[str, Any] | None:
    """Return what a scene counts in the tracks of an easel; None where there are none.

    Raises:
        Busy: others are being counted for.
        TrackingError: the tracks cannot be read.
    """
    text = easel.text()
    if text is None:
        return None
    if not _counting.acquire(timeout=20):
        raise Busy("the server counts for others: try again")
    try:
        return count(text, scene)
    finally:
        _counting.release()


def frame_at(video: Path | str | int, seconds: float = 0.0, from_device: bool = False) -> bytes:
    """Return the frame of a source at a time, or the last one before its end, as JPEG.

    Raises:
        SourceError: it cannot be read.
    """
    with open_source(video, from_device) as source:
        for frame in source:
            image = frame.image
            if frame.time >= min(seconds, MOST_SECONDS):
                break
        return encoded(image)


class CameraEasel:
    """A camera's newest picture, without marks.

    Args:
        sink: has the picture, with people hidden as the run hides them.
        path: file of its scene, which the camera reads when it starts.
        change: lets the camera go on with a scene that was saved, and returns whether it does.
    """

    span, note = 0.0, "saved_later"

    def __init__(self, sink: LiveSink, path: Path, change: Callable[[Scene], bool] = lambda _: False) -> None:
        self.title = sink.title or sink.key
        self._sink, self._path, self._change = sink, path, change

    def picture(self, seconds: float) -> bytes:
        """Return the newest frame."""
        if self._sink.newest is None:
            raise NotThere("the camera has given no picture yet")
        return self._sink.picture(self._sink.newest, marked=False)

    def scene(self) -> Scene:
        """Return what was saved last, or else what the camera counts now."""
        return load_scene(self._path) if self._path.exists() else self._sink.scene

    def save(self, drawn: dict[str, Any]) -> None:
        """Write the file, and let the camera count it from now on, if it can."""
        if self._sink.newest is not None:
            height, width = self._sink.newest.frame.image.shape[:2]
            SceneAnalysis(
                load_scene(drawn), Recording(self.title, (width, height), 1.0)
            )  # what it refuses is not saved
        save_scene(self._path, drawn)
        scene = load_scene(self._path)
        changed = self._change(scene)
        if changed:
            self._sink.change_scene(scene)
        self.note = "saved_now" if changed else "saved_later"

    def text(self) -> Path | None:
        """Return None: the files of a camera are not counted anew."""
        return None


class SourceEasel:
    """A picture of any source, for the command ``scene``.

    Args:
        source: as for `open_source`.
        path: file of the scene.
        from_device: whether the source is the number of a camera.

    Attributes:
        text_file: MOT text to count in, if it exists.

    Raises:
        SourceError: the source cannot be read.
    """

    note = "saved"

    def __init__(self, source: str, path: Path, from_device: bool = False) -> None:
        self._source, self._path, self._from_device = source, path, from_device
        self.text_file: Path | None = None
        with open_source(source, from_device) as opened:
            self.title, self.live = opened.name, opened.live
            frames = None if opened.live else opened.frame_count
            self.span = min(MOST_SECONDS, frames / opened.frame_rate) if frames else 0.0
            self._first = encoded(next(iter(opened)).image)

    def picture(self, seconds: float) -> bytes:
        """Return the frame at a time; of a live source the first one that was read."""
        if self.live or seconds <= 0:
            return self._first
        return frame_at(self._source, seconds, self._from_device)

    def scene(self) -> Scene:
        """Return the scene of the file, or an empty one."""
        return load_scene(self._path) if self._path.exists() else Scene()

    def save(self, drawn: dict[str, Any]) -> None:
        """Write the file."""
        save_scene(self._path, drawn)

    def text(self) -> Path | None:
        """Return the text, if it is there."""
        return self.text_file if self.text_file is not None and self.text_file.is_file() else None
