"""A camera that is interrupted again and again while it is tracked: what the run uses meanwhile, and what it leaves.

    python -m tests.attacks.cameras.soak --minutes 30 --interruptions 300 --folder /tmp/soak

The camera, in a process of its own, speaks MJPEG over HTTP on this machine, 10 pictures a second of the demo clip. A
connection ends after some seconds: it is closed, stalls, sends garbage, or is refused; then the pictures may have
another size. The run is `Predictor.mot_predict` with the text, the video and the status of any run, and people who are
made up, so that the processor is left alone. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.attacks.test_memory import state
from tests.helpers.paths import CLIP
from tests.tracker.sources.live.http_camera import Act, answers, camera, garbage, jpegs, pictures, stall

SIZES = ((384, 288), (384, 288), (512, 288), (256, 192))
STAY, EVERY = 12.0, 1.5  # seconds that a person takes to walk through, and between two who begin


def clip_pictures(count: int = 30) -> list[np.ndarray]:
    """The first pictures of the demo clip, [H, W, 3] BGR."""
    with av.open(str(CLIP)) as container:
        return [frame.to_ndarray(format="bgr24") for frame, _ in zip(container.decode(video=0), range(count))]


def interruptions(number: int, seconds: float, rate: float) -> list[Act]:
    """What so many connections do, in so many seconds each, as chance will have it; the last one lasts."""
    chance, images = random.Random(0), clip_pictures()
    encoded = {size: jpegs(images, size) for size in SIZES}
    acts: list[Act] = []
    for _ in range(number):
        count = max(2, round(rate * seconds * chance.uniform(0.5, 1.0)))
        then = chance.choice([None, None, stall, garbage])
        acts.append(pictures(encoded[chance.choice(SIZES)], count, 1 / rate, then))
        if chance.random() < 0.1:
            acts.append(answers(chance.choice([500, 503])))
    acts.append(pictures(encoded[SIZES[0]], float("inf"), 1 / rate))
    return acts


def serve(number: int, seconds: float, rate: float, told: Any, asked: Any) -> None:
    """Be the camera, for a process of its own.

    Args:
        number: interruptions.
        seconds: of a connection at most.
        rate: pictures a second.
        told: gets the address, and at the end connections and pictures.
        asked: is set when it is to end.
    """
    with camera(*interruptions(number, seconds, rate)) as server:
        told.put(server.address)
        asked.wait()
        told.put((server.visits, server.sent))


def walkers() -> object:
    """A detector that makes up people who walk through by the clock, one after the other."""
    from tracker import Detections, FunctionDetector

    start = time.monotonic()

    def detect(image: np.ndarray) -> Detections:
        now = time.monotonic() - start
        ids = np.arange(max(0, int((now - STAY) // EVERY) + 1), int(now // EVERY) + 1)
        height, width = image.shape[:2]
        left = (now - ids * EVERY) / STAY * width * 0.8
        top = (0.1 + 0.12 * (ids % 4)) * height
        boxes = np.stack([left, top, left + 0.1 * width, top + 0.4 * height], 1).astype(np.float32)
        embeddings = np.zeros((len(ids), 128), np.float32)
        embeddings[np.arange(len(ids)), ids % 128] = 1
        return Detections(boxes, np.full(len(ids), 0.9, np.float32), embeddings)

    return FunctionDetector(detect)


def first_seen(folder: Path) -> list[int]:
    """The identities in the texts of a run, segment by segment, in the order of their first line."""
    ids: dict[int, None] = {}
    for text in sorted((folder / "mot_results").glob("*.txt"), key=lambda path: path.stat().st_mtime):
        with text.open() as file:
            for line in file:
                ids.setdefault(int(line.split(",")[1]))
    return list(ids)


def playable(video: Path) -> int:
    """The number of pictures of a video, all decoded."""
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def soak(
    minutes: float, number: int, folder: Path, rate: float = 10.0, timeout: float = 1.0, **options: object
) -> dict:
    """Track such a camera for so long, and return what was seen.

    Args:
        minutes: how long, at least.
        number: interruptions.
        folder: of the results.
        rate: pictures a second.
        timeout: seconds without a picture that are a loss.
        options: of `mot_predict`.
    """
    from tracker import Predictor

    predictor, states = Predictor(detector=walkers()), []
    seconds = 60 * minutes
    spawn = multiprocessing.get_context("spawn")
    told, asked, ended = spawn.Queue(), spawn.Event(), threading.Event()
    other = spawn.Process(target=serve, args=(number, seconds / number - timeout - 1, rate, told, asked), daemon=True)
    other.start()
    url = f"http://{told.get()}/live"
    before, started = state(), time.monotonic()

    def watch() -> None:
        while time.monotonic() - started < seconds and not ended.wait(min(10.0, seconds / 30)):
            states.append((round(time.monotonic() - started), *state()))
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = None
    try:
        predictor.mot_predict(url, folder, frame_rate=rate, timeout=timeout, progress=False, **options)
    except SystemExit as stop:
        result = stop.result  # type: ignore[attr-defined]
    finally:
        ended.set()
        watcher.join()
    took = time.monotonic() - started
    asked.set()
    visits, sent = told.get()
    other.join()
    time.sleep(2 * timeout)  # for readers that wait for a time-out
    after = state()
    ids = first_seen(folder)
    videos = sorted((folder / "mot_outputs").glob("*.mp4"))
    settled = [megabytes for _, megabytes, *_ in states[len(states) // 4 :]]
    quarter = len(settled) // 4 or 1
    return {
        "seconds": round(took, 1),
        "connections": visits,
        "pictures_sent": sent,
        "frames": result.frames,
        "dropped": result.dropped,
        "reconnects": result.reconnects,
        "lag_p50": result.lag_p50,
        "lag_p95": result.lag_p95,
        "people": result.people,
        "ids_rise": ids == sorted(ids),
        "videos": {video.name: playable(video) for video in videos},
        "series": [round(one[1], 1) for one in states[:: max(1, len(states) // 60)]],
        "megabytes": {"before": before[0], "settled": settled[0], "end": settled[-1], "most": max(settled)},
        "growth": round(float(np.median(settled[-quarter:]) - np.median(settled[:quarter])), 2),
        "threads_left": [thread.name for thread in threading.enumerate() if thread is not threading.current_thread()],
        "threads": {"before": before[1], "most": max(one[2] for one in states), "after": after[1]},
        "files": {"before": before[2], "most": max(one[3] for one in states), "after": after[2]},
    }


def main() -> int:
    """Run it for the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--interruptions", type=int, default=300)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--options", type=json.loads, default={}, help="of mot_predict, as JSON")
    given = parser.parse_args()
    print(json.dumps(soak(given.minutes, given.interruptions, given.folder, **given.options), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
