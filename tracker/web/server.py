"""The web server, in a thread of its own beside the tracking."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from types import TracebackType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import OptionError
from .app import make_app
from .guard import PAUSE, Access
from .site import Site

MOST_CONNECTIONS = 200
CLOSING_SECONDS = 2  # that answers under way may take when the page closes

logger = logging.getLogger(__name__)


class PageServer:
    """Serves a page while its ``with`` block runs.

    Args:
        site: what the page shows.
        host: address to listen on.
        port: likewise; 0 for any that is free.
        access: who may use the page.

    Raises:
        OptionError: the port cannot be had.
    """

    def __init__(self, site: Site, host: str, port: int, access: Access) -> None:
        self._socket = _listen(host, port)
        self.address = _address(host, self._socket.getsockname()[1])
        self._site, self._access = site, access
        self._server: uvicorn.Server
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._closing: asyncio.Event
        self._ready = threading.Event()

    def __enter__(self) -> PageServer:
        self._thread.start()
        self._ready.wait()
        logger.info("page: %s", self.address)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._close)
        self._thread.join()
        self._socket.close()

    def _close(self) -> None:
        self._closing.set()
        self._server.should_exit = True

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        config = uvicorn.Config(
            make_app(self._site, self._access, self._closing),
            lifespan="off",
            ws="none",
            http=_Impatient,
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=CLOSING_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._ready.set()
        await self._server.serve([self._socket])


class _Impatient(H11Protocol):
    """Closes connections on which no request comes, for they would take the places of others."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.loop.call_later(PAUSE, self._end_if_silent)

    def _end_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OptionError(f"host {host!r} is no address of this machine: {error.strerror}") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except OSError as error:
        made.close()
        raise OptionError(f"cannot listen on {_address(host, port)}: {error.strerror}; give another port") from error
    return made


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
