"""The choice among the backends."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from ...errors import ModelError, OptionError
from ...settings.model import ModelConfig
from .network import Network, check_files, check_threads, missing_openvino

logger = logging.getLogger(__name__)

BACKENDS = ("auto", "paddle", "openvino")


PRECISIONS = ("auto", "fp32", "bf16", "int8")


OPENVINO_ONLY = ("bf16", "int8")  # of them


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
