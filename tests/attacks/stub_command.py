"""``python -m tracker`` with a made-up detector in place of the network: what lies around it, quickly.

Seconds a forward pass takes are the environment variable STUB_SECONDS.
"""

import functools
import os
import time

import numpy as np


class Walkers:
    """Finds four people in every frame, who walk right by half a pixel a frame."""

    name, backend, folder = "walkers", "made up", None
    high_conf_thres, max_in_flight = 0.5, 1

    def __init__(self):
        self.count = 0
        self.seconds = float(os.environ.get("STUB_SECONDS", "0.02"))

    def preprocess(self, image):
        return None

    def start(self, preprocessed):
        time.sleep(self.seconds)
        self.count += 1
        return functools.partial(int, self.count)

    def decode(self, raw_outputs, preprocessed):
        left = raw_outputs % 200 / 2 + np.array([0, 40, 80, 120])
        return np.stack([left, left * 0 + 10, left + 20, left * 0 + 60], axis=1)

    def embed(self, decoded, raw_outputs, preprocessed, min_score):
        from tracker.structures import Detections

        return Detections(decoded, np.full(4, 0.9), np.eye(4, dtype=np.float32))


if __name__ == "__main__":
    from tracker import __main__, predictor

    class Stub(predictor.Predictor):
        """Takes the walkers in place of any model."""

        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **{**options, "detector": Walkers()})

    predictor.Predictor = Stub
    __main__.main()
