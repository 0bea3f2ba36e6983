"""The training loop: the same for every network, on one processor or GPU or on several."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import paddle
from paddle import nn

from tracker.errors import OutputError
from tracker.settings.checks import check_number, check_positive, check_whole
from training.checkpoint import MovingAverage, collect, restore, save_arrays
from training.data.batches import Batch

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.npz"


class Task(Protocol):
    """A network and what it learns."""

    layer: nn.Layer

    def losses(self, batch: Batch) -> dict[str, paddle.Tensor]: ...

    def parameter_groups(self, learning_rate: float) -> list[dict]: ...

    def load(self, path: Path, images: Sequence[np.ndarray]) -> None: ...

    def fit_teacher(self, vectors: np.ndarray, batches: Sequence[Batch] = ()) -> None: ...

    def seed(self, numbers: list[int]) -> None: ...

    def export_state(self, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True)
class Schedule:
    """How long and how fast is learnt.

    Attributes:
        steps: of the whole run.
        learning_rate: the largest.
        warmup: steps in which it rises to that, in a line; then it falls along a cosine.
        final: the last learning rate as a part of the largest.
        weight_decay: of weights, not of biases and norms.
        clip: largest norm of all gradients together.
        average: decay of the moving average of the weights.
        log_every, save_every, validate_every: steps between lines of progress, checkpoints, validations; 0 never.
    """

    steps: int
    learning_rate: float = 1e-3
    warmup: int = 200
    final: float = 0.02
    weight_decay: float = 5e-4
    clip: float = 10.0
    average: float = 0.998
    log_every: int = 20
    save_every: int = 200
    validate_every: int = 0

    def __post_init__(self) -> None:
        check_whole("schedule.steps", self.steps)
        check_positive("schedule.learning_rate", self.learning_rate)
        check_positive("schedule.clip", self.clip)
        for name in ("warmup", "weight_decay", "log_every", "save_every", "validate_every"):
            check_number(f"schedule.{name}", getattr(self, name), 0)
        for name in ("final", "average"):
            check_number(f"schedule.{name}", getattr(self, name), 0, 1)

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.learning_rate * (self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2)


class Trainer:
    """One process of a run.

    Args:
        task: what is learnt.
        schedule: how.
        output: folder of the checkpoint.
        validate: called with the averaged state after some steps, by the first process alone.
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
            parameters=task.parameter_groups(schedule.learning_rate),
            weight_decay=schedule.weight_decay,
            grad_clip=nn.ClipGradByGlobalNorm(schedule.clip),
        )
        self.average = MovingAverage(task.layer, schedule.average)
        self.step = 0

    @property
    def checkpoint(self) -> Path:
        """Where the run is saved."""
        return self.output / CHECKPOINT

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one.

        Raises:
            ModelError: it is not whole, or of another run.
        """
        if self.checkpoint.is_file():
            self.step = restore(self.checkpoint, self.task.layer, self.average, self.optimizer)
            logger.info("resumed after step %d", self.step)

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            OutputError: it cannot be written; an earlier one is still whole.
        """
        if self.rank == 0:
            save_arrays(self.checkpoint, collect(self.task.layer, self.average, self.optimizer, self.step))

    def run(self, batches: Callable[[int, int], Iterator[Batch]]) -> None:
        """Learn until the schedule's end, from wherever the run is.

        Args:
            batches: from one step to another.

        Raises:
            OutputError: the last checkpoint cannot be written.
        """
        schedule, progress = self.schedule, _Progress(self.schedule.steps, self.step)
        for batch in batches(self.step, schedule.steps):
            progress.add(self._learn(batch), len(batch.images) * self.processes)
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

    def _learn(self, batch: Batch) -> dict[str, float]:
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
    """Means of losses and speed since the last line."""

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

    Gradients that a process lacks count as zero. Unlike ``paddle.DataParallel`` this keeps the statistics in step too.
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


def prepare_process(threads: int, started: bool) -> None:
    """Set up a process that trains on a processor.

    Args:
        threads: for OpenCV; Paddle's are set by ``OMP_NUM_THREADS`` before it is imported.
        started: by another one, that waits for it: it must not go on alone when that one is killed.
    """
    import cv2

    cv2.setNumThreads(threads)
    if started and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    # keep freed memory: giving it back and getting it anew every step takes a tenth of the time
    if os.name == "posix":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            for setting, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**26)):  # mmap_max, trim_threshold, top_pad
                library.mallopt(setting, value)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
