"""What runs an inference model folder: one interface, and the choice among the backends behind it."""

from __future__ import annotations

import importlib.util
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from .config import ModelConfig
from .errors import ModelError, OptionError

logger = logging.getLogger(__name__)

BACKENDS = ("auto", "paddle", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "int8")
OPENVINO_ONLY = ("bf16", "int8")  # of them
OPENVINO = "openvino>=2025.4,<2027"  # as in requirements.txt
MOST_THREADS = 1024  # Paddle takes no larger numbers for long


def default_threads() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_threads(threads: int | None) -> int:
    """The number of threads to use: the given one, or for None that of the cores.

    Raises:
        OptionError: it is not a positive integer.
    """
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise OptionError(f"threads must be a positive integer, not {threads!r}")
    return min(threads or default_threads(), MOST_THREADS)


class Network(ABC):
    """A model folder ready to run. Safe to share between threads.

    Attributes:
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``.
        config: the contents of its ``infer_cfg.yml``.
        description: backend and precision that run, such as ``paddle fp32``.
        passes: forward passes that are worth having under way at once, see `start`.
    """

    folder: Path
    config: ModelConfig
    description: str
    passes: int = 1

    @abstractmethod
    def _forward(self, graph: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Outputs of the graph ``model`` or ``embed``, in the order it was exported with.

        The arrays belong to the caller: a later pass does not write into them.

        Args:
            graph: ``model`` or ``embed``.
            inputs: of ``model`` the pixels, see `run`; of ``embed`` contiguous float32 arrays in the order of its
                inputs.

        Raises:
            ModelError: the graph takes no such inputs.
        """

    def _start(self, pixels: np.ndarray) -> Callable[[], list[np.ndarray]]:
        """Begin a pass of ``model``; what is returned waits for its outputs. Here, for backends that take one pass at a
        time, it is done at once."""
        outputs = self._forward("model", [pixels])
        return lambda: outputs

    def start(self, pixels: np.ndarray) -> Callable[[], list[np.ndarray]]:
        """Begin a forward pass.

        Args:
            pixels: [1, H, W, 3] uint8, letterboxed; the backend makes floats of them. They must stay as they are until
                the pass is done.

        Returns:
            Waits for the pass, to be called once, by any thread: gives what `run` gives, and raises what it raises.

        Raises:
            ModelError: the graph takes no such input.
        """
        wait = self._start(pixels)

        def maps() -> list[np.ndarray]:
            outputs = wait()
            self._check_shapes(pixels.shape[1:3], [output.shape for output in outputs])
            return outputs

        return maps

    def run(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Forward pass.

        Args:
            pixels: [1, H, W, 3] uint8, letterboxed; the backend makes floats of them.

        Returns:
            Detection maps [1, A * 6, h, w] of all levels in the order of ``infer_cfg.yml``, then the feature maps
            [1, C, h, w], if embeddings are read from any. They are the caller's to keep.

        Raises:
            ModelError: the graph takes no such input, or gives maps of other sizes.
        """
        return self.start(pixels)()

    def embed(self, rows: list[np.ndarray]) -> np.ndarray:
        """Embeddings [K, D] float32, not yet of length 1, of groups of rows [K_i, R_i]; K is the sum of the K_i.

        Raises:
            ModelError: the graph takes no such rows, or makes another number of embeddings of them.
        """
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
        expected = [(level.stride, 6 * len(level.anchors)) for level in self.config.levels]
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
    """The next number, from 1 on, that is a power of two or halfway to the next one."""
    power = 1 << max(0, count - 1).bit_length()
    return power * 3 // 4 if power >= 4 and count <= power * 3 // 4 else power


def _with_rows(group: np.ndarray, count: int) -> np.ndarray:
    """The group [K, R] as contiguous float32, with rows of zeros up to a count of at least K."""
    if len(group) == count:
        return np.ascontiguousarray(group, dtype=np.float32)
    longer = np.zeros((count, group.shape[1]), np.float32)
    longer[: len(group)] = group
    return longer


def choose_backends(backend: str = "auto", precision: str = "auto", use_gpu: bool = False) -> tuple[str, ...]:
    """The backends to try, the fastest first; nothing is loaded.

    Args:
        backend: one of BACKENDS. ``auto`` is the fastest one installed.
        precision: one of PRECISIONS. ``auto`` is int8 in OpenVINO where the folder has an int8 model of this graph
            (tools/quantize.py makes it) and the processor instructions for it, else fp32: bf16 rounds more, and was
            slower on the processor measured, which has AVX-512 BF16 but no AMX.
        use_gpu: run on the first GPU, which only Paddle does.

    Raises:
        OptionError: one of them is unknown, or they do not go together.
        ModelError: the package of the backend is not installed.
    """
    for name, value, known in (("backend", backend, BACKENDS), ("precision", precision, PRECISIONS)):
        if value not in known:
            raise OptionError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    if backend == "openvino" and use_gpu:
        raise OptionError("backend openvino runs on the processor: leave use_gpu off, or take backend paddle")
    if precision in OPENVINO_ONLY and (backend == "paddle" or use_gpu):
        raise OptionError(f"precision {precision} needs backend openvino without use_gpu: take that, or precision fp32")
    if backend == "paddle" or use_gpu:
        return ("paddle",)
    wanted = backend == "openvino" or precision in OPENVINO_ONLY
    if importlib.util.find_spec("openvino") is None:
        if wanted:
            raise ModelError(missing_openvino("is not installed"))
        return ("paddle",)
    return ("openvino",) if wanted else ("openvino", "paddle")


def missing_openvino(reason: str) -> str:
    """One sentence for who asked for OpenVINO and has none that works."""
    return f"backend openvino needs the package openvino, which {reason}: pip install '{OPENVINO}'"


def open_network(
    folder: Path,
    config: ModelConfig,
    backend: str = "auto",
    precision: str = "auto",
    use_gpu: bool = False,
    threads: int | None = None,
    several: bool = False,
) -> Network:
    """Load a model folder into a backend.

    Args:
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``; ``model_int8.*``, if
            any, beside them.
        config: the contents of its ``infer_cfg.yml``.
        backend, precision, use_gpu: see `choose_backends`. With ``auto`` a graph that OpenVINO cannot run goes to
            Paddle, with a warning.
        threads: processor threads; None for all cores.
        several: have more than one pass under way where more images are done so; a single one takes longer then.

    Raises:
        ModelError: the folder holds no usable model, or none in int8 where that is asked for, the backend is not
            installed, or there is no GPU for Paddle.
        OptionError: a choice is unknown or fits no other, or threads is not a positive integer.
    """
    names = choose_backends(backend, precision, use_gpu)
    threads = check_threads(threads)
    check_files(folder, ("model", "embed"))
    # each brings in a large package that the other does without
    if names[0] == "openvino":
        from .openvino_network import OpenVINONetwork

        try:
            return OpenVINONetwork(folder, config, precision, threads, several)
        except ModelError as error:
            if "paddle" not in names:
                raise
            logger.warning("%s; using backend paddle instead", error)
    from .paddle_network import PaddleNetwork

    return PaddleNetwork(folder, config, use_gpu, threads)


def check_files(folder: Path, graphs: Iterable[str]) -> None:
    """Raises a ModelError for a graph whose program or parameters are not in the folder."""
    for graph in graphs:
        for name in (f"{graph}.pdmodel", f"{graph}.pdiparams"):
            if not (folder / name).is_file():
                raise ModelError(f"{folder} is no model folder: {name} is missing")
