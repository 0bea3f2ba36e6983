"""Track sequences with a model and score the result, with and without the model's embeddings.

    python tools/eval_model.py --model FOLDER --sequences SEQUENCE1 SEQUENCE2
    python tools/eval_model.py --model compact --video VIDEO --gt gt.txt --frame_rate 10

The column "control" is the IDF1 of the same detections with one and the same embedding for everybody. AP50 is of the
detections above the model's score threshold, the other columns are of the tracks. Settings and options are those of the
module.

--compare_sizes tells when a larger or smaller input pays: for each size AP50 by the height of people in the image, and
the milliseconds of a forward pass, all sizes in turns; nothing is tracked.

    python tools/eval_model.py --model compact --sequences SEQUENCE --compare_sizes 640x352 auto 1920x1088 --every 5

--save_detections FOLDER keeps these detections for eval_mot.py, which tries other settings on them without the model.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

from tools.cli import progress, run_tool, write_json
from tools.evaluation.sizes import HEIGHTS, compare_sizes
from tracker.detection.backends.choice import choose_backends
from tracker.detection.detector import Model
from tracker.errors import OptionError
from tracker.evaluation.mot_files import make_folder
from tracker.evaluation.validation import SequenceFiles, Validation, default_config, validate_model
from tracker.models.locate import find_model
from tracker.options import DETECTION, TRACKER, add_backend_arguments, add_threshold_arguments, split
from tracker.settings.checks import check_positive, check_whole
from tracker.settings.runtime import RuntimeOptions, parse_input_size
from tracker.sources import Source
from tracker.structures import Frame

COLUMNS = {  # field of Scores: heading
    "mota": "MOTA",
    "idf1": "IDF1",
    "control_idf1": "control",
    "switches": "IDs",
    "precision": "precision",
    "recall": "recall",
    "ap50": "AP50",
}


def format_table(result: Validation) -> str:
    """Lay out a header, a row for each sequence and, where there are several, one for all together."""
    rows = [*result.sequences, result.overall] if len(result.sequences) > 1 else result.sequences
    width = max(len("sequence"), *(len(row.name) for row in rows))
    lines = [f"{'sequence':{width}}" + "".join(f"{heading:>11}" for heading in COLUMNS.values())]
    for row in rows:
        values = [getattr(row, field) for field in COLUMNS]
        cells = [str(value) if isinstance(value, int) else f"{value:.3f}" for value in values]
        lines.append(f"{row.name:{width}}" + "".join(f"{cell:>11}" for cell in cells))
    return "\n".join(lines)


def sequences(arguments: argparse.Namespace) -> list[SequenceFiles]:
    """Return the sequences that the command line names.

    Raises:
        OptionError: there is none, or a video without its ground truth or the other way round.
        SourceError: a sequence folder is incomplete.
    """
    if bool(arguments.video) != bool(arguments.gt):
        raise OptionError("--video and --gt belong together, give both")
    files = [SequenceFiles.of_folder(folder) for folder in arguments.sequences]
    if arguments.video:
        files.append(SequenceFiles(arguments.video.stem, arguments.video, arguments.gt))
    if not files:
        raise OptionError("nothing to track: give --sequences, or --video and --gt")
    if arguments.frame_rate is not None:
        check_positive("frame_rate", arguments.frame_rate)
    return [dataclasses.replace(sequence, frame_rate=arguments.frame_rate) for sequence in files]


def run(arguments: argparse.Namespace) -> None:
    """Score what the command line asks for, print the table and write the JSON file."""
    files = sequences(arguments)
    if arguments.save_detections:
        make_folder(arguments.save_detections, [sequence.name for sequence in files])
    thresholds, settings = split({name: getattr(arguments, name) for name in (*DETECTION, *TRACKER)})
    if arguments.compare_sizes:
        _compare_sizes(arguments, files, thresholds)
        return
    (model,) = _models(arguments, [arguments.input_size])
    config = default_config(model).choose(settings, refine=False)
    result = validate_model(model, files, config, thresholds, arguments.save_detections, _show_progress)
    print(f"{model.config.name}, {model.backend}")
    print(format_table(result))
    if arguments.json:
        write_json(arguments.json, dataclasses.asdict(result))


def _compare_sizes(arguments: argparse.Namespace, files: list[SequenceFiles], thresholds: dict[str, Any]) -> None:
    """Print the table of several input sizes and write the JSON file."""
    check_whole("every", arguments.every)
    models = _models(arguments, arguments.compare_sizes)
    table = compare_sizes(models, files, arguments.heights, arguments.every, thresholds, _show_progress)
    print(f"{models[0].config.name}, {models[0].backend}")
    print(table)
    if arguments.json:
        write_json(arguments.json, dataclasses.asdict(table))


def _models(arguments: argparse.Namespace, sizes: Sequence[str]) -> list[Model]:
    """Load the model that the command line names at each size."""
    backend, precision = arguments.backend, arguments.precision
    usual = RuntimeOptions(backend, precision, arguments.use_gpu, arguments.threads, device=arguments.device)
    runtimes = [dataclasses.replace(usual, input_size=parse_input_size(size)) for size in sizes]
    choose_backends(usual)  # before a model is downloaded
    folder = find_model(arguments.model)
    return [Model(folder, runtime) for runtime in runtimes]


def _show_progress(source: Source) -> Iterator[Frame]:
    return progress(source, source.name, "frames", source.frame_count)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("--model", required=True, help="inference folder, or compact or full")
    parser.add_argument("--sequences", type=Path, nargs="+", default=[], help="MOTChallenge sequence folders")
    parser.add_argument("--video", type=Path, help="a video, or folder of images, beside them")
    parser.add_argument("--gt", type=Path, help="ground truth of that video")
    parser.add_argument("--frame_rate", type=float, help="frames per second of sequences without time stamps")
    parser.add_argument("--use_gpu", action="store_true", help="run the network on the first GPU")
    parser.add_argument("--threads", type=int, help="processor threads of the network (default: all cores)")
    add_backend_arguments(parser)
    group = parser.add_argument_group("Input sizes", "A table of several, in place of tracking.")
    group.add_argument("--compare_sizes", nargs="+", metavar="WxH", help="the sizes, auto for the model's own")
    group.add_argument(
        "--heights",
        type=float,
        nargs="+",
        default=HEIGHTS,
        metavar="PIXELS",
        help=f"of people in the image, between one band and the next (default: {' '.join(f'{h:g}' for h in HEIGHTS)})",
    )
    group.add_argument("--every", type=int, default=1, metavar="N", help="every N-th frame (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument(
        "--save_detections", type=Path, metavar="FOLDER", help="also write SEQUENCE.npz there, see above"
    )
    add_threshold_arguments(parser.add_argument_group("Thresholds", "Of detection and association."))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
