"""Damaged videos and pictures: tracked as far as they go, or refused in one line, with files that are whole."""

import random
import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.attacks.attacking import DAMAGE, as_it_is, batches, count, in_limits, outcomes, write_damaged
from tests.helpers.videos import JPEG, write_video

pytestmark = pytest.mark.attack

MUTANTS = count("MUTANTS", 200)
SECONDS = 40  # for a mutant, on a machine that has other work too
VIDEOS = {
    "sound.mp4": {"audio": True},
    "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "variable.mkv": {"times": [0, 0.1, 0.15, 0.4, 0.5, 0.9, 1, 1.1]},
    "stream.ts": {"options": {"bf": "2"}},
    "old.avi": {"codec": "mpeg4"},
    "pictures.avi": JPEG,
    "web.webm": {"codec": "libvpx"},
    "flash.flv": {},
    "phone.mov": {"audio": True},
    "raw.h264": {},
}
PICTURES = ("a.jpg", "a.png", "a.bmp", "a.webp", "a.tif")


def write_seeds(folder, frames):
    """Whole files of every kind, of a few kilobytes."""
    small = [cv2.resize(frame, (192, 144)) for frame in frames[:8]]
    for name, options in VIDEOS.items():
        write_video(folder / name, small, rate=10, **options)
    for name in PICTURES:
        assert cv2.imwrite(str(folder / name), small[0])
    with av.open(str(folder / "moving.gif"), "w") as container:
        stream = container.add_stream("gif", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 192, 144, "rgb8"
        for image in small:
            picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="rgb8")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return folder


@pytest.fixture(scope="module")
def seeds(tmp_path_factory, clip_frames):
    return write_seeds(tmp_path_factory.mktemp("seeds"), clip_frames)


def track_mutants(seeds, numbers, folder, damage=True):
    """Track one mutant after the other, without a network; runs in a process of its own."""
    from tracker import Detections, FunctionDetector, Predictor

    box, embedding = np.array([[20, 20, 60, 120]], np.float32), np.eye(1, 8, dtype=np.float32)
    predictor = Predictor(detector=FunctionDetector(lambda image: Detections(box, np.array([0.9]), embedding)))
    files, folder = sorted(Path(seeds).iterdir()), Path(folder)

    def attempt(path):
        result = predictor.mot_predict(path, folder / "out", progress=False, timeout=5)
        rows = list(result)
        assert len(rows) == result.last_frame, f"{len(rows)} rows for {result.last_frame} frames"
        with av.open(str(result.video_path)) as container:
            shown = sum(1 for _ in container.decode(video=0))
        assert shown == result.frames, f"the video has {shown} of {result.frames} frames"

    def attempts():
        for number in numbers:
            path = write_damaged(files[number % len(files)], number, folder, DAMAGE if damage else (as_it_is,))
            yield path.name, lambda path=path: attempt(path)
            path.unlink()
            shutil.rmtree(folder / "out", ignore_errors=True)

    return outcomes(attempts(), SECONDS)


def test_what_is_not_damaged_is_tracked(seeds, tmp_path):
    """So that the others are refused for their damage."""
    numbers = [*range(len(list(seeds.iterdir())))]
    found = in_limits(track_mutants, seeds, numbers, tmp_path, False, seconds=600, gigabytes=8)
    assert found["errors"] == found["bad"] == [] and len(found["results"]) == len(VIDEOS) + len(PICTURES) + 1


@pytest.mark.parametrize("numbers", batches(MUTANTS), ids=lambda numbers: f"{numbers.start}-{numbers.stop - 1}")
def test_mutants(seeds, numbers, tmp_path):
    found = in_limits(track_mutants, seeds, [*numbers], tmp_path, seconds=len(numbers) * SECONDS, gigabytes=8)
    assert found["bad"] == []
    assert len(found["results"]) + len(found["errors"]) == len(numbers)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [], "something was written elsewhere than into the folder of results"


def test_random_bytes_under_the_names_of_videos(tmp_path):
    chance = random.Random(1)
    folder = tmp_path / "seeds"
    folder.mkdir()
    for name in (*VIDEOS, *PICTURES, "a.mp3", "a.m3u8", "a.txt", "a.sdp", "a"):
        (folder / name).write_bytes(chance.randbytes(5000))
    numbers = [*range(len(list(folder.iterdir())))]
    found = in_limits(track_mutants, folder, numbers, tmp_path, seconds=600, gigabytes=8)
    assert found["bad"] == []
