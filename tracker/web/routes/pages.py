"""The page itself, its files, and what machines ask for: health and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ..metrics import metrics_text
from .common import TheSite

STATIC = Path(__file__).parents[1] / "static"

router = APIRouter()


class _Static(StaticFiles):
    """Files that a browser asks after each time, so that a new version of the page is a whole one."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            answer = await super().get_response(path, scope)
        except (OSError, ValueError) as error:  # no name that a file could have
            raise HTTPException(404) from error
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def static_files(folder: Path) -> StaticFiles:
    """Return the application that gives out the files of a folder."""
    return _Static(directory=folder)


@router.get("/", include_in_schema=False)
def page() -> FileResponse:
    """Return the page."""
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/docs", include_in_schema=False)
def docs() -> FileResponse:
    """Return the page that shows the API."""
    return FileResponse(STATIC / "docs.html", headers={"Cache-Control": "no-cache"})


@router.get("/healthz", tags=["machines"], summary="Say that the server is there; needs no token")
def healthz() -> dict[str, str]:
    """Return ``ok``; a camera that is lost does not make the server unhealthy."""
    return {"status": "ok"}


@router.get("/metrics", tags=["machines"], summary="Figures in the text format of Prometheus")
def metrics(site: TheSite) -> PlainTextResponse:
    """Return the figures of all cameras and videos."""
    return PlainTextResponse(metrics_text(site), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/site", tags=["page"], summary="What this page has, and what visitors may take")
def about(site: TheSite) -> dict[str, Any]:
    """Return title, parts and limits."""
    limits = {name: getattr(site.limits, name) for name in ("max_upload", "max_length", "max_queue")}
    limits["allow_sources"] = bool(site.videos and site.videos.allow_sources)
    return {"title": site.title, "parts": site.parts, "limits": limits, "single": site.single}
