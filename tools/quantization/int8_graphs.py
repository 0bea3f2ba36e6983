"""Graphs of a model folder in int8: layers that stay in float, what to calibrate with, and NNCF, which does it."""

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

from tools.quantization.agreement import sure_decoder
from tracker.detection.backends.network import Network, to_floats
from tracker.detection.backends.openvino_network import in_order, openvino_core
from tracker.detection.letterbox import Letterbox, LetterboxedImage
from tracker.errors import ModelError, OptionError, SourceError
from tracker.settings.model import LetterboxConfig

WEIGHTED = ("Convolution", "GroupConvolution", "MatMul")  # OpenVINO's types of layers with weights
NONE, EDGES = "none", "first_last"


def edge_layers(model: Any) -> list[str]:
    """Names of the layers with weights that nothing but weightless ones separates from an input or an output.

    Args:
        model: openvino.Model.
    """
    found: dict[str, None] = {}

    def walk(nodes: Iterable[Any], backward: bool) -> None:
        waiting, seen = list(nodes), set()
        while waiting:
            node = waiting.pop()
            name = node.get_friendly_name()
            if name in seen:
                continue
            seen.add(name)
            if node.get_type_name() in WEIGHTED:
                found[name] = None
            elif backward:
                waiting += [value.get_node() for value in node.input_values()]
            else:
                waiting += [end.get_node() for output in node.outputs() for end in output.get_target_inputs()]

    walk(model.get_parameters(), backward=False)
    walk(model.get_results(), backward=True)
    return list(found)


def float_layers(models: Sequence[Any], wanted: Sequence[str]) -> list[list[str]]:
    """Names of the layers of each openvino.Model to keep in float.

    Args:
        models: the graphs of a folder.
        wanted: ``none``, ``first_last``, names of layers, OpenVINO's types of layers.

    Raises:
        OptionError: no model has such a layer.
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
    """Names of the layers of that name or type."""
    layers = [(node.get_friendly_name(), node.get_type_name()) for node in model.get_ordered_ops()]
    return [name for name, kind in layers if word in (name, kind)]


def need_packages() -> dict[str, str]:
    """Versions of the packages that only quantisation needs.

    Raises:
        ModelError: they are not installed, or do not go together.
    """
    os.environ.setdefault("NNCF_CI", "1")  # else nncf reports each use to its makers
    try:
        # openvino says in two lines of its own that openvino.runtime, which nncf uses, will go
        with contextlib.redirect_stderr(io.StringIO()):
            import nncf
            import openvino
            import openvino.runtime  # openvino 2026 has it no more
    except ImportError as error:
        raise ModelError(
            f"quantisation needs nncf and an openvino that fits it ({error}): pip install -r requirements-quantize.txt"
        ) from error
    return {"nncf": nncf.__version__, "openvino": openvino.__version__}


def read_graph(folder: Path, graph: str, config: LetterboxConfig) -> Any:
    """A graph as an openvino.Model, ``model`` for images of the configured size, normalisations folded into weights.

    Without the folding NNCF quantises what stands before the normalisation, and corrects no biases: features come out
    far less like those of fp32, and in more time.
    """
    from openvino._offline_transformations import apply_moc_transformations  # as openvino.convert_model does

    model = openvino_core().read_model(folder / f"{graph}.pdmodel", folder / f"{graph}.pdiparams")
    if graph == "model":
        model.reshape([1, 3, config.height, config.width])
    apply_moc_transformations(model, cf=False)
    return model


def image_input(config: LetterboxConfig) -> Callable[[np.ndarray], np.ndarray]:
    """What makes an image [H, W, 3] uint8 BGR the input of the graph ``model``."""
    letterbox = Letterbox(config)
    return lambda image: to_floats(letterbox(image)[0], config.scale)


def row_inputs(network: Network, images: Sequence[np.ndarray], model: Any) -> list[dict[str, np.ndarray]]:
    """Rows of the people in images, by image that shows any, as inputs of the graph ``embed``.

    Args:
        network: finds the people.
        images: [H, W, 3] uint8 BGR.
        model: openvino.Model of that graph.

    Raises:
        SourceError: the network finds nobody in the images.
    """
    config = network.config
    names = [port.any_name for port in in_order(model.inputs)]
    letterbox, decode = Letterbox(config.letterbox), sure_decoder(config)
    asked: list[dict[str, np.ndarray]] = []

    def embed(groups: list[np.ndarray]) -> np.ndarray:
        # nncf takes no minimum of nothing; zeros are what the backends fill up with, too
        rows = [group if len(group) else np.zeros((1, group.shape[1]), np.float32) for group in groups]
        asked.append(dict(zip(names, rows)))
        return np.zeros((sum(map(len, groups)), config.embedding.dimension), np.float32)

    for image in images:
        letterboxed = LetterboxedImage(*letterbox(image), image)
        decode(network.run(letterboxed.pixels), letterboxed, embed)
    if not asked:
        raise SourceError(f"the model finds nobody in {len(images)} frames to calibrate with: give some with people")
    return asked


def quantise(
    model: Any, items: Sequence[Any], kept: Sequence[str], to_input: Callable[[Any], Any] | None = None
) -> Any:
    """The openvino.Model with weights and activations of its layers in int8, by NNCF.

    Args:
        model: openvino.Model.
        items: to calibrate with.
        kept: names of the layers to keep in float.
        to_input: makes an item an input of the model, one by one, for all of them may be large; None where they are.
    """
    import nncf

    nncf.set_log_level(logging.ERROR)
    with warnings.catch_warnings():
        # of an activation without positive values nncf computes inf * 0 and does not use it
        warnings.filterwarnings("ignore", "invalid value encountered in multiply", RuntimeWarning)
        return nncf.quantize(
            model,
            nncf.Dataset(items, to_input),
            preset=nncf.QuantizationPreset.MIXED,  # ranges of their own below and above zero: swish has little below
            subset_size=len(items),
            ignored_scope=nncf.IgnoredScope(names=list(kept)) if kept else None,
        )


def keep_pixels(model: Any, scale: float) -> None:
    """Give the quantised image of the graph ``model`` the range of all pixels, in place of that of the frames seen.

    It has 256 levels: so each pixel keeps its own, and OpenVINO, to which it comes as uint8, has nothing to do.

    Args:
        model: openvino.Model, quantised.
        scale: of the pixels as the graph takes them.
    """
    from openvino import opset13 as operations

    (image,) = model.inputs
    lowest, highest = (operations.constant(np.float32(pixel * scale)) for pixel in (0, 255))
    for end in image.get_target_inputs():
        node = end.get_node()
        if node.get_type_name() == "FakeQuantize":
            for place, bound in enumerate((lowest, highest) * 2, start=1):  # of what comes in, and of what goes out
                node.input(place).replace_source_output(bound.output(0))
