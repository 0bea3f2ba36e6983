"""The models to measure; for the full one, where its weights cannot be had, one of the same shapes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tracker.errors import ModelError
from tracker.models.locate import FULL_CONFIG, FULL_URL, cache_folder, find_model

UNTRAINED = "untrained weights, for timing only"
SURE = 9.0  # logit with which the untrained network takes everything for background


class Models:
    """Inference folders by name; a context manager that removes the untrained one, if it had to be made."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._untrained: Path | None = None

    def __enter__(self) -> Models:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def find(self, model: str) -> tuple[Path, str]:
        """The folder of a model, and what to call it.

        Args:
            model: as `tracker.weights.find_model`. A ``full`` one that is neither cached nor can be downloaded is
                replaced by an untrained one, with a line that says so.

        Raises:
            OptionError, ModelError: it cannot be had.
        """
        try:
            return find_model(model, progress=False), Path(model).name
        except ModelError as error:
            if model != "full":
                raise
            print(f"full: {UNTRAINED} ({error})", flush=True)
            self._make()
            return self._untrained / "model", "full (untrained)"

    def full_weights(self, given: list[str]) -> tuple[Path, str]:
        """A ``.pdparams`` file of the full network, and what to call it.

        Args:
            given: models; the first that is such a file is taken, then the downloaded one, then an untrained one.

        Raises:
            ModelError: it cannot be made.
        """
        files = [Path(model) for model in given if model.endswith(".pdparams")]
        downloaded = cache_folder() / "downloads" / FULL_URL.rsplit("/", 1)[1]
        for path in [*files, downloaded]:
            if path.is_file():
                return path, path.name
        if self._untrained is None:
            print(f"original: {UNTRAINED}", flush=True)
        self._make()
        return self._untrained / "untrained.pdparams", "untrained"

    def _make(self) -> None:
        """In a process of its own: it needs a flag that is read when paddle is imported."""
        if self._untrained is not None:
            return
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


def make_untrained(folder: Path) -> None:
    """Write ``untrained.pdparams`` of the full network, and ``model``, its inference folder.

    Every operation takes as long as with trained weights. It finds nobody, for a few thousand boxes at random, which
    fresh weights would find, are no work that a video of people gives.

    Args:
        folder: exists.
    """
    import paddle

    from tracker.models.export import export
    from tracker.models.networks import darknet53

    paddle.seed(0)
    model, _ = darknet53.build(FULL_CONFIG)
    for head in model.detector.yolo_head.yolo_outputs:
        head.weight.set_value(paddle.zeros_like(head.weight))
        # of each anchor dx, dy, dw, dh and two logits: background, person
        head.bias.set_value(paddle.to_tensor([0, 0, 0, 0, SURE, -SURE] * (head.bias.shape[0] // 6), dtype="float32"))
    weights = folder / "untrained.pdparams"
    paddle.save(model.state_dict(), str(weights))
    export(FULL_CONFIG, weights, folder / "model")


if __name__ == "__main__":
    make_untrained(Path(sys.argv[1]))
