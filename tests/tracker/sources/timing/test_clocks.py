"""Clocks that jump, containers with one stamp a packet, streams without stamps: pictures and sound stay together."""

import itertools
import math
import shutil
import socket
import subprocess
import threading
import time
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tests.helpers.videos import numbered_frames, read_source, write_video
from tracker.sinks.video import VideoWriter
from tracker.sources import open_source
from tracker.sources.clock_jumps import ClockJumps
from tracker.sources.timestamps import ARRIVAL_TICK, date_by_arrival

SIZE, RATE, SOUND_RATE = (96, 64), 10, 44100
B_FRAMES = {"bf": "2", "g": "12", "b_strategy": "0"}


def recording(path, codec="libx264", sound="aac", start=0.0, sound_start=0.0, flash=1.0, seconds=2.0, container=None):
    """A dark film with B-frames that flashes and clicks at once, its clock beginning at `start`."""
    with av.open(str(path), "w", format=container) as output:
        video = output.add_stream(codec, rate=RATE, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p", options=B_FRAMES)
        audio = output.add_stream(sound, rate=SOUND_RATE, layout="mono", bit_rate=64_000)
        packets = []
        for number in range(round(seconds * RATE)):
            light = 230 if number == round(flash * RATE) else 20
            picture = av.VideoFrame.from_ndarray(np.full((*SIZE[::-1], 3), light, np.uint8), format="bgr24")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            packets += video.encode(picture)
        packets += video.encode(None)
        block = audio.codec_context.frame_size or 1024
        for begin in range(0, round((seconds - sound_start) * SOUND_RATE), block):
            clock = (begin + np.arange(block)) / SOUND_RATE + sound_start - flash
            wave = np.where((clock >= 0) & (clock < 0.02), 0.8 * np.sin(2 * np.pi * 1000 * clock), 0)
            kind = {"s16": np.int16, "s32": np.int32}.get(audio.format.name.rstrip("p"), np.float32)
            wave = (wave * (np.iinfo(kind).max if kind != np.float32 else 1)).astype(kind)
            chunk = av.AudioFrame.from_ndarray(wave[None], format=audio.format.name, layout="mono")
            chunk.sample_rate, chunk.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
            chunk.pts = begin + round(sound_start * SOUND_RATE)
            packets += audio.encode(chunk)
        packets += audio.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            ticks = round(start / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            output.mux(packet)
    return path


def joined(tmp_path, *starts, suffix=".ts", **options):
    """Recordings one behind the other in one file, with the clock of each."""
    parts = [recording(tmp_path / f"part{place}{suffix}", start=start, **options) for place, start in enumerate(starts)]
    path = tmp_path / f"joined{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def annotated(path, target):
    """What a run makes of a file: the times of its pictures, and the video."""
    with open_source(path, with_audio=True) as source:
        writer = None
        for frame in source:
            writer = writer or VideoWriter(target, source.frame_rate, source.audio_stream, source.start_time)
            writer.write(frame.image, frame.time, frame.audio)
        writer.close()
    with av.open(str(target)) as video:
        return [picture.time for picture in video.decode(video=0)]


def flashes_and_clicks(path):
    """The seconds at which a video flashes, and at which it clicks."""
    flashes, clicks = [], []
    with av.open(str(path)) as video:
        bright = [(picture.time, picture.to_ndarray(format="gray").mean() > 100) for picture in video.decode(video=0)]
    for (_, before), (moment, now) in itertools.pairwise([(0.0, False), *bright]):
        flashes += [moment] if now and not before else []
    resampler = av.AudioResampler("flt", "mono", 48000)
    with av.open(str(path)) as video:
        for sound in video.decode(audio=0):
            for part in resampler.resample(sound):
                for place in np.flatnonzero(np.abs(part.to_ndarray()[0]) > 0.2):
                    moment = part.time + place / 48000
                    clicks += [] if clicks and moment - clicks[-1] < 0.2 else [moment]
    return flashes, clicks


def by_ffmpeg(path, target):
    """The flashes and clicks of what Debian's ffmpeg makes of a file; None where there is no such program."""
    if shutil.which("ffmpeg") is None:
        return None
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", path, "-bf", "0", target], check=True, timeout=60)
    return flashes_and_clicks(target)


# ---- clocks that jump


@pytest.mark.parametrize(
    ("starts", "suffix"),
    [
        ((10, 1012), ".ts"),
        ((10, 10), ".ts"),
        ((1000, 10), ".ts"),
        ((10, 11.5), ".ts"),
        ((500, 5000, 500), ".ts"),
        ((10, 10, 10), ".ts"),
        ((2**33 / 90000 - 1, 50), ".ts"),
        ((10, 10), ".mpg"),
        ((10, 2000), ".mpg"),
    ],
)
def test_a_clock_that_jumps_is_closed_up(tmp_path, starts, suffix):
    codecs = {"codec": "mpeg2video", "sound": "mp2"} if suffix == ".mpg" else {}
    path = joined(tmp_path, *starts, suffix=suffix, **codecs)
    times = annotated(path, tmp_path / "out.mp4")
    assert times == pytest.approx([number / RATE for number in range(20 * len(starts))], abs=0.05)
    flashes, clicks = flashes_and_clicks(tmp_path / "out.mp4")
    assert flashes == pytest.approx([1 + 2 * place for place in range(len(starts))], abs=0.05)
    assert clicks == pytest.approx(flashes, abs=0.05)
    theirs = by_ffmpeg(path, tmp_path / "theirs.mp4")
    if theirs:
        assert flashes == pytest.approx(theirs[0], abs=0.05)
        assert clicks == pytest.approx(theirs[1], abs=0.05)


def test_a_clock_that_wraps_goes_on(tmp_path):
    path = recording(tmp_path / "wrap.ts", start=2**33 / 90000 - 3)
    assert annotated(path, tmp_path / "out.mp4") == pytest.approx([number / RATE for number in range(20)], abs=0.001)
    assert flashes_and_clicks(tmp_path / "out.mp4")[1] == pytest.approx([1.0], abs=0.03)


def test_a_pause_of_some_seconds_is_one(tmp_path):
    times = annotated(joined(tmp_path, 10, 17), tmp_path / "out.mp4")
    assert times[20] - times[19] == pytest.approx(5.1, abs=0.01)
    flashes, clicks = flashes_and_clicks(tmp_path / "out.mp4")
    assert clicks == pytest.approx(flashes, abs=0.01)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_pause_of_minutes_is_one_where_clocks_do_not_jump(tmp_path, name):
    times = [number / 10 + 600 * (number >= 15) for number in range(30)]
    source, frames = read_source(write_video(tmp_path / name, numbered_frames(30), times=times, rate=10))
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.002)
    assert source.frame_rate == pytest.approx(10, abs=0.01)


def packet_of(seconds, stream=0, decoding=True):
    ticks = round(seconds * 1000)
    dts = ticks if decoding else None
    return SimpleNamespace(stream_index=stream, pts=ticks, dts=dts, time_base=Fraction(1, 1000), size=1)


def jumps(live=False, flags=0x200):
    return ClockJumps(SimpleNamespace(format=SimpleNamespace(flags=flags)), live, "'clip'")


def mended(clock, *packets):
    for packet in packets:
        clock.mend(packet, 0.1)
    return [packet.pts / 1000 for packet in packets]


def test_sound_takes_over_the_jump_of_the_pictures():
    """The sound of before the jump ends early: it is not moved to where it would follow itself."""
    packets = [packet_of(0), packet_of(0, 1), packet_of(0.1), packet_of(0.2), packet_of(50), packet_of(50.1, 1)]
    assert mended(jumps(), *packets) == pytest.approx([0, 0, 0.1, 0.2, 0.3, 0.4])


def test_a_single_wrong_stamp_moves_nothing_else():
    packets = [packet_of(seconds) for seconds in (0, 0.1, 5000, 0.3, 0.4)]
    assert mended(jumps(), *packets) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_presentation_times_may_go_back_a_little():
    packets = [packet_of(seconds, decoding=False) for seconds in (0, 0.4, 0.2, 0.1, 0.3)]
    assert mended(jumps(), *packets) == [0, 0.4, 0.2, 0.1, 0.3]


def test_a_live_pause_is_one_if_the_wall_clock_agrees(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = jumps(live=True, flags=0)
    assert mended(clock, packet_of(5)) == [5]
    now[0] += 30
    assert mended(clock, packet_of(35)) == [35]
    assert mended(clock, packet_of(65)) == [pytest.approx(35.1)]


# ---- one stamp a packet


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("clip.avi", "libx264", "pcm_s16le"),
        ("clip.avi", "mpeg4", "libmp3lame"),
        ("clip.wmv", "libx264", "wmav2"),
        ("clip.wmv", "mpeg4", "wmav2"),
        ("clip.mkv", "libx264", "aac"),
        ("clip.flv", "libx264", "aac"),
        ("clip.nut", "libx264", "pcm_s16le"),
    ],
)
def test_b_frames_leave_pictures_and_sound_together(tmp_path, name, codec, sound):
    path = recording(tmp_path / name, codec, sound)
    times = annotated(path, tmp_path / "out.mp4")
    assert times == pytest.approx([number / RATE for number in range(20)], abs=0.002)
    flashes, clicks = flashes_and_clicks(tmp_path / "out.mp4")
    assert flashes == pytest.approx([1.0], abs=0.002)
    assert clicks == pytest.approx([1.0], abs=0.05)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_sound_may_start_later(tmp_path, name):
    path = recording(tmp_path / name, sound_start=0.7)
    annotated(path, tmp_path / "out.mp4")
    flashes, clicks = flashes_and_clicks(tmp_path / "out.mp4")
    assert flashes == pytest.approx([1.0], abs=0.002)
    assert clicks == pytest.approx([1.0], abs=0.03)


def test_a_negative_start_is_no_jump(tmp_path):
    path = recording(tmp_path / "clip.nut", sound="pcm_s16le", start=-0.5)
    assert annotated(path, tmp_path / "out.mp4") == pytest.approx([number / RATE for number in range(20)], abs=0.002)
    flashes, clicks = flashes_and_clicks(tmp_path / "out.mp4")
    assert flashes == pytest.approx(clicks, abs=0.01)


def test_avi_that_begins_within_a_group_of_pictures(tmp_path):
    """What the decoder swallows before the first key frame takes its stamps with it."""
    whole = recording(tmp_path / "whole.avi", sound="pcm_s16le")
    with av.open(str(whole)) as source, av.open(str(tmp_path / "cut.avi"), "w") as target:
        outputs = [target.add_stream_from_template(stream) for stream in source.streams]
        packets = [packet for packet in source.demux() if packet.size]
        pictures = [packet for packet in packets if packet.stream.type == "video"]
        for packet in packets:
            if packet not in pictures[:4]:
                packet.stream = outputs[packet.stream.index]
                target.mux(packet)
    annotated(tmp_path / "cut.avi", tmp_path / "out.mp4")
    flashes, clicks = flashes_and_clicks(tmp_path / "out.mp4")
    assert flashes == [] or flashes == pytest.approx(clicks, abs=0.05)


# ---- no stamps


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("raw.h264", {}),
        ("raw.mjpeg", {"codec": "mjpeg"}),
        ("raw.m2v", {"codec": "mpeg2video"}),
    ],
)
@pytest.mark.parametrize("rate", [4.0, 50.0])
def test_a_file_without_stamps_follows_the_given_rate(tmp_path, name, options, rate):
    source, frames = read_source(write_video(tmp_path / name, numbered_frames(8), **options), frame_rate=rate)
    assert source.frame_rate == rate
    assert [frame.time for frame in frames] == pytest.approx([number / rate for number in range(8)])


def test_a_file_without_stamps_follows_what_its_pictures_state(tmp_path):
    source, frames = read_source(write_video(tmp_path / "raw.h264", numbered_frames(8), rate=10))
    assert source.frame_rate == 10
    assert frames[7].time == pytest.approx(0.7)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.ts", "clip.mkv"])
def test_stamps_win_over_a_given_rate(tmp_path, caplog, name):
    path = write_video(tmp_path / name, numbered_frames(8))
    source, frames = read_source(path, frame_rate=10)
    assert source.frame_rate == 25
    assert frames[7].time == pytest.approx(7 / 25, abs=0.002)
    assert "frame_rate 10 is not used" in caplog.text
    caplog.clear()
    read_source(path, frame_rate=25)
    assert caplog.text == ""


def test_live_pictures_without_stamps_are_dated_by_their_arrival(tmp_path):
    """A web camera that sends JPEG behind JPEG, and stops in between for a while."""
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    jpeg = write_video(tmp_path / "one.mjpeg", [noise], codec="mjpeg").read_bytes()
    pauses = [0.02, 0.02, 0.6, 0.02, 0.02]

    def serve(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n")
            for pause in [0, *pauses]:
                time.sleep(pause)
                head = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
                connection.sendall(head + jpeg + b"\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        source, frames = read_source(f"http://127.0.0.1:{listener.getsockname()[1]}/video", frame_rate=5)
        server.join()
    assert (source.live, source.frame_rate, len(frames)) == (True, 5, 6)
    steps = np.diff([frame.time for frame in frames])
    assert steps.argmax() == 2, "the others came one close behind the other"
    assert steps[2] > 0.25, "not by the rate"


def test_pictures_read_at_the_opening_are_dated_back(monkeypatch):
    now = [50.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def arriving():
        for number in range(6):
            now[0] += 0.1 if number >= 3 else 0
            yield SimpleNamespace(pts=number, dts=number, size=1)

    packets = date_by_arrival(arriving(), 0.04)
    seconds = [float(packet.pts * ARRIVAL_TICK) for packet in packets]
    assert np.diff(seconds) == pytest.approx([0.04, 0.04, 0.04, 0.1, 0.1])
    assert math.isclose(seconds[3], 50.1)
