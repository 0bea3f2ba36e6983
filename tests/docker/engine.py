"""A Docker of its own for a test: daemon, storage and base image, none of which is left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

NEEDED = ("docker", "docker-compose", "dockerd", "debootstrap")  # Debian: apt-get install docker.io docker-compose ...
SUITE = "bookworm"
# What python:3.11-slim-bookworm has, from Debian, whose Python is 3.11 as well
LIKE_SLIM = "ca-certificates,netbase,tzdata,python3,python3-pip,python3-venv"
CERTIFICATES = Path(
    "/etc/ssl/certs/ca-certificates.crt"
)  # a registry of packages may be reached by those of this machine only


def why_not() -> str | None:
    """Why no daemon can be started here; None where it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "a Docker daemon needs root"
    missing = [name for name in NEEDED if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else None


class Engine:
    """A daemon that runs, and the ways to ask it.

    Args:
        folder: for its socket, and for files of the test.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{folder}/docker.sock", "DOCKER_BUILDKIT": "0"}

    def run(self, *words: object, expect: int | None = 0, seconds: float = 500) -> str:
        """Run a command that asks the daemon; returns what it printed to both streams."""
        done = subprocess.run(
            [str(word) for word in words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        assert expect is None or done.returncode == expect, done.stdout[-3000:]
        return done.stdout.strip()

    def bring(self, image: str) -> str:
        """Pull an image of Python, or make one like it of Debian's packages; returns which of both it was."""
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            self.run("docker", "pull", image, seconds=120)
            return "pulled"
        root = self.folder / "root"
        try:
            self.run("debootstrap", "--variant=minbase", f"--include={LIKE_SLIM}", SUITE, root)
        finally:
            unmount(root)
        (root / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")
        shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
        shutil.rmtree(root / "var" / "cache" / "apt")
        self.run("tar", "-C", root, "--exclude=./dev/*", "-cf", self.folder / "root.tar", ".")
        self.run("docker", "import", self.folder / "root.tar", image)
        return "made of Debian's packages"


def unmount(folder: Path) -> None:
    """Unmount whatever is mounted below a folder, the innermost first."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted((one for one in mounted if one.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=True)


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """A daemon without a bridge, so that nothing in the machine's network changes; gone with all it has at the end."""
    folder = Path(tempfile.mkdtemp(prefix="docker-", dir="/tmp"))  # the path of a socket has 108 characters at most
    words = ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    words += ["--host", f"unix://{folder}/docker.sock", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen([str(word) for word in words], stdout=log, stderr=subprocess.STDOUT)
    made = Engine(folder)
    try:
        for _ in range(300):
            if subprocess.run(["docker", "info"], env=made.environment, capture_output=True).returncode == 0:
                break
            assert daemon.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.2)
        yield made
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            for container in made.run("docker", "ps", "--all", "--quiet", expect=None, seconds=30).split():
                made.run("docker", "rm", "--force", "--volumes", container, expect=None, seconds=30)
        daemon.terminate()
        try:
            daemon.wait(60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        unmount(folder)
        shutil.rmtree(folder)
