"""The backends by name, and the choice among them."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from ...errors import ModelError, OptionError
from ...settings.model import ModelConfig
from ...settings.runtime import RuntimeOptions
from .network import BackendError, Network, check_files, check_process
from .onnxruntime_network import OnnxRuntimeNetwork
from .openvino_network import OpenVINONetwork
from .paddle_network import PaddleNetwork
from .trial import try_out

logger = logging.getLogger(__name__)

# the fastest first; none of these modules imports its package before a network is opened
BACKENDS: dict[str, type[Network]] = {
    "openvino": OpenVINONetwork,
    "paddle": PaddleNetwork,
    "onnxruntime": OnnxRuntimeNetwork,
}


def choose_backends(runtime: RuntimeOptions) -> tuple[str, ...]:
    """Return the names of the backends to try, the fastest first; nothing is loaded.

    Args:
        runtime: names the backend, or leaves the choice to the precision, the device and what is installed.

    Raises:
        OptionError: no backend has this name, or it does not go with the other options.
        ModelError: the package of the backend is not installed.
    """
    if runtime.backend not in ("auto", *BACKENDS):
        raise OptionError(f"backend must be one of auto, {', '.join(BACKENDS)}, not {runtime.backend!r}")
    named = list(BACKENDS) if runtime.backend == "auto" else [runtime.backend]
    suited = [name for name in named if _suits(BACKENDS[name], runtime)]
    if not suited:
        raise OptionError(_refusal(runtime))
    installed = [name for name in suited if importlib.util.find_spec(BACKENDS[name].package) is not None]
    if not installed:
        raise ModelError(BACKENDS[suited[0]].missing("is not installed"))
    return tuple(installed)


def _suits(backend: type[Network], runtime: RuntimeOptions) -> bool:
    return (runtime.precision == "auto" or runtime.precision in backend.precisions) and (
        runtime.wanted_device in backend.devices
    )


def _refusal(runtime: RuntimeOptions) -> str:
    """Say why no backend does what is asked for, and what to ask for instead."""
    device = runtime.wanted_device
    asked = "use_gpu" if runtime.device == "auto" and runtime.use_gpu else f"device {device}"
    if runtime.backend != "auto" and device not in BACKENDS[runtime.backend].devices:
        others = " or ".join(name for name, backend in BACKENDS.items() if device in backend.devices)
        able_on = BACKENDS[runtime.backend].devices
        where = "the processor" if able_on == ("cpu",) else " and ".join(able_on)
        return f"backend {runtime.backend} runs on {where}: leave {asked} off, or take backend {others}"
    able = {name: backend for name, backend in BACKENDS.items() if runtime.precision in backend.precisions}
    without = (
        "" if any(device in backend.devices for backend in able.values()) and device != "cpu" else " without use_gpu"
    )
    return f"precision {runtime.precision} needs backend {' or '.join(able)}{without}: take that, or precision fp32"


def open_network(folder: Path, config: ModelConfig, runtime: RuntimeOptions | None = None) -> Network:
    """Load a model folder into a backend. One from elsewhere is first tried in a process of its own.

    Args:
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``; ``model_int8.*``, if
            any, beside them.
        config: the contents of its ``infer_cfg.yml``.
        runtime: what runs the network. With backend ``auto`` the next one comes in the place of one that does not work
            on this machine, with a warning.

    Raises:
        ModelError: the folder holds no usable model, or none in int8 where that is asked for, a graph is refused, the
            backend is not installed, there is no GPU for it, or this process was forked after the first use of a
            network.
        OptionError: no backend has the name, or it does not go with the other options.
    """
    check_process()
    runtime = runtime or RuntimeOptions()
    choose_backends(runtime)  # before the folder is looked at
    check_files(folder, ("model", "embed"))
    try_out(folder, runtime)
    return load_network(folder, config, runtime)


def load_network(folder: Path, config: ModelConfig, runtime: RuntimeOptions) -> Network:
    """Load a model folder into a backend, in this process and untried; else as `open_network`."""
    *names, last = choose_backends(runtime)
    unusable: list[BackendError] = []
    for name in (*names, last):
        try:
            network = BACKENDS[name](folder, config, runtime)
            break
        except BackendError as error:  # a model that is damaged or refused goes to no other backend
            unusable.append(error)
            if name == last:
                raise BackendError("; or ".join(map(str, unusable))) from error
    for reason in unusable:  # told once something else runs: otherwise the error tells enough
        logger.warning("%s; using backend %s instead", reason, name)
    return network
