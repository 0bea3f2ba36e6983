"""Sources and detectors for the pipeline, made up, and what a run of it left."""

from types import SimpleNamespace

import av
import numpy as np

from tracker.pipeline.sequence import OutputOptions, SequenceRun
from tracker.settings.tracking import TrackerConfig
from tracker.sources import Source
from tracker.structures import Detections, Frame

SIZE = (96, 160)  # the person stays to the left of the lower right corner, whose brightness is read back
MODEL = SimpleNamespace(backend="made up", config=SimpleNamespace(name="nobody"), folder="nowhere")


def numbered(count):
    """Grey pictures whose brightness tells their number."""
    return [np.full((*SIZE, 3), 20 + 10 * number, np.uint8) for number in range(count)]


def number_of(image):
    """The number of such a picture, after any lossy codec."""
    return round((float(image.mean()) - 18) / 10)


class Detector:
    """Finds one person in every frame, who walks right by half a pixel a frame; the brightness tells which it is.

    Args:
        pass_over: called with the number of a frame as its forward pass.
    """

    max_in_flight = 1

    def __init__(self, pass_over=lambda number: None):
        self.pass_over = pass_over

    def preprocess(self, image):
        return number_of(image)

    def forward(self, letterboxed):
        self.pass_over(letterboxed)
        return [letterboxed]

    def start(self, letterboxed):
        outputs = self.forward(letterboxed)
        return lambda: outputs

    def decode(self, outputs, letterboxed, embed_above):
        assert outputs == [letterboxed], "the maps of another frame"
        box = np.array([[letterboxed / 2, 10, letterboxed / 2 + 20, 60]])
        return Detections(box, np.array([0.9]), np.ones((1, 1), np.float32))


class Live(Source):
    """A camera that gives numbered pictures, each when it is told to."""

    def __init__(self, count, ready=lambda number: None):
        super().__init__("camera", "camera", 10.0, live=True)
        self.count, self.ready, self.released = count, ready, False

    def _read(self):
        for number, image in enumerate(numbered(self.count)):
            self.ready(number)
            yield Frame(number, number / 10, image, audio=(number,))

    def _release(self):
        self.released = True


def sequence_run(source, folder, detector=None, skip_frames=1, **options):
    config = TrackerConfig(conf_thres=0.5, camera_motion=False)
    outputs = OutputOptions(folder, **options)
    return SequenceRun(source.name, source.frame_rate, MODEL, detector or Detector(), config, outputs, skip_frames)


def rows(folder):
    (text,) = (folder / "mot_results").glob("*.txt")
    return [[float(value) for value in line.split(",")] for line in text.read_text().splitlines()]


def shown(folder):
    """Numbers and times of the pictures in the video."""
    (video,) = (folder / "mot_outputs").glob("*.mp4")
    with av.open(str(video)) as container:
        pictures = [(number_of(f.to_ndarray(format="bgr24")[-8:, -8:]), f.time) for f in container.decode(video=0)]
    return [number for number, _ in pictures], [seconds for _, seconds in pictures]
