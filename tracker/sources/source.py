"""Where frames come from: video files, streams, cameras and folders of images."""

from __future__ import annotations

import glob
import itertools
import logging
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import av
import cv2

from ..errors import OptionError, SourceError
from ..settings.checks import check_positive
from ..structures import Frame
from .ffmpeg import DEFAULT_RATE, Timeline, choose_stream, frame_count, nominal_rate, open_container, upright
from .images import find_images, is_image, natural_order, read_image, to_bgr8

LIVE_SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "tcp", "udp"})

MOST_CAMERAS = 9999  # OpenCV gives higher numbers another meaning

logger = logging.getLogger(__name__)


class Source(ABC):
    """A sequence of frames, read once and closed; a context manager.

    Attributes:
        name: stem for the names of output files.
        frame_rate: nominal frames per second.
        frame_count: expected number of frames; None where it is unknown or has no end.
        live: whether frames arrive in real time (camera, endless stream).
        skipped: corrupt or unreadable frames passed over so far.
        start_time: time of the first frame in the input's own clock, in seconds, known once it was read; sound is
            dated by that clock.
        pixel_aspect: width of a pixel over its height, known once the first frame was read; rarely other than 1.
        audio_stream: sound of the input, template for copying its packets; None without, and after `close`.
    """

    def __init__(
        self, label: str, name: str, frame_rate: float, frame_count: int | None = None, live: bool = False
    ) -> None:
        self.name = name
        self.frame_rate = frame_rate
        self.frame_count = frame_count
        self.live = live
        self.skipped = 0
        self.start_time = 0.0
        self.pixel_aspect = Fraction(1)
        self.audio_stream: av.AudioStream | None = None
        self._label = label
        self._frames: Generator[Frame, None, None] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames; a second loop goes on where the first one stopped.

        Raises:
            SourceError: the source is closed, or turns out to hold no readable frame.
        """
        if self._closed:
            raise SourceError(f"{self._label} is closed: open it again to read it again")
        if self._frames is None:
            self._frames = self._read_or_fail()
        return self._frames

    def _read_or_fail(self) -> Generator[Frame, None, None]:
        empty = True
        for frame in self._read():
            empty = False
            yield frame
        if empty:
            raise SourceError(f"{self._label} has no readable frame: check that it plays elsewhere, or give another")

    @abstractmethod
    def _read(self) -> Iterator[Frame]:
        """Yield the frames in order, counting in `skipped` those that cannot be had."""

    def close(self) -> None:
        """Let go of the file, device or connection; harmless when repeated.

        A thread that still waits for a frame keeps them, for taking them from under it would end the process.
        """
        self._closed = True
        self.audio_stream = None
        if self._frames is None or not self._frames.gi_running:
            if self._frames is not None:
                self._frames.close()
            self._release()

    def _release(self) -> None:  # noqa: B027 (a source with nothing open needs none)
        """Let go of what is open; may be called again."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(
    video_stream: str | int | os.PathLike,
    from_device: bool = False,
    frame_rate: float | None = None,
    with_audio: bool = False,
    timeout: float = 10.0,
) -> Source:
    """Open whatever the user calls a video. A path that exists wins over any other reading of the name.

    Args:
        video_stream: video or image file, folder of images, MOTChallenge sequence folder (seqinfo.ini), glob pattern
            of images, URL; or the index of a camera when `from_device`.
        from_device: read from the camera of that index.
        frame_rate: nominal frames per second instead of the source's own. Dates the frames of image folders; those of
            videos keep their timestamps.
        with_audio: hand on the compressed packets of the sound in `Frame.audio`.
        timeout: seconds a URL may stay silent, at the opening and later.

    Returns:
        The opened source.

    Raises:
        OptionError: an argument has the wrong type or is out of its range.
        SourceError: the source is missing or cannot be read.
    """
    if frame_rate is not None:
        frame_rate = check_positive("frame_rate", frame_rate)
    check_positive("timeout", timeout)
    if isinstance(video_stream, bool) or not isinstance(video_stream, (str, int, os.PathLike)):
        raise OptionError(f"video_stream must be a path, a URL or a camera index, got {type(video_stream).__name__}")
    text = str(video_stream) if isinstance(video_stream, int) else os.fsdecode(video_stream)
    if from_device:
        return _Camera(_camera_index(text), frame_rate)
    if isinstance(video_stream, int):
        raise SourceError(f"{text} is no path: for camera {text} pass from_device=True (--from_device)")
    if not text:
        raise SourceError("video_stream is empty: give a video, a folder of images, a URL or a camera index")

    path = Path(text)
    if _exists(path):
        if path.is_dir():
            files, own_rate = find_images(path)
            return _open_images(files, text, path, frame_rate or own_rate)
        if is_image(path):
            return _Images([path], repr(text), path.stem, frame_rate)
        # With the prefix FFmpeg takes no part of the name for a protocol, as in "12:30.mp4".
        return _Video(open_container(f"file:{path}", repr(text)), repr(text), path.stem, frame_rate, with_audio)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        return _open_url(text, frame_rate, with_audio, timeout)
    if glob.has_magic(text):
        # Path.glob refuses absolute patterns.
        matches = (Path(name) for name in glob.glob(text, recursive=True))  # noqa: PTH207
        files = sorted(filter(is_image, matches), key=natural_order)
        return _open_images(files, text, path.parent, frame_rate)
    hint = f"; for camera {text} pass from_device=True (--from_device)" if _is_index(text) else ""
    raise SourceError(f"{text!r} does not exist: check the path{hint}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        raise SourceError(f"no permission to read {str(path)!r}: change its permissions") from None
    except OSError:  # Longer than a file name may be, as URLs can be.
        return False


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _file_name(text: str) -> str:
    """Make a text from outside fit for the name of a file."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")


class _Video(Source):
    """A file or stream that FFmpeg reads."""

    def __init__(
        self,
        container: av.container.InputContainer,
        label: str,
        name: str,
        frame_rate: float | None,
        with_audio: bool,
        scheme: str = "file",
    ) -> None:
        self._container = container
        try:
            stream = choose_stream(container, label)
        except SourceError:
            container.close()
            raise
        # Frame threads would report damage at another packet, and drop the pictures that wait behind a damaged one
        # when the file ends. Slice threads do neither.
        stream.thread_type = "SLICE"
        # Broken pictures come out flagged instead of vanishing in the decoder, so that they are counted.
        stream.codec_context.flags |= av.codec.context.Flags.output_corrupt
        self._stream = stream
        self._own_rate = nominal_rate(stream)
        count = frame_count(container, stream, self._own_rate)
        live = scheme in LIVE_SCHEMES or (scheme != "file" and container.duration is None)
        super().__init__(label, name, frame_rate or self._own_rate, None if live else count, live)
        if with_audio and container.streams.audio:
            self.audio_stream = container.streams.audio[0]
        self._audio: list[av.Packet] = []

    def _read(self) -> Iterator[Frame]:
        if self.audio_stream is None:
            yield from self._decode()
            return
        # Sound read after the last picture goes with that picture, and which one is the last shows only at the end.
        held = None
        for frame in self._decode():
            if held is not None:
                yield held
            held = frame
        if held is not None:
            yield replace(held, audio=held.audio + self._take_audio())

    def _decode(self) -> Iterator[Frame]:
        timeline = Timeline(self._stream.time_base, self._own_rate)
        for packet in self._packets():
            # The empty packets at the end carry no stream_index of their own, only their stream.
            if packet.stream.index != self._stream.index:
                if packet.size:
                    self._audio.append(packet)
                continue
            try:
                pictures = self._stream.decode(packet)
            except av.error.FFmpegError:
                # Damage mostly shows as InvalidDataError, yet a damaged header can ask for anything.
                self.skipped += 1
                timeline.lose(packet.pts)
                continue
            for picture in pictures:
                index, seconds = timeline.place(picture.pts)
                self.start_time = timeline.start
                aspect = self._stream.sample_aspect_ratio or Fraction(1)
                self.pixel_aspect = 1 / aspect if picture.rotation % 180 else aspect
                if picture.is_corrupt:
                    self.skipped += 1
                else:
                    yield Frame(index, seconds, upright(picture), self._take_audio())

    def _packets(self) -> Iterator[av.Packet]:
        streams = [self._stream] if self.audio_stream is None else [self._stream, self.audio_stream]
        try:
            yield from self._container.demux(streams)
        except av.error.FFmpegError as error:
            logger.warning("%s broke off (%s)", self._label, error.strerror)
            # What the decoder still holds comes out with an empty packet.
            flush = av.Packet()
            flush.stream = self._stream
            yield flush
        except IndexError:
            # A stream that turned up midway (MPEG-TS) trips PyAV when it flushes, after those that were asked for.
            return

    def _take_audio(self) -> tuple[av.Packet, ...]:
        packets = tuple(self._audio)
        self._audio.clear()
        return packets

    def _release(self) -> None:
        self._container.close()


def _open_url(url: str, frame_rate: float | None, with_audio: bool, timeout: float) -> Source:
    scheme = url.partition("://")[0].lower()
    # Everything up to the last @ may belong to the password, and what follows ? may be a token.
    address, query, _ = re.sub(r"://.*@", "://", url, flags=re.DOTALL).partition("?")
    shown = address.replace("://", "://***@") if "@" in url else address
    host, _, path = address.partition("://")[2].partition("/")
    name = _file_name(unquote(PurePosixPath(path).stem)) or _file_name(re.sub(r":\d*$", "", host)) or "stream"
    label = repr(shown + ("?..." if query else ""))
    # Over UDP, the default, a single lost datagram spoils pictures until the next key frame.
    options = {"rtsp_transport": "tcp"} if scheme.startswith("rtsp") else {}
    return _Video(open_container(url, label, timeout, options), label, name, frame_rate, with_audio, scheme)


class _Camera(Source):
    """A camera of this machine, through OpenCV; frames are dated by the clock."""

    def __init__(self, index: int, frame_rate: float | None) -> None:
        # OpenCV writes its own lines about an absent camera; the error below says it in one.
        level = cv2.setLogLevel(2)
        try:
            self._capture = cv2.VideoCapture(index)
        finally:
            cv2.setLogLevel(level)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"camera {index} cannot be opened: check that it is connected and not in use")
        own_rate = self._capture.get(cv2.CAP_PROP_FPS)
        sane_rate = own_rate if 1 <= own_rate <= 240 else DEFAULT_RATE
        super().__init__(f"camera {index}", f"camera_{index}", frame_rate or sane_rate, live=True)

    def _read(self) -> Iterator[Frame]:
        started = None
        for index in itertools.count():
            arrived, image = self._capture.read()
            if not arrived:
                return
            now = time.monotonic()
            started = now if started is None else started
            yield Frame(index, now - started, to_bgr8(image))

    def _release(self) -> None:
        self._capture.release()


def _camera_index(text: str) -> int:
    if not _is_index(text) or int(text) > MOST_CAMERAS:
        raise SourceError(f"{text!r} is no camera index: with from_device=True give 0, 1, ...")
    return int(text)


class _Images(Source):
    """Image files, read one at a time."""

    def __init__(self, files: Sequence[Path], label: str, name: str, frame_rate: float | None) -> None:
        super().__init__(label, name, frame_rate or DEFAULT_RATE, len(files))
        self._files = files

    def _read(self) -> Iterator[Frame]:
        for index, file in enumerate(self._files):
            image = read_image(file)
            if image is None:
                self.skipped += 1
            else:
                yield Frame(index, index / self.frame_rate, image)


def _open_images(files: Sequence[Path], text: str, folder: Path, frame_rate: float | None) -> Source:
    if not files:
        raise SourceError(f"{text!r} has no images: jpg, jpeg, png, bmp, tif, tiff and webp are read")
    # "." has no name of its own, ".." none of use.
    name = folder.name if folder.name not in ("", "..") else folder.resolve().name
    return _Images(files, repr(text), _file_name(name) or "images", frame_rate)
