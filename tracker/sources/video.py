"""Video files and streams, read with FFmpeg's libraries."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from ..errors import SourceError
from ..structures import Frame
from .base import MAX_PIXELS, Source, check_pixels
from .container import choose_stream, decoder_limit, frame_count
from .pictures import upright
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
        max_pixels: pixels that a picture may have; larger ones are not decoded.

    Raises:
        SourceError: the input holds no pictures, none that can be decoded, or too large ones.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        label: str,
        name: str,
        frame_rate: float | None = None,
        with_audio: bool = False,
        live: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self._container = container
        try:
            stream = choose_stream(container, label)
            check_pixels(label, stream.codec_context.width, stream.codec_context.height, max_pixels)
        except SourceError:
            container.close()
            raise
        # Frame threads would report damage at another packet, and drop the pictures that wait behind a damaged one
        # when the file ends. Slice threads do neither.
        stream.thread_type = "SLICE"
        # Broken pictures come out flagged instead of vanishing in the decoder, so that they are counted.
        stream.codec_context.flags |= av.codec.context.Flags.output_corrupt
        # The size may change on the way.
        stream.codec_context.options = {**stream.codec_context.options, **decoder_limit(max_pixels)}
        self._stream = stream
        self._own_rate = nominal_rate(stream)
        count = frame_count(container, stream, self._own_rate)
        super().__init__(label, name, frame_rate or self._own_rate, None if live else count, live)
        if with_audio and container.streams.audio:
            # Of several, the one that goes with the pictures.
            sound = container.streams.best("audio", related=stream)
            self.audio_stream = sound if isinstance(sound, av.AudioStream) else None
        for other in container.streams:
            if other not in (stream, self.audio_stream):
                # Of a stream in several sizes only the chosen one is fetched.
                other.discard = av.stream.Discard.all
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
                image = None if picture.is_corrupt else self._convert(picture)
                if image is None:
                    self.skipped += 1
                else:
                    yield Frame(index, seconds, image, self._take_audio(), self.pixel_aspect)

    def _convert(self, picture: av.VideoFrame) -> np.ndarray | None:
        """Return a picture as it is shown; None where it cannot be converted."""
        try:
            image, self.pixel_aspect = upright(picture, self._stream.sample_aspect_ratio)
        except (av.error.FFmpegError, ValueError) as error:
            logger.debug("%s: a picture cannot be converted (%s)", self._label, error)
            return None
        return image

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
