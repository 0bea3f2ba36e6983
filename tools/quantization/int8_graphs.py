"""The graphs of a model folder in int8: the layers that stay in float, the calibration data, and the quantisation."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.cli import progress
from tools.quantization.agreement import high_confidence_decoder
from tracker.detection.backends.network import Network, to_floats
from tracker.detection.backends.openvino_import import import_openvino
from tracker.detection.backends.openvino_network import in_order, openvino_core
from tracker.detection.letterbox import Letterbox, LetterboxedImage
from tracker.errors import ModelError, OptionError, SourceError
from tracker.settings.model import LetterboxConfig

WEIGHTED_TYPES = ("Convolution", "GroupConvolution", "MatMul")  # OpenVINO's layers with weights
NONE, EDGES = "none", "first_last"  # words of --keep_float beside the names and types of layers


def edge_layers(model: Any) -> list[str]:
    """Return the layers with weights that only layers without weights separate from an input or an output.

    Args:
        model: openvino.Model.

    Returns:
        Names of the layers.
    """
    names: dict[str, None] = {}  # a dict keeps their order

    def walk(nodes: Iterable[Any], backward: bool) -> None:
        queue, visited = list(nodes), set()
        while queue:
            node = queue.pop()
            name = node.get_friendly_name()
            if name in visited:
                continue
            visited.add(name)
            if node.get_type_name() in WEIGHTED_TYPES:
                names[name] = None
            elif backward:
                queue += [value.get_node() for value in node.input_values()]
            else:
                queue += [target.get_node() for output in node.outputs() for target in output.get_target_inputs()]

    walk(model.get_parameters(), backward=False)
    walk(model.get_results(), backward=True)
    return list(names)


def float_layers(models: Sequence[Any], wanted: Sequence[str]) -> list[list[str]]:
    """Return the layers of each graph to keep in float.

    Args:
        models: openvino.Model of each graph of a folder.
        wanted: ``none``, ``first_last``, names of layers, or OpenVINO's types of layers.

    Returns:
        Names of layers, a list for each model.

    Raises:
        OptionError: no model has a layer of a wanted name or type.
    """
    kept: list[dict[str, None]] = [{} for _ in models]
    for word in wanted:
        names = [edge_layers(model) if word == EDGES else _layers(model, word) for model in models]
        if not any(names) and word != NONE:
            raise OptionError(f"--keep_float: the model has no layer of the name or type {word!r}")
        for all_names, more in zip(kept, names):
            all_names |= dict.fromkeys(more)
    return [list(names) for names in kept]


def _layers(model: Any, word: str) -> list[str]:
    """Return the names of the layers of a name or type."""
    layers = [(node.get_friendly_name(), node.get_type_name()) for node in model.get_ordered_ops()]
    return [name for name, kind in layers if word in (name, kind)]


def need_packages() -> dict[str, str]:
    """Import the packages that only quantisation needs, and return their versions by name.

    Raises:
        ModelError: they are not installed, or do not go together.
    """
    os.environ.setdefault("NNCF_CI", "1")  # else nncf sends usage statistics to its makers
    try:
        # openvino warns in two lines of its own that openvino.runtime, which nncf uses, will be removed
        with contextlib.redirect_stderr(io.StringIO()):
            version = import_openvino().__version__  # before nncf imports it
            import nncf
            import openvino.runtime  # noqa: F401 (removed in openvino 2026)
    except ImportError as error:
        raise ModelError(
            f"quantisation needs nncf and an openvino that fits it ({error}): pip install -r requirements-quantize.txt"
        ) from error
    return {"nncf": nncf.__version__, "openvino": version}


def read_graph(folder: Path, graph: str, config: LetterboxConfig) -> Any:
    """Read a graph as an openvino.Model, its weights in float32, with the normalisations after them folded in.

    Without the folding NNCF quantises what stands before the normalisation, and corrects no biases: features come out
    far less like those of fp32, and more slowly.

    Args:
        folder: of the model.
        graph: ``model``, which gets images of the configured size, or ``embed``.
        config: letterbox of the model.
    """
    from openvino._offline_transformations import apply_moc_transformations  # as openvino.convert_model does
    from openvino.passes import ConstantFolding, Manager

    model = openvino_core().read_model(folder / f"{graph}.pdmodel", folder / f"{graph}.pdiparams")
    if graph == "model":
        model.reshape([1, 3, config.height, config.width])
    passes = Manager()
    passes.register_pass(ConstantFolding())  # weights stored in 16 bits
    passes.run_passes(model)
    apply_moc_transformations(model, cf=False)
    return model


def image_input(config: LetterboxConfig) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from an image [H, W, 3] uint8 BGR to the input of the graph ``model``."""
    letterbox = Letterbox(config)
    return lambda image: to_floats(letterbox(image)[0], config.scale)


def embedding_inputs(network: Network, images: Sequence[np.ndarray], model: Any) -> list[dict[str, np.ndarray]]:
    """Collect the inputs of the graph ``embed`` for the people in images.

    Args:
        network: detects the people.
        images: each [H, W, 3] uint8 BGR.
        model: openvino.Model of that graph.

    Returns:
        For each image that shows anybody the inputs by name, each [N, R] float32.

    Raises:
        SourceError: the network detects nobody in the images.
    """
    config = network.config
    names = [port.any_name for port in in_order(model.inputs)]
    letterbox, decode = Letterbox(config.letterbox), high_confidence_decoder(config)
    inputs: list[dict[str, np.ndarray]] = []

    def record(groups: list[np.ndarray]) -> np.ndarray:
        # nncf cannot take the minimum of an empty array; the backends pad with zeros as well
        padded = [group if len(group) else np.zeros((1, group.shape[1]), np.float32) for group in groups]
        inputs.append(dict(zip(names, padded)))
        return np.zeros((sum(map(len, groups)), config.embedding.dimension), np.float32)

    for image in progress(images, "detecting people", "frames"):
        letterboxed = LetterboxedImage(*letterbox(image), image)
        decode(network.run(letterboxed.pixels), letterboxed, record)
    if not inputs:
        raise SourceError(f"the model finds nobody in {len(images)} frames to calibrate with: give some with people")
    return inputs


def quantise(
    model: Any, items: Sequence[Any], kept: Sequence[str], to_input: Callable[[Any], Any] | None = None
) -> Any:
    """Quantise the weights and activations of a graph to int8 with NNCF.

    Args:
        model: openvino.Model.
        items: calibration data.
        kept: names of the layers to keep in float.
        to_input: makes one item an input of the model, when it is needed, for all inputs together may be large; None
            where the items are inputs already.

    Returns:
        The quantised openvino.Model.
    """
    import nncf

    nncf.set_log_level(logging.ERROR)
    with warnings.catch_warnings():
        # for an activation without positive values nncf computes inf * 0, and does not use it
        warnings.filterwarnings("ignore", "invalid value encountered in multiply", RuntimeWarning)
        return nncf.quantize(
            model,
            nncf.Dataset(items, to_input),
            preset=nncf.QuantizationPreset.MIXED,  # separate ranges below and above zero: swish has little below
            subset_size=len(items),
            ignored_scope=nncf.IgnoredScope(names=list(kept)) if kept else None,
        )


def keep_pixels(model: Any, scale: float) -> None:
    """Quantise the input image of the graph ``model`` over the range of all pixel values, in place.

    NNCF takes the range of the calibration frames. With the whole range each of the 256 pixel values keeps a level of
    its own, and OpenVINO, which gets the image as uint8, has nothing to convert.

    Args:
        model: quantised openvino.Model.
        scale: factor from pixel values, 0 to 255, to the graph's input.
    """
    from openvino import opset13 as operations

    (image,) = model.inputs
    lowest, highest = (operations.constant(np.float32(pixel * scale)) for pixel in (0, 255))
    for target in image.get_target_inputs():
        node = target.get_node()
        if node.get_type_name() == "FakeQuantize":
            # its inputs 1 to 4 are the bounds of the values that come in, then of those that go out
            for port, bound in enumerate((lowest, highest) * 2, start=1):
                node.input(port).replace_source_output(bound.output(0))
