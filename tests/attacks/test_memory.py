"""Memory, threads and open files of a process do not grow with what it has tracked, or with what has failed."""

import gc
from pathlib import Path

import numpy as np
import pytest

from tests.attacks.attacking import count, in_limits
from tests.helpers.paths import CLIP
from tests.helpers.videos import write_video

pytestmark = pytest.mark.attack

FRAMES = count("FRAMES", 2000)  # of a stream
VIDEOS = count("VIDEOS", 60)
SECONDS = 1200
GIGABYTES = 32  # of address space, of which libraries reserve much


def state():
    """Megabytes, threads and open files of this process."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    files = len(list(Path("/proc/self/fd").iterdir()))
    return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), files


def walking(people):
    """A detector without a network: people who walk about, each with an embedding of their own."""
    from tracker import Detections, FunctionDetector

    frame, embeddings = [0], np.eye(people, 128, dtype=np.float32)

    def detect(image):
        frame[0] += 1
        left = (np.arange(people) * 60 + frame[0] * 2) % (image.shape[1] - 40)
        boxes = np.stack([left, np.full(people, 20), left + 40, np.full(people, 120)], 1).astype(np.float32)
        return Detections(boxes, np.full(people, 0.9, np.float32), embeddings)

    return FunctionDetector(detect)


def stream_states(frames, folder):
    from tracker import Predictor

    image, states = np.zeros((288, 384, 3), np.uint8), []
    with Predictor(detector=walking(8)).stream_mode(folder, frame_rate=10) as stream:
        for number in range(frames):
            stream.predict(image)
            if number % (frames // 20) == 0:
                states.append(state())
    return states


def videos_states(videos, clip, folder):
    """The model itself, from video to video, every second one refined."""
    from tracker import Predictor

    predictor, states = Predictor("compact", threads=1), []
    for number in range(videos):
        predictor.mot_predict(clip, folder, progress=False, refine=number % 2 == 0)
        if number % max(1, videos // 20) == 0:
            states.append(state())
    return states


def failures_states(videos, folder):
    from tracker import Predictor, TrackingError

    folder, states = Path(folder), []
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "notes.mp4").write_text("notes\n" * 1000)
    (folder / "cut.mp4").write_bytes(CLIP.read_bytes()[:40_000])
    predictor = Predictor(detector=walking(2))
    sources = [folder / name for name in ("empty.mp4", "notes.mp4", "cut.mp4", "none.mp4")]
    for number in range(videos * 4):
        with pytest.raises(TrackingError):
            predictor.mot_predict(sources[number % 4], folder / "out", progress=False)
        if number % max(1, videos * 4 // 20) == 0:
            states.append(state())
    return states


def assert_flat(states, most):
    """From the first third on, by the line through them, memory grows by at most so many megabytes."""
    memory, threads, files = (np.array(values)[len(states) // 3 :] for values in zip(*states))
    grown = np.polyfit(range(len(memory)), memory, 1)[0] * len(memory)
    assert grown < most, memory.tolist()
    assert threads.max() - threads.min() <= 2 and files.max() - files.min() <= 2, states


def test_stream(tmp_path):
    assert_flat(in_limits(stream_states, FRAMES, tmp_path, seconds=SECONDS, gigabytes=GIGABYTES), 8)


def test_videos(tmp_path, clip_frames):
    clip = write_video(tmp_path / "clip.mp4", clip_frames[:6], rate=10)
    assert_flat(in_limits(videos_states, VIDEOS, clip, tmp_path, seconds=SECONDS, gigabytes=GIGABYTES), 15)


def test_failures(tmp_path):
    assert_flat(in_limits(failures_states, VIDEOS, tmp_path, seconds=SECONDS, gigabytes=GIGABYTES), 8)


def texts_of_threads(clip, folder, shared):
    """What eight threads write, with one predictor or one each."""
    from concurrent.futures import ThreadPoolExecutor

    from tracker import Predictor

    predictors = (
        [Predictor("compact", threads=1)] * 8 if shared else [Predictor("compact", threads=1) for _ in range(8)]
    )

    def text(number):
        result = predictors[number].mot_predict(clip, Path(folder, str(number)), progress=False)
        return result.text_path.read_text()

    with ThreadPoolExecutor(8) as threads:
        return [*threads.map(text, range(8))]


@pytest.mark.parametrize("shared", [True, False], ids=["one predictor", "one each"])
def test_threads_give_the_same(tmp_path, clip_frames, shared):
    clip = write_video(tmp_path / "clip.mp4", clip_frames[:10], rate=10)
    texts = in_limits(texts_of_threads, clip, tmp_path, shared, seconds=SECONDS, gigabytes=GIGABYTES)
    assert len(texts) == 8 and len(set(texts)) == 1 and texts[0].count("\n") > 10
