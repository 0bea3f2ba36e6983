"""The interface of all detectors, and an adapter that makes a detector of a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import OptionError
from ..settings.checks import shown
from ..structures import Detections


class Detector(Protocol):
    """Detects the people in images, in steps, so that the steps of successive images can overlap.

    The steps for an image are ``preprocess``, ``start``, a call of the function that it returns, ``decode`` and
    ``embed``. Each may run in a thread of its own. The types of the values between the steps are up to the detector.

    Attributes:
        name: name of the model, for results and titles.
        backend: backend and precision, such as ``openvino int8``.
        folder: folder of the model, or None.
        high_conf_thres: score above which a detection is a high-confidence one, unless the user sets ``conf_thres``.
        max_in_flight: number of forward passes to run at once. One more may have been started by the time the oldest is
            waited for.
    """

    name: str
    backend: str
    folder: Path | None
    high_conf_thres: float
    max_in_flight: int

    def preprocess(self, image: np.ndarray) -> Any:
        """Convert an image [H, W, 3] uint8 BGR to the input of the network."""
        ...

    def start(self, preprocessed: Any) -> Callable[[], Any]:
        """Start the forward pass of an image; return a function, to be called once, that waits for its raw outputs."""
        ...

    def decode(self, raw_outputs: Any, preprocessed: Any) -> Any:
        """Decode the raw outputs of an image into the people detected, without embeddings."""
        ...

    def embed(self, decoded: Any, raw_outputs: Any, preprocessed: Any, min_score: float) -> Detections:
        """Return the people detected, with embeddings for those whose score exceeds ``min_score``."""
        ...


def check_detector(detector: Any) -> None:
    """Check that an object has the methods of a detector.

    Args:
        detector: the object.

    Raises:
        OptionError: one of them is missing, or it is a class.
    """
    steps = ("preprocess", "start", "decode", "embed")
    if isinstance(detector, type) or not all(callable(getattr(detector, step, None)) for step in steps):
        raise OptionError(
            f"detector must be an object with {', '.join(steps)}, not {shown(detector)}: make one of a function by "
            "FunctionDetector(function)"
        )


class FunctionDetector:
    """A `Detector` made of a function.

        predictor = Predictor(detector=FunctionDetector(lambda image: Detections(boxes, scores, embeddings)))

    Args:
        function: takes an image [H, W, 3] uint8 BGR and returns its `Detections`, in pixels of the image, low scores
            included. It is called for one image at a time.
        name: name of the model, for results and titles.
        high_conf_thres: score, 0 to 1, above which a detection is a high-confidence one, unless the user sets
            ``conf_thres``.
    """

    folder = None
    max_in_flight = 1

    def __init__(
        self, function: Callable[[np.ndarray], Detections], name: str = "detector", high_conf_thres: float = 0.5
    ) -> None:
        self._function = function
        self.name = name
        self.backend = "own detector"
        self.high_conf_thres = high_conf_thres

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        """Return the image: the function takes it as it is."""
        return image

    def start(self, preprocessed: np.ndarray) -> Callable[[], Detections]:
        """Call the function."""
        detections = self._function(preprocessed)
        return lambda: detections

    def decode(self, raw_outputs: Detections, preprocessed: np.ndarray) -> Detections:
        """Return what the function returned."""
        return raw_outputs

    def embed(
        self, decoded: Detections, raw_outputs: Detections, preprocessed: np.ndarray, min_score: float
    ) -> Detections:
        """Return what the function returned, embeddings included."""
        return decoded
