"""Make an inference folder from trained weights, or write a model for other programs.

    python tools/export_model.py -c config/jde_darknet53_30e_1088x608.yml --weights FILE.pdparams --output FOLDER
    python tools/export_model.py --model compact --to onnx --output FOLDER [--input_size 640x352]

The weights are a .pdparams file of the configured network, or a checkpoint.npz of tools/train.py. The folder then holds
model.pdmodel, embed.pdmodel, their parameters and infer_cfg.yml; give it to the module with --model FOLDER.

--to onnx writes model.onnx and embed.onnx, --to openvino model.xml and embed.xml, each with infer_cfg.yml, which
tells how images are letterboxed, boxes decoded and crops cut: docs/model_formats.md. ONNX graphs are compared, in ONNX
Runtime, with Paddle on frames of the demo clip (pip install -r requirements-onnx.txt).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.cli import print_line, run_tool
from tracker.errors import OptionError
from tracker.models.child import ROOT
from tracker.models.export import PROGRAM_FORMAT, export

FORMATS = ("onnx", "openvino", "paddle")
FRAMES = 3  # of the demo clip, for the comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    weights = parser.add_argument_group("from weights")
    weights.add_argument("-c", "--config", type=Path, help="a model configuration in config/")
    weights.add_argument("--weights", type=Path, help=".pdparams file or checkpoint.npz of this network")
    model = parser.add_argument_group("from a model")
    model.add_argument("--model", help="inference folder, or compact or full")
    model.add_argument("--to", choices=FORMATS, help="the format")
    model.add_argument(
        "--input_size", default="auto", metavar="auto|WxH", help="size of the network's input (default: the model's)"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to make")


def run(arguments: argparse.Namespace) -> None:
    """Export the weights or the model."""
    weights, model = (arguments.config, arguments.weights), (arguments.model, arguments.to)
    if (None in weights) == (None in model) or (any(weights) and any(model)):
        raise OptionError("give -c CONFIG and --weights FILE, or --model MODEL and --to FORMAT")
    os.environ.update(PROGRAM_FORMAT)
    if all(weights):
        export(arguments.config, arguments.weights, arguments.output)
        return

    from tools.exporting.formats import check_close, export_folder, greatest_difference
    from tracker.models.locate import find_model
    from tracker.settings.runtime import parse_input_size

    size, folder = parse_input_size(arguments.input_size), find_model(arguments.model)
    if arguments.to == "onnx":
        difference = greatest_difference(folder, ROOT / "demo" / "pedestrians.mp4", FRAMES, size)
        check_close(difference)
        print_line(f"{FRAMES} frames in ONNX Runtime and in Paddle differ by {difference:.1e} of the greatest value")
    for path in export_folder(folder, arguments.to, arguments.output, size):
        print_line(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
