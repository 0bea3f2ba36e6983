"""A picture to write, and what is found in the MP4."""

import av
import numpy as np


def picture(height=48, width=64, color=(90, 90, 90)):
    return np.full((height, width, 3), color, np.uint8)


def read(path):
    """Pictures [N, H, W, 3] BGR and their times in seconds."""
    with av.open(str(path)) as container:
        frames = [(frame.to_ndarray(format="bgr24"), frame.time) for frame in container.decode(video=0)]
    return [image for image, _ in frames], [time for _, time in frames]


def boxes(path):
    """Names of the file's top-level boxes."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8].decode())
        at += size if size > 1 else int.from_bytes(data[at + 8 : at + 16], "big")
    return names
