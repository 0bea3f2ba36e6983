"""Addresses: what is live, what results are called, and servers that refuse or never answer."""

import socket
import time

import av
import pytest

from tests.helpers.videos import number_of, numbered_frames, read_source, source_error, write_video
from tracker.sources import open_source


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
    source, frames = read_source(f"http://user:secret@{address}/a%20b.mp4?token=1")
    assert (source.name, source.live, source.frame_count) == ("a_b", False, 10)
    assert [number_of(frame.image) for frame in frames] == list(range(10))


def test_endless_stream_is_live(served):
    folder, address = served
    write_video(folder / "cam.h264", numbered_frames(10))
    source, frames = read_source(f"http://{address}/cam.h264")
    assert (source.live, source.frame_count, len(frames)) == (True, None, 10)


def test_missing_page(served):
    assert "404" in source_error(f"http://{served[1]}/none.mp4")


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
@pytest.mark.parametrize("password", ["secret", "sec?ret", "sec/ret", "sec@ret", "sec#ret", "sec:ret"])
def test_closed_port(closed_port, scheme, password):
    text = source_error(f"{scheme}://me:{password}@127.0.0.1:{closed_port}/live/1?key=hidden", timeout=2)
    assert f"'{scheme}://***@127.0.0.1:{closed_port}/live/1?...'" in text
    for secret in ("me:", "sec", "ret", "hidden"):
        assert secret not in text
    if password == "secret":  # FFmpeg trips over the others.
        assert "refused" in text


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
def test_server_that_never_answers(silent_port, scheme):
    started = time.monotonic()
    text = source_error(f"{scheme}://me:secret@127.0.0.1:{silent_port}/live", timeout=0.3)
    assert time.monotonic() - started < 2
    assert "did not answer within 0.3 s" in text
    assert f"127.0.0.1:{silent_port}/live" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("url", "name", "live", "options"),
    [
        (
            "rtsp://admin:12345@10.0.0.8:554/Streaming/101.sdp?x=1",
            "10.0.0.8_Streaming_101",
            True,
            {"rtsp_transport": "tcp"},
        ),
        ("RTSP://10.0.0.8:554", "10.0.0.8", True, {"rtsp_transport": "tcp"}),
        ("rtsp://admin:pa/ss@10.0.0.8/", "10.0.0.8", True, {"rtsp_transport": "tcp"}),
        ("rtmp://host/app/key", "host_app_key", True, {}),
        ("udp://@:1234", "udp_1234", True, {}),
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
    assert options.items() <= keywords["options"].items()
    assert keywords["timeout"] == 3


CAMERAS = {
    "rtsp://me:secret@HOST_A/live": "host_a_live",
    "rtsp://HOST_B/live": "host_b_live",
    "rtsp://HOST_B:5541/live": "host_b_5541_live",
    "rtsp://me:se/cr@et@host/cam/realmonitor?channel=1&subtype=0": "host_cam_realmonitor_channel_1_subtype_0",
    "rtsp://host/cam/realmonitor?channel=2&subtype=0&token=secret": "host_cam_realmonitor_channel_2_subtype_0",
    "rtsp://host/user=me&password=secret&channel=1&stream=0.sdp?real_stream": "host_channel_1_stream_0",
    "rtsp://host/user=me_password=sec_ret_channel=2_stream=0.sdp": "host_channel_2_stream_0",
    "rtsp://host/%75ser%3Dme%26password%3Dsecret%26channel%3D3": "host_channel_3",
    "rtsp://host/me:secret/ch01/0": "host_ch01_0",
    "rtsp://host?camera=front&id=me&pwd=secret": "host_camera_front",
    "rtsp://host/?secret": "host",
    "srt://host:9000?streamid=live/cam1&passphrase=secret": "host_9000_streamid_live_cam1",
    "rtsp://[fe80::1]:554/live": "fe80_1_live",
    "udp://@239.0.0.1:1234": "239.0.0.1_1234",
}


@pytest.mark.parametrize("url", CAMERAS)
def test_names_tell_cameras_apart_and_no_credentials(tmp_path, monkeypatch, url):
    path, real_open = write_video(tmp_path / "clip.mp4", numbered_frames(2)), av.open
    monkeypatch.setattr(av, "open", lambda *_, **__: real_open(str(path)))
    with open_source(url) as source:
        assert source.name == CAMERAS[url]
