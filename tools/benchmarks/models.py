"""The models to measure: their folders, an untrained full model where the trained one cannot be had, and their MACs."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.cli import announce
from tracker.errors import ModelError
from tracker.models.locate import FULL_CONFIG, FULL_URL, cache_folder, find_model

UNTRAINED = "untrained weights, for timing only"
BACKGROUND_LOGIT = 9.0  # with which the untrained network takes everything for background


class Models:
    """Inference folders by name; a context manager that removes the untrained model at the end, if there is one."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._untrained: Path | None = None

    def __enter__(self) -> Models:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def find(self, model: str) -> tuple[Path, str]:
        """Return the folder of a model, and its name for tables.

        Args:
            model: ``full``, ``compact``, or the path of an inference folder or a ``.pdparams`` file. A full model that
                is neither cached nor can be downloaded is replaced by an untrained one, and a line is printed.

        Raises:
            OptionError: the name is empty.
            ModelError: there is no such model, or its files are damaged.
        """
        try:
            return find_model(model), Path(model).name
        except ModelError as error:
            if model != "full":
                raise
            print(f"full: {UNTRAINED} ({error})", flush=True)
            return self._make() / "model", "full (untrained)"

    def full_weights(self, given: list[str]) -> tuple[Path, str]:
        """Return a ``.pdparams`` file of the full network, and its name for tables.

        The first such file among the models is taken, else the downloaded one, else an untrained one.

        Args:
            given: names of models.

        Raises:
            ModelError: the untrained one cannot be made.
        """
        files = [Path(model) for model in given if model.endswith(".pdparams")]
        downloaded = cache_folder() / "downloads" / FULL_URL.rsplit("/", 1)[1]
        for path in [*files, downloaded]:
            if path.is_file():
                return path, path.name
        if self._untrained is None:
            print(f"original: {UNTRAINED}", flush=True)
        return self._make() / "untrained.pdparams", "untrained"

    def _make(self) -> Path:
        """Make the untrained model in a process of its own, for Paddle reads the flag below when it is imported."""
        if self._untrained is not None:
            return self._untrained
        announce("making the untrained full model, which takes a minute")
        folder = Path(self._folder.name)
        command = [sys.executable, "-m", "tools.benchmarks.models", str(folder)]
        root = Path(__file__).resolve().parent.parent.parent
        # the older program format, see tracker/models/networks/inference_folder.py
        environment = {**os.environ, "FLAGS_enable_pir_api": "0"}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"the untrained full model cannot be made: {reason}")
        self._untrained = folder
        return folder


def make_untrained(folder: Path) -> None:
    """Write ``untrained.pdparams`` of the full network, and ``model``, its inference folder.

    Every operation takes as long as with trained weights. The network detects nobody, because random weights would
    give thousands of boxes, whose decoding no video of people costs.

    Args:
        folder: existing folder.
    """
    import paddle

    from tracker.models.export import export
    from tracker.models.networks import darknet53

    paddle.seed(0)
    model, _ = darknet53.build(FULL_CONFIG)
    for head in model.detector.yolo_head.yolo_outputs:
        head.weight.set_value(paddle.zeros_like(head.weight))
        # of each anchor dx, dy, dw, dh and two logits: background, person
        head.bias.set_value(
            paddle.to_tensor(
                [0, 0, 0, 0, BACKGROUND_LOGIT, -BACKGROUND_LOGIT] * (head.bias.shape[0] // 6), dtype="float32"
            )
        )
    weights = folder / "untrained.pdparams"
    paddle.save(model.state_dict(), str(weights))
    export(FULL_CONFIG, weights, folder / "model")


def count_macs(program: Path) -> float:
    """Count the multiply-accumulate operations (MACs) of a graph's convolutions and matrix products, for one image.

    For each of its output values a convolution takes as many as one filter has weights: C / groups * kh * kw.

    Args:
        program: a ``.pdmodel`` file whose images have a fixed size.

    Raises:
        ModelError: the file cannot be read.
    """
    from paddle.base.core import ProgramDesc

    try:
        graph = ProgramDesc(program.read_bytes())  # a name for it, because its block is freed with it
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{program} cannot be read: {str(error).strip().splitlines()[0]}") from error
    block = graph.block(0)

    def shape(name: str) -> list[int]:
        # the number of images is not fixed, and written as -1
        return [abs(side) for side in block.find_var(name.encode()).shape()]

    total = 0.0
    for index in range(block.op_size()):
        op = block.op(index)
        if op.type() in ("conv2d", "depthwise_conv2d"):
            total += math.prod(shape(op.output("Output")[0])) * math.prod(shape(op.input("Filter")[0])[1:])
        elif op.type() in ("matmul_v2", "mul"):
            inner = shape(op.input("Y")[0])
            total += math.prod(shape(op.output("Out")[0])) * inner[-1 if _transposed(op) else -2]
    return total


def _transposed(op: Any) -> bool:
    return op.type() == "matmul_v2" and bool(op.attr("trans_y"))


if __name__ == "__main__":
    make_untrained(Path(sys.argv[1]))
