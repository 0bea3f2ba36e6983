"""The training loop: the same for every network, on one processor or GPU or on several."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import paddle
from paddle import nn

from tracker.errors import OutputError
from training.checkpoint import MovingAverage, collect, restore, save_arrays
from training.data.batches import Batch
from training.settings import Schedule

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.npz"


class Task(Protocol):
    """A network with its targets and losses."""

    @property
    def layer(self) -> nn.Layer:
        """All that is trained and that a checkpoint holds."""

    def losses(self, batch: Batch) -> dict[str, paddle.Tensor]:
        """Compute the losses of a batch: scalars, of which ``total`` is minimised and the others are for the log."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all trained parameters in groups for a Paddle optimizer.

        The ``learning_rate`` of a group is a factor on the optimizer's own.
        """

    def load(self, path: Path, images: Sequence[np.ndarray]) -> object:
        """Start from trained weights.

        Args:
            path: ``.pdparams``, or ``.npz`` with BatchNorm folded into the convolutions.
            images: Batches [N, H, W, 3] uint8 of network inputs, on which folded weights are made trainable.

        Raises:
            ModelError: The file is damaged or for another network.
        """

    def fit_teacher(self, teacher_embeddings: np.ndarray, batches: Sequence[Batch] = ()) -> None:
        """Prepare for a teacher of embeddings.

        Args:
            teacher_embeddings: [K, T], all embeddings of the teacher.
            batches: Batches to compare the network's own embeddings on; none for a network with random weights.
        """

    def seed(self, numbers: list[int]) -> None:
        """Seed the random numbers of the next step, so that a resumed run draws the same ones."""

    def export_state(self, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Select from a state of ``layer`` what inference needs, by the network's names."""


class Trainer:
    """One process of a run.

    Args:
        task: The network with its losses.
        schedule: How long and how fast to train.
        output: Folder of the checkpoint.
        validate: Called with the averaged state and the number of steps done, by the first process alone.

    Attributes:
        average: Moving average of the weights.
        step: Steps done.
    """

    def __init__(
        self,
        task: Task,
        schedule: Schedule,
        output: Path,
        validate: Callable[[dict[str, np.ndarray], int], None] | None = None,
    ) -> None:
        self.task, self.schedule, self.output, self._validate = task, schedule, output, validate
        self.rank, self.processes = paddle.distributed.get_rank(), paddle.distributed.get_world_size()
        self.optimizer = paddle.optimizer.AdamW(
            learning_rate=schedule.learning_rate,
            parameters=task.parameter_groups(),
            weight_decay=schedule.weight_decay,
            grad_clip=nn.ClipGradByGlobalNorm(schedule.clip),
        )
        self.average = MovingAverage(task.layer, schedule.average)
        self.step = 0

    @property
    def checkpoint(self) -> Path:
        """The file that the run is saved to."""
        return self.output / CHECKPOINT

    def resume(self) -> None:
        """Continue from the checkpoint, if there is one.

        Raises:
            ModelError: The checkpoint is damaged, or of another run.
        """
        if self.checkpoint.is_file():
            self.step = restore(self.checkpoint, self.task.layer, self.average, self.optimizer)
            logger.info("resumed after step %d", self.step)

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            OutputError: The file cannot be written; an earlier one is kept.
        """
        if self.rank == 0:
            save_arrays(self.checkpoint, collect(self.task.layer, self.average, self.optimizer, self.step))

    def run(self, batches: Callable[[int, int], Iterator[Batch]]) -> None:
        """Train from the present step to the schedule's end.

        Args:
            batches: Returns the batches of the steps from a first one up to, and without, a last one.

        Raises:
            OutputError: The last checkpoint cannot be written.
        """
        schedule, progress = self.schedule, _Progress(self.schedule.steps, self.step)
        for batch in batches(self.step, schedule.steps):
            progress.add(self._train(batch), len(batch.images) * self.processes)
            self.step += 1
            if self.rank == 0 and (_due(self.step, schedule.log_every) or self.step == schedule.steps):
                logger.info(progress.line(self.step))
            if _due(self.step, schedule.save_every) and self.step < schedule.steps:
                try:
                    self.save()
                except OutputError as error:
                    logger.warning("%s; training goes on", error)
            if self.rank == 0 and self._validate and _due(self.step, schedule.validate_every):
                self._validate(self.average.arrays(), self.step)
        self.save()

    def _train(self, batch: Batch) -> dict[str, float]:
        self.optimizer.set_lr(self.schedule.rate(self.step))
        self.task.seed([self.step, self.rank])
        losses = self.task.losses(batch)
        losses["total"].backward()
        if self.processes > 1:
            average_between_processes(self.task.layer)
        self.optimizer.step()
        self.optimizer.clear_grad()
        self.average.update()
        return {name: float(value) for name, value in losses.items()}


class _Progress:
    """The mean losses and the speed since the last line of progress."""

    def __init__(self, steps: int, step: int) -> None:
        self._steps = steps
        self._clear()
        self._start, self._first, self._step = time.monotonic(), step, step

    def _clear(self) -> None:
        self._sums: dict[str, float] = {}
        self._images, self._since = 0, time.monotonic()

    def add(self, losses: dict[str, float], images: int) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._images += images

    def line(self, step: int) -> str:
        now = time.monotonic()
        losses = "  ".join(f"{name} {value / (step - self._step):.4f}" for name, value in self._sums.items())
        left = int((now - self._start) / (step - self._first) * (self._steps - step))
        speed = self._images / max(now - self._since, 1e-9)
        eta = f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
        self._step = step
        self._clear()
        return f"step {step}/{self._steps}  {losses}  {speed:.2f} images/s  ETA {eta}"


def average_between_processes(layer: nn.Layer) -> None:
    """Replace gradients and running statistics by their means over all processes, in one exchange.

    Unlike ``paddle.DataParallel`` this averages the statistics of BatchNorm too.

    Args:
        layer: The layer that is trained. A gradient that this process lacks counts as zero.
    """
    trained = [p for p in layer.parameters() if not p.stop_gradient]
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = paddle.zeros_like(parameter)
    # Paddle counts the statistics of BatchNorm among the parameters
    values = [p.grad for p in trained] + [p for p in layer.parameters() if p.stop_gradient]
    with paddle.no_grad():
        flat = paddle.concat([value.reshape([-1]) for value in values])
        paddle.distributed.all_reduce(flat)
        flat = flat / paddle.distributed.get_world_size()
        for value, part in zip(values, paddle.split(flat, [value.size for value in values])):
            value.set_value(part.reshape(value.shape))


def prepare_process(threads: int, spawned: bool) -> None:
    """Set up OpenCV, signals and memory of a process that trains.

    Args:
        threads: Threads of OpenCV; Paddle's are set by ``OMP_NUM_THREADS`` before it is imported.
        spawned: Whether another process started this one and waits for it. It then ends when that one is killed.
    """
    import cv2

    cv2.setNumThreads(threads)
    if spawned and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    # keep freed memory: to return and to request it in every step takes a tenth of the time
    if os.name == "posix":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            for setting, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**26)):  # mmap_max, trim_threshold, top_pad
                library.mallopt(setting, value)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
