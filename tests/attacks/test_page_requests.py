"""Hostile requests to a real ``serve``: answered without a word about the server, and the next one works."""

import collections
import http.client
import json
import random
import re
import socket
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from tests.attacks.attacking import DAMAGE, DAMAGE_OF_TEXTS, batches, count, damaged
from tests.helpers.videos import numbered_frames, write_video
from tests.tracker.web.test_serve import Started

pytestmark = pytest.mark.attack

REQUESTS = count("REQUESTS", 200)
SECONDS = 120  # for a request, on a machine that has other work too
MOST_MEMORY = 1500  # MB, of a server with the compact model
TELLING = re.compile(r'Traceback|site-packages|File "|/(?:tmp|root|home|usr|proc|work)/|root:x:')
TOKEN = "a token that nobody guesses"
SCENE = {
    "lines": {"door": {"points": [[0.2, 0.5], [0.8, 0.5]], "in": "in", "out": "out"}},
    "zones": {"till": {"points": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]], "loitering": 5, "crowd": 2}},
    "ignore": [[[0, 0], [0.1, 0], [0.1, 0.1]]],
    "plane": {"points": [[0.3, 0.5], [0.7, 0.5], [0.9, 0.9], [0.1, 0.9]], "metres": [[0, 0], [4, 0], [4, 6], [0, 6]]},
}
PATHS = (
    *("/", "/docs", "/openapi.json", "/healthz", "/metrics", "/api/site", "/api/cameras", "/api/cameras/gate"),
    *("/api/cameras/gate/snapshot.jpg", "/api/videos", "/api/videos/x", "/api/videos/x/files/video", "/login"),
    *("/api/videos/x/thumb.jpg", "/api/videos/x/cancel", "/api/easels", "/api/easels/camera:gate", "/api/done"),
    *("/api/easels/camera:gate/frame.jpg", "/api/easels/camera:gate/count", "/api/videos/fetch", "/static/js/app.js"),
    *("/static/", "/static/../app.py", "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/static/js", "//etc/passwd"),
)
PARTS = (
    *("..", "%2e%2e", "%2f", "%00", "%ff", "%ed%a0%80", "etc/passwd", "\\..\\", "x" * 5000, "?at=nan", "?at=1e999"),
    *("video:", "video:..", "camera:gate", "'; DROP TABLE videos; --", "{id}", "-1", "%0d%0aX: 1"),
)
HEADERS = (
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Range": "bytes=9999999999-0,1-2,-5"},
    {"Range": "bytes=" + ",".join(f"{i}-" for i in range(500))},
    {"Last-Event-ID": "9" * 5000},
    {"Content-Type": "text/plain"},
    {"Content-Encoding": "gzip"},
    {"Cookie": "tracker_session=1.2; ="},
    {"Cookie": "x" * 5000},
    {"Authorization": "Bearer \xff\xfe"},
    {"Content-Length": "-1"},
    {"Content-Length": "9" * 40},
    {"Expect": "100-continue"},
    {"Accept-Language": "zh" * 3000},
    {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Original-URL": "/api/videos"},
)


class Server:
    """The page as an operator starts it, with a camera that has ended."""

    def __init__(self, folder):
        (folder / "token").write_text(TOKEN)
        clip = write_video(folder / "gate.mp4", numbered_frames(4), rate=10)
        (folder / "cameras.yml").write_text(yaml.safe_dump({"cameras": [{"name": "gate", "source": str(clip)}]}))
        self.clip = clip.read_bytes()
        words = ("--sources", folder / "cameras.yml", "--output_dir", folder / "out", "--token_file", folder / "token")
        limits = ("--max_upload", "0.5", "--max_queue", "1000", "--max_videos", "30", "--threads", "1")
        self.started = Started("serve", "--model", "compact", "--port", 0, *words, *limits, seconds=36000)
        self.port = int(self.started.address.rpartition(":")[2])
        self.process = self.started.process

    def ask(self, path, method="GET", body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        known = {"Authorization": f"Bearer {TOKEN}", **dict(headers)}
        try:
            connection.putrequest(method, path, skip_host="Host" in known)
            if body is not None and "Content-Length" not in known and "Transfer-Encoding" not in known:
                connection.putheader("Content-Length", str(len(body)))
            for name, value in known.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(2_000_000).decode("utf-8", "replace")
        except (ConnectionError, http.client.HTTPException) as error:  # it may refuse what is still being sent
            return 0, type(error).__name__
        finally:
            connection.close()

    def memory(self, kind="VmRSS"):
        """Megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{kind}:\s+(\d+)", status)[1]) // 1024

    def open_files(self):
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    server = Server(folder)
    yield server
    assert server.process.poll() is None
    code, _, log = server.started.end(15)
    assert code == 143 and TOKEN not in log
    assert "Traceback" not in log, log[-3000:]
    left = [path.name for path in (folder / "out" / "videos").glob("*.part")]
    assert left == [] and {path.name for path in folder.iterdir()} == {"token", "cameras.yml", "gate.mp4", "out"}


def hostile(seed, clip):
    """A hostile request: path, method, body, headers."""
    chance = random.Random(seed)
    kind = chance.choice(["path", "path", "scene", "scene", "upload", "upload", "headers", "shape", "raw_body"])
    path = chance.choice(PATHS)
    if kind == "path":
        parts = chance.sample(PARTS, 2)
        target = path.replace("x", parts[0]) if chance.random() < 0.5 else f"{path}/{parts[0]}{parts[1]}"
        target = quote(target, safe="/%?=&:{}\\'") if chance.random() < 0.9 else re.sub(r"[^!-~]", "~", target)
        return target, chance.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "X"]), None, ()
    typed = {"Content-Type": "application/json"}
    easel = chance.choice([("/api/easels/camera:gate/count", "POST"), ("/api/easels/camera:gate", "PUT")])
    if kind == "scene":
        scene = json.loads(json.dumps(SCENE))
        value = chance.choice(
            [None, True, -1, 1e308, 10**400, "", "x" * 9999, [], {}, [[]], "../../x", "\0", "\x1b[31m"]
        )
        group = scene[chance.choice(list(scene))]
        one = chance.choice(list(group.values())) if isinstance(group, dict) else group[0]
        if isinstance(one, dict) and chance.random() < 0.7:
            one[chance.choice([*one, "points", "mask", "in", "doors"])] = value
        elif isinstance(group, dict):
            group[chance.choice(["points", "a", "", "\ud800", "x" * 5000])] = value
        scene |= chance.choice([{}, {"mask": "/etc/passwd"}, {"size": [1, 1]}, {"only": value}, {"memory": value}])
        return *easel, json.dumps(scene).encode(), typed
    if kind == "upload":
        name = chance.choice(["a.mp4", "..", "/etc/passwd", "%00", "x" * 300, "", "a%0d%0ab", "%ff", "‮.mp4"])
        data = chance.choice(
            [damaged(clip, seed, DAMAGE), b"", b"#EXTM3U\n/etc/passwd", bytes(600_000), chance.randbytes(999)]
        )
        return f"/api/videos?name={quote(name, safe='%')}", "POST", data, ()
    if kind == "headers":
        return path, chance.choice(["GET", "POST"]), None, chance.choice(HEADERS)
    if kind == "shape":
        depth = chance.choice([10, 900, 3000, 100_000])
        shapes = ["{", "", "null", "[]", "1", '"x"', "{}", "[" * depth, '{"lines":' * depth + "1" + "}" * depth]
        shapes += ['{"ignore":' + "[" * depth + "]" * depth + "}", '{"ignore": [' + "[]," * depth + "[]]}"]
        shapes += [
            '{"lines": {' + ",".join(f'"{i}": 1' for i in range(depth)) + "}}",
            '{"x": "' + "A" * 2_000_000 + '"}',
        ]
        return *easel, chance.choice(shapes).encode(chance.choice(["utf-8", "utf-16"])), typed
    body = damaged(json.dumps(SCENE).encode(), seed, DAMAGE_OF_TEXTS)
    return *easel, body, typed


@pytest.mark.parametrize("seeds", batches(REQUESTS), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_hostile_requests(server, seeds):
    statuses = collections.Counter()
    for seed in seeds:
        request = hostile(seed, server.clip)
        status, text = server.ask(*request)
        statuses[status // 100] += 1
        assert status < 500 or status == 503, (seed, request[:2], status, text[:500])
        if "openapi" not in request[0] and "static" not in request[0]:
            assert not TELLING.search(text), (seed, request[:2], text[:500])
        if status >= 400 and request[1] != "HEAD" and text and status not in (401,):
            assert "\n" not in text.strip() and len(text) < 3000, (seed, request[:2], text[:500])
        if seed % 10 == 9:
            assert server.ask("/api/site")[0] == 200, seed
    assert statuses[4] > len(seeds) / 3, statuses
    assert server.memory("VmHWM") < MOST_MEMORY
    assert server.open_files() < 120


def test_without_the_token_nothing_is_told(server):
    for seed in range(min(REQUESTS, 500)):
        path, method, body, headers = hostile(seed, server.clip)
        wrong = {
            "Authorization": f"Bearer {'x' * (seed % 40)}",
            **{k: v for k, v in dict(headers).items() if k != "Authorization"},
        }
        status, text = server.ask(path, method, body, wrong)
        public = path.partition("?")[0] in ("/healthz", "/login")
        assert status in (0, 400, 401, 403, 405, 413, 421) or public, (seed, path, status, text[:300])
        assert "gate" not in text, (seed, path)


def test_clients_that_go_away_or_say_nothing(server):
    auth = f"Host: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    upload = b"POST /api/videos?name=a.mp4 HTTP/1.1\r\n" + auth + b"Content-Length: 100000\r\n\r\n"
    streams = [
        b"GET /api/events HTTP/1.1\r\n" + auth + b"\r\n",
        b"GET /api/cameras/gate/stream.mjpg HTTP/1.1\r\n" + auth + b"\r\n",
    ]
    waiting = []
    for sent in (b"", b"GET", upload, upload + server.clip, *streams, b"\x16\x03\x01\x02", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), SECONDS) as client:
            client.sendall(sent)
        client = socket.create_connection(("127.0.0.1", server.port), SECONDS)
        client.sendall(sent)
        waiting.append(client)
        assert server.ask("/api/site")[0] == 200
    for client in waiting:
        client.close()
    assert server.ask("/api/videos")[0] == 200
