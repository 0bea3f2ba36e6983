"""Videos: upload, list, cancel, remove, results."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from ..limits import NotThere
from ..scenes.easels import scene_text
from ..site import Site
from ..videos import results
from ..videos.videos import THUMB, Videos
from .common import TheSite

PAUSE = 30.0  # seconds that an upload may send nothing
Name = Annotated[str, Query(min_length=1, max_length=200, description="what to call the video")]
Kind = Literal["video", "text", "people", "crossings", "counts", "visits", "events", "scene", "report"]
MEDIA = {"video": "video/mp4", "report": "text/html; charset=utf-8", "events": "application/x-ndjson"}
SUFFIXES = {"video": ".mp4", "text": ".txt", "events": ".jsonl", "scene": ".yml", "report": ".html"}
# the report is one file with its script inside; it may do nothing but show itself
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)

router = APIRouter(tags=["videos"])


class Address(BaseModel):
    """A video to fetch."""

    address: str = Field(max_length=2000)
    name: str = Field(min_length=1, max_length=200)


def _videos(site: Site) -> Videos:
    if site.videos is None:
        raise NotThere("this page takes no videos")
    return site.videos


def _tidy(name: str) -> str:
    """Return the last part of a name, without what is not shown."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable()).strip(". ")[:120] or "video"


@router.get("/api/videos", summary="All videos, the newest first")
def listed(site: TheSite) -> list[dict[str, Any]]:
    """Return name, state, length and progress of every video."""
    videos = _videos(site)
    return [results.described(videos, video) for video in videos.store.all()]


@router.post("/api/videos", summary="Upload a video: the file itself is the body", status_code=201)
async def upload(name: Name, request: Request, site: TheSite) -> dict[str, Any]:
    """Take in a video and queue it, as `curl -T street.mp4 -X POST .../api/videos?name=street.mp4` sends it."""
    videos = _videos(site)
    most = int(1e6 * videos.limits.max_upload)
    stated = request.headers.get("content-length", "0")
    if len(stated) > 15 or int(stated if stated.isdigit() else 0) > most:
        raise HTTPException(413, f"the video has more than the {videos.limits.max_upload:g} megabytes taken here")
    await asyncio.to_thread(videos.check_room)
    part = videos.new_upload()
    try:
        await _receive(request, part, most)
        video = await asyncio.to_thread(videos.add, part, _tidy(name))
    except ClientDisconnect:
        raise HTTPException(400, "the upload was broken off") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return results.described(videos, video)


async def _receive(request: Request, part: Any, most: int) -> None:
    """Write the body of a request to a file, as it comes."""
    chunks, taken = request.stream().__aiter__(), 0
    try:
        with part.open("xb") as file:
            while True:
                try:
                    chunk = await asyncio.wait_for(anext(chunks), PAUSE)
                except StopAsyncIteration:
                    return
                taken += len(chunk)
                if taken > most:
                    raise HTTPException(413, f"the video has more than the {most / 1e6:g} megabytes taken here")
                await asyncio.to_thread(file.write, chunk)
    except TimeoutError:
        raise HTTPException(408, f"the upload sent nothing for {PAUSE:g} seconds") from None
    except OSError as error:
        raise HTTPException(507, f"the server cannot keep the video: {error.strerror}") from error


@router.post(
    "/api/videos/fetch", summary="Queue a video that the server fetches, where that is allowed", status_code=201
)
def fetch(given: Address, site: TheSite) -> dict[str, Any]:
    """Queue a video by its http address; the server must have been started with --allow_sources."""
    videos = _videos(site)
    return results.described(videos, videos.add_address(given.address, _tidy(given.name)))


@router.get("/api/videos/{id}", summary="A video, with its people, counts and files once it is done")
def one(id: str, site: TheSite) -> dict[str, Any]:
    """Return all that is known of a video."""
    videos = _videos(site)
    return results.result(videos, videos.get(id))


@router.post("/api/videos/{id}/cancel", summary="End a run, or take a video from the queue")
def cancel(id: str, site: TheSite) -> dict[str, Any]:
    """Cancel a video; what was uploaded stays."""
    videos = _videos(site)
    return results.described(videos, videos.cancel(id))


@router.post("/api/videos/{id}/again", summary="Track a video once more")
def again(id: str, site: TheSite) -> dict[str, Any]:
    """Queue a video that is done, failed or cancelled."""
    videos = _videos(site)
    return results.described(videos, videos.again(id))


@router.delete("/api/videos/{id}", summary="Remove a video and its results", status_code=204)
def remove(id: str, site: TheSite) -> None:
    """Remove a video for good."""
    _videos(site).remove(id)


@router.get("/api/videos/{id}/thumb.jpg", summary="The first picture, small", response_class=Response)
def thumb(id: str, site: TheSite) -> FileResponse:
    """Return the first picture."""
    videos = _videos(site)
    path = videos.folder(videos.get(id).id) / THUMB
    if not path.is_file():
        raise NotThere("there is no picture of this video")
    return FileResponse(path, media_type="image/jpeg")


@router.get("/api/videos/{id}/files/{kind}", summary="A file of the results", response_class=Response)
def file(id: str, kind: Kind, site: TheSite, download: bool = False) -> Response:
    """Return a file; video and report are shown in the browser unless ``download`` is set."""
    videos = _videos(site)
    video = videos.get(id)
    name = f"{_stem(video.name)}{'_vis' if kind == 'video' else ''}"
    name += SUFFIXES.get(kind, f"_{kind}.csv")
    if kind == "scene" and video.scene:
        return Response(
            scene_text(video.scene),
            media_type="application/yaml",
            headers={"Content-Disposition": 'attachment; filename="scene.yml"'},
        )
    path = results.files_of(videos.folder(video.id)).get(kind)
    if path is None or not video.tracked:
        raise NotThere("there is no such file of this video")
    headers = {"Content-Security-Policy": SANDBOX} if kind == "report" else {}
    how = "inline" if kind in ("video", "report") and not download else "attachment"
    media = MEDIA.get(kind, "text/plain; charset=utf-8" if kind == "text" else "text/csv; charset=utf-8")
    return FileResponse(path, headers=headers, media_type=media, filename=name, content_disposition_type=how)


def _stem(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and len(suffix) <= 5 else name
