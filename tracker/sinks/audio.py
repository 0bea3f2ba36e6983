"""The sound of the annotated video."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import cast

import av
from av.bitstream import BitStreamFilterContext

# What Chrome, Firefox and Safari all play inside MP4. AC-3, E-AC-3 and ALAC fit too but two of the three stay mute.
# The filter brings each into MP4's form: AAC loses the ADTS headers it has in MPEG-TS and from some cameras.
_COPIED_AUDIO = {"aac": "aac_adtstoasc", "mp3": "null", "opus": "null", "flac": "null"}
_AAC_BIT_RATE = 128_000  # bit/s


# Codecs whose packets can be decoded by what the stream's extra data say.
_SELF_CONTAINED = ("aac", "mp1", "mp2", "mp3", "ac3", "eac3", "opus", "vorbis", "flac", "alac", "amr", "pcm_")


class AudioCopier:
    """Brings the sound of the input into the output: copied where browsers play it, else encoded to AAC.

    Args:
        source: the input's audio stream, with a decoder.
        offset: input time in seconds that becomes 0 in the output; sound before it is dropped.

    Attributes:
        output: the output's audio stream; None until `convert` has seen a packet from which it can be made, or
            `add_output` was called.
    """

    def __init__(self, source: av.AudioStream, offset: float) -> None:
        self._source = source
        self._offset = offset
        self._filter = _copying_filter(source)
        self._decoder = _decoder(source)
        self._next_start = 0  # ticks of the input
        self._least_pts = -(2**62)  # of encoded packets; the encoder's first ones lie before 0
        self.output: av.AudioStream | None = None

    def convert(self, packet: av.Packet | None, container: av.container.OutputContainer) -> list[av.Packet]:
        """Convert a packet for the output; the first usable one adds the audio stream to it.

        Args:
            packet: of the input, left unchanged; None to get what decoder and encoder still hold.
            container: the output; the same at every call.

        Returns:
            Packets to mux into `container`, timed from `offset`. A packet without content or time, or one that does
            not come later than the last, gives none.

        Raises:
            av.FFmpegError: the packet is damaged, or its sound cannot be encoded.
            ValueError: PyAV refuses the sound or its form.
        """
        if packet is None:
            return self._encode([*self._decoder.decode(None), None]) if self._filter is None and self.output else []
        start = packet.pts if packet.pts is not None else packet.dts
        if packet.size == 0 or start is None:
            return []
        start -= round(self._offset / packet.time_base)
        if start < self._next_start:  # before the first picture, or a clock that jumped back
            return []
        self._next_start = start + 1
        moved = av.Packet(bytes(packet))  # for the caller's must not change its time and stream
        moved.pts = moved.dts = start
        moved.duration, moved.time_base, moved.is_keyframe = packet.duration, packet.time_base, True
        if self._filter is None:
            frames = self._decoder.decode(moved)
            if frames and self.output is None:
                self.output = _add_aac(container, frames[0].sample_rate, frames[0].layout.nb_channels)
            return self._encode(frames)
        copies = self._filter.filter(moved)
        if copies and self.output is None:
            self.output = container.add_stream_from_template(self._source)
        for copy in copies:
            copy.stream, copy.time_base = self.output, packet.time_base
        return copies

    def add_output(self, container: av.container.OutputContainer) -> None:
        """Add the audio stream before any packet has come; the sound is then always encoded.

        Args:
            container: the output, which gets an audio stream without a delay at its start.
        """
        self._filter, self._least_pts = None, 0
        codec = self._source.codec_context
        self.output = _add_aac(container, codec.sample_rate, codec.channels)

    def _encode(self, frames: Sequence[av.AudioFrame | None]) -> list[av.Packet]:
        output = self.output
        packets = [] if output is None else [packet for frame in frames for packet in output.encode(frame)]
        return [packet for packet in packets if packet.pts is None or packet.pts >= self._least_pts]


def _add_aac(container: av.container.OutputContainer, sample_rate: int, channels: int) -> av.AudioStream:
    # AAC has a fixed list of rates, and browsers differ in what they do with more than two channels.
    rates = av.codec.Codec("aac", "w").audio_rates or ()
    rate = sample_rate if sample_rate in rates else 48_000
    layout = "mono" if channels == 1 else "stereo"
    return container.add_stream("aac", rate=rate, layout=layout, bit_rate=_AAC_BIT_RATE)


def _decoder(source: av.AudioStream) -> av.AudioCodecContext:
    """Return a decoder of its own for a stream: two videos of one source may overlap, and each drains its decoder.

    Sound whose decoder has to know more than PyAV can hand on, such as the block size of WMA, keeps that of the source.
    """
    known = source.codec_context
    if not known.codec.canonical_name.startswith(_SELF_CONTAINED):
        return known
    decoder = cast(av.AudioCodecContext, av.CodecContext.create(known.codec.name, "r"))
    decoder.extradata, decoder.sample_rate = known.extradata, known.sample_rate
    if known.layout.nb_channels:
        decoder.layout = known.layout
    return decoder


def _copying_filter(source: av.AudioStream) -> BitStreamFilterContext | None:
    """Return the filter for packets to be copied; None if browsers do not play them or MP4 cannot hold them."""
    name = source.codec_context.codec.canonical_name
    if name not in _COPIED_AUDIO:
        return None
    try:
        # The muxer knows best which parameters it refuses, such as MP3 below 16 kHz.
        with av.open(io.BytesIO(), "w", format="mp4", container_options={"movflags": "empty_moov"}) as probe:
            probe.add_stream_from_template(source)
            probe.start_encoding()
        return BitStreamFilterContext(_COPIED_AUDIO[name], source)
    except (av.FFmpegError, ValueError):
        return None
