"""A live playlist (HLS) on this machine: its pictures come by the segment, and are tracked one after the other."""

import contextlib
import http.server
import itertools
import threading
import time

import av
import pytest

from tests.helpers.videos import numbered_frames
from tracker.settings.groups.live import LiveOptions
from tracker.sources import open_source
from tracker.sources.live.connection import Spread
from tracker.structures import Frame

RATE, SECONDS, SEGMENT = 25, 8, 1.0


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    """The files of a clip cut into segments of a second."""
    folder = tmp_path_factory.mktemp("hls")
    options = {"hls_time": str(SEGMENT), "hls_list_size": "0", "hls_segment_filename": str(folder / "%d.ts")}
    with av.open(str(folder / "all.m3u8"), "w", format="hls", container_options=options) as container:
        video = container.add_stream("libx264", rate=RATE, options={"g": str(RATE), "sc_threshold": "0", "bf": "0"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for number, image in enumerate(numbered_frames(40) * (RATE * SECONDS // 40)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return folder


@contextlib.contextmanager
def playing(folder):
    """A server whose playlist names three segments, and a new one every second."""
    start = time.monotonic()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rpartition("/")[2]
            if not name.endswith(".m3u8"):
                data = (folder / name).read_bytes()
            else:
                first = min(int((time.monotonic() - start) / SEGMENT), SECONDS - 3)
                lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
                lines += [line for n in range(first, first + 3) for line in (f"#EXTINF:{SEGMENT},", f"{n}.ts")]
                data = "\n".join([*lines, ""]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/live.m3u8"
        server.shutdown()


@pytest.mark.slow
def test_pictures_of_a_segment_come_one_after_the_other(segments):
    with playing(segments) as url, open_source(url, live=LiveOptions(), timeout=5) as source:
        assert source.endless
        frames = list(itertools.islice(source, 4 * RATE))
        dropped = source.dropped
        source.halt()
    assert dropped < RATE, "without spreading nearly all of a segment is replaced before it is taken"
    seconds = frames[-1].arrived - frames[0].arrived
    assert seconds == pytest.approx(frames[-1].time - frames[0].time, abs=1)


def test_a_burst_is_spread_by_its_time_stamps():
    spread, due = Spread(), []
    stamps = [0.0, 0.1, 0.2, 0.3, 1000.0, 1000.1]
    arrivals = [50.0, 50.0, 50.0, 60.0, 60.0, 60.0]
    for index, (stamp, now) in enumerate(zip(stamps, arrivals)):
        due.append(spread.date(Frame(index, stamp, None, arrived=now), now).arrived)
    assert due == pytest.approx([50.0, 50.1, 50.2, 60.0, 65.0, 65.1])
