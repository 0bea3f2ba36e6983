"""Inference folders: ``model.pdmodel``, ``embed.pdmodel`` with their parameters, and ``infer_cfg.yml``.

The graphs give raw maps; boxes are decoded outside of them. They are written in Paddle's older program format, which
every paddle.inference 3.x runs with oneDNN and which OpenVINO reads: ``FLAGS_enable_pir_api=0`` must be in the
environment before paddle is imported.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import paddle
import yaml
from paddle import nn
from paddle.static import InputSpec


class EmbeddingGraph(nn.Layer):
    """The second graph: gathered rows to embeddings, one group of rows per layer, in their order.

    Args:
        layers: a layer for every group of rows.
    """

    def __init__(self, layers: list[nn.Layer]) -> None:
        super().__init__()
        self.layers = nn.LayerList(layers)

    def forward(self, rows: list[paddle.Tensor]) -> paddle.Tensor:
        return paddle.concat([layer(group) for layer, group in zip(self.layers, rows)], axis=0)


def export_folder(
    network: nn.Layer, embedding: EmbeddingGraph, row_lengths: list[int], infer_cfg: dict[str, Any], folder: Path
) -> Path:
    """Write the inference folder of a network.

    Args:
        network: image [N, 3, H, W] to raw maps.
        embedding: rows to embeddings.
        row_lengths: columns of each group of rows.
        infer_cfg: contents of ``infer_cfg.yml``; ``input`` gives height and width.
        folder: where to; it appears whole or not at all, and takes the place of an older one.
    """
    if os.environ.get("FLAGS_enable_pir_api") != "0":  # noqa: SIM112 (Paddle's name)
        raise RuntimeError("set FLAGS_enable_pir_api=0 in the environment before paddle is imported")
    size = (infer_cfg["input"]["height"], infer_cfg["input"]["width"])
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _save(network, [InputSpec([None, 3, *size], "float32", "image")], scratch / "model")
        rows = [InputSpec([None, length], "float32", f"rows_{i}") for i, length in enumerate(row_lengths)]
        _save(embedding, [rows], scratch / "embed")
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(scratch.iterdir())}
        (scratch / "infer_cfg.yml").write_text(yaml.safe_dump({**infer_cfg, "sha256": digests}, sort_keys=False))
        scratch.chmod(0o755)
        _replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _save(layer: nn.Layer, spec: list, prefix: Path) -> None:
    layer.eval()
    graph = paddle.jit.to_static(layer, input_spec=spec, full_graph=True)
    paddle.jit.save(graph, str(prefix))
    prefix.with_suffix(".pdiparams.info").unlink(missing_ok=True)  # training names, of no use to inference


def _replace(scratch: Path, folder: Path) -> None:
    """Move a finished folder into place; of two that finish together one stays."""
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        folder.replace(old / "old")
        scratch.replace(folder)
        shutil.rmtree(old)
    else:
        scratch.replace(folder)
