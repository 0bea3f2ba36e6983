"""The JDE detector: letterbox, forward pass, decoding and embeddings of one model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError
from ..settings.model import ModelConfig
from ..settings.runtime import RuntimeOptions
from ..structures import Detections
from .backends.choice import open_network
from .backends.network import Network
from .decode import Decoded, Decoder
from .embedding_memory import EmbeddingMemory
from .letterbox import Letterbox, LetterboxedImage


class Model:
    """A model folder, loaded once, from which detectors are made.

    Args:
        folder: inference model folder.
        runtime: backend, precision, device, threads and size of the input.

    Attributes:
        config: the contents of its ``infer_cfg.yml``, with the size of the input asked for.
        folder: the inference model folder.

    Raises:
        ModelError: the folder holds no usable model, the backend is not installed, or Paddle has no GPU.
        OptionError: the backend does not exist, or cannot be combined with the other options, or the model takes no
            inputs of this size.
    """

    def __init__(self, folder: Path, runtime: RuntimeOptions | None = None) -> None:
        runtime = runtime or RuntimeOptions()
        self.config = ModelConfig.load(folder).with_input_size(runtime.input_size)
        self.folder = folder
        self._network = open_network(folder, self.config, runtime)

    @property
    def backend(self) -> str:
        """Backend and precision of the network, such as ``paddle fp32``."""
        return self._network.description

    def detector(self, thresholds: Mapping[str, Any] | None = None, remember: bool = False) -> JDEDetector:
        """Return a detector that shares this model's network and has its own buffers.

        Args:
            thresholds: values in place of the model's own: score, nms, nms_top_k, keep_top_k, high_conf_thres, vote. A
                value None leaves the model's.
            remember: for successive frames of one sequence: whoever walks alone keeps an embedding for some frames, if
                the model reads them from crops. See `embedding_memory`.

        Raises:
            OptionError: a name is unknown, or a value is out of its range.
        """
        changes = {name: value for name, value in (thresholds or {}).items() if value is not None}
        try:
            chosen = dataclasses.replace(self.config.thresholds, **changes)
        except TypeError as error:
            raise OptionError(f"unknown threshold: {error}") from error
        memory = EmbeddingMemory() if remember and self.config.embedding.read == "crop" else None
        return JDEDetector(self._network, self.config, Decoder(self.config, chosen), memory)


class JDEDetector:
    """A `Detector` by a JDE network; calling it takes all steps for an image.

    Attributes:
        name: name of the model.
        backend: backend and precision, such as ``openvino int8``.
        folder: folder of the model.
        high_conf_thres: score above which a detection is a high-confidence one.
        max_in_flight: number of forward passes to run at once.
        tracker_settings: settings of the association that the model states, by their names in ``config/tracker.yml``.
        hide_score: least score of a detection that is hidden where people are.
    """

    def __init__(
        self, network: Network, config: ModelConfig, decoder: Decoder, memory: EmbeddingMemory | None = None
    ) -> None:
        self.name = config.name
        self.backend = network.description
        self.folder: Path | None = network.folder
        self.high_conf_thres = decoder.thresholds.high_conf_thres
        self.tracker_settings = decoder.thresholds.tracker_settings
        self.hide_score = decoder.thresholds.hide
        self.max_in_flight = network.max_in_flight
        self._network = network
        # an input for each pass in flight, one for the next pass, and one that is being filled
        self._letterbox = Letterbox(config.letterbox, self.max_in_flight + 2)
        self._decoder = decoder
        self._memory = memory

    def __call__(self, image: np.ndarray) -> Detections:
        """Detect the people in an image, all with embeddings.

        Args:
            image: [H, W, 3] uint8 BGR.

        Returns:
            The people detected, in pixels of the image.
        """
        letterboxed = self.preprocess(image)
        raw_outputs = self.start(letterboxed)()
        return self.embed(self.decode(raw_outputs, letterboxed), raw_outputs, letterboxed)

    def preprocess(self, image: np.ndarray) -> LetterboxedImage:
        """Letterbox an image [H, W, 3] uint8 BGR into the network's input.

        Its pixels are valid until ``max_in_flight`` + 2 more images have been letterboxed.
        """
        return LetterboxedImage(*self._letterbox(image), image)

    def start(self, preprocessed: LetterboxedImage) -> Callable[[], list[np.ndarray]]:
        """Start the forward pass of an image; return a function, to be called once, that waits for its raw outputs."""
        return self._network.start(preprocessed.pixels)

    def decode(self, raw_outputs: list[np.ndarray], preprocessed: LetterboxedImage) -> Decoded:
        """Decode the raw outputs of an image into the people detected; of the input only the image itself is read."""
        return self._decoder.decode(raw_outputs, preprocessed)

    def embed(
        self,
        decoded: Decoded,
        raw_outputs: list[np.ndarray],
        preprocessed: LetterboxedImage,
        min_score: float = 0.0,
    ) -> Detections:
        """Return the people detected, with embeddings where the score exceeds ``min_score`` and zeros elsewhere."""
        return self._decoder.embed(decoded, raw_outputs, preprocessed, self._network.embed, min_score, self._memory)

    def embed_boxes(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Compute the embeddings of given boxes in one forward pass, as for detections with these boxes.

        Args:
            image: [H, W, 3] uint8 BGR.
            boxes: [N, 4] left, top, right, bottom in pixels of the image; N may be 0.

        Returns:
            [N, D] float32, L2-normalised.
        """
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        letterboxed = self.preprocess(image)
        return self._decoder.embed_boxes(self.start(letterboxed)(), letterboxed, boxes, self._network.embed)
