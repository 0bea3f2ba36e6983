"""The backend of Paddle: oneDNN on the processor, CUDA on a GPU, through paddle.inference."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ...errors import ModelError
from ...models.program import check_graph
from ...settings.model import ModelConfig
from ...settings.runtime import RuntimeOptions
from .network import BackendError, Network, check_files, first_line, thread_count, to_floats

# what Paddle's C++ exceptions arrive as
PADDLE_ERRORS = (RuntimeError, ValueError, MemoryError)


class PaddleNetwork(Network):
    """A model folder in paddle.inference, always in fp32. Safe to share between threads.

    bf16 is not offered: that of Paddle 3.3.1 fails on these graphs (elementwise_add), and is slower than fp32 with the
    convolutions alone in bf16. Paddle keeps Python's lock during a pass: other threads only end what they had begun.

    Args:
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``.
        config: the contents of its ``infer_cfg.yml``.
        runtime: device and threads to use; None for the usual ones.

    Raises:
        ModelError: the folder holds no usable model, or there is no GPU for Paddle.
    """

    package = "paddle"
    requirement = "paddlepaddle==3.3.1"
    devices = ("cpu", "cuda")

    def __init__(self, folder: Path, config: ModelConfig, runtime: RuntimeOptions | None = None) -> None:
        runtime = runtime or RuntimeOptions()
        use_gpu, threads = runtime.wanted_device == "cuda", thread_count(runtime.threads)
        self.folder = folder
        self.config = config
        self.description = "paddle fp32 on GPU" if use_gpu else "paddle fp32"
        if use_gpu:
            _require_gpu()
        # Paddle's oneDNN keeps state by thread and fails in one that was not there at first: one thread does it all
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")
        self._predictors = {
            name: self._worker.submit(_predictor, folder, name, use_gpu, threads).result()
            for name in ("model", "embed")
        }
        self._check_count(len(self._predictors["model"].get_output_names()))
        self._floats = np.empty(0, np.float32)

    def _forward(self, graph: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        try:
            return self._worker.submit(self._run, graph, inputs).result()
        except PADDLE_ERRORS as error:
            raise ModelError(
                f"{self.folder} fails: {first_line(error)}; if its files were changed, export the model again"
            ) from error

    def _run(self, graph: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        if graph == "model":
            inputs = [self._to_floats(*inputs)]
        predictor = self._predictors[graph]
        for name, value in zip(predictor.get_input_names(), inputs):
            handle = predictor.get_input_handle(name)
            handle.reshape(value.shape)
            handle.copy_from_cpu(value)
        predictor.run()
        return [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]

    def _to_floats(self, pixels: np.ndarray) -> np.ndarray:
        count, height, width, channels = pixels.shape
        if self._floats.shape != (count, channels, height, width):  # else the memory of the last pass does
            self._floats = np.empty((count, channels, height, width), np.float32)
        return to_floats(pixels, self.config.letterbox.scale, self._floats)


def _require_gpu() -> None:
    import paddle

    if not paddle.is_compiled_with_cuda():
        raise BackendError("use_gpu needs the GPU build of Paddle: pip install paddlepaddle-gpu, or leave use_gpu off")
    if paddle.device.cuda.device_count() < 1:
        raise BackendError("use_gpu was asked for, but Paddle sees no GPU: check nvidia-smi, or leave use_gpu off")


def _predictor(folder: Path, name: str, use_gpu: bool, threads: int):  # noqa: ANN202 (no public type)
    check_files(folder, [name])
    program, parameters = folder / f"{name}.pdmodel", folder / f"{name}.pdiparams"
    check_graph(program, parameters)

    from paddle import inference

    config = inference.Config(str(program), str(parameters))
    config.disable_glog_info()
    config.enable_memory_optim()
    if use_gpu:
        config.enable_use_gpu(256, 0)
    else:
        config.disable_gpu()
        config.set_cpu_math_library_num_threads(threads)
        config.enable_mkldnn()
    try:
        return inference.create_predictor(config)
    except (OSError, *PADDLE_ERRORS) as error:
        raise ModelError(
            f"{program} cannot be loaded, it or its .pdiparams may be damaged: {first_line(error)}"
        ) from error
