"""Hostile requests to a real ``hub serving``: answered without a word about the server, and the next one works."""

import base64
import collections
import http.client
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.attacks.attacking import DAMAGE, DAMAGE_OF_TEXTS, batches, count, damaged
from tests.helpers.hub import NAME
from tracker.settings.version import VERSION

pytestmark = pytest.mark.attack

REQUESTS = count("REQUESTS", 200)
LIMITS = {"max_body_bytes": 8_000_000, "max_images": 50, "max_seconds": 20, "idle_seconds": 2}
SECONDS = 120  # for a request, on a machine that has other work too
MOST_MEMORY = 1500  # MB, of a server with the compact model
TELLING = re.compile(r'Traceback|site-packages|File "|/(?:tmp|root|home|usr|proc)/')


@pytest.fixture(scope="module")
def server(hub_home, tmp_path_factory):
    """A server in a process of its own, as an operator starts it."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "tmp").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = {"version": VERSION, "model": "compact", "threads": 1, "serving_options": LIMITS}
    about = {"port": port, "use_multiprocess": False, "workers": 1}
    about["modules_info"] = {NAME: {"init_args": made, "predict_args": {}}}
    (folder / "serving.json").write_text(json.dumps(about))
    hub = Path(sys.executable).with_name("hub")
    environment = {**os.environ, "HUB_HOME": str(hub_home), "TMPDIR": str(folder / "tmp")}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, hub, "serving", "start", "-c", "serving.json"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(port, process)
        yield Server(port, process, folder)
        assert process.poll() is None, (folder / "log.txt").read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(30)
    assert not list((folder / "tmp").iterdir()), "requests left files behind"


def wait_for(port, process):
    for _ in range(SECONDS * 8):
        assert process.poll() is None
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the server does not listen")


class Server:
    def __init__(self, port, process, folder):
        self.port, self.process, self.folder = port, process, folder

    def post(self, body, kind="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("POST", f"/predict/{NAME}", body, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except ConnectionError as error:  # it may refuse a body that is still being sent
            return 0, type(error).__name__
        finally:
            connection.close()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def memory(self, kind="VmRSS"):
        """Megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{kind}:\s+(\d+)", status)[1]) // 1024

    def open_files(self):
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def encoded(data):
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def image(clip_frames):
    """A JPEG of some kilobytes."""
    return cv2.imencode(".jpg", cv2.resize(clip_frames[0], (320, 240)))[1].tobytes()


@pytest.fixture(scope="module")
def good(server, image):
    """A good request, and its answer."""
    body = json.dumps({"images": [encoded(image)] * 2, "frame_rate": 10})
    status, answer = server.post(body)
    assert status == 200 and json.loads(answer)["status"] == "000" and json.loads(answer)["results"][0]["ids"]
    return body, answer


def png(width, height):
    """A PNG of one colour, small whatever its size."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes(width + 1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


OPTIONS = (
    *("frame_rate", "score_threshold", "nms_threshold", "nms_top_k", "keep_top_k", "association", "conf_thres"),
    *("memory", "low_thres", "track_buffer", "min_box_area", "vertical_ratio", "camera_motion", "appearance_weight"),
    *(
        "output_dir",
        "name",
        "model",
        "refine",
        "visualization",
        "use_gpu",
        "self",
        "video_stream",
        "sinks",
        "__class__",
    ),
)
VALUES = (
    *(None, True, -1, 0, 1e-300, 1e300, 10**15, 10**400, float("nan"), float("inf"), 0.5, 5),
    *(
        "",
        "text",
        "10",
        "../../up",
        "/etc/passwd",
        "a\0b",
        "\ud800",
        "\x1b[31m",
        "x" * 10_000,
        [],
        ["fused"],
        {},
        {"a": 1},
    ),
    *("fused", "byte", "jde"),
)


def hostile(seed, image, body):
    """The body of a hostile request, and its content type."""
    chance = random.Random(seed)
    kind = chance.choice(["options", "options", "images", "images", "bytes", "text", "shape", "type"])
    if kind == "options":
        options = {chance.choice(OPTIONS): chance.choice(VALUES) for _ in range(chance.randint(1, 4))}
        return json.dumps({"images": [encoded(image)], **options}), "application/json"
    if kind == "images":
        images = [
            damaged(image, chance.randrange(10**9), DAMAGE),
            chance.choice([b"", b"hello" * 100, png(1, 1), png(1, 5000), png(5000, 1), png(9000, 9000), image[:900]]),
            image,
        ]
        texts = [encoded(data) for data in images]
        texts += [None, 5, "*", "A", ["nested"], {"a": 1}, "/etc/passwd", "data:image/png;base64,AAAA", "\u0661" * 4]
        return json.dumps({"images": chance.sample(texts, chance.randint(1, 3))}), "application/json"
    if kind == "bytes":
        return damaged(body.encode(), chance.randrange(10**9), DAMAGE), "application/json"
    if kind == "text":
        return damaged(body.encode(), chance.randrange(10**9), DAMAGE_OF_TEXTS), "application/json"
    if kind == "shape":
        depth = chance.choice([10, 2000, 100_000])
        shapes = ["{", "", "null", "[]", "1", '"x"', "{}", "[" * depth, '{"images":' * depth + "1" + "}" * depth]
        shapes += ['{"images": [' + "[]," * depth + "[]]}", '{"images": [' + '"A",' * depth + '"A"]}']
        shapes += ["[" + "1," * depth + "1]", '{"images": "' + "A" * chance.choice([1, 7_000_000, 9_000_000]) + '"}']
        return chance.choice(shapes).encode(chance.choice(["utf-8", "utf-16", "utf-32"])), "application/json"
    return body, chance.choice(
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    )


@pytest.mark.parametrize("seeds", batches(REQUESTS), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_hostile_requests(server, good, image, seeds):
    body, expected = good
    statuses = collections.Counter()
    for seed in seeds:
        status, text = server.post(*hostile(seed, image, body))
        if status:
            assert status == 200, (seed, status, text[:500])
            answer = json.loads(text)
            assert answer["status"] in ("000", "101"), (seed, text[:500])
            assert answer["status"] == "000" or (len(answer["msg"]) < 2000 and "\n" not in answer["msg"]), (seed, text)
            assert not TELLING.search(text), (seed, text[:500])
            statuses[answer["status"]] += 1
        if seed % 10 == 9:
            assert server.post(body) == (200, expected), seed
    assert statuses["101"] > len(seeds) / 3, statuses
    assert server.memory("VmHWM") < MOST_MEMORY
    assert server.open_files() < 40


def test_memory_of_a_server_is_flat(server, good):
    used = []
    for number in range(90):
        server.post(good[0])
        server.post('{"images": ["AAAA"]}')
        if number >= 30:
            used.append(server.memory())
    assert np.polyfit(range(len(used)), used, 1)[0] * 60 < 10, used  # MB over a hundred and twenty requests


def test_clients_that_go_away_or_say_nothing(server, good, image):
    body = json.dumps({"images": [encoded(image)] * 50}).encode()
    head = f"POST /predict/{NAME} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    for sent in (b"", b"POST", head.encode(), head.encode() + body[:-1], head.encode() + body, b"\x16\x03\x01\x02"):
        server.connect().close()
        with server.connect() as client:
            client.sendall(sent)
        with server.connect() as client:
            client.sendall(sent)
            assert server.post(good[0]) == (200, good[1])
