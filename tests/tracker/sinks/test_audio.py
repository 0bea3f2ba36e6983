"""The sound of the annotated video: kept, in step, and never at the cost of the picture."""

import logging
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.helpers.videos import decode_video, mp4_boxes, plain_image
from tracker.sinks.video import VideoWriter

BEEP = 0.5  # seconds of video before the sound of every generated input starts


def make_input(path, codec, rate=48000, layout="stereo", lead=0.0, seconds=1.5):
    """A video whose picture starts `lead` seconds after its sound, with a tone BEEP seconds into the picture."""
    container = av.open(str(path), "w")
    video = container.add_stream("mpeg4", rate=25, width=32, height=32)
    video.pix_fmt = "yuv420p"
    audio = container.add_stream(codec, rate=rate, layout=layout, options={"strict": "-2"})
    clock = np.arange(int(rate * (seconds + lead))) / rate - lead
    tone = np.where(clock >= BEEP, np.sin(2 * np.pi * 1000 * clock) * 0.5, 0).astype(np.float32)
    packets = []
    for start in range(0, len(tone), 1024):
        block = np.tile(tone[start : start + 1024], (audio.layout.nb_channels, 1))
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        packets += audio.encode(frame)
    packets += audio.encode(None)
    for index in range(int(seconds * 25)):
        frame = av.VideoFrame.from_ndarray(plain_image(32, 32), format="bgr24")
        frame.pts, frame.time_base = index + round(lead * 25), Fraction(1, 25)
        packets += video.encode(frame)
    for packet in sorted(packets + video.encode(None), key=lambda p: p.dts * p.time_base):
        container.mux(packet)
    container.close()


def copy_video(source, target, spoil=None):
    """Write the frames of `source` with their sound; the number of audio packets given."""
    frames, packets = [], [[]]  # the sound read before each frame; the rest goes with the last
    container = av.open(str(source))
    video, audio = container.streams.video[0], container.streams.audio[0]
    for packet in container.demux(video, audio):
        if packet.stream is audio:
            packets[-1].append(packet)
        for frame in packet.decode() if packet.stream is video else ():
            frames.append(frame)
            packets.append([])
    rest = packets.pop()
    packets[-1] += rest
    if spoil is not None:
        packets = [[spoil(packet) for packet in group] for group in packets]
    writer = VideoWriter(target, 25.0, audio, frames[0].time)
    for frame, group in zip(frames, packets):
        writer.write(frame.to_ndarray(format="bgr24"), frame.time - frames[0].time, group)
    container.close()  # a source may be closed before the writer
    writer.close()
    return sum(packet.size > 0 for group in packets for packet in group)


def sound(path):
    """Codec name, number of packets, and the times in seconds at which the tone starts and the sound ends."""
    with av.open(str(path)) as container:
        codec = container.streams.audio[0].codec_context.codec.canonical_name
        packets = sum(packet.size > 0 for packet in container.demux(audio=0))
    onset = end = None
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 48000)
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                loud = np.flatnonzero(np.abs(part.to_ndarray()[0]) > 0.1)
                if onset is None and len(loud):
                    onset = part.time + loud[0] / 48000
                end = part.time + part.samples / 48000
    return codec, packets, onset, end


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout", "lead", "result"),
    [
        ("a.mp4", "aac", 48000, "stereo", 0.0, "aac"),
        ("a.ts", "aac", 44100, "stereo", 0.4, "aac"),
        ("a.mkv", "libmp3lame", 44100, "stereo", 0.2, "mp3"),
        ("a.mkv", "libopus", 48000, "mono", 0.2, "opus"),
        ("a.mkv", "flac", 48000, "stereo", 0.0, "flac"),
        ("a.avi", "pcm_s16le", 44100, "mono", 0.0, None),
        ("a.mov", "pcm_s16le", 48000, "stereo", 0.52, None),
        ("a.mov", "pcm_s16le", 192000, "stereo", 0.0, None),
        ("a.mkv", "vorbis", 48000, "stereo", 0.2, None),
        ("a.ts", "ac3", 48000, "5.1", 0.0, None),
        ("a.mkv", "libmp3lame", 8000, "mono", 0.0, None),
    ],
)
def test_sound_is_kept_in_step(tmp_path, name, codec, rate, layout, lead, result):
    """result: the codec copied, or None for one that is encoded to AAC."""
    make_input(tmp_path / name, codec, rate, layout, lead)
    given_packets = copy_video(tmp_path / name, tmp_path / "out.mp4")
    kept, packets, onset, end = sound(tmp_path / "out.mp4")
    assert kept == (result or "aac")
    if result is not None:
        dropped = lead * rate / {"aac": 1024, "mp3": 1152, "opus": 960, "flac": 4608}[result]
        assert 0 <= given_packets - packets <= dropped + 3
    assert onset == pytest.approx(BEEP, abs=0.008)
    assert end == pytest.approx(1.5, abs=0.15)
    times = decode_video(tmp_path / "out.mp4")[1]
    assert times == pytest.approx([i / 25 for i in range(len(times))], abs=0.001)
    assert mp4_boxes(tmp_path / "out.mp4").index("moov") < mp4_boxes(tmp_path / "out.mp4").index("mdat")


def test_copied_sound_is_not_encoded_again(tmp_path):
    make_input(tmp_path / "a.mp4", "aac")
    copy_video(tmp_path / "a.mp4", tmp_path / "out.mp4")
    contents = []
    for path in (tmp_path / "a.mp4", tmp_path / "out.mp4"):
        with av.open(str(path)) as container:
            contents.append([bytes(packet) for packet in container.demux(audio=0) if packet.size])
    assert contents[1] == contents[0][-len(contents[1]) :]


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "ac3"), ("a.ts", "aac")])
def test_damaged_sound_costs_only_itself(tmp_path, caplog, name, codec):
    def spoil(packet):
        if packet.pts is None or not 0.2 <= packet.pts * packet.time_base < 0.3:
            return packet
        bad = av.Packet(b"\xfe\x55" * 20)
        bad.pts, bad.dts, bad.time_base = packet.pts, packet.dts, packet.time_base
        return bad

    make_input(tmp_path / name, codec)
    with caplog.at_level(logging.WARNING, "tracker.sinks.video"):
        copy_video(tmp_path / name, tmp_path / "out.mp4", spoil)
    _, packets, onset, end = sound(tmp_path / "out.mp4")
    assert packets > 30 and end > 1.3
    assert onset == pytest.approx(BEEP, abs=0.15)
    assert len([record for record in caplog.records if record.name == "tracker.sinks.video"]) == 1


def test_packets_of_the_caller_are_left_alone(tmp_path):
    make_input(tmp_path / "a.mkv", "libopus", lead=0.2)
    with av.open(str(tmp_path / "a.mkv")) as container:
        audio = container.streams.audio[0]
        packets = [packet for packet in container.demux(audio) if packet.size]
        before = [(packet.pts, packet.time_base, packet.stream) for packet in packets]
        with VideoWriter(tmp_path / "out.mp4", 25, audio, 0.2) as video:
            video.write(plain_image(), 0.0, packets)
        assert [(packet.pts, packet.time_base, packet.stream) for packet in packets] == before


def test_silent_audio_stream_leaves_a_plain_video(tmp_path):
    make_input(tmp_path / "a.mp4", "aac")
    with (
        av.open(str(tmp_path / "a.mp4")) as container,
        VideoWriter(tmp_path / "out.mp4", 5, container.streams.audio[0]) as video,
    ):
        for index in range(5):
            video.write(plain_image(), index / 5)
        # pictures that wait for sound do not wait for ever
        assert len(decode_video(tmp_path / ".out.part.mp4")[0]) >= 2
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert len(decode_video(tmp_path / "out.mp4")[0]) == 5


@pytest.mark.parametrize("shown_at", [0, 3])
@pytest.mark.parametrize("name, codec", [("a.mp4", "aac"), ("a.mkv", "flac"), ("a.mkv", "libopus")])
def test_sound_that_comes_late_is_kept_in_step(tmp_path, name, codec, shown_at):
    """Its packets come seconds after the first picture, because they belong there or are badly interleaved."""
    make_input(tmp_path / name, codec)
    with av.open(str(tmp_path / name)) as container:
        audio = container.streams.audio[0]
        packets = [packet for packet in container.demux(audio) if packet.size]
        shift = round(shown_at / audio.time_base)
        for packet in packets:
            packet.pts += shift
            packet.dts += shift
        with VideoWriter(tmp_path / "out.mp4", 10, audio) as video:
            for index in range(60):
                video.write(plain_image(), index / 10, packets if index == 30 else ())
    kept, _, onset, end = sound(tmp_path / "out.mp4")
    assert kept == "aac" and onset == pytest.approx(BEEP + shown_at, abs=0.03)
    assert end == pytest.approx(1.5 + shown_at, abs=0.15)
    times = decode_video(tmp_path / "out.mp4")[1]
    assert times == pytest.approx([index / 10 for index in range(60)], abs=0.001)
