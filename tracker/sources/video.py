"""Video files and streams, read with FFmpeg's libraries."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from ..errors import SourceError
from ..structures import Frame
from .base import MAX_PIXELS, Source, check_pixels
from .clock_jumps import ClockJumps
from .container import choose_stream, decoder_limit, frame_count
from .pictures import Upright
from .timestamps import (
    ARRIVAL_TICK,
    DELAYED_FORMATS,
    Stamps,
    Timeline,
    coded_rate,
    date_by_arrival,
    nominal_rate,
    usual_rate,
)

logger = logging.getLogger(__name__)

# Read ahead, to know the usual rate before the first picture; packets of sound lie between those of pictures.
_PICTURES_AHEAD, _PACKETS_AHEAD = 100, 1000
_FFMPEG_TICK = Fraction(1, av.time_base)  # FFmpeg's own unit, where a container states none


class VideoSource(Source):
    """A file or stream that FFmpeg reads.

    Frames are dated by its time stamps. Without any those of a file follow each other by the frame rate, and those of a
    live stream are dated by their arrival.

    Args:
        container: the input; the source closes it, also when this raises.
        label: what messages call it; holds no password.
        name: stem for the names of output files.
        frame_rate: frames per second of an input without time stamps; None for what its pictures state, or 25.
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
        super().__init__(label, name, nominal_rate(stream), live=live)
        self.bursts = live and "hls" in container.format.name.split(",")
        # What a server knows the size of does not arrive as it is filmed; that of a playlist says nothing.
        self.endless = live and (container.size <= 0 or self.bursts)
        self.length = container.duration / av.time_base if self.endless and container.duration else None
        if with_audio and container.streams.audio:
            # Of several, the one that goes with the pictures.
            sound = container.streams.best("audio", related=stream)
            self.audio_stream = sound if isinstance(sound, av.AudioStream) else None
        for other in container.streams:
            if other not in (stream, self.audio_stream):
                # Of a stream in several sizes only the chosen one is fetched.
                other.discard = av.stream.Discard.all
        self._upright = Upright()
        self._audio: list[av.Packet] = []
        self._reader = self._mended()
        self._ahead = [] if live else list(_first_packets(self._reader, stream))
        self._stamps = self._date(frame_rate)
        self.frame_count = None if live else frame_count(container, stream, self.frame_rate)

    def _date(self, frame_rate: float | None) -> Stamps:
        """Find out how frames are dated, and their usual rate."""
        stream = self._stream
        pictures = [packet for packet in self._ahead if packet.stream.index == stream.index and packet.size]
        stamps = Stamps.of(self._container, pictures, bool(stream.codec_context.has_b_frames))
        if stamps is Stamps.NONE:
            self.frame_rate = frame_rate or coded_rate(stream)
            return stamps
        ticks = (packet.dts if packet.pts is None else packet.pts for packet in pictures)
        base = stream.time_base or _FFMPEG_TICK
        self.frame_rate = usual_rate((float(tick * base) for tick in ticks if tick is not None), self.frame_rate)
        if frame_rate and abs(frame_rate - self.frame_rate) > 0.01 * self.frame_rate:
            logger.warning("%s has time stamps, which are kept: frame_rate %g is not used", self.label, frame_rate)
        return stamps

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
        by_arrival = self._stamps is Stamps.NONE and self.endless
        in_order = by_arrival or self._stamps is Stamps.DECODING
        base = ARRIVAL_TICK if by_arrival else self._stream.time_base or _FFMPEG_TICK
        timeline = Timeline(base, self.frame_rate, in_order, self._container.format.name in DELAYED_FORMATS)
        packets: Iterable[av.Packet] = itertools.chain(self._ahead, self._reader)
        for packet in date_by_arrival(packets, 1 / self.frame_rate) if by_arrival else packets:
            arrived = time.monotonic() if self.live else None
            # The empty packets at the end carry no stream_index of their own, only their stream.
            if packet.stream.index != self._stream.index:
                if packet.size:
                    self._audio.append(packet)
                continue
            if not packet.size and packet.dts is not None:
                # The picture before is shown on; at the decoder an empty packet means the end.
                continue
            if in_order and packet.dts is not None:
                packet.pts = packet.dts
            elif self._stamps is Stamps.NONE and not by_arrival:
                packet.pts = packet.dts = None
            stamp = packet.pts
            timeline.enter(stamp)
            try:
                pictures = self._stream.decode(packet)
            except av.error.FFmpegError:
                # Damage mostly shows as InvalidDataError, yet a damaged header can ask for anything.
                self.skipped += 1
                timeline.mark_lost(stamp)
                continue
            for picture in pictures:
                index, seconds = timeline.next_picture(picture.pts, picture.key_frame, picture.dts)
                self.start_time = timeline.start
                image = None if picture.is_corrupt else self._convert(picture)
                if image is None:
                    self.skipped += 1
                else:
                    yield Frame(index, seconds, image, self._take_audio(), self.pixel_aspect, arrived)

    def _convert(self, picture: av.VideoFrame) -> np.ndarray | None:
        """Return a picture as it is shown; None where it cannot be converted."""
        try:
            image, self.pixel_aspect = self._upright.convert(picture, self._stream.sample_aspect_ratio)
        except (av.error.FFmpegError, ValueError) as error:
            logger.debug("%s: a picture cannot be converted (%s)", self.label, error)
            return None
        return image

    def _mended(self) -> Generator[av.Packet, None, None]:
        """Yield the packets with time stamps that go on where the clock of the input jumps."""
        jumps, period = ClockJumps(self._container, self.live, self.label), min(1.0, 1 / self.frame_rate)
        for packet in self._packets():
            if self._halted:
                return
            is_picture = packet.stream.index == self._stream.index
            own = float(packet.duration * packet.time_base) if packet.duration and packet.time_base else 0.0
            jumps.mend(packet, own or (period if is_picture else 0.0))
            yield packet

    def _packets(self) -> Iterator[av.Packet]:
        streams = [self._stream] if self.audio_stream is None else [self._stream, self.audio_stream]
        try:
            yield from self._container.demux(streams)
        except av.error.FFmpegError as error:
            if self._halted:  # nobody waits for the rest
                return
            logger.warning("%s broke off (%s)", self.label, error.strerror)
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
        self._reader.close()
        self._ahead.clear()
        self._container.close()


def _first_packets(packets: Iterable[av.Packet], stream: av.VideoStream) -> Iterator[av.Packet]:
    """Yield the first packets, until there are enough pictures among them."""
    pictures = 0
    for packet in itertools.islice(packets, _PACKETS_AHEAD):
        yield packet
        pictures += packet.stream.index == stream.index
        if pictures == _PICTURES_AHEAD:
            return
