"""The PaddleHub module: Python API, ``hub run`` and ``hub serving``. The work is done in ``tracker``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import paddlehub as hub
from paddlehub.module.module import moduleinfo, runnable, serving

from .tracker.command import run_command
from .tracker.errors import OptionError
from .tracker.pipeline.result import TrackingResult
from .tracker.predictor import Predictor
from .tracker.serving import RequestGuard, ServingOptions, track_posted
from .tracker.settings.checks import from_mapping

HUB_ARGUMENTS = {"name", "directory", "version", "source", "update", "branch", "ignore_env_mismatch"}


@moduleinfo(
    name="jde_darknet53_30e_1088x608",
    type="CV/multiple_object_tracking",
    author="paddlepaddle",
    author_email="",
    summary="JDE follows pedestrians through video: one network for detection and appearance, one identity a person.",
    version="2.1.0",
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
        serving_options: limits of requests to ``hub serving``, by the names in `ServingOptions`; None for its defaults.
        input_size: size of the network's input, to which images are scaled: ``auto`` for the model's own, or
            ``WIDTHxHEIGHT`` in pixels (or both in a list), multiples of 32. Larger ones find smaller people and take
            longer, in proportion to their area.
        device: what the network runs on: ``cpu``, ``cuda``, ``tensorrt``, ``directml``, ``coreml``, or ``auto``, the
            processor, or the GPU with use_gpu. Paddle has ``cuda`` only, onnxruntime all that its build has.

    The model is loaded at the first use and kept.
    """

    def __init__(
        self,
        model: str = "auto",
        threads: int | None = None,
        backend: str = "auto",
        precision: str = "auto",
        serving_options: Mapping[str, Any] | None = None,
        input_size: str | Sequence[int] = "auto",
        device: str = "auto",
        **hub_arguments: Any,
    ) -> None:
        # hub.Module(...) passes its own arguments on, because Python initialises the object that its __new__ returned
        for name in hub_arguments.keys() - HUB_ARGUMENTS:
            raise OptionError(
                f"unknown argument {name!r}; known are model, threads, backend, precision, serving_options, "
                "input_size and device"
            )
        self.serving_options = from_mapping(ServingOptions, serving_options or {}, "serving_options")
        self._request_guard = RequestGuard()
        Predictor.__init__(self, model, threads, backend, precision, input_size=input_size, device=device)

    def __getattribute__(self, name: str) -> Any:
        # PaddleHub would run every method in static-graph mode, which paddle.inference does not need, and leave the
        # whole program in that mode after an error
        return object.__getattribute__(self, name)

    def tracking(self, *args: Any, **kwargs: Any) -> TrackingResult:
        """Track a video: ``mot_predict`` under the name it has in later PaddleHub modules."""
        return self.mot_predict(*args, **kwargs)

    @serving
    def serving_method(self, /, images: Any = None, **options: Any) -> list[dict[str, Any]]:
        """Track the frames of one sequence that were posted together. No file is read or written.

        Args:
            images: list of image files (JPEG, PNG, BMP, TIFF or WebP) in base64, in order of time.
            options: ``frame_rate``, and thresholds of detection and settings of the association as for ``stream_mode``.

        Returns:
            For every image: ``frame`` (from 1), ``ids``, ``boxes`` (left, top, width, height in pixels), ``scores``.
        """
        return track_posted(self, images, options, self.serving_options)

    @property
    def serving_func_name(self) -> str:
        """Name of the method that serves; ``hub serving`` asks for it once, before it starts."""
        self._request_guard.watch(f"/predict/{self.name}", self.serving_options)
        return "serving_method"

    @runnable
    def run_cmd(self, argvs: list[str]) -> TrackingResult:
        """Run a command line and return its result, which ``hub run`` prints."""
        return run_command(self, f"hub run {self.name}", argvs)
