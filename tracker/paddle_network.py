"""The backend of Paddle: oneDNN on the processor, CUDA on a GPU, through paddle.inference."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .config import ModelConfig
from .errors import ModelError
from .network import Network, check_files, check_threads

# what Paddle's C++ exceptions arrive as
PADDLE_ERRORS = (RuntimeError, ValueError, MemoryError)


class PaddleNetwork(Network):
    """A model folder in paddle.inference, always in fp32. Safe to share between threads.

    bf16 is not offered: that of Paddle 3.3.1 fails on these graphs (elementwise_add), and is slower than fp32 with the
    convolutions alone in bf16. Paddle keeps Python's lock during a pass: other threads only end what they had begun.

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
        threads = check_threads(threads)
        self.folder = folder
        self.config = config
        self.description = "paddle fp32 on GPU" if use_gpu else "paddle fp32"
        if use_gpu:
            _require_gpu()
        # Paddle's oneDNN keeps state by thread and fails in one that was not there at first: one thread does it all
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")
        # rows come in ever-changing numbers, and oneDNN would keep a primitive for each
        self._predictors = {
            name: self._worker.submit(_predictor, folder, name, use_gpu, threads, onednn).result()
            for name, onednn in (("model", True), ("embed", False))
        }
        self._check_count(len(self._predictors["model"].get_output_names()))

    def _forward(self, graph: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        try:
            return self._worker.submit(_run, self._predictors[graph], inputs).result()
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

    check_files(folder, [name])
    program, parameters = folder / f"{name}.pdmodel", folder / f"{name}.pdiparams"
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
