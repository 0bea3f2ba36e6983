"""Sources and detectors for the pipeline, made up, and what a run of it left."""

import threading

import av
import numpy as np

from tracker.association.base import SequenceTracker
from tracker.pipeline.outputs import OutputOptions
from tracker.pipeline.sequence import SequenceRun
from tracker.pipeline.timing import StageTimes
from tracker.settings.tracking import TrackerConfig
from tracker.sources import Source
from tracker.structures import Detections, Frame, SequenceInfo

SIZE = (96, 160)  # the person stays to the left of the lower right corner, whose brightness is read back


def numbered(count):
    """Grey pictures whose brightness tells their number."""
    return [np.full((*SIZE, 3), 20 + 10 * number, np.uint8) for number in range(count)]


def number_of(image):
    """The number of such a picture, after any lossy codec."""
    return round((float(image.mean()) - 18) / 10)


class FakeDetector:
    """Finds one person in every frame, who walks right by half a pixel a frame; the brightness tells which it is.

    Args:
        forward: called with the number of a frame as its forward pass.
    """

    name = "nobody"
    backend = "made up"
    folder = None
    high_conf_thres = 0.5
    max_in_flight = 1

    def __init__(self, forward=lambda number: None):
        self.forward = forward

    def preprocess(self, image):
        return number_of(image)

    def start(self, preprocessed):
        self.forward(preprocessed)
        return lambda: [preprocessed]

    def decode(self, raw_outputs, preprocessed):
        assert raw_outputs == [preprocessed], "the outputs of another frame"
        return np.array([[preprocessed / 2, 10, preprocessed / 2 + 20, 60]])

    def embed(self, decoded, raw_outputs, preprocessed, min_score):
        return Detections(decoded, np.array([0.9]), np.ones((1, 1), np.float32))


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


class Slowly(Live):
    """A camera that waits until each frame was taken, so that none is dropped."""

    taken = -1

    def __init__(self, count, sizes=lambda number: SIZE):
        super().__init__(count)
        self.sizes = sizes
        self._taken = threading.Condition()

    def _read(self):
        for frame in super()._read():
            height, width = self.sizes(frame.index)
            yield Frame(frame.index, frame.time, np.full((height, width, 3), frame.image[0, 0, 0], np.uint8))
            with self._taken:
                assert self._taken.wait_for(lambda number=frame.index: self.taken >= number, 10)

    def open(self, info):
        pass

    def write(self, frame, tracks):
        with self._taken:
            self.taken = frame.index
            self._taken.notify_all()

    def close(self):
        return {}


def sequence_run(source, folder, detector=None, skip_frames=1, sinks=(), **options):
    """A run of the source with the module's own outputs, and sinks beside them."""
    config = TrackerConfig(conf_thres=0.5, camera_motion=False)
    outputs, times = OutputOptions(folder, **options), StageTimes()
    info = SequenceInfo(source.name, source.frame_rate, skip_frames=skip_frames)
    return SequenceRun(
        info,
        detector or FakeDetector(),
        SequenceTracker(config, info.frame_rate, times.stage),
        outputs.recorders(config.refine),
        [*outputs.renderers(times), *sinks],
        times,
        outputs.claim(),
    )


def rows(folder):
    """The numbers of the only MOT text below a folder, line by line."""
    (text,) = (folder / "mot_results").glob("*.txt")
    return [[float(value) for value in line.split(",")] for line in text.read_text().splitlines()]


def shown(folder):
    """Numbers and times of the pictures in the only video below a folder."""
    (video,) = (folder / "mot_outputs").glob("*.mp4")
    with av.open(str(video)) as container:
        pictures = [(number_of(f.to_ndarray(format="bgr24")[-8:, -8:]), f.time) for f in container.decode(video=0)]
    return [number for number, _ in pictures], [seconds for _, seconds in pictures]
