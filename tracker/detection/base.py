"""What finds the people of an image: the interface of all detectors, and any function as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import OptionError
from ..settings.checks import shown
from ..structures import Detections


class Detector(Protocol):
    """Finds the people of one image after the other, step by step, so that the steps of several images overlap.

    The steps of an image are ``preprocess``, ``start``, what that returns, ``decode`` and ``embed``. Each may run in a
    thread of its own. What they hand on to each other is the detector's business.

    Attributes:
        name: of the model, for results and titles.
        backend: what it runs on and how precisely, such as ``openvino int8``.
        folder: of the model; None where it has none.
        high_conf_thres: score above which the association counts a detection as certain, unless the user says another.
        max_in_flight: forward passes that are worth having under way at once. One more may be, so that none is missing
            while the oldest is made use of.
    """

    name: str
    backend: str
    folder: Path | None
    high_conf_thres: float
    max_in_flight: int

    def preprocess(self, image: np.ndarray) -> Any:
        """Make the network's input of an image [H, W, 3] uint8 BGR."""
        ...

    def start(self, preprocessed: Any) -> Callable[[], Any]:
        """Begin the forward pass of an image; return what waits for its raw outputs, to be called once."""
        ...

    def decode(self, raw_outputs: Any, preprocessed: Any) -> Any:
        """Find the people in the raw outputs of an image."""
        ...

    def embed(self, decoded: Any, raw_outputs: Any, preprocessed: Any, min_score: float) -> Detections:
        """Return the people that ``decode`` found, with embeddings for those whose score exceeds ``min_score``."""
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
    """Any function that finds people, as a `Detector`.

        predictor = Predictor(detector=FunctionDetector(lambda image: Detections(boxes, scores, embeddings)))

    Args:
        function: takes an image [H, W, 3] uint8 BGR and returns its `Detections`, in pixels of the image, low scores
            included. It is called for one image at a time.
        name: of the model, for results and titles.
        high_conf_thres: score above which the association counts a detection as certain, 0 to 1.
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
        """Return what the function returned, with whatever embeddings it has."""
        return decoded
