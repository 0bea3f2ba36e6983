"""What viewers of the page cost the tracker, and how old the pictures are that they get."""

from __future__ import annotations

import argparse
import http.client
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np

from tools.benchmarks.figures import Figures, bar, cell, spread, take_turns
from tracker import Predictor
from tracker.models.child import ROOT
from tracker.settings.checks import check_whole
from tracker.web.guard import Access
from tracker.web.live.sink import LiveSink
from tracker.web.server import PageServer
from tracker.web.site import Site

PATH = "/api/cameras/run/stream.mjpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--video", type=Path, default=ROOT / "demo" / "pedestrians.mp4", help="what is tracked")
    parser.add_argument("--model", default="compact", help="default: %(default)s")
    parser.add_argument("--viewers", type=int, default=5, help="of which one takes nothing (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="runs of each that count (default: %(default)s)")


def run(arguments: argparse.Namespace) -> Figures:
    """Track a video in turns, with the page and nobody there, and with viewers; those are a process of their own.

    Raises:
        OptionError: an argument is out of its range.
        TrackingError: the video cannot be tracked.
    """
    check_whole("turns", arguments.turns)
    check_whole("viewers", arguments.viewers, 2)
    predictor = Predictor(arguments.model)
    used: list[list[float]] = [[], []]
    ages: list[float] = []
    frames: list[int] = []
    contestants = (0, arguments.viewers)
    runs = [
        partial(_track, predictor, arguments.video, viewers, seconds, ages, frames)
        for viewers, seconds in zip(contestants, used)
    ]
    rates = take_turns(runs, arguments.turns, warm_up=1)
    rates = frames[0] / rates
    rows = []
    print(f"{'viewers':>8} {'frames/s (p10-p90)':>22} {'rate':>6} {'CPU ms a frame':>15}")
    for viewers, values, seconds in zip(contestants, rates, used):
        ratio = spread(values / rates[0])["median"]
        cost = 1000 * float(np.median(seconds[1:])) / frames[0]
        rows.append({"viewers": viewers, "frames_per_second": spread(values), "ratio": ratio, "cpu_ms": cost})
        print(f"{viewers:>8} {cell(rows[-1]['frames_per_second']):>22} {ratio:6.2f} {cost:15.1f}")
    p50, p95, most = (float(np.percentile(ages, part)) if ages else float("nan") for part in (50, 95, 100))
    print(f"age of {len(ages)} pictures at the viewers: {p50:.3f} s, 95 % within {p95:.3f} s, {most:.3f} s at most")
    bars = [bar(f"{row['viewers']} viewers", row["frames_per_second"]) for row in rows]
    return Figures(rows, bars, "frames/s", {"age_p50": p50, "age_p95": p95, "age_max": most, "pictures": len(ages)})


def _track(
    predictor: Predictor, video: Path, viewers: int, used: list[float], ages: list[float], frames: list[int]
) -> None:
    """Track the video once, and note the processor time of this process and the ages that the viewers saw."""
    site = Site()
    sink = site.live["run"] = LiveSink("run")
    watching = None
    with tempfile.TemporaryDirectory() as folder, PageServer(site, "127.0.0.1", 0, Access.on("127.0.0.1")) as page:
        if viewers:
            words = [sys.executable, "-m", "tools.page.viewers", page.address, str(viewers)]
            watching = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            assert watching.stdout
            watching.stdout.readline()  # all are there
        before = time.process_time()
        result = predictor.mot_predict(video, folder, visualization=False, sinks=[sink], progress=False)
        used.append(time.process_time() - before)
        frames.append(result.frames)
    if watching:
        ages.extend(map(float, watching.communicate()[0].split()))


def watch(address: str, viewers: int) -> list[float]:
    """Watch a page until it closes; one viewer more is there that takes nothing.

    Args:
        address: of the page.
        viewers: how many, that one included.

    Returns:
        The age in seconds of every picture when it was there as a whole.
    """
    host, port = re.fullmatch(r"http://(.+):(\d+)/", address).groups()  # type: ignore[union-attr]
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect((host, int(port)))
    stalled.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    ages: list[float] = []
    threads = [threading.Thread(target=_view, args=(host, int(port), ages)) for _ in range(viewers - 1)]
    for thread in threads:
        thread.start()
    print("watching", flush=True)
    for thread in threads:
        thread.join()
    stalled.close()
    return ages


def _view(host: str, port: int, ages: list[float]) -> None:
    connection = http.client.HTTPConnection(host, port)
    connection.request("GET", PATH)
    answer = connection.getresponse()
    seen = 0.0
    try:
        while line := answer.readline():
            if line.startswith(b"Content-Length"):
                size = int(line.split()[1])
            elif line.startswith(b"X-Timestamp"):
                at = float(line.split()[1])
                answer.readline()
                if len(answer.read(size)) == size and at > seen:  # one that is sent again is no picture of now
                    ages.append(time.time() - at)
                    seen = at
    except (OSError, http.client.HTTPException):  # the page has closed
        pass
    finally:
        connection.close()


if __name__ == "__main__":
    print(*watch(sys.argv[1], int(sys.argv[2])), sep="\n")
