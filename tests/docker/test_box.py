"""The image is built and its services run as compose.yaml says, by a Docker daemon that the test starts for itself."""

import json
import shutil
import socket
import time

import av
import pytest
import requests
import yaml

from tests.docker.engine import engine, why_not
from tests.docker.recipe import compose, stages, the
from tests.helpers.paths import CLIP, ROOT
from tests.tracker.sources.live.http_camera import camera, jpegs, pictures, stall

REASON = why_not()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=REASON or "")]

IMAGE = stages()[-1]
MOST_BYTES = 650_000_000  # beside those of the base image
TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def docker():
    with engine() as made:
        base = the(IMAGE, "FROM").words[0]
        print(f"{base}: {made.bring(base)}")
        yield made


class Box:
    """The services of compose.yaml, in the network of this machine: there is neither a bridge nor an address to map."""

    def __init__(self, docker, folder, source):
        self.docker, self.folder = docker, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        box = folder / "box"
        box.mkdir(parents=True)
        shutil.copy(ROOT / "demo" / "scene.yml", box)
        listed = {"cameras": [{"name": "square", "source": source, "scene": "scene.yml"}], "options": {"timeout": 2}}
        (box / "cameras.yml").write_text(json.dumps(listed))
        (box / "page_token").write_text(TOKEN)
        group = int(the(IMAGE, "USER").rest.partition(":")[2])
        for path in (box, *box.iterdir()):  # as docs/docker.md says
            shutil.chown(path, group=group)
            path.chmod(0o750 if path.is_dir() else 0o640)
        given = compose()
        del given["x-box"]
        for service in given["services"].values():
            service |= {"network_mode": "host", "build": {"context": str(ROOT), "network": "host"}}
            service.pop("ports", None)
        given["services"]["page"]["command"] += f" --port {self.port}"
        (folder / "compose.yaml").write_text(yaml.safe_dump(given).replace(":8080/", f":{self.port}/"))

    def compose(self, *words):
        return self.docker.run(
            "docker-compose", "--file", self.folder / "compose.yaml", "--project-name", "box", *words
        )

    def inspect(self, service, form):
        return self.docker.run("docker", "inspect", "--format", form, f"box_{service}_1")

    def run_in(self, service, *words, expect=0):
        return self.docker.run("docker", "exec", f"box_{service}_1", *words, expect=expect)

    def health(self, service, *words):
        """What the health check says, with more arguments: None for well, or its message."""
        asked = json.loads(self.inspect(service, "{{json .Config.Healthcheck.Test}}"))
        assert asked[0] == "CMD"
        said = self.run_in(service, *asked[1:], *words, expect=None)
        return said.removeprefix("error: ") if said.startswith("error: ") else None

    def wait_for(self, reached, seconds=120):
        until = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < until, self.compose("logs")
            time.sleep(0.5)

    def stop(self, service):
        """Stop a service as ``docker stop`` does, within its period of grace; returns how it ended."""
        self.compose("stop", service)
        return int(self.inspect(service, "{{.State.ExitCode}}")), self.inspect(service, "{{.State.OOMKilled}}")


@pytest.fixture(scope="module")
def images():
    with av.open(str(CLIP)) as container:
        return jpegs([picture.to_ndarray(format="bgr24") for picture in container.decode(video=0)])


@pytest.fixture(scope="module")
def built(docker, tmp_path_factory):
    box = Box(docker, tmp_path_factory.mktemp("built"), "nowhere.mp4")
    box.compose("config", "--quiet")
    box.compose("build", "cameras")
    return docker


def size(docker, image):
    return int(docker.run("docker", "image", "inspect", "--format", "{{.Size}}", image))


def test_the_image_has_what_it_needs_and_no_more(built):
    base = the(IMAGE, "FROM").words[0]
    own = size(built, "tracker") - size(built, base)
    print(f"base {size(built, base) / 1e6:.0f} MB, image {size(built, 'tracker') / 1e6:.0f} MB, own {own / 1e6:.0f} MB")
    assert own < MOST_BYTES
    ask = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", "tracker", "-c"]
    assert built.run(*ask, "ls /app").split() == ["LICENSE", "config", "tracker", "weights"]
    assert built.run(*ask, "which gcc g++ make git || true") == ""
    assert built.run(*ask, "find /app /opt/tracker -writable -not -type l") == "", "what runs cannot change itself"
    find = "import importlib.util as util; print([name for name in {} if util.find_spec(name)])"
    looked_for = ["openvino", "cv2", "paho", "fastapi", "paddle", "paddlehub", "pip", "scipy"]
    assert built.run(*ask, f"python -c '{find.format(json.dumps(looked_for))}'") == str(looked_for[:4])
    # nothing can be compiled later, for the root file system is read-only
    matched = "/app/tracker/__pycache__/errors.cpython-311.pyc matches /app/tracker/errors.py"
    assert matched in built.run(*ask, "python -v -c 'import tracker.errors'")


def test_cameras_are_tracked_and_their_health_is_told(built, tmp_path, images):
    with camera(pictures(images, 1e9, 0.1)) as source:
        box = Box(built, tmp_path, f"http://{source.address}/live")
        box.compose("up", "--detach")
        assert box.docker.run("docker", "ps", "--format", "{{.Names}}").split() == ["box_cameras_1"]
        box.wait_for(lambda: box.health("cameras") is None)
        box.wait_for(lambda: box.inspect("cameras", "{{.State.Health.Status}}") == "healthy")

        box.run_in("cameras", "touch", "/app/new", expect=1)
        assert box.run_in("cameras", "id", "-u") != "0"
        status = box.run_in("cameras", "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status

        tracker = "grep -l ^python /proc/[0-9]*/comm | cut -d/ -f3 | sort -n | head -n 1"
        box.run_in("cameras", "sh", "-c", f"kill -STOP $({tracker})")  # the whole process hangs
        box.wait_for(lambda: "the run hangs or is gone" in (box.health("cameras", "--within", "8") or ""))
        box.run_in("cameras", "sh", "-c", f"kill -CONT $({tracker})")
        box.wait_for(lambda: box.health("cameras", "--within", "8") is None)

        source.acts[:] = [stall]
        source.ending.set()  # of the connection under way
        box.wait_for(lambda: "no camera gives frames: square lost" in (box.health("cameras") or ""))
        source.ending.clear()
        source.acts[:] = [pictures(images, 1e9, 0.1)]
        box.wait_for(lambda: box.health("cameras") is None)

        peak = box.run_in(
            "cameras", "sh", "-c", "cd /sys/fs/cgroup && cat memory.peak memory/memory.max_usage_in_bytes 2>&-; :"
        )
        began = time.monotonic()
        assert box.stop("cameras") == (143, "false"), "128 and SIGTERM: it ended by itself, in order"
        print(f"memory with files in it: {peak} bytes at most; stopped in {time.monotonic() - began:.1f} s")
        kept = tmp_path / "kept"
        box.docker.run("docker", "cp", "box_cameras_1:/data", kept)
    assert json.loads((kept / "mot_results" / "square_status.json").read_text())["state"] == "ended"
    segments = sorted(kept.glob("mot_results/square_????????T??????.txt"))
    assert segments and all(segment.stat().st_size for segment in segments)
    for segment in segments:
        assert (kept / "answers" / segment.stem / "counts.csv").exists()
        with av.open(str(kept / "mot_outputs" / f"{segment.stem}_vis.mp4")) as video:
            assert sum(1 for _ in video.decode(video=0)) > 10
    box.compose("down", "--volumes")


def test_the_page_is_for_who_has_the_token(built, tmp_path, images):
    with camera(pictures(images, 1e9, 0.1)) as source:
        box = Box(built, tmp_path, f"http://{source.address}/live")
        box.compose("up", "--detach", "page")
        box.wait_for(lambda: box.health("page") is None)
        address = f"http://127.0.0.1:{box.port}/api/cameras"
        assert requests.get(address, timeout=20).status_code == 401
        (told,) = requests.get(address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20).json()
        assert told["name"] == "square" and told["state"] == "running"
        assert "does not answer" in box.health("page", "--page", "http://127.0.0.1:9/healthz")
        assert box.stop("page") == (143, "false")
    box.compose("down", "--volumes")
