"""What came of an uploaded video: people, counts, files; and a scene drawn on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...analysis.answers import Answers
from ...analysis.report.page import REPORT
from ...analysis.scene import Scene, load_scene
from ...pipeline.analyse import analyse
from ...sinks.draw import track_color
from ...sinks.files import answers_path, text_path, video_path
from ..limits import NotThere
from ..scenes.counting import count
from ..scenes.easels import MOST_SECONDS, frame_at, scene_text
from .store import Video
from .videos import CLIP, STEM, Videos

KINDS = ("video", "text", "people", "crossings", "counts", "visits", "events", "scene", "report")
_TABLES = {"people": ".csv", "crossings": ".csv", "counts": ".csv", "visits": ".csv", "events": ".jsonl"}


def files_of(folder: Path) -> dict[str, Path]:
    """Return the files of a video that are there, by kind."""
    answers = answers_path(folder, STEM)
    paths = {"video": video_path(folder, STEM), "text": text_path(folder, STEM), "report": answers / REPORT}
    paths |= {kind: answers / f"{kind}{suffix}" for kind, suffix in _TABLES.items()}
    return {kind: paths[kind] for kind in KINDS if kind in paths and paths[kind].is_file()}


def described(videos: Videos, video: Video) -> dict[str, Any]:
    """Return what the list tells of a video."""
    told = {
        name: getattr(video, name)
        for name in (
            "id",
            "name",
            "state",
            "added",
            "seconds",
            "frames",
            "width",
            "height",
            "people",
            "error",
            "tracked",
        )
    }
    return {**told, "progress": videos.progress(video)}


def result(videos: Videos, video: Video) -> dict[str, Any]:
    """Return what the page of a video tells: people, counts and files beside what the list tells.

    Raises:
        OutputError: a result cannot be read.
    """
    told = described(videos, video)
    if not video.tracked:
        return told
    folder = videos.folder(video.id)
    answers = Answers(answers_path(folder, STEM))
    people = [
        {
            "id": person.id,
            "first": person.first_seen,
            "last": person.last_seen,
            "color": "#{2:02x}{1:02x}{0:02x}".format(*track_color(person.id)),
        }
        for person in answers.people()
    ]
    crossings = [
        {"seconds": c.seconds, "line": c.line, "direction": c.direction, "id": c.id} for c in answers.crossings()
    ]
    files = [{"kind": kind, "bytes": path.stat().st_size} for kind, path in files_of(folder).items()]
    if video.scene:
        files.append({"kind": "scene", "bytes": len(scene_text(video.scene).encode())})
    counts = count(text_path(folder, STEM), load_scene(video.scene or {}))
    return {**told, "timeline": people, "crossings": crossings, "counts": counts, "files": files}


class VideoEasel:
    """A frame of an uploaded video.

    Args:
        videos: have it.
        video: which.
    """

    note = "saved"

    def __init__(self, videos: Videos, video: Video) -> None:
        self.title = video.name
        self.span = min(MOST_SECONDS, video.seconds)
        self._videos, self._video = videos, video
        self._folder = videos.folder(video.id)

    def picture(self, seconds: float) -> bytes:
        """Return the frame at a time."""
        clip = self._folder / CLIP
        file = clip if clip.is_file() else files_of(self._folder).get("video")
        if file is None:
            raise NotThere("there is no picture of this video yet")
        return frame_at(file, seconds)

    def scene(self) -> Scene:
        """Return the scene of the video."""
        return load_scene(self._video.scene or {})

    def save(self, drawn: dict[str, Any]) -> None:
        """Keep the scene, and answer it anew where the video has been tracked."""
        self._videos.store.change(self._video.id, scene=drawn)
        text = self.text()
        if text is not None:
            clip = self._folder / CLIP
            analyse(text, drawn, output_dir=self._folder, video=clip if clip.is_file() else None)

    def text(self) -> Path | None:
        """Return the text of the run, once it is done."""
        path = text_path(self._folder, STEM)
        return path if self._video.tracked and path.is_file() else None


def easel_of(videos: Videos, id: str) -> VideoEasel:
    """Return the easel of a video.

    Raises:
        NotThere: there is no such video.
    """
    return VideoEasel(videos, videos.get(id))
