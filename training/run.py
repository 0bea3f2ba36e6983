"""A whole run: data, teachers, network, schedule, validation and export, put together from its settings."""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import paddle
import yaml

from tracker.errors import ModelError, OptionError, TrackingError
from tracker.evaluation import validation
from tracker.models.export import export_in_child
from tracker.settings.checks import check_whole
from training.checkpoint import save_parameters
from training.data.batches import BatchStream
from training.data.readers import open_dataset
from training.settings import TrainSettings
from training.teachers.answers import TaughtCrops, TaughtDataset, Teachers
from training.trainer import Task, Trainer, prepare_process

logger = logging.getLogger(__name__)

CONFIG_FOLDER = Path(__file__).resolve().parent.parent / "config"


@dataclass(frozen=True)
class Data:
    """The datasets of a run with the teachers' answers.

    Attributes:
        frames: Datasets of images with boxes, and how often each is drawn against the others.
        crops: Datasets of crops of one person each, likewise.
    """

    frames: list[tuple[TaughtDataset, float]]
    crops: list[tuple[TaughtCrops, float]]

    @property
    def teacher_embeddings(self) -> np.ndarray:
        """[K, T] float16, all embeddings of the teacher."""
        return np.concatenate([dataset.teacher_embeddings for dataset, _ in (*self.frames, *self.crops)])


def open_data(settings: TrainSettings, cache: Path, threads: int) -> Data:
    """Open the datasets, and run the teachers on those that they have not seen yet.

    Args:
        settings: Settings of the run.
        cache: Folder of the teachers' answers.
        threads: Processor threads of the teachers.

    Raises:
        DataError: A folder is missing, or holds nothing that can be read.
        ModelError: A teacher cannot be loaded.
    """
    # all datasets are opened before the teachers run, which takes long
    opened = {
        name: [(open_dataset(entry), str(Path(entry["path"]).resolve()), weight) for entry, weight in entries]
        for name, entries in ((name, settings.data.entries(name)) for name in ("frames", "crops"))
    }
    teachers = Teachers(settings.teachers, cache, threads)
    return Data(
        [(teachers.teach(dataset, origin), weight) for dataset, origin, weight in opened["frames"]],
        [(teachers.teach_crops(crops, origin), weight) for crops, origin, weight in opened["crops"]],
    )


def make_task(settings: TrainSettings, stream: BatchStream) -> Task:
    """Make the task of the configured network, with random weights.

    Args:
        settings: Settings of the run.
        stream: The batches to train on; how many identities they have, and how long a teacher embedding is.

    Raises:
        OptionError: The network's configuration or a setting of the task cannot be used.
    """
    path = model_config(settings)
    try:
        architecture = yaml.safe_load(path.read_text())["architecture"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise OptionError(f"{path} is not a model configuration: {' '.join(str(error).split())}") from error
    if architecture == "CompactJDE":
        from training.tasks.compact_task import CompactTask

        return CompactTask(path, settings.task, stream.identities, stream.teacher_dimension)
    if architecture == "JDE":
        from training.tasks.full_task import FullTask

        return FullTask(path, settings.task, stream.identities)
    raise OptionError(f"{path} asks for architecture {architecture!r}; known are CompactJDE, JDE")


def model_config(settings: TrainSettings) -> Path:
    """Return the network's configuration: the path in the settings, or the file of that name in ``config/``."""
    path = Path(settings.model)
    return path if path.is_file() else CONFIG_FOLDER / settings.model


def train(settings: TrainSettings, output: Path, processes: int = 1, use_gpu: bool = False) -> None:
    """Train a network, and export it to the inference folder ``output``/model.

    Args:
        settings: Settings of the run.
        output: Folder of checkpoint, teachers' answers and results. A checkpoint in it is resumed.
        processes: Processes that train together, each with ``settings.batch`` images a step.
        use_gpu: Whether to train on GPUs, one for each process.

    Raises:
        TrackingError: Data, teacher, weights or settings cannot be used, or the results cannot be written.
    """
    train_weights(settings, output, processes, use_gpu)
    export_in_child(model_config(settings), output / "model.pdparams", output / "model")


def train_weights(settings: TrainSettings, output: Path, processes: int = 1, use_gpu: bool = False) -> None:
    """Train a network, and write its weights to ``output``/model.pdparams.

    Args:
        settings: Settings of the run.
        output: Folder of checkpoint, teachers' answers and results. A checkpoint in it is resumed.
        processes: Processes that train together, each with ``settings.batch`` images a step.
        use_gpu: Whether to train on GPUs, one for each process.

    Raises:
        TrackingError: Data, teacher, weights or settings cannot be used, or the results cannot be written.
    """
    check_whole("processes", processes)
    if use_gpu and not (paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() >= processes):
        raise ModelError(f"use_gpu needs the GPU build of Paddle, and a GPU for each of the {processes} processes")
    threads = max(1, (os.cpu_count() or 1) // processes)
    open_data(settings, output / "teachers", threads)  # shows mistakes at once, and fills the cache for all processes
    if processes == 1:
        run_process(settings, output, use_gpu, threads)
    else:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        errors = multiprocessing.get_context("spawn").SimpleQueue()
        try:
            paddle.distributed.spawn(
                _run_spawned_process,
                args=(settings, output, use_gpu, threads, errors),
                nprocs=processes,
                backend="nccl" if use_gpu else "gloo",
            )
        except Exception:  # spawn raises no narrower class
            if errors.empty():
                raise
            raise errors.get() from None


def _run_spawned_process(
    settings: TrainSettings, output: Path, use_gpu: bool, threads: int, errors: multiprocessing.SimpleQueue
) -> None:
    try:
        run_process(settings, output, use_gpu, threads)
    except TrackingError as error:
        errors.put(error)  # the first process gets only the text of a traceback otherwise
        raise


def run_process(settings: TrainSettings, output: Path, use_gpu: bool, threads: int) -> None:
    """Train as one process of a run; the first one of them writes the weights.

    Args:
        settings: Settings of the run.
        output: Folder of checkpoint, teachers' answers and results.
        use_gpu: Whether to train on a GPU.
        threads: Processor threads of this process.

    Raises:
        TrackingError: Data, teacher, weights or settings cannot be used, or the results cannot be written.
    """
    paddle.set_device("gpu" if use_gpu else "cpu")
    paddle.distributed.init_parallel_env()
    rank = paddle.distributed.get_rank()
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    prepare_process(threads, spawned=paddle.distributed.get_world_size() > 1)
    paddle.seed(settings.seed)
    data = open_data(settings, output / "teachers", threads)
    streams = [
        BatchStream(data.frames, data.crops, settings.augment, settings.sizes, settings.batch, settings.seed, number)
        for number in (0, rank)
    ]
    task = make_task(settings, streams[1])
    trainer = Trainer(
        task,
        settings.schedule,
        output,
        partial(log_validation, task, settings, output) if settings.data.validation else None,
    )
    if trainer.checkpoint.is_file():
        trainer.resume()
    else:
        # the same batches in every process: what is measured on them becomes part of the weights
        batches = [streams[0].batch(step) for step in range(4)] if settings.pretrain_weights else []
        if settings.pretrain_weights:
            task.load(Path(settings.pretrain_weights), [batch.images for batch in batches])
        task.fit_teacher(data.teacher_embeddings, batches)
        trainer.average.reset()
    trainer.run(streams[1].batches)
    if rank == 0:
        save_parameters(task.export_state(trainer.average.arrays()), output / "model.pdparams")


def log_validation(
    task: Task, settings: TrainSettings, output: Path, state: Mapping[str, np.ndarray], step: int
) -> None:
    """Track the validation sequences with weights as they are now, and log the scores.

    A failure is logged as well, and does not end the run.

    Args:
        task: The task that is trained.
        settings: Settings of the run.
        output: Existing folder, for temporary files.
        state: Names and arrays of ``task.layer``.
        step: Steps done, for the log.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="validation.", dir=output) as scratch:
            weights, folder = Path(scratch) / "model.pdparams", Path(scratch) / "model"
            save_parameters(task.export_state(state), weights)
            export_in_child(model_config(settings), weights, folder)
            # in a process of its own, so that what inference sets up in Paddle does not reach training
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as worker:
                scored = worker.submit(validation.validate, folder, settings.data.sequences())
                error = scored.exception()
    except (TrackingError, OSError) as failure:
        error = failure
    if error is not None:
        unexpected = None if isinstance(error, (TrackingError, OSError)) else error  # with its traceback
        logger.warning("step %d cannot be validated: %s", step, error, exc_info=unexpected)
        return
    result = scored.result()
    lines = [f"{scores.name}: {scores}" for scores in (*result.sequences, result.overall)]
    logger.info("validation after step %d:\n%s", step, "\n".join(lines))
