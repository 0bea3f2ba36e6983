"""Scenes: what to draw on, what is drawn, what it counts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from ..limits import NotThere
from ..scenes.easels import Easel, count_drawn, read_drawn, scene_text
from ..site import Site
from ..videos.results import easel_of
from .common import TheSite

VIDEO = "video:"  # begins the key of an uploaded video, which its id follows

router = APIRouter(tags=["scenes"])


def _easel(site: Site, key: str) -> Easel:
    if key.startswith(VIDEO) and site.videos:
        return easel_of(site.videos, key.removeprefix(VIDEO))
    if key not in site.easels:
        raise NotThere("there is no such picture to draw on: /api/easels lists them")
    return site.easels[key]


@router.get("/api/easels", summary="The pictures that a scene can be drawn on")
def easels(site: TheSite) -> list[dict[str, str]]:
    """Return key and title of cameras and videos."""
    listed = [{"key": key, "title": easel.title} for key, easel in site.easels.items()]
    if site.videos:
        listed += [{"key": f"{VIDEO}{video.id}", "title": video.name} for video in site.videos.store.all()]
    return listed


@router.get("/api/easels/{key}", summary="The scene that is drawn there now")
def easel(key: str, site: TheSite) -> dict[str, Any]:
    """Return the scene, in fractions of the picture, and the seconds in which a frame may be chosen."""
    found = _easel(site, key)
    _, drawn = read_drawn(
        {k: v for k, v in found.scene().to_mapping().items() if k in ("lines", "zones", "ignore", "only", "plane")}
    )
    return {
        "key": key,
        "title": found.title,
        "span": found.span,
        "note": found.note,
        "scene": drawn,
        "tracked": found.text() is not None,
    }


@router.get("/api/easels/{key}/frame.jpg", summary="A picture to draw on", response_class=Response)
def frame(key: str, site: TheSite, at: Annotated[float, Query(ge=0, le=60)] = 0.0) -> Response:
    """Return the frame so many seconds from the beginning; of a camera the newest."""
    return Response(_easel(site, key).picture(at), media_type="image/jpeg")


@router.post("/api/easels/{key}/count", summary="Check a scene, and count it where tracks exist")
def counted(key: str, scene: dict[str, Any], site: TheSite) -> dict[str, Any]:
    """Return ``counts`` of lines and zones, or null without tracks; saves nothing."""
    found = _easel(site, key)
    return {"counts": count_drawn(found, read_drawn(scene)[0])}


@router.put("/api/easels/{key}", summary="Save a scene")
def save(key: str, scene: dict[str, Any], site: TheSite) -> dict[str, Any]:
    """Save the scene file of a camera, or the scene of a video, which is then answered anew."""
    found = _easel(site, key)
    _, drawn = read_drawn(scene)
    found.save(drawn)
    return {"text": scene_text(drawn), "note": found.note}


@router.post("/api/done", summary="End a page that serves one task", include_in_schema=False)
def done(site: TheSite) -> dict[str, bool]:
    """Tell the command that waits for it that the task is done."""
    if not site.single:
        raise NotThere("this page goes on")
    site.done.set()
    return {"done": True}
