"""What routes have in common."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from ..site import Site


def _site(request: Request) -> Site:
    return request.app.state.site


TheSite = Annotated[Site, Depends(_site)]
