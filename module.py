"""The PaddleHub module: Python API, ``hub run`` and ``hub serving``. The work is done in ``tracker``."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import cv2
import numpy as np
import paddlehub as hub
from paddlehub.module.module import moduleinfo, runnable, serving

from .tracker.command import run_command
from .tracker.errors import OptionError
from .tracker.pipeline.result import TrackingResult
from .tracker.predictor import Predictor

HUB_ARGUMENTS = {"name", "directory", "version", "source", "update", "branch", "ignore_env_mismatch"}


@moduleinfo(
    name="jde_darknet53_30e_1088x608",
    type="CV/multiple_object_tracking",
    author="paddlepaddle",
    author_email="",
    summary="JDE follows pedestrians through video: one network for detection and appearance, one identity a person.",
    version="2.0.0",
)
class JDE(hub.Module, Predictor):
    """Multi-object tracking of pedestrians, with the API of `Predictor`.

    Args:
        model: ``auto`` (the full model when it is cached or can be downloaded, else the compact one), ``full``,
            ``compact``, or the path or URL of a ``.pdparams`` file of the full network, or an inference folder.
        threads: processor threads of the network; None for all cores.
        backend: what runs the network: ``openvino``, ``paddle``, or ``auto`` for the fastest one that is installed and
            can run the model.
        precision: number format of the network: ``fp32``; ``int8`` or ``bf16``, with openvino only, which round more;
            or ``auto``: int8 where the model has a valid int8 form and the processor instructions for it, else fp32.

    The model is loaded at the first use and kept.
    """

    def __init__(
        self,
        model: str = "auto",
        threads: int | None = None,
        backend: str = "auto",
        precision: str = "auto",
        **hub_arguments: Any,
    ) -> None:
        # hub.Module(...) passes its own arguments on, because Python initialises the object that its __new__ returned
        for name in hub_arguments.keys() - HUB_ARGUMENTS:
            raise OptionError(f"unknown argument {name!r}; known are model, threads, backend and precision")
        Predictor.__init__(self, model, threads, backend, precision)

    def __getattribute__(self, name: str) -> Any:
        # PaddleHub would run every method in static-graph mode, which paddle.inference does not need, and leave the
        # whole program in that mode after an error
        return object.__getattribute__(self, name)

    def tracking(self, *args: Any, **kwargs: Any) -> TrackingResult:
        """Track a video: ``mot_predict`` under the name it has in later PaddleHub modules."""
        return self.mot_predict(*args, **kwargs)

    @serving
    def serving_method(self, images: list[str], **options: Any) -> list[dict[str, Any]]:
        """Track the frames of one sequence that were posted together.

        Args:
            images: image files (JPEG, PNG, ...) in base64, in order of time.
            options: those of ``stream_mode``; no file is written, and none of this machine is read.

        Returns:
            For every image: ``frame`` (from 1), ``ids``, ``boxes`` (left, top, width, height in pixels), ``scores``.
        """
        if not isinstance(images, list):
            raise OptionError(f"images must be a list of base64 texts, not {type(images).__name__}")
        frames = [_image_from_base64(number, text) for number, text in enumerate(images, 1)]
        # a client must not read or write files of this machine
        with self.stream_mode(**{**options, "output_dir": None, "tracker_config": None}) as stream:
            tracked = stream.predict(frames)
        return [
            {"frame": f.frame, "ids": f.ids.tolist(), "boxes": f.boxes.tolist(), "scores": f.scores.tolist()}
            for f in tracked
        ]

    @runnable
    def run_cmd(self, argvs: list[str]) -> TrackingResult:
        """Run a command line and return its result, which ``hub run`` prints."""
        return run_command(self, f"hub run {self.name}", argvs)


def _image_from_base64(number: int, text: str) -> np.ndarray:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise OptionError(f"image {number} is not base64: {error}") from error
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise OptionError(f"image {number} is no image file that OpenCV reads")
    return image
