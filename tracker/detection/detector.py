"""A model ready to look at images: letterbox, forward pass and decoding, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError
from ..settings.model import ModelConfig
from ..structures import Detections
from .backends.choice import open_network
from .backends.network import Network
from .decode import Decoder
from .letterbox import Letterbox, LetterboxedImage


class Model:
    """Finds the people in single images.

    Args:
        folder: inference model folder.
        use_gpu: run on the first GPU.
        threads: processor threads; None for all cores.
        backend: ``auto``, ``paddle`` or ``openvino``, see `network.choose_backends`.
        precision: ``auto``, ``fp32``, ``bf16`` or ``int8``, see there.
        several: have more than one pass under way where more images are done so, see `Detector.max_in_flight`.

    Raises:
        ModelError: the folder holds no usable model, the backend is not installed, or Paddle has no GPU.
        OptionError: a choice is unknown, or does not go with the others.
    """

    def __init__(
        self,
        folder: Path,
        use_gpu: bool = False,
        threads: int | None = None,
        backend: str = "auto",
        precision: str = "auto",
        several: bool = False,
    ) -> None:
        self.config = ModelConfig.load(folder)
        self.folder = folder
        self._network = open_network(folder, self.config, backend, precision, use_gpu, threads, several)

    @property
    def backend(self) -> str:
        """What the network runs on and how precisely, such as ``paddle fp32``."""
        return self._network.description

    def detector(self, thresholds: Mapping[str, Any] | None = None) -> Detector:
        """A detector on this model's network, with buffers of its own.

        Args:
            thresholds: values in place of the model's own: score, nms, nms_top_k, keep_top_k, high_conf_thres, vote;
                None keeps.

        Raises:
            OptionError: an unknown name or a value out of range.
        """
        changes = {name: value for name, value in (thresholds or {}).items() if value is not None}
        try:
            chosen = dataclasses.replace(self.config.thresholds, **changes)
        except TypeError as error:
            raise OptionError(f"unknown threshold: {error}") from error
        return Detector(self._network, self.config, Decoder(self.config, chosen))


class Detector:
    """Detections of one image after the other, in one call or step by step: ``preprocess``, ``forward``, ``decode``.

    The steps may run in three threads, each in one; ``forward`` is ``start`` and a wait, which may be parted, too.

    Attributes:
        max_in_flight: how many forward passes are worth having under way at once. One more may be, so that none is
            missing while the oldest is made use of.
    """

    def __init__(self, network: Network, config: ModelConfig, decoder: Decoder) -> None:
        self._network = network
        self.max_in_flight = network.max_in_flight
        # inputs: of the passes under way, and of the next one
        self._letterbox = Letterbox(config.letterbox, self.max_in_flight + 2)
        self._decode = decoder

    def __call__(self, image: np.ndarray) -> Detections:
        """Find people.

        Args:
            image: [H, W, 3] uint8 BGR.
        """
        letterboxed = self.preprocess(image)
        return self.decode(self.forward(letterboxed), letterboxed)

    def preprocess(self, image: np.ndarray) -> LetterboxedImage:
        """Letterbox an image [H, W, 3] uint8 BGR into the network's input.

        Its pixels are valid until ``max_in_flight`` + 2 more images have been letterboxed.
        """
        return LetterboxedImage(*self._letterbox(image), image)

    def start(self, letterboxed: LetterboxedImage) -> Callable[[], list[np.ndarray]]:
        """Begin the forward pass of an image, see `Network.start`."""
        return self._network.start(letterboxed.pixels)

    def forward(self, letterboxed: LetterboxedImage) -> list[np.ndarray]:
        """The network's maps of an image, see `Network.run`."""
        return self._network.run(letterboxed.pixels)

    def decode(self, outputs: list[np.ndarray], letterboxed: LetterboxedImage, embed_above: float = 0.0) -> Detections:
        """The people in the maps of an image; its pixels are not needed any more, the image itself is.

        Args:
            outputs, letterboxed: of the image, as ``forward`` and ``preprocess`` gave them.
            embed_above: score that a detection must exceed to get an embedding.
        """
        return self._decode(outputs, letterboxed, self._network.embed, embed_above)

    def embed(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Appearance of given boxes, in one forward pass, read as for detections with these boxes.

        Args:
            image: [H, W, 3] uint8 BGR.
            boxes: [N, 4] left, top, right, bottom in pixels of the image; N may be 0.

        Returns:
            [N, D] float32, L2-normalised.
        """
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        letterboxed = self.preprocess(image)
        return self._decode.embed_boxes(self.forward(letterboxed), letterboxed, boxes, self._network.embed)
