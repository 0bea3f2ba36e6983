"""The backend of ONNX Runtime, an optional package: other processors, and GPUs by its own providers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError
from ...models.onnx_graphs.conversion import convert
from ...settings.model import ModelConfig
from ...settings.runtime import RuntimeOptions
from .network import BackendError, Network, check_files, first_line, thread_count, to_floats

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {  # by device: ONNX Runtime's name of what runs on it
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
_PACKAGES = {"cuda": "onnxruntime-gpu", "tensorrt": "onnxruntime-gpu", "directml": "onnxruntime-directml"}


class OnnxRuntimeNetwork(Network):
    """A model folder in ONNX Runtime, always in fp32. Safe to share between threads.

    Its graphs are converted to ONNX in memory; a second or so for the compact model.

    Args:
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``.
        config: the contents of its ``infer_cfg.yml``; images have the size that it states.
        runtime: device and threads to use; None for the usual ones.

    Raises:
        OptionError: the package onnx, which converts, is not installed.
        ModelError: the package is missing, has no provider for the device, or the folder holds no usable model.
    """

    package = "onnxruntime"
    requirement = "onnxruntime>=1.18,<1.27"
    devices = tuple(PROVIDERS)

    def __init__(self, folder: Path, config: ModelConfig, runtime: RuntimeOptions | None = None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendError(self.missing(f"cannot be imported ({error})")) from error
        runtime = runtime or RuntimeOptions()
        device = runtime.wanted_device
        if PROVIDERS[device] not in onnxruntime.get_available_providers():
            raise BackendError(
                f"device {device} needs another build of ONNX Runtime: pip uninstall onnxruntime, and pip install "
                f"{_PACKAGES.get(device, 'onnxruntime')}"
            )
        self.folder = folder
        self.config = config
        box = config.letterbox
        check_files(folder, ("model", "embed"))
        self._sessions = {
            "model": self._session("model", device, runtime.threads, (box.width, box.height)),
            "embed": self._session("embed", device, runtime.threads),
        }
        self._check_count(len(self._sessions["model"].get_outputs()))
        self.description = "onnxruntime fp32" if device == "cpu" else f"onnxruntime fp32 on {device}"

    def _session(
        self, graph: str, device: str, threads: int | None, size: tuple[int, int] | None = None
    ) -> onnxruntime.InferenceSession:
        import onnxruntime

        model = convert(self.folder / f"{graph}.pdmodel", self.folder / f"{graph}.pdiparams", size)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count(threads)
        options.log_severity_level = 3  # errors alone: they come as exceptions too
        providers = list(dict.fromkeys((PROVIDERS[device], PROVIDERS["cpu"])))  # what one lacks the processor does
        try:
            session = onnxruntime.InferenceSession(model, options, providers=providers)
        except Exception as error:  # its errors have no common class of their own
            raise ModelError(f"{self.folder / graph} cannot be loaded by ONNX Runtime: {first_line(error)}") from error
        if session.get_providers()[0] != PROVIDERS[device]:  # it goes on without, and says so in its log alone
            raise BackendError(f"ONNX Runtime cannot use device {device} here: check its driver, or take device cpu")
        return session

    def _forward(self, graph: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        if graph == "model":
            inputs = [to_floats(inputs[0], self.config.letterbox.scale)]
        session = self._sessions[graph]
        try:
            return session.run(None, {value.name: array for value, array in zip(session.get_inputs(), inputs)})
        except Exception as error:
            raise ModelError(
                f"{self.folder} fails: {first_line(error)}; if its files were changed, export the model again"
            ) from error
