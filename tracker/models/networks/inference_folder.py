"""Inference folders: ``model.pdmodel`` and ``embed.pdmodel`` with their parameters, and ``infer_cfg.yml``.

The graphs give raw output maps; boxes are decoded outside of them. They are written in Paddle's older program format,
which every paddle.inference 3.x runs with oneDNN and which OpenVINO reads: ``FLAGS_enable_pir_api=0`` must be in the
environment before paddle is imported.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paddle
import yaml
from paddle import nn
from paddle.static import InputSpec

from ...errors import OutputError
from ..download import file_digest
from .sixteen_bits import store_in_16_bits


class EmbeddingGraph(nn.Layer):
    """The second graph of a folder: from what belongs to each box to its embedding.

    Args:
        layers: One layer for each group of inputs.
    """

    def __init__(self, layers: Sequence[nn.Layer]) -> None:
        super().__init__()
        self.layers = nn.LayerList(layers)

    def forward(self, groups: list[paddle.Tensor]) -> paddle.Tensor:
        """Return the embeddings [K, D] of groups of inputs [K_i, L_i], in their order; K is the sum of all K_i."""
        return paddle.concat([layer(group) for layer, group in zip(self.layers, groups)], axis=0)


def write_inference_folder(
    network: nn.Layer,
    embedding: EmbeddingGraph,
    input_lengths: list[int],
    infer_cfg: dict[str, Any],
    folder: Path,
    in_16_bits: bool = False,
) -> Path:
    """Write the inference folder of a network.

    Args:
        network: From an image [N, 3, H, W] to raw output maps.
        embedding: From groups of inputs to embeddings.
        input_lengths: Columns L_i of each group of the embedding's inputs.
        infer_cfg: Contents of ``infer_cfg.yml``; ``input`` gives height and width. The digests are added.
        folder: Where to write; it appears whole or not at all, and takes the place of an older one.
        in_16_bits: Whether to store the weights in 16 bits in place of 32.

    Returns:
        The folder.

    Raises:
        RuntimeError: Paddle was imported without ``FLAGS_enable_pir_api=0`` in the environment.
        OutputError: The folder cannot be written.
    """
    if os.environ.get("FLAGS_enable_pir_api") != "0":  # noqa: SIM112 (Paddle's name)
        raise RuntimeError("set FLAGS_enable_pir_api=0 in the environment before paddle is imported")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            size = (infer_cfg["input"]["height"], infer_cfg["input"]["width"])
            _write_graphs(network, embedding, input_lengths, size, scratch)
            if in_16_bits:
                for graph in ("model", "embed"):
                    store_in_16_bits(scratch / graph)
            for program in scratch.glob("*.pdmodel"):
                _remove_traces(program)
            _write_settings(infer_cfg, scratch)
            scratch.chmod(0o755)
            _replace(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{folder} cannot be written ({reason}); free some space or choose another folder") from error
    return folder


def _write_graphs(
    network: nn.Layer, embedding: EmbeddingGraph, input_lengths: list[int], size: tuple[int, int], folder: Path
) -> None:
    _save(network, [InputSpec([None, 3, *size], "float32", "image")], folder / "model")
    groups = [InputSpec([None, length], "float32", f"rows_{i}") for i, length in enumerate(input_lengths)]
    _save(embedding, [groups], folder / "embed")


def _write_settings(infer_cfg: dict[str, Any], folder: Path) -> None:
    digests = {path.name: file_digest(path) for path in sorted(folder.iterdir())}
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump({**infer_cfg, "sha256": digests}, sort_keys=False))


def _save(layer: nn.Layer, spec: list, prefix: Path) -> None:
    layer.eval()
    graph = paddle.jit.to_static(layer, input_spec=spec, full_graph=True)
    paddle.jit.save(graph, str(prefix))
    prefix.with_suffix(".pdiparams.info").unlink(missing_ok=True)  # training names, of no use to inference


def _remove_traces(program: Path) -> None:
    """Remove from a program the lines of code that made it, with the paths of files on the machine that did."""
    from paddle.base.proto import framework_pb2

    description = framework_pb2.ProgramDesc()  # type: ignore[attr-defined]  # protobuf makes it at run time
    description.ParseFromString(program.read_bytes())
    for operator in (operator for block in description.blocks for operator in block.ops):
        kept = [attribute for attribute in operator.attrs if attribute.name != "op_callstack"]
        del operator.attrs[:]
        operator.attrs.extend(kept)
    program.write_bytes(description.SerializeToString(deterministic=True))


def _replace(scratch: Path, folder: Path) -> None:
    """Move a finished folder into place; when two processes finish at once, one of the two folders stays."""
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        folder.replace(old / "old")
        scratch.replace(folder)
        shutil.rmtree(old)
    else:
        scratch.replace(folder)
