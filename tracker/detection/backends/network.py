"""The interface of all backends: what runs an inference model folder."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import ModelError
from ...settings.model import ModelConfig
from ...settings.runtime import RuntimeOptions

MOST_THREADS = 1024  # Paddle takes no larger numbers for long


def default_threads() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use: the given one, or for None `default_threads`."""
    return min(threads or default_threads(), MOST_THREADS)


@lru_cache(maxsize=1)
def _first_process() -> int:
    """Return the number of the process that was the first to ask; one forked from it inherits the answer."""
    return os.getpid()


def check_process() -> None:
    """Check that this process was not forked from one that had used a network.

    Backends keep threads, and locks for them. A forked process has the locks without the threads, and waits for ever.

    Raises:
        ModelError: it was.
    """
    if _first_process() != os.getpid():
        raise ModelError(
            "this process was forked from one that had used a model, which cannot be used in it: "
            "start processes with multiprocessing.set_start_method('spawn'), or fork before the first use"
        )


class BackendError(ModelError):
    """A backend does not work on this machine, whatever the model; another one may."""


class Network(ABC):
    """A model folder ready to run. Safe to share between threads.

    A new backend is a class of this kind in a file of its own, and an entry in `choice.BACKENDS`. It imports its
    package where a network is opened, not before.

    Args:
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``.
        config: the contents of its ``infer_cfg.yml``.
        runtime: precision, device and threads to use; None for the usual ones.

    Attributes:
        package: Python package of the backend, as it is imported.
        requirement: what pip installs it by, as in requirements.txt.
        precisions: number formats that it computes in.
        devices: what it can run on, of `DEVICES`.
        has_throughput_form: whether a network opened for throughput differs from one opened for latency.
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``.
        config: the contents of its ``infer_cfg.yml``.
        description: backend and precision that run, such as ``paddle fp32``.
        max_in_flight: forward passes that are worth having under way at once, see `start`.
    """

    package: str
    requirement: str
    precisions: tuple[str, ...] = ("fp32",)
    devices: tuple[str, ...] = ("cpu",)
    has_throughput_form: bool = False

    folder: Path
    config: ModelConfig
    description: str
    max_in_flight: int = 1

    @abstractmethod
    def __init__(self, folder: Path, config: ModelConfig, runtime: RuntimeOptions | None = None) -> None: ...

    @classmethod
    def missing(cls, reason: str) -> str:
        """Return one sentence for whoever asked for this backend and has no package of it that works."""
        return f"backend {cls.package} needs the package {cls.package}, which {reason}: pip install '{cls.requirement}'"

    @abstractmethod
    def _forward(self, graph: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Run the graph ``model`` or ``embed``; return its outputs in the order it was exported with.

        The arrays belong to the caller: a later pass does not write into them.

        Args:
            graph: ``model`` or ``embed``.
            inputs: of ``model`` the pixels, see `run`; of ``embed`` contiguous float32 arrays in the order of its
                inputs.

        Raises:
            ModelError: the graph takes no such inputs.
        """

    def _start(self, pixels: np.ndarray) -> Callable[[], list[np.ndarray]]:
        """Begin a pass of ``model``; what is returned waits for its outputs.

        Here, for backends that take one pass at a time, it is done at once.
        """
        outputs = self._forward("model", [pixels])
        return lambda: outputs

    def start(self, pixels: np.ndarray) -> Callable[[], list[np.ndarray]]:
        """Begin a forward pass.

        Args:
            pixels: [1, H, W, 3] uint8, letterboxed; the backend makes floats of them. They must stay as they are until
                the pass is done.

        Returns:
            A function that waits for the pass, to be called once, by any thread: it returns what `run` returns, and
            raises what it raises.

        Raises:
            ModelError: the graph takes no such input, or this process was forked after the first use of a network.
        """
        check_process()
        wait = self._start(pixels)

        def maps() -> list[np.ndarray]:
            outputs = wait()
            _, height, width, _ = pixels.shape
            self._check_shapes((height, width), [output.shape for output in outputs])
            return outputs

        return maps

    def run(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Run a forward pass.

        Args:
            pixels: [1, H, W, 3] uint8, letterboxed; the backend makes floats of them.

        Returns:
            Detection maps [1, A * 6, h, w] of all levels in the order of ``infer_cfg.yml``, then the feature maps
            [1, C, h, w], if embeddings are read from any. They are the caller's to keep.

        Raises:
            ModelError: as `start`, or the maps have other sizes.
        """
        return self.start(pixels)()

    def embed(self, rows: list[np.ndarray]) -> np.ndarray:
        """Compute embeddings, not yet of length 1.

        Args:
            rows: the inputs of the embedding graph: groups [K_i, R_i] float32.

        Returns:
            [K, D] float32; K is the sum of the K_i.

        Raises:
            ModelError: the graph takes no such rows, or makes another number of embeddings of them, or this process was
                forked after the first use of a network.
        """
        check_process()
        # the backends keep some memory for every number of rows they have met: of these there are few
        sent = [_with_rows(group, _usual(len(group))) for group in rows]
        (embeddings,) = self._forward("embed", sent)
        shape = (sum(map(len, sent)), self.config.embedding.dimension)
        if embeddings.shape != shape:  # rows of another grid may happen to be cut into whole ones
            raise ModelError(
                f"{self.folder} gives embeddings of shape {embeddings.shape} where infer_cfg.yml needs {shape}: "
                "export the model again"
            )
        keep = np.concatenate([np.arange(len(after)) < len(before) for before, after in zip(rows, sent)])
        return embeddings[keep]

    def _check_count(self, found: int) -> None:
        expected = len(self.config.levels) + len(self.config.feature_strides)
        if found != expected:
            raise ModelError(
                f"{self.folder} gives {found} maps where infer_cfg.yml needs {expected}: export the model again"
            )

    def _check_shapes(self, size: tuple[int, int], maps: list[tuple[int, ...]]) -> None:
        height, width = size
        expected: list[tuple[int, ...]] = [(level.stride, 6 * len(level.anchors)) for level in self.config.levels]
        # a feature map has as many channels as it likes
        features = zip(self.config.feature_strides, maps[len(expected) :])
        expected += [(stride, *found[1:2]) for stride, found in features]
        for (stride, *channels), found in zip(expected, maps):
            shape = (1, *channels, height // stride, width // stride)
            if found != shape:
                raise ModelError(
                    f"{self.folder} gives a map of shape {found} at stride {stride} "
                    f"where infer_cfg.yml needs {shape}: export the model again"
                )


def _usual(count: int) -> int:
    """Return the next number, from 1 on, of whole eighths of the next power of two: 1 to 8, 10, 12, 14, 16, 20, ..."""
    step = 1 << max(0, (count - 1).bit_length() - 3)
    return max(1, -(-count // step) * step)


def _with_rows(group: np.ndarray, count: int) -> np.ndarray:
    """Return a group [K, R] as contiguous float32, with rows of zeros up to a count of at least K."""
    if len(group) == count:
        return np.ascontiguousarray(group, dtype=np.float32)
    longer = np.zeros((count, group.shape[1]), np.float32)
    longer[: len(group)] = group
    return longer


def check_files(folder: Path, graphs: Iterable[str]) -> None:
    """Check that the programs and parameters of graphs are in a folder.

    Raises:
        ModelError: one is missing.
    """
    for graph in graphs:
        for name in (f"{graph}.pdmodel", f"{graph}.pdiparams"):
            if not (folder / name).is_file():
                raise ModelError(f"{folder} is no model folder: {name} is missing")


def to_floats(pixels: np.ndarray, scale: float, out: np.ndarray | None = None) -> np.ndarray:
    """Convert letterboxed pixels [1, H, W, 3] uint8 to [1, 3, H, W] float32, times the scale of the config."""
    return np.multiply(pixels.transpose(0, 3, 1, 2), np.float32(scale), out=out, order="C")


def first_line(error: BaseException) -> str:
    """Return the first line of what a runtime says of an error, or the kind of error where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
