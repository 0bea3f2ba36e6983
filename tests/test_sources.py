import functools
import http.server
import itertools
import logging
import shutil
import socket
import threading
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media import damage_packets, number_of, numbered_frames, rotate_in_header, write_video

from tracker import sources
from tracker.errors import OptionError, SourceError
from tracker.ffmpeg import Timeline, nominal_rate
from tracker.sources import open_source

JPEG = {"codec": "mjpeg"}


def read(path, **options):
    with open_source(path, **options) as source:
        return source, list(source)


def message_of(*arguments, error=SourceError, **options):
    """The one line that opening or reading fails with."""
    with pytest.raises(error) as caught, open_source(*arguments, **options) as source:
        list(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_images(folder: Path, names, size=(32, 24)):
    folder.mkdir(parents=True, exist_ok=True)
    for image, name in zip(numbered_frames(len(names), size), names):
        (folder / name).write_bytes(cv2.imencode(Path(name).suffix.lower(), image)[1].tobytes())
    return folder


# ---- video files


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
    source, frames = read(path)
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


def test_colours_are_bgr(tmp_path):
    blue = np.full((64, 64, 3), (250, 10, 10), np.uint8)
    _, frames = read(write_video(tmp_path / "blue.mp4", [blue] * 2))
    np.testing.assert_allclose(frames[0].image.mean(axis=(0, 1)), (250, 10, 10), atol=8)


def test_frames_do_not_share_memory(tmp_path):
    _, frames = read(write_video(tmp_path / "clip.mp4", numbered_frames(3)))
    frames[0].image[:] = 0
    assert number_of(frames[1].image) == 1


def test_fractional_rate(tmp_path):
    source, frames = read(write_video(tmp_path / "ntsc.mp4", numbered_frames(10), rate=30000 / 1001))
    assert source.frame_rate == pytest.approx(29.97, abs=0.001)
    assert frames[9].time == pytest.approx(9 * 1001 / 30000, abs=1e-3)


def test_variable_rate_keeps_the_time_of_every_frame(tmp_path):
    times = [0, 0.04, 0.3, 0.34, 1.5, 1.6]
    _, frames = read(write_video(tmp_path / "vfr.mp4", numbered_frames(6), times=times))
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)


def test_given_rate_is_nominal_only(tmp_path):
    source, frames = read(write_video(tmp_path / "clip.mp4", numbered_frames(5)), frame_rate=10)
    assert source.frame_rate == 10.0
    assert isinstance(source.frame_rate, float)
    assert frames[4].time == pytest.approx(4 / 25)


def test_file_without_timestamps_counts_by_the_rate(tmp_path):
    source, frames = read(write_video(tmp_path / "raw.h264", numbered_frames(6)))
    assert source.frame_count is None
    assert not source.live
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(6)])


@pytest.mark.parametrize(
    ("average", "guessed", "expected"),
    [(Fraction(24), Fraction(50), 24.0), (None, Fraction(50), 50.0), (None, Fraction(90000), 30.0), (None, None, 30.0)],
)
def test_rate_that_is_the_tick_of_a_clock_is_not_believed(average, guessed, expected):
    assert nominal_rate(SimpleNamespace(average_rate=average, guessed_rate=guessed)) == expected


@pytest.mark.parametrize("size", [(1, 1), (63, 41), (2000, 1202)])
def test_any_frame_size(tmp_path, size):
    frames = numbered_frames(2, size)
    _, result = read(write_video(tmp_path / "size.mkv", frames, codec="ffv1", pixel_format="yuv444p"))
    assert [number_of(frame.image) for frame in result] == [0, 1]
    assert result[0].image.shape == frames[0].shape


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotated_video_comes_upright(tmp_path, degrees):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = 255  # Only the top left quarter is white.
    path = write_video(tmp_path / "phone.mp4", [image] * 2)
    rotate_in_header(path, degrees)
    _, frames = read(path)
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


# ---- damage


@pytest.mark.parametrize(
    ("name", "options", "damaged"),
    [
        ("clip.mp4", {}, [9, 10]),
        ("clip.avi", JPEG, [0, 1]),
        ("clip.avi", JPEG, [9, 11]),
        ("clip.avi", JPEG, [18]),
        ("clip.mp4", {"options": {"g": "1"}}, [0]),
        ("clip.mp4", {"options": {"g": "1"}}, [8, 17, 18]),
    ],
)
def test_damaged_frames_are_skipped_and_keep_their_numbers(tmp_path, name, options, damaged):
    path = write_video(tmp_path / name, numbered_frames(20), **options)
    whole = list(open_source(path))
    damage_packets(path, damaged)
    source, frames = read(path)
    assert source.skipped == len(damaged)
    assert len(frames) == 20 - len(damaged)
    for frame in frames:
        assert frame.time == pytest.approx(whole[frame.index].time)
    if "options" in options or options == JPEG:  # Every picture stands alone: the rest is as it was.
        assert sorted({frame.index for frame in frames} ^ set(range(20))) == damaged
        assert [number_of(frame.image) for frame in frames] == [frame.index for frame in frames]


def test_pictures_the_decoder_cannot_rebuild_are_counted(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(40), options={"g": "20", "sc_threshold": "0"})
    damage_packets(path, [0])
    source, frames = read(path)
    assert source.skipped > 1
    assert source.skipped + len(frames) == 40
    assert frames[-1].index == 39
    assert frames[-1].time == pytest.approx(39 / 25)


@pytest.mark.parametrize(("name", "options"), [("clip.mp4", {}), ("clip.avi", JPEG)])
def test_truncated_file_gives_its_readable_part(tmp_path, name, options):
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (64, 96, 3)).astype(np.uint8) for _ in range(20)]
    faststart = {"movflags": "faststart"} if name.endswith("mp4") else None
    path = write_video(tmp_path / name, images, container_options=faststart, **options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source, frames = read(path)
    assert 3 < len(frames) < 17
    assert source.skipped <= 1
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_container_that_breaks_off_gives_what_the_decoder_holds(tmp_path, caplog):
    with open_source(write_video(tmp_path / "clip.mp4", numbered_frames(20))) as source:
        container = source._container

        class Broken:
            def demux(self, streams):
                for number, packet in enumerate(container.demux(streams)):
                    if number == 10:
                        raise av.error.TimeoutError(110, "Connection timed out", "rtsp://secret")
                    yield packet

            close = container.close

        source._container = Broken()
        with caplog.at_level(logging.WARNING):
            frames = list(source)
    assert len(frames) == 10
    assert "broke off (Connection timed out)" in caplog.text
    assert "secret" not in caplog.text


def test_timeline_leaves_a_gap_where_the_lost_picture_was():
    timeline = Timeline(Fraction(1, 10), 10)
    timeline.lose(2)
    assert [timeline.place(pts) for pts in (0, 1)] == [(0, 0.0), (1, 0.1)]
    assert timeline.place(3) == (3, pytest.approx(0.3))
    timeline.lose(None)
    assert timeline.place(None) == (5, pytest.approx(0.5))


def test_timeline_starts_with_the_first_picture_even_if_it_was_lost():
    timeline = Timeline(Fraction(1, 10), 10)
    timeline.lose(100)
    assert timeline.place(101) == (1, pytest.approx(0.1))


@given(st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=1), st.lists(st.integers(-50, 50)))
def test_time_and_index_always_increase(stamps, lost):
    timeline = Timeline(Fraction(1, 7), 25)
    for pts in lost:
        timeline.lose(pts)
    placed = [timeline.place(pts) for pts in stamps]
    for earlier, later in itertools.pairwise(placed):
        assert earlier[0] < later[0]
        assert earlier[1] < later[1]
    assert placed[0][0] >= 0
    assert placed[0][1] >= 0


# ---- sound


def packets_of(path):
    with av.open(str(path)) as container:
        return [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize("seconds", [0.4, 3.0])
@pytest.mark.parametrize(("name", "options"), [("clip.mp4", {}), ("clip.mkv", {}), ("clip.avi", JPEG)])
def test_no_sound_is_lost(tmp_path, name, options, seconds):
    path = write_video(tmp_path / name, numbered_frames(20), audio=True, audio_seconds=seconds, **options)
    source, frames = read(path, with_audio=True)
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
    source, frames = read(swapped, with_audio=with_audio)
    assert source.skipped == 0
    assert [frame.index for frame in frames] == list(range(20))
    assert sum(len(frame.audio) for frame in frames) == (len(packets_of(path)) if with_audio else 0)


def test_stream_that_turns_up_midway_does_no_harm(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(20))
    with open_source(path) as source:
        container = source._container

        class Tripping:
            def demux(self, streams):
                yield from container.demux(streams)
                raise IndexError("list index out of range")

            close = container.close

        source._container = Tripping()
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


# ---- images


def test_folder_of_images_in_natural_order(tmp_path):
    folder = write_images(tmp_path / "walk.v1", ["img1.png", "img2.PNG", "img10.jpg", "img11.bmp"])
    (folder / "notes.txt").write_text("no image")
    source, frames = read(str(folder))
    assert (source.name, source.frame_rate, source.frame_count, source.live) == ("walk.v1", 30.0, 4, False)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert [frame.time for frame in frames] == [index / 30 for index in range(4)]


def test_given_rate_dates_the_images(tmp_path):
    source, frames = read(write_images(tmp_path / "walk", ["1.png", "2.png"]), frame_rate=4)
    assert source.frame_rate == 4
    assert [frame.time for frame in frames] == [0, 0.25]


def test_unreadable_images_are_skipped(tmp_path):
    folder = write_images(tmp_path / "walk", ["1.png", "2.png", "3.png", "4.png"])
    (folder / "2.png").write_bytes(b"")
    (folder / "3.png").write_bytes(b"broken")
    source, frames = read(folder)
    assert source.skipped == 2
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0), (3, 0.1)]
    for name in ["1.png", "4.png"]:
        (folder / name).write_bytes(b"broken")
    assert f"'{folder}' has no readable frame" in message_of(str(folder))


def test_frame_size_may_change(tmp_path):
    folder = write_images(tmp_path / "mixed", ["1.png"], size=(32, 24))
    write_images(folder, ["2.png"], size=(7, 5))
    _, frames = read(folder)
    assert [frame.image.shape for frame in frames] == [(24, 32, 3), (5, 7, 3)]


def test_dots_are_resolved_for_the_name(tmp_path, monkeypatch):
    folder = write_images(tmp_path / "walk", ["1.png"])
    (folder / "inner").mkdir()
    monkeypatch.chdir(folder)
    assert open_source(".").name == "walk"
    assert open_source("*.png").name == "walk"
    monkeypatch.chdir(folder / "inner")
    assert open_source("..").name == "walk"


def test_glob_pattern(tmp_path):
    write_images(tmp_path / "walk", ["img2.png", "img10.png", "other.jpg"])
    source, frames = read(f"{tmp_path}/walk/img*")
    assert (source.name, source.frame_count) == ("walk", 2)
    assert [number_of(frame.image) for frame in frames] == [0, 1]
    assert open_source(f"{tmp_path}/w*k/*.jpg").name == "w_k"


@pytest.mark.parametrize(("given_rate", "expected"), [(None, 14.0), (7, 7.0)])
def test_motchallenge_sequence(tmp_path, given_rate, expected):
    sequence = tmp_path / "MOT16-05"
    write_images(sequence / "100%frames", ["000001.jpg", "000002.jpg"])
    text = "\ufeff[Sequence]\nname=walk\nimDir=100%frames\nframeRate=14\nseqLength=2\n"
    (sequence / "seqinfo.ini").write_text(text, encoding="utf-8")
    source, frames = read(sequence, frame_rate=given_rate)
    assert (source.name, source.frame_rate, source.frame_count) == ("MOT16-05", expected, 2)
    assert frames[1].time == 1 / expected


def test_still_image_is_a_sequence_of_one(tmp_path):
    write_images(tmp_path, ["group.photo.jpg"])
    source, frames = read(tmp_path / "group.photo.jpg")
    assert (source.name, source.frame_count) == ("group.photo", 1)
    assert (frames[0].index, frames[0].time, frames[0].image.shape) == (0, 0.0, (24, 32, 3))


@pytest.mark.parametrize("name", ["0", "a*b[1].mp4", "12:30.mp4", "行人 %03d?.mp4"])
def test_existing_path_wins(tmp_path, monkeypatch, name):
    shutil.move(write_video(tmp_path / "clip.mp4", numbered_frames(3)), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    source, frames = read(name)
    assert len(frames) == 3
    assert source.name == Path(name).stem


# ---- camera


class FakeCamera:
    """Stands in for cv2.VideoCapture."""

    def __init__(self, index, opened=True, rate=15.0, frames=3, grey=False):
        self.index, self.opened, self.rate, self.left, self.grey = index, opened, rate, frames, grey
        self.released = False

    def isOpened(self):
        return self.opened

    def get(self, name):
        assert name == cv2.CAP_PROP_FPS
        return self.rate

    def read(self):
        self.left -= 1
        time.sleep(0.002)
        return (False, None) if self.left < 0 else (True, np.zeros((4, 6) if self.grey else (4, 6, 3), np.uint8))

    def release(self):
        self.released = True


@pytest.mark.parametrize("index", [2, "2"])
def test_camera(monkeypatch, index):
    opened = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: opened.append(FakeCamera(number)) or opened[-1])
    with open_source(index, from_device=True) as source:
        assert (source.name, source.live, source.frame_count, source.frame_rate) == ("camera_2", True, None, 15.0)
        frames = list(source)
    assert opened[0].index == 2
    assert opened[0].released
    assert [frame.index for frame in frames] == [0, 1, 2]
    times = [frame.time for frame in frames]
    assert times[0] == 0
    assert 0.002 <= times[1] < times[2] < 5


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 30), (-1, 30), (1e9, 30), (float("nan"), 30), (60, 60)])
def test_camera_rate_is_checked(monkeypatch, rate, expected):
    monkeypatch.setattr(cv2, "VideoCapture", functools.partial(FakeCamera, rate=rate, grey=True))
    source, frames = read(0, from_device=True)
    assert source.frame_rate == expected
    assert frames[0].image.shape == (4, 6, 3)
    assert open_source(0, from_device=True, frame_rate=12).frame_rate == 12


def test_camera_without_frames(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", functools.partial(FakeCamera, frames=0))
    assert "camera 3" in message_of(3, from_device=True)


def test_absent_camera_says_it_in_one_line(capfd):
    level = cv2.setLogLevel(3)
    assert "camera 97" in message_of("97", from_device=True)
    assert cv2.setLogLevel(level) == 3
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("value", ["clip.mp4", "", "-1", -1, "1.5", "²"])
def test_camera_index_must_be_a_number(value):
    assert repr(str(value)) in message_of(value, from_device=True)


@pytest.mark.parametrize("value", [0, "0"])
def test_number_without_from_device_gets_a_hint(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = message_of(value)
    assert "from_device=True" in text
    assert "--from_device" in text


# ---- URLs


@pytest.fixture
def served(tmp_path):
    """A folder and the address it is served at."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    folder = tmp_path / "www"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield folder, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def silent_port():
    """A port that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return port


def test_video_from_a_server(served):
    folder, address = served
    write_video(folder / "a b.mp4", numbered_frames(10), container_options={"movflags": "faststart"})
    source, frames = read(f"http://user:secret@{address}/a%20b.mp4?token=1")
    assert (source.name, source.live, source.frame_count) == ("a_b", False, 10)
    assert [number_of(frame.image) for frame in frames] == list(range(10))


def test_endless_stream_is_live(served):
    folder, address = served
    write_video(folder / "cam.h264", numbered_frames(10))
    source, frames = read(f"http://{address}/cam.h264")
    assert (source.live, source.frame_count, len(frames)) == (True, None, 10)


def test_missing_page(served):
    assert "404" in message_of(f"http://{served[1]}/none.mp4")


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
@pytest.mark.parametrize("password", ["secret", "sec?ret", "sec/ret", "sec@ret", "sec#ret", "sec:ret"])
def test_closed_port(closed_port, scheme, password):
    text = message_of(f"{scheme}://me:{password}@127.0.0.1:{closed_port}/live/1?key=hidden", timeout=2)
    assert f"'{scheme}://***@127.0.0.1:{closed_port}/live/1?...'" in text
    for secret in ("me:", "sec", "ret", "hidden"):
        assert secret not in text
    if password == "secret":  # FFmpeg trips over the others.
        assert "refused" in text


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
def test_server_that_never_answers(silent_port, scheme):
    started = time.monotonic()
    text = message_of(f"{scheme}://me:secret@127.0.0.1:{silent_port}/live", timeout=0.3)
    assert time.monotonic() - started < 2
    assert "did not answer within 0.3 s" in text
    assert f"127.0.0.1:{silent_port}/live" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("url", "name", "live", "options"),
    [
        ("rtsp://admin:12345@10.0.0.8:554/Streaming/101.sdp?x=1", "101", True, {"rtsp_transport": "tcp"}),
        ("RTSP://10.0.0.8:554", "10.0.0.8", True, {"rtsp_transport": "tcp"}),
        ("rtsp://admin:pa/ss@10.0.0.8/", "10.0.0.8", True, {"rtsp_transport": "tcp"}),
        ("rtmp://host/app/key", "key", True, {}),
        ("udp://@:1234", "stream", True, {}),
        ("https://host/%E8%A1%8C%E4%BA%BA%2F..%2Fa.mp4", "行人_.._a", False, {}),
    ],
)
def test_name_and_options_of_urls(tmp_path, monkeypatch, url, name, live, options):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(2))
    asked = []
    real_open = av.open

    def fake_open(address, **keywords):
        asked.append((address, keywords))
        return real_open(str(path))

    monkeypatch.setattr(av, "open", fake_open)
    with open_source(url, timeout=3) as source:
        assert (source.name, source.live) == (name, live)
    address, keywords = asked[0]
    assert address == url
    assert keywords["options"] == options
    assert keywords["timeout"] == 3


# ---- what users give by mistake


def test_missing_file():
    text = message_of("no/such/clip.mp4")
    assert "'no/such/clip.mp4' does not exist" in text
    assert "from_device" not in text


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", " ", "two\nlines.mp4"])
def test_strange_texts(text):
    assert "does not exist" in message_of(text)


def test_empty_text():
    assert "empty" in message_of("")


@pytest.mark.parametrize("content", [b"", b"just text\n" * 100])
def test_no_video(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert str(path) in message_of(path)
    assert "is it a video?" in message_of(path)


def test_folder_and_pattern_without_images(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert "has no images" in message_of(tmp_path)
    assert f"'{tmp_path}/*.jpg' has no images" in message_of(f"{tmp_path}/*.jpg")


def test_video_without_a_readable_frame(tmp_path):
    path = write_video(tmp_path / "clip.avi", numbered_frames(4), **JPEG)
    damage_packets(path, range(4))
    assert "no readable frame" in message_of(path)


def test_only_sound(tmp_path):
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        chunk.sample_rate = 44100
        container.mux(stream.encode(chunk))
        container.mux(stream.encode())
    assert "only audio" in message_of(tmp_path / "song.m4a")


def test_cover_of_an_album_is_no_video(tmp_path):
    with av.open(str(tmp_path / "song.mp3"), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100, layout="mono")
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")))
        container.mux(cover.encode())
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
        chunk.sample_rate = 44100
        container.mux(sound.encode(chunk))
        container.mux(sound.encode())
    assert "only audio" in message_of(tmp_path / "song.mp3")


def test_unknown_codec(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(4))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    text = message_of(path)
    assert "unknown video codec" in text
    assert str(path) in text


def test_no_permission(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(2))

    def refuse(*arguments, **keywords):
        raise av.error.PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(av, "open", refuse)  # Whoever runs the tests may be allowed everything.
    assert "no permission" in message_of(path)

    def refuse_path(*arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse_path)
    assert "no permission" in message_of(tmp_path)
    monkeypatch.setattr(Path, "exists", refuse_path)
    assert "no permission" in message_of(tmp_path)


@pytest.mark.parametrize("value", [[], None, 1.5, True, b"clip.mp4", np.zeros(3)])
@pytest.mark.parametrize("from_device", [False, True])
def test_wrong_type(value, from_device):
    assert type(value).__name__ in message_of(value, from_device=from_device, error=OptionError)


@pytest.mark.parametrize("option", ["frame_rate", "timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "25", True, [25]])
def test_wrong_number(option, value):
    text = message_of("clip.mp4", error=OptionError, **{option: value})
    assert option in text
    assert repr(value) in text


def test_nothing_is_left_open(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(4))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    opened = []
    real_open = sources.open_container
    monkeypatch.setattr(sources, "open_container", lambda *a: opened.append(real_open(*a)) or opened[-1])
    message_of(path)
    with pytest.raises(AssertionError):
        next(opened[0].demux())
