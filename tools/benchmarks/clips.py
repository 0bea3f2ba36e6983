"""Short clips of a video that all contestants get, and the cost of reading and writing one."""

from __future__ import annotations

import itertools
from pathlib import Path

from tracker.sinks.video import VideoWriter
from tracker.sources import open_source


def cut(video: Path, frames: int, target: Path) -> int:
    """Make a clip of the first frames of a video: H.264 without sound, at the size and times of the original.

    Args:
        video: anything that `open_source` reads.
        frames: number of frames; a shorter video gives all it has.
        target: .mp4 file to make.

    Returns:
        Number of frames in the clip.

    Raises:
        SourceError: the video cannot be read.
        OutputError: the clip cannot be written.
    """
    count = 0
    with open_source(str(video)) as source, VideoWriter(target, source.frame_rate) as writer:
        for frame in itertools.islice(source, frames):
            writer.write(frame.image, frame.time)
            count += 1
    return count


def decode_and_encode(clip: Path, target: Path) -> None:
    """Read and write every frame of a clip, as tracking does, with no network in between.

    Args:
        clip: video to read.
        target: .mp4 file to make.
    """
    with open_source(str(clip)) as source, VideoWriter(target, source.frame_rate) as writer:
        for frame in source:
            writer.write(frame.image, frame.time)
