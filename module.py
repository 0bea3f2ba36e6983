"""The PaddleHub module: Python API, ``hub run`` and ``hub serving``. All work is done in ``tracker``."""

from __future__ import annotations

import argparse
import base64
import binascii
import logging
import numbers
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddlehub as hub
from paddlehub.module.module import moduleinfo, runnable, serving

from .tracker import options as option_table
from .tracker.config import check_flag
from .tracker.errors import OptionError, TrackingError
from .tracker.model import Model
from .tracker.network import choose_backends
from .tracker.pipeline import OutputOptions, SequenceRun, StreamTracker, track_source
from .tracker.results import TrackingResult
from .tracker.sources import open_source
from .tracker.tracker_config import TrackerConfig
from .tracker.weights import find_model

HUB_ARGUMENTS = {"name", "directory", "version", "source", "update", "branch", "ignore_env_mismatch"}


@moduleinfo(
    name="jde_darknet53_30e_1088x608",
    type="CV/multiple_object_tracking",
    author="paddlepaddle",
    author_email="",
    summary="JDE follows pedestrians through video: one network for detection and appearance, one identity a person.",
    version="2.0.0",
)
class JDE(hub.Module):
    """Multi-object tracking of pedestrians.

    Args:
        model: ``auto`` (the full model when it is cached or can be downloaded, else the compact one), ``full``,
            ``compact``, or the path or URL of a ``.pdparams`` file of the full network, or an inference folder.
        threads: processor threads of the network; None for all cores.
        backend: what runs the network: ``paddle``, ``openvino`` (an optional package, faster on many processors), or
            ``auto``: openvino if it is installed and can run the model on the processor, else paddle.
        precision: ``fp32``; ``bf16``, with openvino only, which rounds more and is faster on some processors; or
            ``auto``, which is fp32.

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
        # hub.Module(...) hands its own arguments on, when Python initialises what its __new__ returned
        for name in hub_arguments.keys() - HUB_ARGUMENTS:
            raise OptionError(f"unknown argument {name!r}; known are model, threads, backend and precision")
        self.model = model
        self.threads = threads
        self.backend = backend
        self.precision = precision
        self._loaded: dict[bool, Model] = {}
        self._loading = threading.Lock()

    def __getattribute__(self, name: str) -> Any:
        # PaddleHub would run every method in static-graph mode, which paddle.inference does not need, and leave the
        # whole program in that mode after an error
        return object.__getattribute__(self, name)

    def mot_predict(
        self,
        video_stream: str | int | os.PathLike,
        output_dir: str | os.PathLike = "",
        visualization: bool = True,
        draw_threshold: float = 0.5,
        use_gpu: bool = False,
        from_device: bool = False,
        *,
        refine: bool = False,
        frame_rate: float | None = None,
        timeout: float = 10.0,
        progress: bool | None = None,
        **options: Any,
    ) -> TrackingResult:
        """Track the people in a video.

        Writes ``OUTPUT_DIR/mot_results/NAME.txt`` and, with visualization, ``OUTPUT_DIR/mot_outputs/NAME_vis.mp4``,
        where NAME is the stem of the video's name.

        Args:
            video_stream: video file, folder of images, glob, MOTChallenge sequence folder, http or rtsp URL; with
                from_device the number of a camera.
            output_dir: folder of the results; '' is the current one.
            visualization: whether to make the annotated video.
            draw_threshold: least score, 0 to 1, of the tracks drawn; the text always has all.
            use_gpu: run the network on the first GPU.
            from_device: video_stream is a camera of this machine.
            refine: also write ``OUTPUT_DIR/mot_results/NAME_refined.txt``: once all is seen, tracks of one person are
                joined, short ghosts left out, gaps filled and boxes smoothed.
            frame_rate: frames per second, in place of what the source says (images say nothing: 30).
            timeout: seconds to wait for a URL.
            progress: show a progress bar; None for when stderr is a terminal.
            options: thresholds of detection and association by name, see ``config/tracker.yml`` and the README.

        Returns:
            What was made; iterating it gives the tracks frame by frame.

        Raises:
            OptionError: an option is unknown or out of range.
            SourceError: video_stream cannot be read.
            ModelError: the model cannot be had or run.
            OutputError: a result cannot be written; what was done before is kept.
            KeyboardInterrupt: Ctrl-C; the files are complete to the last finished frame.
        """
        outputs = OutputOptions(_folder(output_dir), visualization, draw_threshold, refine)
        if progress is not None:
            check_flag("progress", progress)
        chosen = self._choose(use_gpu, refine, options)
        source = open_source(video_stream, check_flag("from_device", from_device), frame_rate, visualization, timeout)
        with source:
            run = self._sequence_run(source.name, source.frame_rate, outputs, use_gpu, chosen, progress)
            return track_source(source, run, progress)

    def tracking(self, *args: Any, **kwargs: Any) -> TrackingResult:
        """The same as ``mot_predict``, under the name it has in later PaddleHub modules."""
        return self.mot_predict(*args, **kwargs)

    def stream_mode(
        self,
        output_dir: str | os.PathLike = "",
        visualization: bool = True,
        draw_threshold: float = 0.5,
        use_gpu: bool = False,
        *,
        refine: bool = False,
        name: str = "stream",
        frame_rate: float = 30.0,
        **options: Any,
    ) -> StreamTracker:
        """Track images that you hand over yourself.

            with module.stream_mode(output_dir="out") as stream:
                for frame in stream.predict(images):
                    print(frame.frame, frame.ids, frame.boxes)

        Args:
            output_dir, visualization, draw_threshold, use_gpu, refine, options: as for ``mot_predict``.
            name: stem of the files written.
            frame_rate: frames per second of the images.

        Raises:
            OptionError, ModelError: as ``mot_predict`` does.
        """
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".", "..") or "\0" in name:
            raise OptionError(f"name must be a plain file name, not {name!r}")
        if isinstance(frame_rate, bool) or not isinstance(frame_rate, numbers.Real) or not 0 < frame_rate < 1e6:
            raise OptionError(f"frame_rate must be a positive number, not {frame_rate!r}")
        outputs = OutputOptions(_folder(output_dir), visualization, draw_threshold, refine)
        chosen = self._choose(use_gpu, refine, options)
        return StreamTracker(self._sequence_run(name, float(frame_rate), outputs, use_gpu, chosen))

    def _choose(self, use_gpu: bool, refine: bool, options: dict[str, Any]) -> tuple[dict, TrackerConfig, bool]:
        """Detection thresholds, settings of the association, and whether its conf_thres is the model's to say.

        A bad option is told here, before a camera is opened or a model loaded.
        """
        thresholds, settings = option_table.split(options)
        file = Path(__file__).with_name("config") / "tracker.yml"
        config = TrackerConfig.load(file).choose(settings, refine)
        choose_backends(self.backend, self.precision, check_flag("use_gpu", use_gpu))
        return thresholds, config, "conf_thres" not in settings

    def _sequence_run(
        self,
        name: str,
        frame_rate: float,
        outputs: OutputOptions,
        use_gpu: bool,
        chosen: tuple[dict, TrackerConfig, bool],
        progress: bool | None = None,
    ) -> SequenceRun:
        thresholds, config, model_says = chosen
        model = self._load(use_gpu, progress)
        if model_says:
            config = config.override({"conf_thres": model.config.thresholds.confident})
        return SequenceRun(name, frame_rate, model, model.detector(thresholds), config, outputs)

    def _load(self, use_gpu: bool, progress: bool | None) -> Model:
        with self._loading:  # of threads that come at once, one builds the model
            if use_gpu not in self._loaded:
                folder = find_model(self.model, progress)
                self._loaded[use_gpu] = Model(folder, use_gpu, self.threads, self.backend, self.precision)
            return self._loaded[use_gpu]

    @serving
    def serving_method(self, images: list[str], **options: Any) -> list[dict[str, Any]]:
        """Track the frames of one sequence that were posted together.

        Args:
            images: image files (JPEG, PNG, ...) in base64, in order of time.
            options: as for ``stream_mode``; files are not kept.

        Returns:
            For every image: ``frame`` (from 1), ``ids``, ``boxes`` (left, top, width, height in pixels), ``scores``.
        """
        if not isinstance(images, list):
            raise OptionError(f"images must be a list of base64 texts, not {type(images).__name__}")
        frames = [_image_from_base64(number, text) for number, text in enumerate(images, 1)]
        with tempfile.TemporaryDirectory() as folder:
            options = {**options, "output_dir": folder, "visualization": False}
            with self.stream_mode(**options) as stream:
                tracked = stream.predict(frames)
        return [
            {"frame": f.frame, "ids": f.ids.tolist(), "boxes": f.boxes.tolist(), "scores": f.scores.tolist()}
            for f in tracked
        ]

    @runnable
    def run_cmd(self, argvs: list[str]) -> TrackingResult:
        """Run as a command; what it returns is printed by ``hub run``."""
        self.parser = argparse.ArgumentParser(
            prog=f"hub run {self.name}",
            description="Follow the pedestrians in a video: every person gets a number that stays.",
            epilog="Ctrl-C ends the run in order: the files are complete to the last finished frame.",
        )
        self.arg_input_group = self.parser.add_argument_group("Input options", "What to track.")
        self.arg_config_group = self.parser.add_argument_group("Config options", "Model, device and results.")
        self.add_module_input_arg()
        self.add_module_config_arg()
        arguments = vars(self.parser.parse_args(argvs))
        logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
        logging.getLogger(__package__).setLevel(logging.INFO)
        chosen = {name: arguments.pop(name) for name in ("model", "threads", "backend", "precision")}
        if chosen != {name: getattr(self, name) for name in chosen}:
            self._loaded = {}
            vars(self).update(chosen)
        try:
            return self.mot_predict(**arguments)
        except TrackingError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(1) from error
        except KeyboardInterrupt:
            print("interrupted: the files hold all finished frames", file=sys.stderr)
            raise SystemExit(130) from None

    def add_module_input_arg(self) -> None:
        """Add the options that say what to track."""
        option_table.add_input_arguments(self.arg_input_group)

    def add_module_config_arg(self) -> None:
        """Add the options that say how."""
        option_table.add_config_arguments(self.arg_config_group)
        option_table.add_threshold_arguments(
            self.parser.add_argument_group("Thresholds", "Of detection and association.")
        )


def _folder(output_dir: str | os.PathLike) -> Path:
    if not isinstance(output_dir, (str, os.PathLike)) or "\0" in os.fspath(output_dir):
        raise OptionError(f"output_dir must be a path, not {output_dir!r}")
    try:
        return Path(output_dir).expanduser()
    except RuntimeError as error:
        raise OptionError(f"output_dir {os.fspath(output_dir)!r} names the home of nobody on this machine") from error


def _image_from_base64(number: int, text: str) -> np.ndarray:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise OptionError(f"image {number} is not base64: {error}") from error
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise OptionError(f"image {number} is no image file that OpenCV reads")
    return image
