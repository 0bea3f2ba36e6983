"""Who may ask, checked before any route: the name of the host, the origin of a page, the token, the size of a body."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import ipaddress
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "tracker_session"
SESSION_SECONDS = 7 * 86400
PAUSE = 30.0  # seconds that a body, or the head of a request, may send nothing
MOST_BODY = 1_000_000  # bytes, of anything but a video
OPEN = ("/healthz",)  # what needs no token
FREE_BODY = ("/api/videos",)  # counts the bytes of its body by itself
SAFE = ("GET", "HEAD", "OPTIONS")
LOGIN = (Path(__file__).parent / "static" / "login.html").read_text(encoding="utf-8")
LOGIN_WORDS = {
    "en": ("en", "Log in", "This page needs its token.", "Token", "Log in", "That is not the token."),
    "zh": ("zh-CN", "登录", "访问此页面需要令牌。", "令牌", "登录", "令牌不正确。"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, browsers send forms with the origin "null"
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """Who may use a page.

    Attributes:
        hosts: names that the page may be asked for by, beside numeric addresses, in lower case.
        token: what a visitor has to know; None for nothing.
    """

    hosts: frozenset[str] = frozenset({"localhost"})
    token: str | None = None

    @classmethod
    def on(cls, host: str, token: str | None = None, names: Iterable[str] = ()) -> Access:
        """Return the access to a page that listens on an address.

        Args:
            host: the address or name.
            token: what a visitor has to know; None for nothing.
            names: more names that the page is known by.
        """
        own = () if token is None else (socket.gethostname(), socket.getfqdn())
        return cls(frozenset(name.lower() for name in ("localhost", host, *own, *names)), token)

    def knows_host(self, stated: str) -> bool:
        """Return whether a ``Host`` header names this page. A numeric address cannot be pointed elsewhere by DNS."""
        try:
            name = urlsplit(f"//{stated}").hostname or ""
            _ = urlsplit(f"//{stated}").port
        except ValueError:
            return False
        if name in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.token is not None or address.is_loopback

    def is_token(self, given: str) -> bool:
        """Compare a token in constant time."""
        return self.token is None or hmac.compare_digest(_digest(given), _digest(self.token))

    def session(self) -> str:
        """Return a cookie's value that stands for the token for a week."""
        ends = str(int(time.time()) + SESSION_SECONDS)
        return f"{ends}.{self._sign(ends)}"

    def is_session(self, value: str) -> bool:
        """Return whether a cookie's value came from `session` and is not over."""
        ends, _, signature = value.partition(".")
        genuine = hmac.compare_digest(_digest(signature), _digest(self._sign(ends)))
        return genuine and ends.isascii() and ends.isdigit() and len(ends) < 12 and time.time() < int(ends)

    def _sign(self, text: str) -> str:
        key = (self.token or "").encode("utf-8", "surrogatepass")
        return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    """Texts of one length, so that the time of a comparison does not tell how long the right one is."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class Guard:
    """Passes on what may be asked, and answers the rest; adds the headers that keep a browser to this page.

    Args:
        app: gets what may be asked.
        access: who may ask.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _Hardened(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refused = self._refuse(scope["method"], scope["path"], headers)
        if refused:
            await refused(scope, receive, send)
            return
        if scope["path"] not in FREE_BODY:
            receive = _limited(receive)
        try:
            if scope["path"] == "/login":
                await (await self._log_in(scope, headers, receive))(scope, receive, send)
            elif scope["path"] in OPEN or self._is_known(headers):
                await self._app(scope, receive, send)
            else:
                await self._unknown(scope["method"], headers)(scope, receive, send)
        except _TooLong:
            await refusal(413, f"a body of more than {MOST_BODY} bytes is not taken here")(scope, receive, send)
        except _TooLate:
            await refusal(408, f"the body sent nothing for {PAUSE:g} seconds")(scope, receive, send)

    def _refuse(self, method: str, path: str, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.knows_host(hosts[0]):
            return refusal(421, "this page is not known by that name: ask by its address, or start it with --name NAME")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        foreign = origin is not None and urlsplit_or_none(origin) != hosts[0].lower()
        if foreign or site not in ("same-origin", "none"):
            follows_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate" and origin is None
            if not (follows_link and not path.startswith("/api")):
                return refusal(403, "another site's page may not ask for this")
        if method not in SAFE and _length(headers) > MOST_BODY and path not in FREE_BODY:
            return refusal(413, f"a body of more than {MOST_BODY} bytes is not taken here")
        return None

    def _is_known(self, headers: Headers) -> bool:
        if self._access.token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._access.is_token(given.strip())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._access.is_session(cookie.value)

    def _unknown(self, method: str, headers: Headers) -> Response:
        if method == "GET" and "text/html" in headers.get("accept", ""):
            return _form(headers, 401)
        return refusal(401, "give the token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})

    async def _log_in(self, scope: Scope, headers: Headers, receive: Receive) -> Response:
        if scope["method"] != "POST":
            return _form(headers, 200) if scope["method"] == "GET" else refusal(405, "log in by POST")
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        try:
            given = parse_qs(body.decode(), max_num_fields=5).get("token", [""])[0]
        except ValueError:
            given = ""
        if not self._access.is_token(given):
            return _form(headers, 401, wrong=True)
        answer = RedirectResponse("/", 303)
        secure = scope.get("scheme") == "https" or headers.get("x-forwarded-proto") == "https"
        answer.set_cookie(
            COOKIE, self._access.session(), SESSION_SECONDS, httponly=True, samesite="strict", secure=secure
        )
        return answer


def refusal(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer that says in one line why there is none."""
    return JSONResponse({"error": reason}, status, headers)


def urlsplit_or_none(address: str) -> str | None:
    """Return host and port of an origin, in lower case; None for one that has none, as ``null``."""
    try:
        return urlsplit(address).netloc.lower() or None
    except ValueError:
        return None


def _length(headers: Headers) -> int:
    stated = headers.get("content-length", "0")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 16 else MOST_BODY + 1


def _form(headers: Headers, status: int, wrong: bool = False) -> Response:
    """Return the form that asks for the token, in the language of the browser; it needs no other file."""
    chinese = headers.get("accept-language", "").lower().startswith("zh")
    language, title, why, label, button, error = map(html.escape, LOGIN_WORDS["zh" if chinese else "en"])
    words = {"language": language, "title": title, "why": why, "label": label, "button": button}
    page = LOGIN.replace("{error}", error if wrong else "")
    for name, word in words.items():
        page = page.replace(f"{{{name}}}", word)
    return HTMLResponse(page, status, {"WWW-Authenticate": "Bearer"} if status == 401 else None)


class _TooLong(Exception):
    """A body is longer than may be."""


class _TooLate(Exception):
    """A body does not come."""


def _limited(receive: Receive) -> Receive:
    """Return a receiver that gives up on a body of more than `MOST_BODY` bytes, or one that pauses for `PAUSE`."""
    taken, whole = 0, False

    async def limited() -> Message:
        nonlocal taken, whole
        try:
            # once it is whole, whoever receives waits for the end of the connection
            message = await asyncio.wait_for(receive(), None if whole else PAUSE)
        except TimeoutError as error:
            raise _TooLate from error
        whole = whole or not message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > MOST_BODY:
            raise _TooLong
        return message

    return limited


class _Hardened:
    """Sends answers with the headers that keep a browser to this page.

    Args:
        send: of the server.
    """

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)
