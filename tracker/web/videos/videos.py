"""The videos of a page: taken in, tracked one after the other in a thread, cancelled and removed."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ...errors import OptionError, OutputError, SourceError, TrackingError
from ...predictor import Predictor
from ...sources import open_source
from ...structures import Frame, SequenceInfo, Tracks
from ..limits import Busy, Limits, NotThere, without_paths
from ..live.sink import encoded
from .containers import HEAD, KINDS, is_video
from .fetching import check_address, fetch
from .store import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Store, Video

CLIP, THUMB, STEM = "video.mp4", "thumb.jpg", "video"  # whatever a visitor calls them
FETCH_SECONDS = 900.0  # that fetching a video may take
LOOK = 1.0  # seconds between two looks for a video that waits, if nobody says so

logger = logging.getLogger(__name__)


class _Ended(TrackingError):
    """A run is to end before its video does."""


class _Progress:
    """A sink that counts frames, and ends a run that is cancelled or too long.

    Args:
        limit: seconds of video.
    """

    name = "progress"

    def __init__(self, limit: float) -> None:
        self.frames, self.began = 0, time.monotonic()
        self.cancelled = threading.Event()
        self._limit = limit

    def open(self, info: SequenceInfo) -> None:
        """Begin to count."""
        self.began = time.monotonic()

    def write(self, frame: Frame, tracks: Tracks) -> None:
        """Count a frame.

        Raises:
            TrackingError: the run is to end.
        """
        if self.cancelled.is_set():
            raise _Ended("cancelled")
        if frame.time > self._limit:
            raise SourceError(f"the video is longer than the {self._limit:g} seconds that this page takes")
        self.frames += 1

    def close(self) -> dict[str, Path]:
        """Return no file."""
        return {}


class Videos:
    """The videos of a page; tracks them while its ``with`` block runs.

    What waited or was being tracked when a server ended is tracked by the next one with the same folder.

    Args:
        predictor: has the model.
        folder: of all that is kept.
        limits: what visitors may take.
        options: of `Predictor.mot_predict`.

    Attributes:
        store: the list of videos.
        limits: as given.
        allow_sources: whether a visitor may name an address to fetch a video from.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(
        self,
        predictor: Predictor,
        folder: Path,
        limits: Limits,
        options: Mapping[str, Any] | None = None,
        allow_sources: bool = False,
    ) -> None:
        self.limits, self.allow_sources = limits, allow_sources
        self._predictor, self._folder, self._options = predictor, folder, dict(options or {})
        self.store = Store(folder / "videos.sqlite")
        self._adding = threading.Lock()
        self._news, self._stop = threading.Event(), threading.Event()
        self._running: dict[str, _Progress] = {}
        self._thread = threading.Thread(target=self._work, name="videos", daemon=True)
        for part in folder.glob("*.part"):  # uploads that the last server did not get to the end of
            part.unlink(missing_ok=True)
        for video in self.store.all():
            if video.state == RUNNING:
                self.store.change(video.id, state=QUEUED)

    def __enter__(self) -> Videos:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        for progress in [*self._running.values()]:
            progress.cancelled.set()
        self._news.set()
        self._thread.join()
        self.store.close()

    def folder(self, id: str) -> Path:
        """Return the folder of a video that `get` knows."""
        return self._folder / id

    def get(self, id: str) -> Video:
        """Return a video.

        Raises:
            NotThere: there is none of that id.
        """
        video = self.store.find(id)
        if video is None:
            raise NotThere("there is no such video: /api/videos lists them")
        return video

    def check_room(self) -> None:
        """Check that one more video may come.

        Raises:
            Busy: the queue is full, or so many videos are kept that wait.
        """
        counts = self.store.counts()
        if counts[QUEUED] + counts[RUNNING] >= self.limits.max_queue:
            raise Busy(f"{self.limits.max_queue} videos wait already: try again when one is done")
        if shutil.disk_usage(self._folder).free < 2e6 * self.limits.max_upload:
            raise Busy("the server's disk is nearly full: remove videos that are no longer needed")

    def new_upload(self) -> Path:
        """Return a path to write an upload to, before `add`."""
        return self._folder / f"{secrets.token_hex(8)}.part"

    def add(self, part: Path, name: str, scene: dict[str, Any] | None = None) -> Video:
        """Take in an upload, and queue it.

        Args:
            part: the file; moved, or removed after an error.
            name: what the visitor calls it.
            scene: what is to be counted.

        Raises:
            OptionError: it is no video, or a longer one than may be.
            Busy: as for `check_room`.
        """
        try:
            known, picture = self._examine(part)
            with self._adding:
                self.check_room()
                self._make_room()
                video = Video(secrets.token_hex(8), name, QUEUED, time.time(), scene=scene, **known)
                folder = self.folder(video.id)
                folder.mkdir(parents=True)
                part.replace(folder / CLIP)
                (folder / THUMB).write_bytes(picture)
                self.store.put(video)
        except OSError as error:
            raise OutputError(f"the server cannot keep the video: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        self._news.set()
        return video

    def add_address(self, address: str, name: str) -> Video:
        """Queue a video that is fetched from an address.

        Raises:
            OptionError: this page does not fetch, or it is no address of http.
            Busy: as for `check_room`.
        """
        if not self.allow_sources:
            raise OptionError("this page fetches nothing from elsewhere: upload the video")
        check_address(address)
        with self._adding:
            self.check_room()
            self._make_room()
            video = Video(secrets.token_hex(8), name, QUEUED, time.time(), address=address)
            self.folder(video.id).mkdir(parents=True)
            self.store.put(video)
        self._news.set()
        return video

    def _examine(self, path: Path) -> tuple[dict[str, Any], bytes]:
        """Return what a video states of itself, and its first picture."""
        with path.open("rb") as file:
            if not is_video(file.read(HEAD)):
                raise OptionError(f"this is no video that can be read: give {KINDS}")
        try:
            with open_source(path) as source:
                first = next(iter(source)).image
                rate, frames = source.frame_rate, source.frame_count or 0
        except SourceError as error:
            raise OptionError(
                "this is no video that can be read: its pictures are damaged or of an unknown kind"
            ) from (error)
        if frames / rate > self.limits.max_length:
            raise OptionError(
                f"the video has {frames / rate:.0f} seconds, more than the {self.limits.max_length:g} taken here"
            )
        height, width = first.shape[:2]
        stated = {"seconds": frames / rate, "frames": frames, "width": width, "height": height}
        return stated, thumbnail(first)

    def _make_room(self) -> None:
        """Remove the oldest videos that are finished, so that another one may be kept."""
        videos = self.store.all()
        spare = [video for video in reversed(videos) if video.state not in (QUEUED, RUNNING)]
        for video in spare[: max(0, len(videos) + 1 - self.limits.max_videos)]:
            self.remove(video.id)
        if len(self.store.all()) >= self.limits.max_videos:
            raise Busy(f"{self.limits.max_videos} videos are all that this page keeps: try again when one is done")

    def cancel(self, id: str) -> Video:
        """End the run of a video, or take it from the queue."""
        video = self.get(id)
        if video.state == QUEUED:
            video = self.store.change(id, state=CANCELLED) or video
        running = self._running.get(id)
        if running:
            running.cancelled.set()
        return video

    def again(self, id: str) -> Video:
        """Queue a video that is not waiting already.

        Raises:
            Busy: as for `check_room`.
        """
        if self.get(id).state not in (QUEUED, RUNNING):
            self.check_room()
            self.store.change(id, state=QUEUED, error=None)
            self._news.set()
        return self.get(id)

    def remove(self, id: str) -> None:
        """Remove a video and all that was made of it."""
        self.cancel(id)
        self.store.remove(id)
        if id not in self._running:  # its files are open; whoever tracks it removes them
            shutil.rmtree(self.folder(id), ignore_errors=True)

    def progress(self, video: Video) -> dict[str, Any]:
        """Return how far a video is: frames done, the part of all, seconds left, its place in the queue."""
        running = self._running.get(video.id)
        if video.state == QUEUED:
            ahead = [one for one in self.store.all() if one.state in (QUEUED, RUNNING) and one.added < video.added]
            return {"place": len(ahead) + 1}
        if video.state != RUNNING or running is None:
            return {}
        frames, spent = running.frames, time.monotonic() - running.began
        part = min(1.0, frames / video.frames) if video.frames else None
        left = spent / frames * (video.frames - frames) if video.frames and frames > 5 else None
        return {"frames": frames, "part": part, "left": None if left is None else round(max(0.0, left), 1)}

    def _work(self) -> None:
        while not self._stop.is_set():
            video = self.store.next()
            if video is None:
                self._news.wait(LOOK)
                self._news.clear()
            else:
                self._track(video)

    def _fetch(self, id: str, address: str, progress: _Progress) -> None:
        part, most = self.new_upload(), int(1e6 * self.limits.max_upload)
        try:
            fetch(address, part, most, FETCH_SECONDS, progress.cancelled.is_set)
            known, picture = self._examine(part)
            part.replace(self.folder(id) / CLIP)
            (self.folder(id) / THUMB).write_bytes(picture)
            self.store.change(id, **known)
        finally:
            part.unlink(missing_ok=True)

    def _track(self, video: Video) -> None:
        progress = self._running[video.id] = _Progress(self.limits.max_length)
        self.store.change(video.id, state=RUNNING, error=None)
        folder = self.folder(video.id)
        outcome: dict[str, Any]
        try:
            if video.address and not (folder / CLIP).exists():
                self._fetch(video.id, video.address, progress)
            result = self._predictor.mot_predict(
                folder / CLIP,
                folder,
                scene=video.scene or {},
                sinks=[progress],
                progress=False,
                **self._options,
            )
            outcome = {"state": DONE, "people": int(result.people), "tracked": True, "frames": result.frames}
        except _Ended:
            outcome = {"state": QUEUED if self._stop.is_set() else CANCELLED}
        except TrackingError as error:
            logger.warning("video %s: %s", video.id, error)
            outcome = {"state": FAILED, "error": without_paths(error)}
        except Exception as error:  # the next video is to be tracked whatever this one does
            logger.exception("video %s", video.id)
            outcome = {"state": FAILED, "error": f"the server failed at this video: {type(error).__name__}"}
        del self._running[video.id]
        if self.store.change(video.id, **outcome) is None:
            shutil.rmtree(folder, ignore_errors=True)


def thumbnail(image: Any) -> bytes:
    """Return a small picture of a frame, as JPEG."""
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, 320 / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return encoded(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
