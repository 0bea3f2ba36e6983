"""Video files and streams, read with FFmpeg's libraries."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from ..errors import SourceError
from ..structures import Frame
from .base import Source
from .timestamps import Timeline, nominal_rate

logger = logging.getLogger(__name__)


class VideoSource(Source):
    """A file or stream that FFmpeg reads; frames are dated by its time stamps.

    Args:
        container: the input; the source closes it, also when this raises.
        label: what messages call it; holds no password.
        name: stem for the names of output files.
        frame_rate: nominal frames per second in place of what the input states.
        with_audio: put the packets of the sound into `Frame.audio`.
        live: whether frames arrive in real time.

    Raises:
        SourceError: the input holds no pictures, or none that can be decoded.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        label: str,
        name: str,
        frame_rate: float | None = None,
        with_audio: bool = False,
        live: bool = False,
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
        # FFmpeg's own unit where a container states none.
        timeline = Timeline(self._stream.time_base or Fraction(1, av.time_base), self._own_rate)
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
                timeline.mark_lost(packet.pts)
                continue
            for picture in pictures:
                index, seconds = timeline.next_picture(picture.pts)
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


def open_container(
    address: str, label: str, timeout: float | None = None, options: dict[str, str] | None = None
) -> av.container.InputContainer:
    """Open a file or URL for reading.

    Args:
        address: file or URL in FFmpeg's form, password included.
        label: what messages call it; holds no password.
        timeout: seconds that a URL may send nothing, at the opening and later; None for files.
        options: FFmpeg's options for the format.

    Returns:
        The open container.

    Raises:
        SourceError: it is missing, does not answer, or is not a video.
    """
    # Errors are raised from None: PyAV's own show the whole URL, password included.
    started = time.monotonic()
    try:
        return av.open(address, timeout=timeout, options=options or {}, metadata_errors="replace")
    except av.error.PermissionError:
        raise SourceError(f"no permission to read {label}: change its permissions") from None
    except av.error.FFmpegError as error:
        if timeout is not None and time.monotonic() - started >= timeout:
            raise SourceError(f"{label} did not answer within {timeout:g} s: check the address") from None
        advice = "is it a video?" if timeout is None else "check the address, and that it is a video"
        raise SourceError(f"cannot open {label} ({error.strerror}): {advice}") from None


def choose_stream(container: av.container.InputContainer, label: str) -> av.VideoStream:
    """Return the first stream of moving pictures; the cover of an album does not count.

    Args:
        container: the input.
        label: what messages call it.

    Raises:
        SourceError: there is no such stream, or no decoder for it.
    """
    cover = av.stream.Disposition.attached_pic
    stream = next((stream for stream in container.streams.video if not stream.disposition & cover), None)
    if stream is None:
        found = "only audio" if container.streams.audio else "no video stream"
        raise SourceError(f"{label} holds {found}: give a file with pictures")
    if stream.codec_context is None:
        raise SourceError(f"{label} has an unknown video codec: convert it to H.264 first")
    return stream


def frame_count(container: av.container.InputContainer, stream: av.VideoStream, frame_rate: float) -> int | None:
    """Return the expected number of frames, from the file's index or its duration; None where neither is known."""
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * frame_rate)
    return round(container.duration / av.time_base * frame_rate) if container.duration else None


def upright(picture: av.VideoFrame) -> np.ndarray:
    """Convert a picture to [H, W, 3] uint8 BGR, turned the way a player shows it."""
    image = picture.to_ndarray(format="bgr24")
    # Both PyAV and numpy count quarter turns counterclockwise.
    return np.ascontiguousarray(np.rot90(image, round(picture.rotation / 90)))
