"""The application: routes, errors as one line of JSON, and the documents of its API."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from ..errors import TrackingError
from .guard import Access, Guard
from .limits import Busy, NotThere, without_paths
from .routes import draw, live, pages, videos
from .site import Site

STATIC = Path(__file__).parent / "static"

logger = logging.getLogger(__name__)


def make_app(site: Site, access: Access, closing: asyncio.Event | None = None) -> ASGIApp:
    """Return the application of a page.

    Args:
        site: what the page shows.
        access: who may use it.
        closing: is set when the server is about to end, so that streams do.
    """
    app = FastAPI(
        title=site.title,
        version="1",
        description='Pedestrian tracking: cameras live, videos, scenes. Errors are `{"error": "one line"}`.',
        docs_url=None,  # those pages fetch their scripts from elsewhere; /docs here is our own
        redoc_url=None,
    )
    app.state.site, app.state.closing, app.state.pictures = site, closing or asyncio.Event(), {}
    app.include_router(pages.router)
    app.include_router(live.router)
    if site.videos:
        app.include_router(videos.router)
    app.include_router(draw.router)
    app.mount("/static", pages.static_files(STATIC))
    for kind, answer in ((TrackingError, _told), (RequestValidationError, _invalid), (HTTPException, _http)):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, _failed)
    return Guard(app, access)


def _error(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status)


async def _told(request: Request, error: Exception) -> JSONResponse:
    status = 404 if isinstance(error, NotThere) else 429 if isinstance(error, Busy) else 400
    return _error(status, without_paths(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    return _error(422, without_paths(f"{where or 'body'}: {first.get('msg', 'is not accepted')}")[:300])


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises it again once this is sent, and uvicorn logs it
    return _error(500, "the server failed at this request: its log says why")
