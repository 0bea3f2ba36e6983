"""Cameras live: status, pictures and events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from ..limits import Busy, NotThere
from ..live.pictures import BOUNDARY, Pictures
from ..live.sink import KEPT_EVENTS, LiveSink
from ..site import Site
from .common import TheSite

LOOK = 0.2  # seconds between two looks for new events
ALIVE = 10.0  # seconds without an event after which a line says that the stream is there

router = APIRouter(tags=["live"])


def _camera(site: Site, name: str) -> LiveSink:
    if name not in site.live:
        raise NotThere("there is no such camera: /api/cameras lists them")
    return site.live[name]


def _pictures(request: Request, sink: LiveSink) -> Pictures:
    """Return the pictures of a camera, which all requests share."""
    shared: dict[str, Pictures] = request.app.state.pictures
    return shared.setdefault(sink.key, Pictures(sink))


@router.get("/api/cameras", summary="What every camera does now")
def cameras(site: TheSite) -> list[dict[str, Any]]:
    """Return state, frame rate, lag in seconds, people now and so far, and the counts of lines and zones."""
    return [sink.status() for sink in site.live.values()]


@router.get("/api/cameras/{name}", summary="What one camera does now")
def camera(name: str, site: TheSite) -> dict[str, Any]:
    """Return the same of one camera."""
    return _camera(site, name).status()


@router.get("/api/cameras/{name}/stream.mjpg", summary="The annotated picture as Motion JPEG", response_class=Response)
async def stream(name: str, site: TheSite, request: Request) -> StreamingResponse:
    """Return pictures without an end, 10 a second at most; a slow viewer gets fewer."""
    pictures = _pictures(request, _camera(site, name))
    if sum(shared.viewers for shared in request.app.state.pictures.values()) >= site.limits.max_viewers:
        raise Busy(f"{site.limits.max_viewers} viewers are all that this page takes: try later")
    body = pictures.stream(request.app.state.closing)
    return StreamingResponse(body, media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}")


@router.get("/api/cameras/{name}/snapshot.jpg", summary="The newest picture", response_class=Response)
async def snapshot(name: str, site: TheSite, request: Request, marked: bool = True) -> Response:
    """Return the newest picture, with people and scene drawn in or without."""
    sink = _camera(site, name)
    if marked:
        picture = await _pictures(request, sink).newest()
        if picture:
            return Response(picture.jpeg, media_type="image/jpeg", headers={"X-Timestamp": f"{picture.at:.6f}"})
    elif sink.newest:
        jpeg = await asyncio.to_thread(sink.picture, sink.newest, False)
        return Response(jpeg, media_type="image/jpeg")
    raise NotThere("the camera has given no picture yet")


@router.get("/api/events", summary="What happens, as server-sent events", response_class=Response)
async def events(
    site: TheSite, request: Request, recent: Annotated[int, Query(ge=0, le=KEPT_EVENTS)] = 0
) -> StreamingResponse:
    """Return events as they happen: appeared, crossed, entered, left, loitering, crowd, ended, stream_lost ...

    So many ``recent`` ones come first; with the header ``Last-Event-ID`` those since then, as far as they are kept.
    """
    given = request.headers.get("last-event-id", "")
    known = int(given) if given.isascii() and given.isdigit() and len(given) < 16 else site.events.last - recent
    stream = _lines(site, min(known, site.events.last), request.app.state.closing)
    return StreamingResponse(stream, media_type="text/event-stream")


async def _lines(site: Site, last: int, closing: asyncio.Event) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    told = time.monotonic()
    while not closing.is_set():
        for number, event in site.events.after(last):
            last, told = number, time.monotonic()
            yield f"id: {number}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
        if time.monotonic() - told > ALIVE:
            told = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(LOOK)
