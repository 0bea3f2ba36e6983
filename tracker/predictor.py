"""The Python API: checks the options, loads a model once, and tracks videos and streams of images with it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from .analysis.recording import read_start
from .analysis.scene import Scene, SceneLike, load_scene
from .assembly import Assembly
from .association.base import check_association
from .delivery.hub import Tell
from .delivery.outlets import make_hub
from .detection.backends.choice import BACKENDS, choose_backends
from .detection.backends.network import check_process
from .detection.base import Detector, check_detector
from .detection.detector import Model
from .errors import OptionError
from .job import Job
from .models.locate import find_model
from .option_groups import take_groups
from .options import split
from .pipeline.outputs import OutputOptions
from .pipeline.result import TrackingResult
from .pipeline.sequence import SequenceRun
from .pipeline.stream import StreamTracker
from .pipeline.track import track_source
from .privacy.cover import Hiding, check_threshold, read_hiding
from .settings.checks import check_flag, check_positive, check_whole
from .settings.groups.answers import AnswerOptions
from .settings.groups.delivery import DeliveryOptions
from .settings.runtime import RuntimeOptions, parse_input_size
from .settings.tracking import TRACKER_FILE, TrackerConfig, read_tracker_file
from .sinks.base import Sink, check_sinks
from .sinks.files import checked_folder
from .sources import MAX_PIXELS, Source, open_source
from .sources.opening import readable_again
from .structures import SequenceInfo


class Predictor:
    """Tracks videos and streams of images with one model, which is loaded at the first use and kept.

    Args:
        model: ``auto`` (the full model when it is cached or can be downloaded, else the compact one), ``full``,
            ``compact``, or the path or URL of a ``.pdparams`` file of the full network, or an inference folder.
        threads: processor threads of the network; None for all cores.
        backend: what runs the network: ``openvino``, ``paddle``, or ``auto`` for the fastest one that is installed.
        precision: number format of the network: ``fp32``, ``bf16``, ``int8``, or ``auto``: int8 where the model has a
            valid int8 form and the processor instructions for it, else fp32.
        input_size: size of the network's input, to which images are scaled: ``auto`` for the model's own, or
            ``WIDTHxHEIGHT`` in pixels (or both in a list), multiples of 32. Larger ones find smaller people and take
            longer, in proportion to their area.
        device: what the network runs on: ``cpu``, ``cuda``, ``tensorrt``, ``directml``, ``coreml``, or ``auto``, the
            processor, or the GPU with use_gpu. Paddle has ``cuda`` only, onnxruntime all that its build has.
        detector: a detector of your own in place of a model; `FunctionDetector` makes one of a function. The other
            arguments, ``use_gpu`` and the thresholds of detection then have no effect.

    Raises:
        OptionError: detector lacks a method of `Detector`.
    """

    def __init__(
        self,
        model: str = "auto",
        threads: int | None = None,
        backend: str = "auto",
        precision: str = "auto",
        *,
        input_size: str | Sequence[int] = "auto",
        device: str = "auto",
        detector: Detector | None = None,
    ) -> None:
        if detector is not None:
            check_detector(detector)
        self.model = model
        self.threads = threads
        self.backend = backend
        self.precision = precision
        self.input_size = input_size
        self.device = device
        self.detector = detector
        self._loaded: dict[RuntimeOptions, Model] = {}
        self._loading = threading.Lock()

    def mot_predict(
        self,
        video_stream: str | int | os.PathLike | Source,
        output_dir: str | os.PathLike = "",
        visualization: bool = True,
        draw_threshold: float = 0.5,
        use_gpu: bool = False,
        from_device: bool = False,
        *,
        refine: bool = False,
        scene: SceneLike = None,
        start: str | datetime | None = None,
        interval: float = 60.0,
        language: str = "en",
        trails: float = 0.0,
        anonymise: str | None = None,
        only: int | Sequence[int] | None = None,
        except_: int | Sequence[int] | None = None,
        private: bool = False,
        skip_frames: int = 1,
        frame_rate: float | None = None,
        timeout: float = 10.0,
        max_pixels: int = MAX_PIXELS,
        progress: bool | None = None,
        sinks: Sequence[Sink] = (),
        tracker_config: str | os.PathLike | None = None,
        **options: Any,
    ) -> TrackingResult:
        """Track the people in a video.

        Writes ``OUTPUT_DIR/mot_results/NAME.txt`` and, with visualization, ``OUTPUT_DIR/mot_outputs/NAME_vis.mp4``,
        where NAME is the stem of the video's name, or ``NAME_2`` while another run writes these files.

        Args:
            video_stream: video file, folder of images, glob, MOTChallenge sequence folder, http or rtsp URL; with
                from_device the number of a camera. A source that is open already is read to its end.
            output_dir: folder of the results; '' is the current one.
            visualization: whether to make the annotated video.
            draw_threshold: least score, 0 to 1, of the tracks drawn; the text always has all. The default is the
                model's own score of a high-confidence detection where that is lower.
            use_gpu: run the network on the first GPU.
            from_device: video_stream is a camera of this machine.
            refine: also write ``OUTPUT_DIR/mot_results/NAME_refined.txt``, at the end: tracks of one person are joined,
                short false tracks left out, gaps filled and boxes smoothed.
            scene: lines to count at, zones, regions to leave out: a file such as ``scene.yml``, or the same as a
                mapping. Its answers go to ``OUTPUT_DIR/answers/NAME``, and it is drawn into the video.
            start: clock time of the first frame, such as ``2026-11-27T09:00:00+01:00``; by default now for a live
                source, and unknown for others.
            interval: length of the intervals that crossings are counted by, seconds.
            language: of the report on the scene, ``en`` or ``zh``.
            trails: draw into the video where everybody walked in the last so many seconds.
            anonymise: hide people in every frame before any output gets it: ``head`` or ``body`` in coarse blocks,
                ``solid`` the body in one colour. All detections are hidden, from low scores on, also half a second
                before and after them; with a camera only after.
            only: show these identities of an earlier run, hide everybody else.
            except_: hide these identities, show everybody else.
            private: keep nothing but counts of the scene: no video, no text, no pictures, no report, no identities;
                intervals of a minute or more, and numbers below 3 left out.
            skip_frames: track every N-th frame only, for speed; the video shows no others, the numbers of frames stay
                those of the source.
            frame_rate: frames per second of a source without time stamps, in place of what it states (images: 30). Live
                ones are dated by their arrival, with this as the rate to expect. Videos with time stamps keep them.
            timeout: seconds to wait for a URL; after so many without a picture a camera or stream is lost.
            max_pixels: width times height that a picture may have; larger ones are not decoded.
            progress: show a progress bar; None for when stderr is a terminal.
            sinks: your own outputs, which get every tracked frame, see `tracker.Sink`. They run in the calling thread.
            tracker_config: YAML file of settings as in ``config/tracker.yml``, which take precedence over those there.
            options: thresholds of detection and association, explained in ``config/tracker.yml``, which take precedence
                over tracker_config; and options of `LiveOptions` and its like. docs/python.md explains all.

        Returns:
            The files and figures of the run; iterating it gives the tracks frame by frame.

        Raises:
            OptionError: an option is unknown or out of range.
            SourceError: video_stream cannot be read.
            ModelError: the model cannot be found, downloaded or run.
            OutputError: a result cannot be written, or a sink failed; the results before it are kept.
            KeyboardInterrupt: Ctrl-C; the files are complete to the last finished frame, its ``result`` tells them.
            SystemExit: 143 after SIGTERM, 129 after SIGHUP, likewise.
        """
        asking = (_scene(scene), read_start(start), interval, language, trails, readable_again(video_stream), private)
        outputs = OutputOptions(checked_folder(output_dir), visualization, draw_threshold, refine, *asking)
        check_whole("skip_frames", skip_frames)
        if progress is not None:
            check_flag("progress", progress)
        hiding = read_hiding(anonymise, only, except_)
        job = self._job(outputs, sinks, hiding, use_gpu, refine, tracker_config, options, progress)
        check_flag("from_device", from_device)
        asked = (video_stream, from_device, frame_rate, visualization, timeout, max_pixels, job.live)
        reading = partial(open_source, *asked)
        return self._follow(job, reading, start is None, skip_frames, progress)

    def _follow(
        self, job: Job, reading: Callable[..., Source], begins_now: bool, skip_frames: int, progress: bool | None
    ) -> TrackingResult:
        """Open a source, by `open_source` with what was asked for, and track it."""
        with job.events, self._open(reading, job.events.tell if job.events.wanted else None) as source:
            job.events.camera = source.name
            info = SequenceInfo(source.name, source.frame_rate, skip_frames=skip_frames, first_frame=source.first_frame)
            # a live source needs low latency more than throughput
            job = replace(job, runtime=replace(job.runtime, throughput=not source.live), delay=not source.live)
            if source.live:
                job = replace(job, source=source)
            if source.live and begins_now and job.outputs:
                job = replace(job, outputs=replace(job.outputs, start=datetime.now().astimezone()))
            return track_source(source, self._sequence_run(info, job), progress)

    def _open(self, reading: Callable[..., Source], tell: Tell | None) -> Source:
        return reading(tell=tell)

    def stream_mode(
        self,
        output_dir: str | os.PathLike | None = "",
        visualization: bool = True,
        draw_threshold: float = 0.5,
        use_gpu: bool = False,
        *,
        refine: bool = False,
        scene: SceneLike = None,
        start: str | datetime | None = None,
        interval: float = 60.0,
        language: str = "en",
        trails: float = 0.0,
        anonymise: str | None = None,
        only: int | Sequence[int] | None = None,
        except_: int | Sequence[int] | None = None,
        private: bool = False,
        name: str = "stream",
        frame_rate: float = 30.0,
        sinks: Sequence[Sink] = (),
        tracker_config: str | os.PathLike | None = None,
        **options: Any,
    ) -> StreamTracker:
        """Track images that your program passes one by one or in lists.

            with predictor.stream_mode(output_dir="out") as stream:
                for frame in stream.predict(images):
                    print(frame.frame, frame.ids, frame.boxes)

        Args:
            output_dir: folder of the results; '' is the current one. None writes no file at all.
            visualization: whether to make the annotated video.
            draw_threshold: least score, 0 to 1, of the tracks drawn.
            use_gpu: run the network on the first GPU.
            refine: also write the refined text at the end.
            scene: lines, zones and regions, as for ``mot_predict``.
            start: clock time of the first image, likewise.
            interval: length of the intervals that crossings are counted by, seconds.
            language: of the report on the scene, ``en`` or ``zh``.
            trails: draw into the video where everybody walked in the last so many seconds.
            anonymise: hide people before any output gets the image, as for ``mot_predict`` with a camera.
            only: likewise.
            except_: likewise.
            private: keep nothing but counts, likewise.
            name: name of the sequence, the stem of the files written.
            frame_rate: frames per second of the images; where they are given times, the rate to expect.
            sinks: your own outputs, which get every tracked frame, see `tracker.Sink`.
            tracker_config: YAML file of settings, as for ``mot_predict``.
            options: thresholds of detection and association by name, as for ``mot_predict``.

        Returns:
            The stream, a context manager that closes the files.

        Raises:
            OptionError: an option is unknown or out of range.
            ModelError: the model cannot be found, downloaded or run.
        """
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".", "..") or "\0" in name:
            raise OptionError(f"name must be a plain file name, not {name!r}")
        folder = checked_folder("" if output_dir is None else output_dir)
        asking = (_scene(scene), read_start(start), interval, language, trails)
        outputs = OutputOptions(folder, visualization, draw_threshold, refine, *asking, private=private)
        info = SequenceInfo(name, check_positive("frame_rate", frame_rate))
        written = None if output_dir is None else outputs
        hiding = read_hiding(anonymise, only, except_)
        job = self._job(written, sinks, hiding, use_gpu, refine, tracker_config, options)
        return StreamTracker(self._sequence_run(info, job))

    def change_model(
        self,
        model: str,
        threads: int | None,
        backend: str,
        precision: str,
        input_size: str | Sequence[int] = "auto",
        device: str = "auto",
    ) -> None:
        """Change the model, or how it is run, from the next use on; the arguments are those of the class."""
        chosen = (model, threads, backend, precision, input_size, device)
        if chosen != (self.model, self.threads, self.backend, self.precision, self.input_size, self.device):
            self._loaded = {}
            self.model, self.threads, self.backend, self.precision, self.input_size, self.device = chosen

    def _job(
        self,
        outputs: OutputOptions | None,
        sinks: Sequence[Sink],
        hiding: Hiding | None,
        use_gpu: bool,
        refine: bool,
        tracker_config: str | os.PathLike | None,
        options: dict[str, Any],
        progress: bool | None = None,
    ) -> Job:
        """Check all options, before a camera is opened or a model loaded."""
        groups, others = take_groups(options)
        if outputs:
            outputs = replace(outputs, answers=groups[AnswerOptions])
        thresholds, settings = split(others)
        given = {} if tracker_config is None else read_tracker_file(tracker_config)
        config = TrackerConfig.load(TRACKER_FILE).override(given).choose(settings, refine)
        check_association(config.association)
        size = parse_input_size(self.input_size)
        runtime = RuntimeOptions(
            self.backend, self.precision, use_gpu, self.threads, input_size=size, device=self.device
        )
        if self.detector is None:
            choose_backends(runtime)
        if hiding:
            check_threshold(thresholds.get("score", 0))
        if check_sinks(sinks) and outputs and outputs.private:
            raise OptionError("private gives no pictures and no identities to sinks: leave sinks out")
        if outputs and outputs.private and groups[DeliveryOptions].tells_of_people:
            raise OptionError("private tells nobody of single people: leave events, webhook, mqtt and push out")
        named = frozenset({**given, **settings})
        hub = make_hub(groups[DeliveryOptions])
        return Job(outputs, tuple(sinks), runtime, thresholds, config, named, progress, hiding, False, groups, hub)

    def _sequence_run(self, info: SequenceInfo, job: Job) -> SequenceRun:
        detector = self.detector
        if detector is None:
            detector = self.load_model(job.runtime, job.progress).detector(job.thresholds, remember=True)
        return Assembly(job, info, detector).sequence_run()

    def load_model(self, runtime: RuntimeOptions, progress: bool | None) -> Model:
        """Return the model, loaded once for all that run it in the same way.

        Args:
            runtime: what runs the network, and how.
            progress: whether to show a bar while it is downloaded; None for when stderr is a terminal.

        Raises:
            ModelError: it cannot be found, downloaded or run.
        """
        check_process()  # before the lock, which a fork may have left closed
        name = choose_backends(runtime)[0]
        runtime = replace(runtime, throughput=runtime.throughput and BACKENDS[name].has_throughput_form)
        with self._loading:  # so that threads at the same time load the model once
            if runtime not in self._loaded:
                self._loaded[runtime] = Model(find_model(self.model, progress), runtime)
            return self._loaded[runtime]


def _scene(scene: SceneLike) -> Scene | None:
    return None if scene is None else load_scene(scene)
