"""A camera that runs for weeks, at the speed of the machine: segments come and go, and the process does not grow."""

from pathlib import Path

import numpy as np
import pytest

from tests.attacks.attacking import count
from tests.attacks.test_memory import state, walking

pytestmark = pytest.mark.attack

SEGMENTS = count("SEGMENTS", 400)
SCENE = {"lines": {"door": {"points": [[0.5, 0], [0.5, 1]]}}, "zones": {"hall": {"points": [[0, 0], [1, 0], [1, 1]]}}}


def test_memory_threads_files_and_folders_do_not_grow(tmp_path):
    import av

    from tracker import Predictor

    random, states, kept = np.random.default_rng(0), [], set()
    pictures = random.integers(0, 255, (10, 96, 160, 3), np.uint8)
    options = {"split": "1s", "keep": "3MB", "scene": SCENE, "start": "2026-11-27T10:00:00Z", "camera_motion": False}
    with Predictor(detector=walking(3)).stream_mode(tmp_path, name="cam", frame_rate=10, **options) as stream:
        for number in range(10 * SEGMENTS):
            stream.predict(pictures[number % 10])
            if number % (SEGMENTS // 2) == 0 and number > SEGMENTS:
                states.append(state())
                kept.add(len(list((tmp_path / "mot_results").glob("*.txt"))))
    result = stream.result()
    memory = np.array([megabytes for megabytes, *_ in states])
    half = len(memory) // 2
    assert memory[half:].max() - memory[:half].max() < 5, memory.round(1)
    assert max(threads for _, threads, _ in states) - min(threads for _, threads, _ in states) <= 8  # of x264
    assert max(files for *_, files in states[half:]) <= max(files for *_, files in states[:half]) + 5
    assert result.segment_count == SEGMENTS and max(kept) < 60, kept
    videos = sorted((tmp_path / "mot_outputs").iterdir())
    assert not [path for path in videos if path.name.startswith(".")] and len(videos) < 60
    for path in videos:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 10
    assert {path.suffix for path in Path(tmp_path).rglob("*.part*")} == set()
