"""Video files: every picture with its number and time, and the sound that belongs to it."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.helpers.videos import (
    JPEG,
    BreakingContainer,
    number_of,
    numbered_frames,
    read_source,
    rotate_in_header,
    write_playlist,
    write_video,
)
from tracker.errors import SourceError
from tracker.sources import open_source
from tracker.sources.video import VideoSource

# ---- pictures


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip.mp4", {}),
        ("clip.avi", JPEG),
        ("clip.mkv", {"codec": "mpeg4", "options": {"qmax": "2"}}),
        ("clip.ts", {}),
        ("clip.mov", {}),
    ],
)
def test_video_file(tmp_path, name, options):
    path = write_video(tmp_path / name, numbered_frames(20), **options)
    source, frames = read_source(path)
    assert (source.name, source.live, source.skipped, source.audio_stream) == ("clip", False, 0, None)
    assert source.frame_rate == 25
    assert isinstance(source.frame_rate, float)
    assert source.frame_count == 20
    assert [frame.index for frame in frames] == list(range(20))
    assert [number_of(frame.image) for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(20)], abs=2e-3)
    for frame in frames:
        assert (frame.image.shape, frame.image.dtype, frame.audio) == ((64, 96, 3), np.uint8, ())
        assert frame.image.flags.c_contiguous


def test_pixel_aspect_is_told(tmp_path):
    path = tmp_path / "dv.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10, width=64, height=48, pix_fmt="yuv420p")
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        for packet in [*stream.encode(av.VideoFrame(64, 48, "yuv420p")), *stream.encode()]:
            output.mux(packet)
    with open_source(path) as source:
        list(source)
        assert source.pixel_aspect == Fraction(16, 11)


def test_colours_are_bgr(tmp_path):
    blue = np.full((64, 64, 3), (250, 10, 10), np.uint8)
    _, frames = read_source(write_video(tmp_path / "blue.mp4", [blue] * 2))
    np.testing.assert_allclose(frames[0].image.mean(axis=(0, 1)), (250, 10, 10), atol=8)


def test_frames_do_not_share_memory(tmp_path):
    _, frames = read_source(write_video(tmp_path / "clip.mp4", numbered_frames(3)))
    frames[0].image[:] = 0
    assert number_of(frames[1].image) == 1


def test_fractional_rate(tmp_path):
    source, frames = read_source(write_video(tmp_path / "ntsc.mp4", numbered_frames(10), rate=30000 / 1001))
    assert source.frame_rate == pytest.approx(29.97, abs=0.001)
    assert frames[9].time == pytest.approx(9 * 1001 / 30000, abs=1e-3)


def test_variable_rate_keeps_the_time_of_every_frame(tmp_path):
    times = [0, 0.04, 0.3, 0.34, 1.5, 1.6]
    _, frames = read_source(write_video(tmp_path / "vfr.mp4", numbered_frames(6), times=times))
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)


def test_file_without_timestamps_counts_by_the_rate(tmp_path):
    source, frames = read_source(write_video(tmp_path / "raw.h264", numbered_frames(6)))
    assert source.frame_count is None
    assert not source.live
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(6)])


@pytest.mark.parametrize("size", [(1, 1), (63, 41), (2000, 1202)])
def test_any_frame_size(tmp_path, size):
    frames = numbered_frames(2, size)
    _, result = read_source(write_video(tmp_path / "size.mkv", frames, codec="ffv1", pixel_format="yuv444p"))
    assert [number_of(frame.image) for frame in result] == [0, 1]
    assert result[0].image.shape == frames[0].shape


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotated_video_comes_upright(tmp_path, degrees):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = 255  # Only the top left quarter is white.
    path = write_video(tmp_path / "phone.mp4", [image] * 2)
    rotate_in_header(path, degrees)
    _, frames = read_source(path)
    expected = np.rot90(image, -degrees // 90)
    assert frames[0].image.shape == expected.shape
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 10


def test_reading_goes_on_after_a_break_and_ends_with_close(tmp_path):
    with open_source(write_video(tmp_path / "clip.mp4", numbered_frames(6))) as source:
        assert [frame.index for frame, _ in zip(source, range(2))] == [0, 1]
        rest = iter(source)
        assert next(rest).index >= 2
        source.close()
        assert list(rest) == []
    source.close()
    with pytest.raises(SourceError, match="closed"):
        iter(source)


# ---- sound


def packets_of(path):
    with av.open(str(path)) as container:
        return [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize("seconds", [0.4, 3.0])
@pytest.mark.parametrize(("name", "options"), [("clip.mp4", {}), ("clip.mkv", {}), ("clip.avi", JPEG)])
def test_no_sound_is_lost(tmp_path, name, options, seconds):
    path = write_video(tmp_path / name, numbered_frames(20), audio=True, audio_seconds=seconds, **options)
    source, frames = read_source(path, with_audio=True)
    handed_on = [(packet.pts, bytes(packet)) for frame in frames for packet in frame.audio]
    assert handed_on == packets_of(path)
    assert source.skipped == 0
    assert [number_of(frame.image) for frame in frames] == list(range(20))
    assert source.audio_stream is None  # Closed by now.


@pytest.mark.parametrize("with_audio", [False, True])
def test_sound_may_be_the_first_stream(tmp_path, with_audio):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(20), audio=True)
    swapped = tmp_path / "swapped.mp4"
    with av.open(str(path)) as source, av.open(str(swapped), "w") as output:
        streams = {stream: output.add_stream_from_template(stream) for stream in reversed(source.streams)}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream]
                output.mux(packet)
    source, frames = read_source(swapped, with_audio=with_audio)
    assert source.skipped == 0
    assert [frame.index for frame in frames] == list(range(20))
    assert sum(len(frame.audio) for frame in frames) == (len(packets_of(path)) if with_audio else 0)


def test_stream_that_turns_up_midway_does_no_harm(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(20))
    with VideoSource(BreakingContainer(path, IndexError("list index out of range")), "'clip'", "clip") as source:
        assert len(list(source)) == 20


def test_sound_comes_along_with_its_pictures(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(40), audio=True, options={"bf": "0"})
    with open_source(path, with_audio=True) as source:
        assert source.audio_stream.type == "audio"
        first_half = [frame for frame, _ in zip(source, range(20))]
        ticks = [packet.pts * packet.time_base for frame in first_half for packet in frame.audio]
    assert ticks
    assert max(ticks) < 1.6  # Far from the whole: nothing is hoarded.


def test_packets_can_be_copied_into_another_file(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(20), audio=True)
    with open_source(path, with_audio=True) as source, av.open(str(tmp_path / "copy.mp4"), "w") as output:
        stream = output.add_stream_from_template(source.audio_stream)
        for frame in source:
            for packet in frame.audio:
                packet.stream = stream
                output.mux(packet)
    assert [data for _, data in packets_of(tmp_path / "copy.mp4")] == [data for _, data in packets_of(path)]


def test_sound_is_not_read_unasked(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(5), audio=True)
    source = open_source(path)
    assert source.audio_stream is None
    assert all(frame.audio == () for frame in source)
    silent = write_video(tmp_path / "silent.mp4", numbered_frames(5))
    assert open_source(silent, with_audio=True).audio_stream is None


# ---- several streams: the one that ffmpeg would choose

SMALL, LARGE = (48, 32), (96, 64)


def write_streams(path, *streams):
    """A file of streams of pictures, each a (width, height) and a disposition."""
    with av.open(str(path), "w") as container:
        made = []
        for (width, height), disposition in streams:
            stream = container.add_stream("mpeg4", rate=10, width=width, height=height, pix_fmt="yuv420p")
            stream.disposition = disposition
            made.append(stream)
        for number in range(5):
            for stream in made:
                image = np.full((stream.height, stream.width, 3), 20 + 5 * number, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        for stream in made:
            container.mux(stream.encode())
    return path


DEFAULT, NONE = av.stream.Disposition.default, av.stream.Disposition(0)


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        ([(SMALL, NONE), (LARGE, NONE)], LARGE),
        ([(LARGE, NONE), (SMALL, NONE)], LARGE),
        ([(SMALL, NONE), (LARGE, DEFAULT)], LARGE),
        ([(LARGE, NONE), (SMALL, DEFAULT)], SMALL),
        ([(LARGE, DEFAULT), (SMALL, DEFAULT)], LARGE),
    ],
)
def test_default_or_largest_stream_is_read(tmp_path, streams, expected):
    _, frames = read_source(write_streams(tmp_path / "two.mkv", *streams))
    assert len(frames) == 5
    assert {frame.image.shape[1::-1] for frame in frames} == {expected}


def test_large_cover_does_not_count(tmp_path):
    path = write_streams(tmp_path / "film.mkv", (SMALL, DEFAULT))
    with av.open(str(path)) as film, av.open(str(tmp_path / "covered.mp4"), "w") as output:
        stream = output.add_stream_from_template(film.streams.video[0])
        cover = output.add_stream("mjpeg", rate=25, width=400, height=400, pix_fmt="yuvj420p")
        cover.disposition = av.stream.Disposition.attached_pic
        output.mux(cover.encode(av.VideoFrame(400, 400, "yuvj420p")))
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
        output.mux(cover.encode())
    _, frames = read_source(tmp_path / "covered.mp4")
    assert {frame.image.shape[1::-1] for frame in frames} == {SMALL}
    assert len(frames) == 5


@pytest.mark.parametrize("order", [("lo", "hi"), ("hi", "lo")])
@pytest.mark.parametrize("from_server", [False, True])
def test_best_variant_is_read_with_its_sound(served, order, from_server):
    folder, address = served
    for name, size, tone in (("lo", SMALL, 1.0), ("hi", LARGE, 1.0)):
        write_video(folder / f"{name}.ts", numbered_frames(25, size), audio=True, audio_seconds=tone)
        write_playlist(folder / f"{name}.m3u8", f"{name}.ts")
    rates = {"lo": 50_000, "hi": 500_000}
    text = "".join(f"#EXT-X-STREAM-INF:BANDWIDTH={rates[name]}\n{name}.m3u8\n" for name in order)
    (folder / "master.m3u8").write_text("#EXTM3U\n" + text)
    path = f"http://{address}/master.m3u8" if from_server else folder / "master.m3u8"
    source, frames = read_source(path, with_audio=True)
    assert {frame.image.shape[1::-1] for frame in frames} == {LARGE}
    assert (len(frames), source.skipped) == (25, 0)
    assert sum(len(frame.audio) for frame in frames) > 30


def test_other_variants_are_not_fetched(tmp_path, caplog):
    for name, size in (("lo", SMALL), ("hi", LARGE)):
        write_video(tmp_path / f"{name}.ts", numbered_frames(25, size))
    write_playlist(tmp_path / "lo.m3u8", *["lo.ts"] * 20, "lost.ts")
    write_playlist(tmp_path / "hi.m3u8", *["hi.ts"] * 20)
    text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlo.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhi.m3u8\n"
    (tmp_path / "master.m3u8").write_text(text)
    _, frames = read_source(tmp_path / "master.m3u8")
    assert len(frames) == 500
    assert "lost.ts" not in caplog.text
