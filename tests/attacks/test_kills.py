"""kill -9 at random moments: the text is whole, the video lacks less than a second, and the next run keeps both.

Measured is the time of the last frame in the text less that of the last picture that a player shows, in seconds of the
source. ATTACK_KILLS is the number of kills of each kind, ATTACK_KILLS_REPORT a file that gets a line for each.
"""

import json
import os
import random
import time
from pathlib import Path

import pytest

from tests.attacks.runs import end, files, last_frame, make_clip, picture_times, running, start, wait_for

KILLS = int(os.environ.get("ATTACK_KILLS", "6"))
MOST_BEHIND = 1.0  # seconds of the source
RATE, SECONDS = 10, 60
EVERY = 8  # of these kills a second run follows one


def report(**values):
    path = os.environ.get("ATTACK_KILLS_REPORT")
    if path:
        with Path(path).open("a") as file:
            file.write(json.dumps(values) + "\n")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """By whether there is sound: the clip and its text."""
    made = {}

    def get(audio):
        if audio not in made:
            folder = tmp_path_factory.mktemp("reference")
            clip = make_clip(folder / "clip.mp4", SECONDS, RATE, audio=audio)
            end(start(clip, folder, seconds=0))
            made[audio] = clip, (folder / "mot_results" / "clip.txt").read_text()
        return made[audio]

    return get


@pytest.mark.attack
@pytest.mark.parametrize("audio", [False, True], ids=["silent", "sound"])
@pytest.mark.parametrize("number", range(KILLS))
def test_kill(number, audio, reference, tmp_path):
    clip, whole = reference(audio)
    chance = random.Random(f"{number} {audio}")
    text, video = tmp_path / "mot_results" / "clip.txt", tmp_path / "mot_outputs" / "clip_vis.mp4"
    part = video.with_name(".clip_vis.part.mp4")
    with running(clip, tmp_path, seconds=0.004) as process:
        # at any size of the text; every fifth within its first two seconds, where the video begins
        size = chance.random() * len(whole) * (2 / SECONDS if number % 5 == 0 else 1)
        wait_for(lambda: text.exists() and text.stat().st_size > size, process)
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.wait()
    content, last = text.read_text(), last_frame(text)
    assert whole.startswith(content), "the lines before the kill are others than without it"
    assert whole[len(content) :].split(",")[0] != str(last), "the last frame is cut"
    if not part.exists():  # it was faster
        assert len(picture_times(video)) == SECONDS * RATE
        report(audio=audio, text=last / RATE, behind=None)
        return
    times = picture_times(part)
    assert times == pytest.approx([index / RATE for index in range(len(times))], abs=0.001)
    behind = (last - len(times)) / RATE
    report(audio=audio, text=last / RATE, behind=behind, shown=len(times) / RATE)
    assert behind < MOST_BEHIND
    if number % EVERY == 0:
        kept = part.read_bytes() if times else None
        _, err = end(start(clip, tmp_path, seconds=0))
        (line,) = err.splitlines()
        assert "an earlier run of clip was killed" in line and str(text.with_stem("clip_interrupted")) in line
        assert text.read_text() == whole and text.with_stem("clip_interrupted").read_text() == content
        if kept:
            assert video.with_stem("clip_interrupted_vis").read_bytes() == kept
        records = [f"{name}_{kind}" for name in ("clip", "clip_interrupted") for kind in ("run.json", "times.csv")]
        left = ["clip.txt", "clip_interrupted.txt", "clip_vis.mp4", *(["clip_interrupted_vis.mp4"] if kept else [])]
        assert [name for name in files(tmp_path) if name not in records] == sorted(left)
