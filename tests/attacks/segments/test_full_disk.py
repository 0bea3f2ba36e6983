"""A disk of a few megabytes that is full soon: the run goes on, with its text."""

import logging
import subprocess

import av
import numpy as np
import pytest

from tests.attacks.test_memory import walking

pytestmark = pytest.mark.attack

FRAMES = 250
SCENE = {"lines": {"door": {"points": [[0.5, 0], [0.5, 1]]}}}


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no disk of its own can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("scene", [None, SCENE], ids=["plain", "scene"])
@pytest.mark.parametrize("keep", [None, "1GB"])
def test_a_full_disk(small_disk, caplog, keep, scene):
    from tracker import Predictor

    pictures = np.random.default_rng(0).integers(0, 255, (10, 240, 320, 3), np.uint8)
    options = {"split": "3s", "keep": keep, "scene": scene, "camera_motion": False}
    with Predictor(detector=walking(1)).stream_mode(small_disk, name="cam", frame_rate=10, **options) as stream:
        for number in range(FRAMES):
            stream.predict(pictures[number % 10])
    result = stream.result()
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    # with answers two segments alone may fill this disk
    assert sum("is full: video and answers end" in record.message for record in told) in ([0, 1] if keep else [1])
    frames = [frame.frame for frame in result]
    assert frames[-1] == FRAMES and (keep or frames == [*range(1, FRAMES + 1)])
    videos = sorted((small_disk / "mot_outputs").glob("*.mp4"))
    for path in videos:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0))
    newest = f"cam_T{FRAMES // 10 // 3 * 3:06d}"
    assert (videos and any(path.name.startswith(newest) for path in videos) == bool(keep)) or (keep and scene)
