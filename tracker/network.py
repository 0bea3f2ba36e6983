"""An inference model folder run by a backend: network input to raw maps, gathered rows to embeddings."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .config import ModelConfig
from .errors import ModelError, OptionError

# what Paddle's C++ exceptions arrive as
PADDLE_ERRORS = (RuntimeError, ValueError, MemoryError)


MOST_THREADS = 1024  # Paddle takes no larger numbers for long


def default_threads() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PaddleNetwork:
    """A model folder in paddle.inference: oneDNN on the processor, CUDA on a GPU. Safe to share between threads.

    Args:
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``.
        config: the contents of its ``infer_cfg.yml``.
        use_gpu: run on the first GPU.
        threads: processor threads; None for all cores.

    Raises:
        ModelError: the folder holds no usable model, or there is no GPU for Paddle.
        OptionError: threads is not a positive integer.
    """

    def __init__(self, folder: Path, config: ModelConfig, use_gpu: bool = False, threads: int | None = None) -> None:
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise OptionError(f"threads must be a positive integer, not {threads!r}")
        threads = min(threads or default_threads(), MOST_THREADS)
        self.folder = folder
        self.config = config
        if use_gpu:
            _require_gpu()
        # Paddle's oneDNN keeps state by thread and fails in one that was not there at first: one thread does it all
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")
        self._model = self._worker.submit(_predictor, folder, "model", use_gpu, threads, onednn=True).result()
        # rows come in ever-changing numbers, and oneDNN would keep a primitive for each
        self._embed = self._worker.submit(_predictor, folder, "embed", use_gpu, threads, onednn=False).result()
        expected = len(config.levels) + len(config.embedding.strides)
        found = len(self._model.get_output_names())
        if found != expected:
            raise ModelError(
                f"{folder} gives {found} maps where infer_cfg.yml needs {expected}: export the model again"
            )

    def run(self, blob: np.ndarray) -> list[np.ndarray]:
        """Forward pass.

        Args:
            blob: [1, 3, H, W] float32.

        Returns:
            Detection maps [1, A * 6, h, w] of all levels in the order of ``infer_cfg.yml``, then feature maps
            [1, C, h, w] likewise of those levels that embeddings are read from.

        Raises:
            ModelError: the graph takes no such input, or gives maps of other sizes.
        """
        outputs = self._run(self._model, [blob])
        height, width = blob.shape[2:]
        expected = [(level.stride, 6 * len(level.anchors)) for level in self.config.levels]
        # a feature map has as many channels as it likes
        features = zip(self.config.feature_strides, outputs[len(expected) :])
        expected += [(stride, *raw.shape[1:2]) for stride, raw in features]
        for (stride, *channels), raw in zip(expected, outputs):
            shape = (1, *channels, height // stride, width // stride)
            if raw.shape != shape:
                raise ModelError(
                    f"{self.folder} gives a map of shape {raw.shape} at stride {stride} "
                    f"where infer_cfg.yml needs {shape}: export the model again"
                )
        return outputs

    def embed(self, rows: list[np.ndarray]) -> np.ndarray:
        """Embeddings [K, D] float32, not yet of length 1, of groups of rows [K_i, R_i]; K is the sum of the K_i.

        Raises:
            ModelError: the graph takes no such rows, or makes another number of embeddings of them.
        """
        # a matrix product without rows is an error in Paddle: an empty group sends one row, dropped afterwards
        sent = [group if len(group) else np.zeros((1, group.shape[1]), np.float32) for group in rows]
        (embeddings,) = self._run(self._embed, [np.ascontiguousarray(group, dtype=np.float32) for group in sent])
        shape = (sum(map(len, sent)), self.config.embedding.dimension)
        if embeddings.shape != shape:  # rows of another grid may happen to be cut into whole ones
            raise ModelError(
                f"{self.folder} gives embeddings of shape {embeddings.shape} where infer_cfg.yml needs {shape}: "
                "export the model again"
            )
        keep = np.concatenate([np.full(len(after), len(before) > 0) for before, after in zip(rows, sent)])
        return embeddings[keep]

    def _run(self, predictor, inputs: list[np.ndarray]) -> list[np.ndarray]:  # noqa: ANN001 (no public type)
        try:
            return self._worker.submit(_run, predictor, inputs).result()
        except PADDLE_ERRORS as error:
            raise ModelError(
                f"{self.folder} fails: {_first_line(error)}; if its files were changed, export the model again"
            ) from error


def _require_gpu() -> None:
    import paddle

    if not paddle.is_compiled_with_cuda():
        raise ModelError("use_gpu needs the GPU build of Paddle: pip install paddlepaddle-gpu, or leave use_gpu off")
    if paddle.device.cuda.device_count() < 1:
        raise ModelError("use_gpu was asked for, but Paddle sees no GPU: check nvidia-smi, or leave use_gpu off")


def _predictor(folder: Path, name: str, use_gpu: bool, threads: int, onednn: bool):  # noqa: ANN202 (no public type)
    from paddle import inference
    from paddle.base.core import ProgramDesc

    program, parameters = folder / f"{name}.pdmodel", folder / f"{name}.pdiparams"
    for path in (program, parameters):
        if not path.is_file():
            raise ModelError(f"{folder} is no model folder: {path.name} is missing")
    config = inference.Config(str(program), str(parameters))
    config.disable_glog_info()
    config.enable_memory_optim()
    if use_gpu:
        config.enable_use_gpu(256, 0)
    else:
        config.disable_gpu()
        config.set_cpu_math_library_num_threads(threads)
        if onednn:
            config.enable_mkldnn()
        else:
            config.disable_mkldnn()
    try:
        # create_predictor takes the whole process down on a file that holds no program
        if not ProgramDesc(program.read_bytes()).num_blocks():
            raise ValueError("it holds no program")
        return inference.create_predictor(config)
    except (OSError, *PADDLE_ERRORS) as error:
        raise ModelError(
            f"{program} cannot be loaded, it or its .pdiparams may be damaged: {_first_line(error)}"
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _run(predictor, inputs: list[np.ndarray]) -> list[np.ndarray]:  # noqa: ANN001 (no public type)
    for name, value in zip(predictor.get_input_names(), inputs):
        handle = predictor.get_input_handle(name)
        handle.reshape(value.shape)
        handle.copy_from_cpu(value)
    predictor.run()
    return [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]
