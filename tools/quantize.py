"""Add an int8 form to an inference folder, which the OpenVINO backend runs in less time, a little less accurately.

    pip install -r requirements-quantize.txt
    python tools/quantize.py --model compact --frames street.mp4 IMAGES --output FOLDER

The frames show which numbers occur in the network: take them from the cameras that it is for, labels are not needed.
Frames of the same sources that quantisation has not seen then tell how well int8 agrees with fp32. If well enough, the
folder gets model_int8.xml, .bin and .yml, all at the end; else nothing is changed. Run it with --precision int8.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the script runs from any folder, installed or not

import numpy as np

from tools.agreement import Agreement, compare
from tools.sample_frames import hold_back, read_frames
from tracker import int8
from tracker.config import LetterboxConfig, ModelConfig, check_number, check_whole
from tracker.errors import ModelError, OptionError, OutputError, SourceError, TrackingError
from tracker.letterbox import Letterbox, to_floats
from tracker.network import check_files
from tracker.openvino_network import OpenVINONetwork, openvino_core
from tracker.weights import find_model

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


def float_layers(model: Any, wanted: Sequence[str]) -> list[str]:
    """Names of the layers of an openvino.Model to keep in float.

    Args:
        wanted: ``none``, ``first_last``, names of layers, OpenVINO's types of layers.

    Raises:
        OptionError: the model has no such layer.
    """
    kept: dict[str, None] = {}
    layers = [(node.get_friendly_name(), node.get_type_name()) for node in model.get_ordered_ops()]
    for word in wanted:
        names = edge_layers(model) if word == EDGES else [name for name, kind in layers if word in (name, kind)]
        if not names and word != NONE:
            raise OptionError(f"--keep_float: the model has no layer of the name or type {word!r}")
        kept |= dict.fromkeys(names)
    return list(kept)


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


def quantise(model: Any, images: Sequence[np.ndarray], config: LetterboxConfig, kept: Sequence[str]) -> Any:
    """The openvino.Model with weights and activations of its layers in int8, by NNCF.

    Args:
        model: openvino.Model of a fixed size.
        images: [H, W, 3] uint8 BGR, to calibrate with.
        config: how they become the model's input.
        kept: names of the layers to keep in float.
    """
    import nncf

    nncf.set_log_level(logging.ERROR)
    letterbox = Letterbox(config)
    data = nncf.Dataset(images, lambda image: to_floats(letterbox(image)[0], config.scale))
    with warnings.catch_warnings():
        # of an activation without positive values nncf computes inf * 0 and does not use it
        warnings.filterwarnings("ignore", "invalid value encountered in multiply", RuntimeWarning)
        return nncf.quantize(
            model,
            data,
            preset=nncf.QuantizationPreset.MIXED,  # ranges of their own below and above zero: swish has little below
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=list(kept)) if kept else None,
        )


def check_target(folder: Path, output: Path | None) -> None:
    """See beforehand that the result can be written, for it takes minutes to make.

    Raises:
        OutputError: it cannot be written there, or output is there already.
    """
    place = folder
    if output is not None:
        if output.exists() and not (output.is_dir() and not any(output.iterdir())):
            raise OutputError(f"{output} is there already: name a folder to make")
        place = output.parent
    try:
        if output is not None:
            place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        hint = "give another --output" if output else "give --output for a copy of the model elsewhere"
        raise OutputError(f"{place} cannot be written to ({error.strerror}): {hint}") from error


def install(staged: Path, folder: Path, output: Path | None) -> Path:
    """Put the int8 files beside the model, or with a copy of it into a new folder. Returns that folder.

    A new folder appears as a whole. In the model's own the files change one right after the other, the record last; by
    its digests a mixture of old and new ones, should the machine stop just there, is known as damaged. A process that
    runs the old ones, which OpenVINO maps into memory, keeps them.

    Raises:
        OutputError: it cannot be written; what was there before still is.
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
    """What is printed of an agreement."""
    a = agreement
    return (
        f"{a.images} other frames, detections above the model's confident score: {a.exact} in fp32, {a.found} in int8, "
        f"{a.matched} in both\n"
        f"F1 {a.f1:.3f} (precision {a.precision:.3f}, recall {a.recall:.3f}), IoU {a.iou:.3f}, "
        f"cosine of embeddings {a.cosine:.3f}\n"
        f"one pass, median: fp32 {a.exact_ms:.1f} ms, int8 {a.found_ms:.1f} ms"
    )


def run(args: argparse.Namespace) -> Path:
    """Does what the command line asks for; returns the folder that has an int8 form now."""
    count, held = check_whole("count", args.count), check_whole("check_count", args.check_count)
    check_number("least_agreement", args.least_agreement, 0, 1)
    versions = need_packages()
    folder = find_model(args.model).absolute()
    check_files(folder, ("model", "embed"))
    config = ModelConfig.load(folder)
    check_target(folder, args.output)
    exact = OpenVINONetwork(folder, config, "fp32")  # a model that cannot be run is told of before the frames are read
    model = read_model(folder, config.letterbox)
    kept = float_layers(model, args.keep_float)

    images = read_frames(args.frames, count + held, config.letterbox)
    calibration, others = hold_back(images, count, held)
    if not calibration:
        raise SourceError("one frame is too few: some are needed to calibrate with, and others to check with")
    print(f"calibrating with {len(calibration)} frames" + (f" of {count} asked for" * (len(calibration) < count)))
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        for path in folder.iterdir():
            if path.name not in int8.FILES:
                (staged / path.name).symlink_to(path)
        save(quantise(model, calibration, config.letterbox, kept), staged)
        details = {"frames": len(calibration), "float_layers": kept, **versions}
        int8.write_record(staged, details)
        agreement = compare(exact, OpenVINONetwork(staged, config, "int8"), others, config)
        print(report(agreement))
        if not agreement.f1 >= args.least_agreement:  # NaN too
            raise ModelError(
                f"int8 agrees too little with fp32, F1 {agreement.f1:.3f} where --least_agreement is "
                f"{args.least_agreement:g}; nothing was written. Give more frames, or other layers to --keep_float"
            )
        int8.write_record(staged, {**details, "agreement": figures(agreement)})
        return install(staged, folder, args.output and args.output.absolute())


def read_model(folder: Path, config: LetterboxConfig) -> Any:
    """The graph ``model`` as an openvino.Model for images of the configured size, normalisations folded into weights.

    Without the folding NNCF quantises what stands before the normalisation, and corrects no biases: features come out
    far less like those of fp32, and in more time.
    """
    from openvino._offline_transformations import apply_moc_transformations  # as openvino.convert_model does

    model = openvino_core().read_model(folder / "model.pdmodel", folder / "model.pdiparams")
    model.reshape([1, 3, config.height, config.width])
    apply_moc_transformations(model, cf=False)
    return model


def save(model: Any, folder: Path) -> None:
    """Write an openvino.Model as the int8 form in a folder."""
    import openvino

    openvino.save_model(model, folder / int8.PROGRAM, compress_to_fp16=False)


def figures(agreement: Agreement) -> dict[str, float]:
    """What the record keeps of an agreement."""
    names = ("images", "exact", "found", "matched", "f1", "precision", "recall", "iou", "cosine")
    return {name: round(getattr(agreement, name), 4) for name in (*names, "exact_ms", "found_ms")}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
        metavar="F1",
        help="of int8 with fp32 for the result to be kept, 0 to 1 (default: %(default)s)",
    )
    try:
        print(f"int8 is in {run(parser.parse_args(argv))}")
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
