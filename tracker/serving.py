"""PaddleHub Serving: what a client may ask for, and how much of the machine a request may take.

PaddleHub runs a Flask application that serves one request after the other. It has no limits of its own.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import selectors
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partialmethod
from socketserver import StreamRequestHandler
from typing import Any, NoReturn

import cv2
import flask
import numpy as np
from werkzeug.exceptions import BadRequest, ClientDisconnected, HTTPException
from werkzeug.serving import WSGIRequestHandler

from .errors import OptionError, TrackingError
from .options import DETECTION, TRACKER
from .predictor import Predictor
from .settings.checks import check_settings, check_whole, flag, number, shown, whole
from .settings.tracking import REFINE, RETIRED
from .sources.image_header import image_size, is_cut_off

# What a client may set: nothing that reads, writes or downloads a file, or chooses what the machine runs on.
CLIENT_OPTIONS = ("frame_rate", *DETECTION, *(name for name in TRACKER if not name.startswith(REFINE)), *RETIRED)
LARGEST = {"nms_top_k": 4096, "keep_top_k": 2000}  # time and memory grow with their squares

FAILED = "101"  # PaddleHub's status of a request that could not be answered; its HTTP status is 200 all the same
MOST_OPTIONS = 100  # that a request may hold beside its images


@dataclass(frozen=True)
class ServingOptions:
    """Limits of a request, and what only the operator of a server may choose.

    Attributes:
        max_body_bytes: Size of a request's body.
        max_images: Images of a request.
        max_pixels: Width times height of an image, by its header: a larger one is not decoded.
        max_seconds: Time that receiving a request may take, and then tracking its images.
        idle_seconds: Time that a connection may send nothing, while others wait.
        use_gpu: Whether the network runs on the first GPU.

    Raises:
        OptionError: A value is of the wrong type or out of its range.
    """

    max_body_bytes: int = whole(64_000_000, "size of a request's body, bytes")
    max_images: int = whole(1000, "images of a request")
    max_pixels: int = whole(50_000_000, "width times height of an image", high=2**30)
    max_seconds: float = number(
        60.0, "time that receiving a request, and tracking its images, may take, seconds", low=0.001
    )
    idle_seconds: float = number(10.0, "time that a connection may send nothing, seconds", low=0.001)
    use_gpu: bool = flag(False, "run the network on the first GPU")

    def __post_init__(self) -> None:
        check_settings(self)


def track_posted(
    predictor: Predictor, images: Any, options: Mapping[str, Any], serving: ServingOptions
) -> list[dict[str, Any]]:
    """Track the frames of one sequence that a client posted; no file is read or written.

    Args:
        predictor: Has the model.
        images: Image files in base64, in order of time.
        options: By the names in `CLIENT_OPTIONS`.
        serving: Limits of the request.

    Returns:
        For every image: ``frame`` (from 1), ``ids``, ``boxes`` (left, top, width, height in pixels), ``scores``.

    Raises:
        OptionError: The client asked for something that it may not, or posted something else than images.
        TrackingError: Tracking failed; the message tells nothing about the server, its log has the cause.
    """
    _check_posted(images, options, serving)
    with _causes_hidden():  # without the client's options first: what fails then is the server's fault
        predictor.stream_mode(None, use_gpu=serving.use_gpu).close()
    with _causes_hidden(OptionError), predictor.stream_mode(None, use_gpu=serving.use_gpu, **options) as stream:
        tracked = stream.predict(_decode_in_time(images, serving))
    return [
        {"frame": f.frame, "ids": f.ids.tolist(), "boxes": f.boxes.tolist(), "scores": f.scores.tolist()}
        for f in tracked
    ]


@contextlib.contextmanager
def _causes_hidden(*told: type[Exception]) -> Iterator[None]:
    """Replace errors other than those told by one that says nothing about the server; PaddleHub logs their cause."""
    try:
        yield
    except told:
        raise
    except Exception as error:
        raise TrackingError("the server failed at this request: its log says why") from error


def _check_posted(images: Any, options: Mapping[str, Any], serving: ServingOptions) -> None:
    """Check what can be checked before any image is.

    Raises:
        OptionError: as `track_posted`.
    """
    for name, value in options.items():
        if name not in CLIENT_OPTIONS:
            raise OptionError(f"unknown option {shown(name)}; a client may set {', '.join(CLIENT_OPTIONS)}")
        if name in LARGEST and value is not None:
            check_whole(name, value, high=LARGEST[name])
    if not isinstance(images, list):
        raise OptionError(f"images must be a list of base64 texts, not {type(images).__name__}")
    if len(images) > serving.max_images:
        raise OptionError(f"{len(images)} images are more than the {serving.max_images} that a request may have")


def _image_file(position: int, text: Any, max_pixels: int) -> bytes:
    """Return the content of an image file whose header states a size that is allowed.

    Raises:
        OptionError: it is no base64, no image, or too large; `position`, from 1, names it.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise OptionError(f"image {position} is not base64") from None
    size = image_size(data)
    if size is None:
        raise OptionError(f"image {position} is no image file: post JPEG, PNG, BMP, TIFF or WebP")
    width, height = size
    if width * height > max_pixels:
        raise OptionError(f"image {position} has {width} x {height} pixels, more than the {max_pixels} allowed")
    if is_cut_off(data):
        raise OptionError(f"image {position} is no image file: it is cut off")
    return data


def _decode_in_time(images: list[str], serving: ServingOptions) -> Iterator[np.ndarray]:
    """Yield the images, one decoded at a time, while there is time and somebody who waits for the answer.

    Raises:
        OptionError: an image is damaged, or the time is over.
        TrackingError: the client has gone.
    """
    end = time.monotonic() + serving.max_seconds
    client = client_connection()
    for position, text in enumerate(images, 1):
        if time.monotonic() > end:
            raise OptionError(
                f"{position - 1} of {len(images)} images took the {serving.max_seconds:g} seconds that a request may "
                "take: post fewer"
            )
        if client is not None and has_gone(client):
            raise TrackingError(f"the client has gone after {position - 1} of {len(images)} images")
        data = np.frombuffer(_image_file(position, text, serving.max_pixels), np.uint8)
        try:
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        except cv2.error:
            image = None
        if image is None:
            raise OptionError(f"image {position} is no image file: it is damaged")
        yield image


def client_connection() -> socket.socket | None:
    """Return the connection of the request at hand; None outside of one, or where the web server does not tell."""
    if not flask.has_request_context():
        return None
    environ = flask.request.environ
    return environ.get("werkzeug.socket") or environ.get("gunicorn.socket")


def has_gone(client: socket.socket) -> bool:
    """Return whether the other end of a connection has closed it."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            # ready to be read and empty: closed
            return bool(selector.select(timeout=0)) and not client.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


class RequestGuard:
    """Checks the bodies of requests before they are read, in any Flask application of this process."""

    def __init__(self) -> None:
        self._limits: dict[str, ServingOptions] = {}

    def watch(self, path: str, serving: ServingOptions) -> None:
        """Check the requests to a path from now on.

        Args:
            path: Such as ``/predict/NAME``.
            serving: Their limits, in place of those given before.
        """
        self._limits[path] = serving
        flask.request_started.connect(self._check)  # does not keep this object alive; a second time does nothing
        # of the development server, which PaddleHub uses: it serves nobody else while it waits for a connection
        WSGIRequestHandler.setup = partialmethod(_set_up, serving)  # type: ignore[assignment]

    def _check(self, application: flask.Flask, **_: Any) -> None:
        serving = self._limits.get(flask.request.path)
        if serving is not None and flask.request.method == "POST":
            _check_body(serving)


def _set_up(handler: WSGIRequestHandler, serving: ServingOptions) -> None:
    """Prepare to receive a request, in time."""
    StreamRequestHandler.setup(handler)
    handler.rfile = io.BufferedReader(_Receiver(handler.connection, serving))


class _Receiver(io.RawIOBase):
    """What a client sends. It may pause for `idle_seconds`, and go on for `max_seconds` however little it pauses."""

    def __init__(self, connection: socket.socket, serving: ServingOptions) -> None:
        self._connection, self._pause = connection, serving.idle_seconds
        self._end = time.monotonic() + serving.max_seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request takes too long to arrive")
        self._connection.settimeout(min(left, self._pause))
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._pause)  # of the answer


def _check_body(serving: ServingOptions) -> None:
    """Answer the request at hand, in the form of PaddleHub's answers, where its body cannot be one for us."""
    if not flask.request.is_json:
        _refuse("post JSON, with Content-Type: application/json")
    size = flask.request.content_length
    if size is None:
        _refuse("state the size of the body, in Content-Length")
    if size > serving.max_body_bytes:
        _refuse(f"a body of {size} bytes is more than the {serving.max_body_bytes} that a request may have")
    try:
        data = flask.request.get_data()
    except (ClientDisconnected, OSError):
        _refuse("the body did not arrive in time, or not whole")
    # what is counted here never stands in base64; it would take many times its size in memory
    if data.count(b"[") + data.count(b"{") > MOST_OPTIONS or data.count(b",") > serving.max_images + MOST_OPTIONS:
        _refuse(f'post one object with "images", a list of at most {serving.max_images} texts')
    try:
        body = flask.request.get_json()
    except (BadRequest, RecursionError):
        _refuse("the body is no JSON")
    if not isinstance(body, dict):
        _refuse(f'post an object with "images", not {type(body).__name__}')


def _refuse(reason: str) -> NoReturn:
    answer = flask.jsonify(status=FAILED, msg=reason, results="")
    raise HTTPException(response=answer)
