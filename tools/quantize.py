"""Add an int8 form to an inference folder, which the OpenVINO backend runs faster and a little less accurately.

    pip install -r requirements-quantize.txt
    python tools/quantize.py --model compact --frames street.mp4 IMAGES --output FOLDER

Calibration takes the range of every activation from the frames: take them from the cameras that the model is for;
labels are not needed. Other frames of the same sources then show how well int8 agrees with fp32. If it agrees well
enough, the folder gets model_int8.*, embed_int8.* and int8.yml, all at the end; else nothing is changed. Run the result
with --precision int8.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

from tools.cli import announce, run_tool
from tools.quantization.agreement import Agreement, compare
from tools.quantization.int8_graphs import (
    EDGES,
    NONE,
    embedding_inputs,
    float_layers,
    image_input,
    keep_pixels,
    need_packages,
    quantise,
    read_graph,
)
from tools.quantization.sample_frames import hold_back, read_frames
from tracker.detection.backends.network import check_files
from tracker.detection.backends.openvino_import import import_openvino
from tracker.detection.backends.openvino_network import OpenVINONetwork
from tracker.errors import ModelError, OutputError, SourceError
from tracker.models import int8
from tracker.models.locate import find_model
from tracker.settings.checks import check_number, check_whole
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions


def check_target(folder: Path, output: Path | None) -> None:
    """Check that the result can be written, before the minutes that it takes to make.

    Args:
        folder: of the model.
        output: folder to make for a copy of the model; None to add to the model's own.

    Raises:
        OutputError: the folder cannot be written to, or the output exists already.
    """
    target = folder
    if output is not None:
        if output.exists() and not (output.is_dir() and not any(output.iterdir())):
            raise OutputError(f"{output} is there already: name a folder to make")
        target = output.parent
    try:
        if output is not None:
            target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target):
            pass
    except OSError as error:
        hint = "give another --output" if output else "give --output for a copy of the model elsewhere"
        raise OutputError(f"{target} cannot be written to ({error.strerror}): {hint}") from error


def install(staged: Path, folder: Path, output: Path | None) -> Path:
    """Put the int8 files beside the model, or with a copy of it into a new folder.

    A new folder appears as a whole. In the model's own folder the files are replaced one right after the other, the
    record last: should the machine stop in between, the digests in the record show the mixture of old and new files to
    be damaged. A process that runs the old files, which OpenVINO maps into memory, keeps them.

    Args:
        staged: folder of the int8 files.
        folder: of the model.
        output: folder to make for a copy of the model; None to add to the model's own.

    Returns:
        The folder that has the int8 form.

    Raises:
        OutputError: the files cannot be written; those that were there before are unchanged.
    """
    target = folder if output is None else output.with_name(f".{output.name}.part")
    parts = {name: target / (f".{name}.part" if output is None else name) for name in int8.FILES}
    try:
        if output is not None:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target, ignore=shutil.ignore_patterns(".*", *int8.FILES))
        for name, part in parts.items():
            shutil.copyfile(staged / name, part)
            with part.open("rb+") as file:  # else a power cut could leave a renamed file with holes
                os.fsync(file.fileno())
        if output is not None:
            return target.replace(output)
        for name, part in parts.items():
            part.replace(folder / name)
    except (OSError, shutil.Error) as error:
        raise OutputError(f"{output or folder}: cannot be written ({getattr(error, 'strerror', error)})") from error
    finally:
        if output is not None:
            shutil.rmtree(target, ignore_errors=True)
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink()
    return folder


def report(agreement: Agreement) -> str:
    """Return the lines to print about an agreement of int8 with fp32."""
    a = agreement
    return (
        f"{a.images} other frames, high-confidence detections: {a.reference} in fp32, "
        f"{a.candidate} in int8, {a.matched} in both\n"
        f"F1 {a.f1:.3f} (precision {a.precision:.3f}, recall {a.recall:.3f}), IoU {a.iou:.3f}, "
        f"cosine of embeddings {a.cosine:.3f}\n"
        f"one pass, median: fp32 {a.reference_ms:.1f} ms, int8 {a.candidate_ms:.1f} ms"
    )


def figures(agreement: Agreement) -> dict[str, float]:
    """Return the figures of an agreement to keep in the record of the int8 form."""
    names = ("images", "reference", "candidate", "matched", "f1", "precision", "recall", "iou", "cosine")
    return {name: round(getattr(agreement, name), 4) for name in (*names, "reference_ms", "candidate_ms")}


def add_int8(arguments: argparse.Namespace) -> Path:
    """Quantise the model that the command line names, and return the folder that has an int8 form now.

    Raises:
        ModelError: the model or a package cannot be used, or int8 agrees too little with fp32.
        OptionError: an option is out of its range.
        OutputError: the result cannot be written.
        SourceError: the frames cannot be read, or are not fit to calibrate with.
    """
    count, held = check_whole("count", arguments.count), check_whole("check_count", arguments.check_count)
    check_number("least_agreement", arguments.least_agreement, 0, 1)
    versions = need_packages()
    openvino = import_openvino()
    folder = find_model(arguments.model).absolute()
    check_files(folder, ("model", "embed"))
    config = ModelConfig.load(folder)
    check_target(folder, arguments.output)
    # opened first, so that a model that cannot be run is refused before the frames are read
    exact = OpenVINONetwork(folder, config, RuntimeOptions(precision="fp32"))
    models = {graph: read_graph(folder, graph, config.letterbox) for graph in int8.GRAPHS}
    kept = dict(zip(models, float_layers(list(models.values()), arguments.keep_float)))

    images = read_frames(arguments.frames, count + held, config.letterbox)
    calibration, others = hold_back(images, count, held)
    if not calibration:
        raise SourceError("one frame is too few: some are needed to calibrate with, and others to check with")
    print(f"calibrating with {len(calibration)} frames" + (f" of {count} asked for" * (len(calibration) < count)))
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        for path in folder.iterdir():
            if path.name not in int8.FILES:
                (staged / path.name).symlink_to(path)
        people = embedding_inputs(exact, calibration, models["embed"])  # first, for there may be none
        announce("quantising the detector, which takes minutes")
        models["model"] = quantise(models["model"], calibration, kept["model"], image_input(config.letterbox))
        announce("quantising the embedding head")
        models["embed"] = quantise(models["embed"], people, kept["embed"])
        keep_pixels(models["model"], config.letterbox.scale)
        for graph, model in models.items():
            program, _ = int8.GRAPHS[graph]
            openvino.save_model(model, staged / program, compress_to_fp16=False)
        details = {"frames": len(calibration), "float_layers": kept, **versions}
        int8.write_record(staged, details)
        agreement = compare(exact, OpenVINONetwork(staged, config, RuntimeOptions(precision="int8")), others, config)
        print(report(agreement))
        for name, value in (("F1", agreement.f1), ("cosine of embeddings", agreement.cosine)):
            if not value >= arguments.least_agreement:  # NaN too
                raise ModelError(
                    f"int8 agrees too little with fp32, {name} {value:.3f} where --least_agreement is "
                    f"{arguments.least_agreement:g}; nothing was written. Give more frames, or other layers to "
                    "--keep_float"
                )
        int8.write_record(staged, {**details, "agreement": figures(agreement)})
        return install(staged, folder, arguments.output and arguments.output.absolute())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("--model", required=True, help="inference folder, or compact or full")
    parser.add_argument(
        "--frames", metavar="SOURCE", nargs="+", required=True, help="videos, folders of images, globs; see above"
    )
    parser.add_argument("--count", type=int, default=200, help="frames to calibrate with (default: %(default)s)")
    parser.add_argument("--check_count", type=int, default=50, help="frames to check with (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="make a copy of the model there (default: add to the model's own)"
    )
    parser.add_argument(
        "--keep_float",
        nargs="+",
        default=[NONE],
        metavar="LAYER",
        help=f"leave these layers in float: {NONE}, {EDGES} (those next to the input and the outputs), names, or "
        "OpenVINO types such as GroupConvolution (default: none)",
    )
    parser.add_argument(
        "--least_agreement",
        type=float,
        default=0.9,
        metavar="SHARE",
        help="least F1 of detections, and cosine of embeddings, of int8 with fp32 for the result to be kept, 0 to 1 "
        "(default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Make the int8 form that the command line asks for, and print where it is."""
    print(f"int8 is in {add_int8(arguments)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
