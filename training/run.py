"""A whole run: data, teachers, network, schedule, validation and export, put together from its settings."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import paddle
import yaml

from tracker.errors import ModelError, OptionError, OutputError, TrackingError
from tracker.settings.checks import check_whole
from training.data.batches import BatchStream
from training.data.readers import open_dataset
from training.settings import TrainSettings
from training.teachers import TaughtCrops, TaughtDataset, Teachers
from training.trainer import Task, Trainer, prepare_process

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Data:
    """Datasets with their weights, as the teachers left them."""

    frames: list[tuple[TaughtDataset, float]]
    crops: list[tuple[TaughtCrops, float]]

    @property
    def vectors(self) -> np.ndarray:
        """[K, T] all embeddings of the teacher."""
        return np.concatenate([dataset.vectors for dataset, _ in (*self.frames, *self.crops)])


def open_data(settings: TrainSettings, cache: Path, threads: int) -> Data:
    """Open the data and have the teachers look at it, if they have not yet.

    Args:
        settings: of the run.
        cache: folder of the teachers' answers.
        threads: for the teachers.

    Raises:
        DataError: a folder is missing, or holds nothing that can be read.
        ModelError: a teacher cannot be loaded.
    """
    # all are opened before the teachers begin, who take their time
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
    """The task of the configured network, with fresh weights.

    Raises:
        OptionError: the network's configuration cannot be used.
    """
    path = model_config(settings)
    try:
        architecture = yaml.safe_load(path.read_text())["architecture"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise OptionError(f"{path} is no model configuration: {' '.join(str(error).split())}") from error
    if architecture == "CompactJDE":
        from training.tasks.compact_task import CompactTask

        return CompactTask(path, dict(settings.task), stream.identities, stream.vectors)
    if architecture == "JDE":
        from training.tasks.full_task import FullTask

        return FullTask(path, dict(settings.task), stream.identities)
    raise OptionError(f"{path} asks for architecture {architecture!r}; known are CompactJDE, JDE")


def model_config(settings: TrainSettings) -> Path:
    """The network's configuration: a path, or the name of one in ``config/``."""
    path = Path(settings.model)
    return path if path.is_file() else ROOT / "config" / settings.model


def train(settings: TrainSettings, output: Path, processes: int = 1, use_gpu: bool = False) -> None:
    """Train, from the last checkpoint on if there is one, and export what was learnt to ``output``/model.

    Arguments and errors as of `learn`.
    """
    learn(settings, output, processes, use_gpu)
    export(model_config(settings), output / "model.pdparams", output / "model")


def learn(settings: TrainSettings, output: Path, processes: int = 1, use_gpu: bool = False) -> None:
    """Train, from the last checkpoint on if there is one, and write what was learnt to ``output``/model.pdparams.

    Args:
        settings: of the run.
        output: folder of checkpoint, teachers' answers and results.
        processes: that train together, each with ``settings.batch`` images a step.
        use_gpu: one GPU for each process.

    Raises:
        TrackingError: data, teacher, weights or configuration cannot be used, or the results not be written.
    """
    check_whole("processes", processes)
    if use_gpu and not (paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() >= processes):
        raise ModelError(f"use_gpu needs the GPU build of Paddle, and a GPU for each of the {processes} processes")
    threads = max(1, (os.cpu_count() or 1) // processes)
    open_data(settings, output / "teachers", threads)  # mistakes show before all else, teachers look once
    if processes == 1:
        run_process(settings, output, use_gpu, threads)
    else:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        mistakes = multiprocessing.get_context("spawn").SimpleQueue()
        try:
            paddle.distributed.spawn(
                _run_one_of_several,
                args=(settings, output, use_gpu, threads, mistakes),
                nprocs=processes,
                backend="nccl" if use_gpu else "gloo",
            )
        except Exception:  # Paddle's own has no other name
            if mistakes.empty():
                raise
            raise mistakes.get() from None


def _run_one_of_several(
    settings: TrainSettings, output: Path, use_gpu: bool, threads: int, mistakes: multiprocessing.SimpleQueue
) -> None:
    """As `run_process`; what it raises for users to read is also put where the first process finds it."""
    try:
        run_process(settings, output, use_gpu, threads)
    except TrackingError as error:
        mistakes.put(error)
        raise


def run_process(settings: TrainSettings, output: Path, use_gpu: bool, threads: int) -> None:
    """What one process does; arguments as of `train`."""
    paddle.set_device("gpu" if use_gpu else "cpu")
    paddle.distributed.init_parallel_env()
    rank = paddle.distributed.get_rank()
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    prepare_process(threads, started=paddle.distributed.get_world_size() > 1)
    paddle.seed(settings.seed)
    data = open_data(settings, output / "teachers", threads)
    streams = [
        BatchStream(data.frames, data.crops, settings.augment, settings.sizes, settings.batch, settings.seed, number)
        for number in (0, rank)
    ]
    task = make_task(settings, streams[1])
    checks = partial(validate, task, settings, output) if settings.data.validation else None
    trainer = Trainer(task, settings.schedule, output, checks)
    if trainer.checkpoint.is_file():
        trainer.resume()
    else:
        # the same ones in every process: what is measured on them is set into the weights
        batches = [streams[0].batch(step) for step in range(4)] if settings.pretrain_weights else []
        if settings.pretrain_weights:
            task.load(Path(settings.pretrain_weights), [batch.images for batch in batches])
        task.fit_teacher(data.vectors, batches)
        trainer.average.reset()
    trainer.run(streams[1].batches)
    if rank == 0:
        save_parameters(task.export_state(trainer.average.arrays()), output / "model.pdparams")


def save_parameters(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write a ``.pdparams`` file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        paddle.save({name: paddle.to_tensor(value) for name, value in arrays.items()}, str(part))
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"cannot save {path}: {error.strerror or error}") from error


def export(config: Path, weights: Path, folder: Path) -> None:
    """Make an inference folder, in a process of its own: Paddle's older program format must be chosen at its start.

    Raises:
        ModelError: it cannot be made.
    """
    _run_tool("export_model.py", "-c", config, "--weights", weights, "--output", folder)


def validate(task: Task, settings: TrainSettings, output: Path, state: dict[str, np.ndarray], step: int) -> None:
    """Track the held-back sequences with the weights as they are, and log how well; a failure is logged, too."""
    try:
        with tempfile.TemporaryDirectory(prefix="validation.", dir=output) as scratch:
            weights, folder = Path(scratch) / "model.pdparams", Path(scratch) / "model"
            save_parameters(task.export_state(state), weights)
            export(model_config(settings), weights, folder)
            report = _run_tool("eval_model.py", "--model", folder, "--sequences", *settings.data.sequences())
    except (ModelError, OutputError, OSError) as error:
        logger.warning("step %d cannot be validated: %s", step, error)
        return
    logger.info("validation after step %d:\n%s", step, report.rstrip())


def _run_tool(name: str, *arguments: object) -> str:
    command: Sequence[str] = [sys.executable, str(ROOT / "tools" / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ModelError(f"tools/{name} failed: {reason.removeprefix('error: ')}")
    return done.stdout
