"""A model ready to look at images: letterbox, forward pass and decoding, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .config import ModelConfig
from .decode import Decoder, Detections
from .errors import OptionError
from .letterbox import Letterbox
from .network import Network, open_network
from .timing import StageTimes


class Model:
    """Finds the people in single images.

    Args:
        folder: inference model folder.
        use_gpu: run on the first GPU.
        threads: processor threads; None for all cores.
        backend: ``auto``, ``paddle`` or ``openvino``, see `network.choose_backends`.
        precision: ``auto``, ``fp32`` or ``bf16``, see there.

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
    ) -> None:
        self.config = ModelConfig.load(folder)
        self.folder = folder
        self._network = open_network(folder, self.config, backend, precision, use_gpu, threads)

    @property
    def backend(self) -> str:
        """What the network runs on and how precisely, such as ``paddle fp32``."""
        return self._network.description

    def detector(self, thresholds: Mapping[str, Any] | None = None) -> Detector:
        """A detector on this model's network, with buffers of its own.

        Args:
            thresholds: values in place of the model's own: score, nms, nms_top_k, keep_top_k, confident; None keeps.

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
    """Detections of one image after the other."""

    def __init__(self, network: Network, config: ModelConfig, decoder: Decoder) -> None:
        self._network = network
        self._letterbox = Letterbox(config.letterbox)
        self._decode = decoder

    def __call__(self, image: np.ndarray, times: StageTimes | None = None) -> Detections:
        """Find people.

        Args:
            image: [H, W, 3] uint8 BGR.
            times: where to note what each stage took.
        """
        times = times or StageTimes()
        with times.stage("letterbox"):
            blob, placement = self._letterbox(image)
        with times.stage("network"):
            outputs = self._network.run(blob)
        with times.stage("decode"):
            return self._decode(outputs, placement, image.shape[:2], self._network.embed)

    def embed(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Appearance of given boxes, in one forward pass, read as for detections with these boxes.

        Args:
            image: [H, W, 3] uint8 BGR.
            boxes: [N, 4] left, top, right, bottom in pixels of the image; N may be 0.

        Returns:
            [N, D] float32, L2-normalised.
        """
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        blob, placement = self._letterbox(image)
        return self._decode.embed_boxes(self._network.run(blob), placement, boxes, self._network.embed)
