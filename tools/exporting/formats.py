"""Write the graphs of a model folder for other programs, and compare what they give with what the module gives."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from tracker.detection.backends.network import check_files
from tracker.detection.backends.onnxruntime_network import OnnxRuntimeNetwork
from tracker.detection.backends.openvino_import import import_openvino
from tracker.detection.backends.openvino_network import openvino_core
from tracker.detection.backends.paddle_network import PaddleNetwork
from tracker.detection.crops import read_crops
from tracker.detection.detector import JDEDetector, Model
from tracker.errors import ModelError, OutputError
from tracker.models.download import file_digest
from tracker.models.onnx_graphs.conversion import convert
from tracker.settings.checks import check_installed
from tracker.settings.files import read_mapping
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions
from tracker.sources import open_source

GRAPHS = ("model", "embed")
CLOSE = 1e-4  # greatest difference of an output, in parts of its greatest value
Size = tuple[int, int] | None


def _write_onnx(folder: Path, output: Path, size: Size) -> None:
    for graph in GRAPHS:
        made = convert(folder / f"{graph}.pdmodel", folder / f"{graph}.pdiparams", size if graph == "model" else None)
        (output / f"{graph}.onnx").write_bytes(made)


def _write_openvino(folder: Path, output: Path, size: Size) -> None:
    check_installed("export to OpenVINO", "openvino")
    core = openvino_core()
    openvino = import_openvino()
    for graph in GRAPHS:
        model = core.read_model(folder / f"{graph}.pdmodel", folder / f"{graph}.pdiparams")
        if size and graph == "model":
            model.reshape([1, 3, size[1], size[0]])
        openvino.save_model(model, output / f"{graph}.xml", compress_to_fp16=False)


def _write_paddle(folder: Path, output: Path, size: Size) -> None:
    for graph in GRAPHS:
        for kind in ("pdmodel", "pdiparams"):
            shutil.copyfile(folder / f"{graph}.{kind}", output / f"{graph}.{kind}")


FORMATS: dict[str, Callable[[Path, Path, Size], None]] = {
    "onnx": _write_onnx,
    "openvino": _write_openvino,
    "paddle": _write_paddle,
}


def export_folder(folder: Path, form: str, output: Path, size: Size = None) -> list[Path]:
    """Write a model in another format: its two graphs, and ``infer_cfg.yml`` with the input size and the digests.

    Args:
        folder: the model folder.
        form: a name in `FORMATS`.
        output: the folder to make.
        size: width and height of the input in pixels; None for the model's own. ONNX graphs take any others as well
            where it is None.

    Returns:
        The files.

    Raises:
        OptionError: the model takes no such size, or a package is not installed.
        ModelError: the model cannot be converted.
        OutputError: the output exists, or cannot be written.
    """
    box = ModelConfig.load(folder).with_input_size(size).letterbox
    check_files(folder, GRAPHS)
    if output.exists():
        raise OutputError(f"{output} exists: choose a new folder")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as scratch:
            made = Path(scratch) / "model"
            made.mkdir()
            FORMATS[form](folder, made, size)
            settings = read_mapping(folder / "infer_cfg.yml")
            settings["input"].update(width=box.width, height=box.height)
            settings["sha256"] = {path.name: file_digest(path) for path in sorted(made.iterdir())}
            (made / "infer_cfg.yml").write_text(yaml.safe_dump(settings, sort_keys=False))
            made.rename(output)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}; choose another folder") from error
    return sorted(output.iterdir())


def greatest_difference(folder: Path, video: Path, frames: int, size: Size = None) -> float:
    """Compare the converted graphs in ONNX Runtime with the graphs in Paddle on frames of a video.

    Args:
        folder: the model folder.
        video: the video.
        frames: number of frames, the first of the video.
        size: width and height of the input in pixels; None for the model's own.

    Returns:
        Greatest difference of an output, maps or embeddings, in parts of the greatest value of that output.

    Raises:
        ModelError: a backend cannot run the model.
        SourceError: the video cannot be read.
    """
    runtime = RuntimeOptions(backend="paddle", precision="fp32", input_size=size)
    model = Model(folder, runtime)
    detector = model.detector()
    converted = OnnxRuntimeNetwork(folder, model.config, runtime)
    reference = PaddleNetwork(folder, model.config, runtime)
    worst = 0.0
    with open_source(video) as source:
        for frame, _ in zip(source, range(frames)):
            pixels = detector.preprocess(frame.image).pixels
            worst = max(worst, *map(_difference, converted.run(pixels), reference.run(pixels)))
            groups = _people(detector, frame.image, model.config, reference)
            if groups:
                worst = max(worst, _difference(converted.embed(groups), reference.embed(groups)))
    return worst


def _people(detector: JDEDetector, image: np.ndarray, config: ModelConfig, network: PaddleNetwork) -> list[np.ndarray]:
    """Return the rows that the embedding graph gets for the people in an image; none for a model that reads cells."""
    detections = detector(image)
    if config.embedding.read != "crop" or not len(detections):
        return []
    return [read_crops(image, detections.boxes, config.embedding.grid, config.letterbox.color)]


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def check_close(difference: float) -> None:
    """Check that a converted model gives the same.

    Raises:
        ModelError: it does not.
    """
    if not difference < CLOSE:
        raise ModelError(
            f"the converted model differs by {difference:.1e} of the greatest value, more than {CLOSE:.0e}"
        )
