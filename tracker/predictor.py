"""Tracking as a Python API: what is asked for is checked, a model is loaded once, sources become results."""

from __future__ import annotations

import numbers
import os
import threading
from pathlib import Path
from typing import Any

from .detection.backends.choice import choose_backends
from .detection.detector import Model
from .errors import OptionError
from .models.locate import find_model
from .options import split
from .pipeline.result import TrackingResult
from .pipeline.sequence import OutputOptions, SequenceRun
from .pipeline.stream import StreamTracker
from .pipeline.track import track_source
from .settings.checks import check_flag, check_whole
from .settings.tracking import TRACKER_FILE, TrackerConfig, read_tracker_file
from .sources.source import open_source


class Predictor:
    """Tracks videos and streams of images with one model, which is loaded at the first use and kept.

    Args:
        model: ``auto`` (the full model when it is cached or can be downloaded, else the compact one), ``full``,
            ``compact``, or the path or URL of a ``.pdparams`` file of the full network, or an inference folder.
        threads: processor threads of the network; None for all cores.
        backend: what runs the network, see `network.choose_backends`.
        precision: of its numbers, see there.
    """

    def __init__(
        self, model: str = "auto", threads: int | None = None, backend: str = "auto", precision: str = "auto"
    ) -> None:
        self.model = model
        self.threads = threads
        self.backend = backend
        self.precision = precision
        self._loaded: dict[tuple[bool, bool], Model] = {}
        self._loading = threading.Lock()

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
        skip_frames: int = 1,
        frame_rate: float | None = None,
        timeout: float = 10.0,
        progress: bool | None = None,
        tracker_config: str | os.PathLike | None = None,
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
            skip_frames: track every so many-th frame only, for speed; the video shows no others, the numbers of frames
                stay those of the source.
            frame_rate: frames per second, in place of what the source says (images say nothing: 30).
            timeout: seconds to wait for a URL.
            progress: show a progress bar; None for when stderr is a terminal.
            tracker_config: YAML file of settings as in ``config/tracker.yml``, which win over those there.
            options: thresholds of detection and association by name, see ``config/tracker.yml`` and the README; they
                win over tracker_config.

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
        check_whole("skip_frames", skip_frames)
        if progress is not None:
            check_flag("progress", progress)
        chosen = self._choose(use_gpu, refine, tracker_config, options)
        source = open_source(video_stream, check_flag("from_device", from_device), frame_rate, visualization, timeout)
        with source:
            several = not source.live  # where somebody watches, the single frame has to be quick
            run = self._sequence_run(
                source.name, source.frame_rate, outputs, use_gpu, chosen, progress, skip_frames, several
            )
            return track_source(source, run, progress)

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
        tracker_config: str | os.PathLike | None = None,
        **options: Any,
    ) -> StreamTracker:
        """Track images that you hand over yourself.

            with predictor.stream_mode(output_dir="out") as stream:
                for frame in stream.predict(images):
                    print(frame.frame, frame.ids, frame.boxes)

        Args:
            output_dir, visualization, draw_threshold, use_gpu, refine, tracker_config, options: as for ``mot_predict``.
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
        chosen = self._choose(use_gpu, refine, tracker_config, options)
        return StreamTracker(self._sequence_run(name, float(frame_rate), outputs, use_gpu, chosen))

    def change_model(self, model: str, threads: int | None, backend: str, precision: str) -> None:
        """Take another model, or the same in another way, from the next use on; arguments as at the beginning."""
        chosen = {"model": model, "threads": threads, "backend": backend, "precision": precision}
        if chosen != {name: getattr(self, name) for name in chosen}:
            self._loaded = {}
            vars(self).update(chosen)

    def _choose(
        self, use_gpu: bool, refine: bool, tracker_config: str | os.PathLike | None, options: dict[str, Any]
    ) -> tuple[dict, TrackerConfig, bool]:
        """Detection thresholds, settings of the association, and whether its conf_thres is the model's to say.

        A bad option is told here, before a camera is opened or a model loaded.
        """
        thresholds, settings = split(options)
        given = {} if tracker_config is None else read_tracker_file(tracker_config)
        config = TrackerConfig.load(TRACKER_FILE).override(given).choose(settings, refine)
        choose_backends(self.backend, self.precision, check_flag("use_gpu", use_gpu))
        return thresholds, config, "conf_thres" not in {**given, **settings}

    def _sequence_run(
        self,
        name: str,
        frame_rate: float,
        outputs: OutputOptions,
        use_gpu: bool,
        chosen: tuple[dict, TrackerConfig, bool],
        progress: bool | None = None,
        skip_frames: int = 1,
        several: bool = False,
    ) -> SequenceRun:
        thresholds, config, model_says = chosen
        model = self._load(use_gpu, progress, several)
        if model_says:
            config = config.override({"conf_thres": model.config.thresholds.high_conf_thres})
        return SequenceRun(name, frame_rate, model, model.detector(thresholds), config, outputs, skip_frames)

    def _load(self, use_gpu: bool, progress: bool | None, several: bool) -> Model:
        # Paddle has one form for both
        several = several and "openvino" in choose_backends(self.backend, self.precision, use_gpu)
        with self._loading:  # of threads that come at once, one builds the model
            if (use_gpu, several) not in self._loaded:
                folder = find_model(self.model, progress)
                model = Model(folder, use_gpu, self.threads, self.backend, self.precision, several)
                self._loaded[use_gpu, several] = model
            return self._loaded[use_gpu, several]


def _folder(output_dir: str | os.PathLike) -> Path:
    if not isinstance(output_dir, (str, os.PathLike)) or "\0" in os.fspath(output_dir):
        raise OptionError(f"output_dir must be a path, not {output_dir!r}")
    try:
        return Path(output_dir).expanduser()
    except RuntimeError as error:
        raise OptionError(f"output_dir {os.fspath(output_dir)!r} names the home of nobody on this machine") from error
