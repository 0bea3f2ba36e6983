"""Inputs from strangers: none leads to another file or scheme, and none keeps the reader waiting."""

import base64
import os
import socket
import time

import pytest

from tests.helpers.videos import numbered_frames, read_source, source_error, write_playlist, write_video

MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{}\n"


@pytest.fixture
def private(tmp_path):
    """A video that nobody asked for."""
    return write_video(tmp_path / "private.ts", numbered_frames(5))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    write_video(folder / "part.ts", numbered_frames(5))
    return folder


# ---- addresses


def refused_from_server(served, text, name="list.m3u8"):
    """Whether nothing is read of what a server answers."""
    folder, address = served
    (folder / name).write_text(text)
    return source_error(f"http://{address}/{name}", timeout=3)


@pytest.mark.parametrize(
    "form", ["file://{}", "file:{}", "{}", "concat:{}", "crypto+file:{}", "subfile,,start,0,end,0,,:{}"]
)
def test_playlist_from_a_server_leads_to_no_file(served, private, form):
    refused_from_server(served, write_playlist(served[0] / "x", form.format(private)).read_text())
    write_playlist(private.parent / "local.m3u8", str(private))
    refused_from_server(served, MASTER.format(form.format(private.parent / "local.m3u8")))


def test_playlist_from_a_server_leads_to_no_other_scheme(served, private):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    with listener:
        for scheme in ("tcp", "ftp", "rtmp", "rtp", "gopher"):
            target = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/a.ts"
            refused_from_server(served, write_playlist(served[0] / "x", target).read_text())
        with pytest.raises(TimeoutError):
            listener.accept()
    data = base64.b64encode(private.read_bytes()).decode()
    refused_from_server(served, write_playlist(served[0] / "x", f"data:video/mp2t;base64,{data}").read_text())


def test_key_from_a_server_leads_to_no_file(served, private):
    write_video(served[0] / "part.ts", numbered_frames(5))
    text = write_playlist(served[0] / "x", "part.ts").read_text()
    refused_from_server(served, text.replace("#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="file://{private}"\n#EXTINF'))


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile part.ts\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
    ],
)
def test_lists_of_other_kinds_are_not_followed(served, text):
    write_video(served[0] / "part.ts", numbered_frames(5))
    assert "Invalid" in refused_from_server(served, text, "list.txt")


@pytest.mark.parametrize("scheme", ["file", "FILE", "concat", "lavfi", "pipe", "fd", "ftp", "crypto+file", "http+file"])
def test_other_schemes_are_refused(private, scheme):
    text = source_error(f"{scheme}://{private}")
    assert "are not read" in text and repr(scheme.lower()) in text


# ---- local playlists


def test_playlist_of_its_own_folder_is_read(folder):
    (folder / "inner").mkdir()
    write_video(folder / "inner" / "more.ts", numbered_frames(5))
    playlist = write_playlist(folder / "list.m3u8", "part.ts", f"{folder}/inner/more.ts", "inner/../part.ts")
    assert len(read_source(playlist)[1]) == 15


def test_list_for_ffmpeg_is_refused(folder):
    os.mkfifo(folder / "fifo.ts")
    for name, inner in (("list.ffconcat", "part.ts"), ("list.mp4", "fifo.ts")):
        (folder / name).write_text(f"ffconcat version 1.0\nfile {inner}\n")
        assert "is a list of files for ffmpeg" in source_error(folder / name)
    assert "which is not there" in source_error(write_playlist(folder / "list.m3u8", "fifo.ts"), timeout=1)


def test_missing_piece_of_a_recording_is_passed_over(folder, caplog):
    playlist = write_playlist(folder / "list.m3u8", "part.ts", "lost.ts", "part.ts")
    assert len(read_source(playlist)[1]) == 10
    assert "lost.ts', which is not there" in caplog.text


@pytest.mark.parametrize(
    "form", ["{}", "file:{}", "../private.ts", "link.ts", "http://127.0.0.1:1/a.ts", "crypto+file:{}"]
)
def test_playlist_leads_out_of_its_folder_to_nothing(folder, private, form):
    (folder / "link.ts").symlink_to(private)
    playlist = write_playlist(folder / "list.m3u8", form.format(private))
    assert "names" in source_error(playlist)
    (folder / "master.m3u8").write_text(MASTER.format("list.m3u8"))
    source_error(folder / "master.m3u8")


@pytest.mark.parametrize("inner", ["list.ffconcat", "list.m3u8", "list.ts"])
@pytest.mark.parametrize("outer", ["outer.m3u8", "outer.ffconcat"])
def test_nested_lists_lead_out_of_the_folder_to_nothing(folder, private, inner, outer):
    if inner.endswith("m3u8"):
        write_playlist(folder / inner, str(private))
    else:
        (folder / inner).write_text(f"ffconcat version 1.0\nfile {private}\n")
    if outer.endswith("m3u8"):
        write_playlist(folder / outer, inner)
    else:
        (folder / outer).write_text(f"ffconcat version 1.0\nfile {inner}\n")
    source_error(folder / outer)


def test_playlist_that_names_itself_is_given_up(folder):
    (folder / "list.m3u8").write_text(MASTER.format("list.m3u8"))
    source_error(folder / "list.m3u8", timeout=3)


def test_playlist_without_an_end_ends_at_the_timeout(folder):
    write_playlist(folder / "list.m3u8", "part.ts", ends=False)
    started = time.monotonic()
    _, frames = read_source(folder / "list.m3u8", timeout=0.5)
    assert len(frames) == 5
    assert time.monotonic() - started < 4


# ---- what is no video


@pytest.mark.parametrize("name", ["fifo.mp4", "fifo.jpg", "fifo", "fifo.m3u8"])
def test_fifo_is_refused_at_once(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "FIFO" in source_error(tmp_path / name)
    os.mkfifo(tmp_path / f"{name}.png")
    assert "has no images" in source_error(f"{tmp_path}/*.png")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_device_is_refused_at_once(path):
    assert "device" in source_error(path)


@pytest.mark.parametrize(
    "name", ["notes.txt", "notes.nfo", "notes.asc", "notes.ans", "notes.diz", "notes.bin", "notes", "notes.xb"]
)
def test_text_is_no_video(tmp_path, name):
    (tmp_path / name).write_text("a line of text, \x1b[31mred\x1b[0m\n" * 200)
    assert "is it a video?" in source_error(tmp_path / name)


# ---- sizes


def test_larger_videos_are_not_decoded(tmp_path):
    path = write_video(tmp_path / "clip.mp4", numbered_frames(3, (96, 64)))
    assert "96 x 64 pixels, more than max_pixels (6143)" in source_error(path, max_pixels=6143)
    assert len(read_source(path, max_pixels=6144)[1]) == 3


def test_small_file_of_a_huge_picture_is_refused(tmp_path):
    side = (0xFFFF).to_bytes(2, "little")
    picture = b"\x2c\0\0\0\0" + side * 2 + b"\0\x02\x02\x44\x01\0"
    (tmp_path / "bomb.gif").write_bytes(b"GIF89a" + side * 2 + b"\xf0\0\0" + bytes(6) + picture * 3 + b"\x3b")
    source_error(tmp_path / "bomb.gif")
