"""Make the moving picture of the README, tracking.webp, from the demo clip.

python demo/make_pictures.py, in the project's environment. The picture is what the command line draws, shortened.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

DEMO = Path(__file__).resolve().parent
BEGIN, END = 11.5, 19.5  # seconds of the clip; lines are crossed ten times in them
WIDTH, QUALITY = 640, "70"  # of the picture, pixels and 0 to 100: below 3 MB, and labels can be read
FOR_EVER = "0"


def track_clip(folder: Path) -> Path:
    """Track the clip by the command line of a user; return the annotated video."""
    words = ["demo/pedestrians.mp4", "--scene", "demo/scene.yml", "--trails", "2", "--model", "compact", "--output_dir"]
    subprocess.run([sys.executable, "-m", "tracker", *words, str(folder)], cwd=DEMO.parent, check=True)
    return folder / "mot_outputs" / "pedestrians_vis.mp4"


def stretch(video: Path) -> Iterator[np.ndarray]:
    """Give the pictures between BEGIN and END, [H, WIDTH, 3] uint8 RGB."""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            if BEGIN <= frame.time < END:
                height = 2 * round(frame.height * WIDTH / frame.width / 2)
                yield frame.to_ndarray(format="rgb24", width=WIDTH, height=height, interpolation="AREA")


def write_animation(pictures: list[np.ndarray], rate: Fraction, path: Path) -> None:
    """Write pictures [H, W, 3] uint8 RGB as an animated WebP that goes on for ever."""
    with av.open(str(path), "w", format="webp", options={"loop": FOR_EVER}) as container:
        stream = container.add_stream("libwebp_anim", rate=rate, options={"quality": QUALITY, "compression_level": "6"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    """Track, and write tracking.webp beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        video = track_clip(Path(folder))
        with av.open(str(video)) as container:
            rate = container.streams.video[0].average_rate or Fraction(10)
        pictures = list(stretch(video))
    path = DEMO / "tracking.webp"
    write_animation(pictures, rate, path)
    print(f"{path}: {len(pictures)} pictures, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
