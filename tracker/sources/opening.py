"""Opening whatever a user calls a video: which source reads it, and what its results are called."""

from __future__ import annotations

import glob
import logging
import math
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from ..errors import OptionError, SourceError
from ..settings.checks import check_positive, check_whole, shown
from ..settings.groups.live import LiveOptions
from .base import MAX_PIXELS, Source
from .container import check_scheme, open_address, open_file
from .images import ImageFolder, ImageSource, find_images, is_image, natural_order
from .live.camera import CameraSource
from .live.connection import Waiting
from .live.reconnecting import Patience, ReconnectingSource, Tell, open_patiently
from .video import VideoSource

logger = logging.getLogger(__name__)

LIVE_SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "tcp", "udp"})

_PORTS = {"http": "80", "https": "443", "rtsp": "554", "rtsps": "322", "rtmp": "1935", "rtmps": "443"}

# What tells the pictures of one host apart, such as channel=1; an id may also be a person's.
_CHOICE = re.compile(
    r"(?:cam(?:era)?|ch(?:an|n|annel)?|(?:real_?)?stream|sub_?(?:type|stream)|profile|track|input|sensor|view|video|source)"
    r"(?:_?(?:id|no|num|number|name|type|index|profile))?=[\w./-]{1,40}|(?:id|no|num|index)=\d{1,9}",
    re.IGNORECASE,
)

MOST_PIXELS = 2**30  # neither OpenCV nor FFmpeg decodes more

MOST_CAMERAS = 9999  # OpenCV gives higher numbers another meaning


def open_source(
    video_stream: str | int | os.PathLike | Source,
    from_device: bool = False,
    frame_rate: float | None = None,
    with_audio: bool = False,
    timeout: float = 10.0,
    max_pixels: int = MAX_PIXELS,
    live: LiveOptions | None = None,
    tell: Tell | None = None,
    waiting: Waiting | None = None,
) -> Source:
    """Open a video, camera, URL or folder of images.

    A path that exists wins over any other meaning of the text.

    Args:
        video_stream: path of a video, an image, a folder of images or a MOTChallenge sequence folder (seqinfo.ini);
            glob pattern of images; URL; or, when `from_device`, the index of a camera. A source that is open already is
            returned as it is.
        from_device: read from the camera of that index.
        frame_rate: frames per second of a source without time stamps: images, raw streams. Of a camera or live stream
            without stamps, whose frames are dated by their arrival, it is the rate to expect. Videos keep their stamps.
        with_audio: put the compressed packets of the sound into `Frame.audio`.
        timeout: seconds that a URL, or a playlist without an end, may send nothing, at the opening and later.
        max_pixels: width times height that a picture may have. Larger images are skipped, larger videos refused, before
            they are decoded.
        live: how cameras and streams are read, and whether they are opened again when they are lost; None for once.
        tell: gets the events of a source that is opened again, see `ReconnectingSource`.
        waiting: waits while a source is away; halting it, from any thread, ends the opening and the reading.

    Returns:
        The opened source.

    Raises:
        OptionError: an argument has the wrong type or is out of its range, or reconnect is asked for where nothing can
            be lost.
        SourceError: the source is missing or cannot be read.
    """
    if frame_rate is not None:
        frame_rate = check_positive("frame_rate", frame_rate)
    check_positive("timeout", timeout)
    check_whole("max_pixels", max_pixels, 1, MOST_PIXELS)
    if isinstance(video_stream, Source):
        return video_stream
    if isinstance(video_stream, bool) or not isinstance(video_stream, (str, int, os.PathLike)):
        raise OptionError(f"video_stream must be a path, a URL or a camera index, got {type(video_stream).__name__}")
    text = str(video_stream) if isinstance(video_stream, int) else os.fsdecode(video_stream)
    if from_device:
        number = _camera_index(text)
        return _kept(lambda: CameraSource(number, frame_rate), f"camera {number}", live, timeout, tell, waiting)
    if isinstance(video_stream, int):
        raise SourceError(f"{text} is not a path: for camera {text} pass from_device=True (--from_device)")
    if not text:
        raise SourceError("video_stream is empty: give a video, a folder of images, a URL or a camera index")

    path, is_url = Path(text), re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text)
    there = _exists(path)
    if live and live.reconnect and (there or not is_url):
        raise OptionError(f"reconnect is for cameras and addresses, and {shown(text)} is neither: leave it out")
    if there:
        source = _open_path(path, text, frame_rate, with_audio, timeout, max_pixels)
        source.path = path
        return source
    if is_url:
        label = repr(shown_address(text))
        check_scheme(text, label)
        transport = live.rtsp_transport if live else "tcp"

        def opener() -> Source:
            return _open_url(text, frame_rate, with_audio, timeout, max_pixels, transport)

        return _kept(opener, label, live, timeout, tell, waiting)
    if glob.has_magic(text):
        # Path.glob refuses absolute patterns.
        matches = (Path(name) for name in glob.glob(text, recursive=True))  # noqa: PTH207
        files = sorted(filter(is_image, matches), key=natural_order)
        images = ImageFolder(path.parent, files)
        if len({file.parent for file in files}) == 1:
            sequence = find_images(files[0].parent, files)
            images = images if sequence.numbers is None else sequence
        return _open_images(images, text, frame_rate, max_pixels)
    hint = f"; for camera {text} pass from_device=True (--from_device)" if _is_index(text) else ""
    raise SourceError(f"{text!r} does not exist: check the path{hint}")


def _open_path(
    path: Path, text: str, frame_rate: float | None, with_audio: bool, timeout: float, max_pixels: int
) -> Source:
    if path.is_dir():
        return _open_images(find_images(path), text, frame_rate, max_pixels)
    if is_image(path):
        return ImageSource([path], repr(text), path.stem, frame_rate, max_pixels=max_pixels)
    container = open_file(path, repr(text), max_pixels, timeout)
    return VideoSource(container, repr(text), path.stem, frame_rate, with_audio, max_pixels=max_pixels)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        raise SourceError(f"no permission to read {str(path)!r}: change its permissions") from None
    except OSError:  # a text longer than a file name may be, as URLs can be
        return False


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _file_name(text: str) -> str:
    """Replace what does not belong in the name of a file."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")


def _url_names(url: str) -> tuple[str, str]:
    """Return what the results of an address are called: of a finite video, and of a camera, which names its host too.

    Neither holds credentials: of the words KEY=VALUE in path and query only those that choose a picture are taken.
    """
    # everything up to the last @ may belong to the password
    scheme, _, address = re.sub(r"://.*@", "://", url, flags=re.DOTALL).partition("://")
    address, _, query = address.partition("?")
    host, _, path = address.partition("/")
    host, _, port = host.rpartition(":") if re.search(r":\d*$", host) else (host, "", "")
    segments = PurePosixPath(path).with_suffix("").parts if PurePosixPath(path).name else ()
    words = [word for segment in segments for word in _words(unquote(segment))]
    words += _words(unquote(query)) if "=" in query else []
    place = [host.lower() or scheme.lower(), "" if port == _PORTS.get(scheme.lower()) else port]
    camera = "_".join(filter(None, map(_file_name, [*place, *words])))
    last = "_".join(_words(unquote(segments[-1]))) if segments else ""
    return _file_name(last) or _file_name(host) or "stream", camera


def _words(segment: str) -> list[str]:
    """Return what may be told of a segment of a path: all of it, or the choices alone where it has keys."""
    if "=" not in segment:
        return [] if ":" in segment else [segment]
    # some cameras have it all in one: user=ME_password=SECRET_channel=1_stream=0.sdp
    return [word for word in re.split(r"[&;,]|_(?=[A-Za-z]+=)", segment) if _CHOICE.fullmatch(word)]


def _open_url(
    url: str, frame_rate: float | None, with_audio: bool, timeout: float, max_pixels: int, transport: str
) -> Source:
    scheme, label = url.partition("://")[0].lower(), repr(shown_address(url))
    video_name, camera_name = _url_names(url)
    container = open_address(url, label, max_pixels, timeout, transport)
    # A web camera may come by http as well: what has no end is live.
    live = scheme in LIVE_SCHEMES or container.duration is None
    name = camera_name if live else video_name
    return VideoSource(container, label, name, frame_rate, with_audio, live, max_pixels)


def shown_address(url: str) -> str:
    """Return an address without what may be a password or a token."""
    # Everything up to the last @ may belong to the password, and what follows ? may be a token.
    address, query, _ = re.sub(r"://.*@", "://", url, flags=re.DOTALL).partition("?")
    return (address.replace("://", "://***@") if "@" in url else address) + ("?..." if query else "")


def _kept(
    opener: Callable[[], Source],
    label: str,
    live: LiveOptions | None,
    timeout: float,
    tell: Tell | None,
    waiting: Waiting | None,
) -> Source:
    """Open a camera or an address, and wrap it so that it is opened again when it is lost, where that is wanted."""
    if live is None or live.reconnect is False:
        return opener()
    patience = Patience(timeout, math.inf if live.give_up is None else live.give_up)
    source = open_patiently(opener, patience, label, waiting) if live.reconnect else opener()
    if source.endless:
        return ReconnectingSource(source, opener, patience, tell, waiting)
    if live.reconnect:
        logger.warning("%s has an end: it is read once", label)
    return source


def _camera_index(text: str) -> int:
    if not _is_index(text) or len(text) > len(str(MOST_CAMERAS)):
        raise SourceError(f"{shown(text)} is not a camera index: with from_device=True give 0, 1, ...")
    return int(text)


def _open_images(images: ImageFolder, text: str, frame_rate: float | None, max_pixels: int) -> Source:
    if not images.files:
        raise SourceError(f"{text!r} has no images: jpg, jpeg, png, bmp, tif, tiff and webp are read")
    # "." and ".." are not names to call results by.
    folder = images.path
    name = folder.name if folder.name not in ("", "..") else folder.resolve().name
    rate = frame_rate or images.frame_rate
    return ImageSource(images.files, repr(text), _file_name(name) or "images", rate, images.numbers, max_pixels)


def readable_again(source: str | int | os.PathLike | Source) -> Path | None:
    """Return the file or folder that a source is, which can be read again; None for a camera, an address or a glob."""
    if isinstance(source, Source):
        return source.path
    try:
        return Path(source) if isinstance(source, (str, os.PathLike)) and Path(source).exists() else None
    except (OSError, ValueError):  # no name that a file could have
        return None
