"""The backend of OpenVINO: Intel's runtime for processors, an optional package; reads the same folder as Paddle's."""

from __future__ import annotations

import ctypes
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from ...errors import ModelError, OptionError
from ...models import int8
from ...models.openvino_ir import check_ir
from ...models.program import check_graph
from ...settings.model import LetterboxConfig, ModelConfig
from ...settings.runtime import RuntimeOptions
from .network import BackendError, Network, check_files, thread_count
from .openvino_import import import_openvino

if TYPE_CHECKING:
    import openvino

logger = logging.getLogger(__name__)

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}  # our names of precisions to OpenVINO's, for what is not int8
OPENVINO_ERRORS = (RuntimeError, ValueError, TypeError, MemoryError)  # what OpenVINO's C++ exceptions arrive as
MOST_PASSES = 4  # at once: what stands beside the passes has one thread for each stage, and memory is asked for each
NEEDED = {  # by precision: OpenVINO's name of the processor's capability, and ours
    "bf16": ("BF16", "AVX-512 BF16 or AMX"),
    "int8": ("INT8", "instructions for 8-bit integers"),
}


class OpenVINONetwork(Network):
    """A model folder in OpenVINO, on the processor. Safe to share between threads.

    In int8 it takes the folder's int8 form; with precision ``auto`` that is so if the folder has one and the processor
    is made for it, and fp32 comes in its place, with a warning, if it cannot be used. With bf16 embeddings are computed
    in fp32. For throughput the threads are shared out among several passes: threads of one pass wait for each other at
    every layer, and for whatever else the processor does meanwhile; passes do not.

    Args:
        folder: with ``model.pdmodel``, ``embed.pdmodel``, their parameters and ``infer_cfg.yml``.
        config: the contents of its ``infer_cfg.yml``; images have the size that it states.
        runtime: precision and threads to use; None for the usual ones.

    Raises:
        ModelError: the package is missing, or the folder holds no model that it can run, or in int8 none made from its
            graphs.
        OptionError: the processor has no bf16 or int8.
    """

    package = "openvino"
    requirement = "openvino>=2025.4,<2027"
    precisions = ("fp32", "bf16", "int8")
    has_throughput_form = True

    def __init__(self, folder: Path, config: ModelConfig, runtime: RuntimeOptions | None = None) -> None:
        try:
            import_openvino()
        except ImportError as error:
            raise BackendError(self.missing(f"cannot be imported ({_last_line(error)})")) from error
        runtime = runtime or RuntimeOptions()
        core = openvino_core()
        self.folder = folder
        self.config = config
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": thread_count(runtime.threads),
            # pinned threads of two programs would share a core and leave others idle
            "ENABLE_CPU_PINNING": False,
        }
        sharing = {**settings, "PERFORMANCE_HINT": "THROUGHPUT", "PERFORMANCE_HINT_NUM_REQUESTS": MOST_PASSES}
        tried = [runtime.precision]
        if runtime.precision == "auto":
            tried = ["int8", "fp32"] if "INT8" in capabilities and int8.exists(folder) else ["fp32"]
        unusable: ModelError | None = None
        for precision in tried:
            try:
                self._graphs = self._open(core, precision, sharing if runtime.throughput else settings, capabilities)
                break
            except ModelError as error:
                if precision == tried[-1]:
                    raise
                unusable = error
        if unusable:  # told once something else runs: otherwise the error tells enough
            logger.warning("%s; using precision %s instead", unusable, precision)
        self.description = f"openvino {precision}"
        self.max_in_flight = self._graphs["model"].max_in_flight

    def _open(
        self,
        core: openvino.Core,
        precision: str,
        settings: dict,
        capabilities: list[str],
    ) -> dict[str, _Graph]:
        """Open both graphs, ``model`` with maps of the sizes that the configuration states."""
        # without instructions for it OpenVINO would take fp32, or something slower, and say nothing
        if precision in NEEDED and NEEDED[precision][0] not in capabilities:
            raise OptionError(
                f"precision {precision} needs a processor with {NEEDED[precision][1]}: take precision fp32"
            )
        if precision == "int8":
            int8.check(self.folder)
        box = self.config.letterbox
        model = self._read(core, "model", precision, settings, box)
        if model.shapes is None:
            raise ModelError(f"{self.folder} gives maps whose sizes follow from what is in the image: export it again")
        self._check_count(len(model.shapes))
        self._check_shapes((box.height, box.width), model.shapes)
        # what bf16 saves for a few rows is not worth what it rounds
        of_rows = "fp32" if precision == "bf16" else precision
        return {"model": model, "embed": self._read(core, "embed", of_rows, settings)}

    def _read(
        self,
        core: openvino.Core,
        graph: str,
        precision: str,
        settings: dict,
        box: LetterboxConfig | None = None,
    ) -> _Graph:
        check_files(self.folder, [graph])
        program, parameters = (f"{graph}.pdmodel", f"{graph}.pdiparams")
        if precision == "int8":
            program, parameters = int8.GRAPHS[graph]
        check = check_ir if precision == "int8" else check_graph
        check(self.folder / program, self.folder / parameters)
        settings = {**settings, "INFERENCE_PRECISION_HINT": HINTS[precision]}
        return _Graph(core, self.folder / program, self.folder / parameters, settings, box)

    def _start(self, pixels: np.ndarray) -> Callable[[], list[np.ndarray]]:
        if self.max_in_flight == 1:  # a second one would only wait, and make a live picture older
            return super()._start(pixels)
        with self._failures():
            wait = self._graphs["model"].start([pixels])

        def outputs() -> list[np.ndarray]:
            with self._failures():
                return wait()

        return outputs

    def _forward(self, graph: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        with self._failures():
            return self._graphs[graph].start(inputs)()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except OPENVINO_ERRORS as error:
            raise ModelError(
                f"{self.folder} fails: {_last_line(error)}; if its files were changed, export the model again"
            ) from error


@lru_cache(maxsize=1)
def openvino_core() -> openvino.Core:
    """OpenVINO's core, one for the process and never let go.

    Each core puts a signal stack of its own under the thread that uses it first. When two of them go in the order they
    came, the thread is left with one that is freed, and the next signal, be it Ctrl-C, is a segmentation fault.
    """
    return import_openvino().Core()


@lru_cache(maxsize=1)
def _graphs_in_use() -> WeakSet[_Graph]:
    """Return the set of this process's graphs, which a process forked from it keeps for ever.

    Letting go of one, at its end at the latest, it would wait for threads that only its parent has.
    """
    graphs: WeakSet[_Graph] = WeakSet()

    def keep() -> None:
        for kept in (openvino_core(), *graphs):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))

    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=keep)
    return graphs


class _Graph:
    """One graph, compiled, with the memory of as many passes as have been under way at once.

    Args:
        core: openvino.Core.
        program, parameters: files of the graph.
        settings: of the compilation.
        box: where the graph takes images: their size and scale. Pixels go in then, see `Network.run`.

    Attributes:
        shapes: of the outputs, where they are known beforehand.
        max_in_flight: that the settings make worth having under way at once.
    """

    def __init__(
        self,
        core: openvino.Core,
        program: Path,
        parameters: Path,
        settings: dict,
        box: LetterboxConfig | None = None,
    ) -> None:
        import openvino

        try:
            model = core.read_model(program, parameters)
            if box:
                model.reshape([1, 3, box.height, box.width])  # known sizes let OpenVINO plan all memory beforehand
                model = _of_pixels(model, box.scale)
        except OPENVINO_ERRORS as error:
            raise ModelError(
                f"{program} cannot be loaded by openvino, it or its {parameters.suffix} may be damaged: "
                f"{_last_line(error)}"
            ) from error
        try:
            compiled = core.compile_model(model, "CPU", settings)
            self._idle = deque([compiled.create_infer_request()])
        except OPENVINO_ERRORS as error:
            raise BackendError(f"{program} cannot be compiled by openvino: {_last_line(error)}") from error
        self._tensor = openvino.Tensor
        self._compiled = compiled
        self.max_in_flight = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._inputs = in_order(compiled.inputs)
        self._outputs = compiled.outputs
        known = all(port.get_partial_shape().is_static for port in self._outputs)
        self.shapes: list[tuple[int, ...]] | None = [tuple(port.shape) for port in self._outputs] if known else None
        _graphs_in_use().add(self)

    def start(self, inputs: list[np.ndarray]) -> _Pass:
        """Begin a pass over contiguous inputs."""
        if len(inputs) != len(self._inputs):
            raise ValueError(f"{len(inputs)} inputs for a graph of {len(self._inputs)}")
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        for port, value in zip(self._inputs, inputs):
            request.set_tensor(port, self._tensor(value, shared_memory=True))
        outputs = None
        if self.shapes is not None:
            # new arrays to write into, for a copy of the old ones would take longer
            outputs = [np.empty(shape, np.float32) for shape in self.shapes]
            for port, value in zip(self._outputs, outputs):
                request.set_tensor(port, self._tensor(value, shared_memory=True))
        return _Pass(self, request, inputs, outputs)

    def finish(self, request: openvino.InferRequest, outputs: list[np.ndarray] | None) -> list[np.ndarray]:
        """Return the outputs of a request that is done, in arrays of the caller's own."""
        if outputs is None:
            outputs = [request.get_tensor(port).data.copy() for port in self._outputs]
        self._idle.append(request)
        return outputs


class _Pass:
    """A pass under way; calling it waits for its outputs. It holds the arrays that OpenVINO reads and writes."""

    def __init__(
        self,
        graph: _Graph,
        request: openvino.InferRequest,
        inputs: list[np.ndarray],
        outputs: list[np.ndarray] | None,
    ) -> None:
        self._graph, self._request, self._inputs, self._outputs = graph, request, inputs, outputs
        request.start_async()

    def __call__(self) -> list[np.ndarray]:
        request, self._request = self._request, None
        request.wait()
        return self._graph.finish(request, self._outputs)

    def __del__(self) -> None:
        if self._request:  # nobody waited, and its memory must not go before it is done
            self._request.cancel()
            with suppress(RuntimeError):  # which says that it was cancelled
                self._request.wait()


def _of_pixels(model: openvino.Model, scale: float) -> openvino.Model:
    """Turn a graph of images [1, 3, H, W] float32 into one of [1, H, W, 3] uint8: a quarter of the memory to move."""
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    image = steps.input()
    image.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    image.model().set_layout(Layout("NCHW"))
    image.preprocess().convert_element_type(Type.f32)
    if scale != 1:
        image.preprocess().scale(1 / scale)
    return steps.build()


def in_order(ports: Sequence[openvino.Output]) -> list[openvino.Output]:
    """Return the inputs of a graph in the order of its export, which named them rows_0, rows_1, ...

    OpenVINO has an order of its own.
    """

    def number(port: openvino.Output) -> int:
        last = port.any_name.rpartition("_")[2]
        return int(last) if last.isdecimal() else 0

    return sorted(ports, key=number)


def _last_line(error: BaseException) -> str:
    """Return the reason of an error, which OpenVINO tells after the places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
