"""Place models and associations among published ones: HOTA, MOTA and IDF1 on the second half of MOT17's sequences.

    python tools/eval_mot17.py MOT17
    python tools/eval_mot17.py MOT17/train --model compact OUTPUT/model --association fused --output TEXTS

FOLDER is MOT17 as motchallenge.net has it, or its folder train. Without options every bundled model is tracked with by
every association, as the module is set. The halves are those of CenterTrack and ByteTrack, what counts is as TrackEval
has it: pedestrians alone, and nobody is blamed for distractors. Ratios are fractions. A model that was trained on
MOT17, as PaddleDetection's full one, has seen these frames.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

from tools.cli import announce, progress, run_tool, write_json
from tools.eval_mot import Row, format_table
from tools.evaluation.mot17 import HalfSequence, find_halves, track_half
from tracker.association.base import ASSOCIATIONS, check_association
from tracker.detection.backends.choice import choose_backends
from tracker.detection.detector import Model
from tracker.errors import OptionError
from tracker.evaluation.mot_files import make_folder
from tracker.evaluation.mot_metrics import Scored, combine
from tracker.evaluation.validation import default_config
from tracker.models.locate import COMPACT, find_model
from tracker.options import add_backend_arguments
from tracker.settings.runtime import RuntimeOptions, parse_input_size
from tracker.sources import Source
from tracker.structures import Frame


def bundled_models() -> list[str]:
    """Return the folders of the models that come with the project."""
    return [str(file.parent) for file in sorted(COMPACT.parent.glob("*/infer_cfg.yml"))]


def score_model(
    model: Model, name: str, sequences: Sequence[HalfSequence], associations: Sequence[str], folder: Path
) -> tuple[list[Row], list[Row]]:
    """Track all sequences with one model by several associations and score the results.

    Args:
        model: the model.
        name: of the model, for the table and its folder of texts.
        sequences: what to track.
        associations: how to track.
        folder: for the texts, NAME/ASSOCIATION/SEQUENCE.txt.

    Returns:
        A row for each sequence and association, and one for each association over all sequences.

    Raises:
        SourceError: a sequence cannot be read.
        OutputError: a text cannot be written.
    """
    configs = {
        association: default_config(model).override({"association": association}) for association in associations
    }
    detector = model.detector()
    for association in associations:
        make_folder(folder / name / association)
    rows: list[Row] = []
    videos: dict[str, list[Scored]] = {association: [] for association in associations}
    for sequence in sequences:
        scored = track_half(sequence, detector, configs, folder / name, _show_progress)
        for association, video in scored.items():
            videos[association].append(video)
            rows.append(_row(name, association, sequence.name, [video]))
    return rows, [_row(name, association, "overall", scored) for association, scored in videos.items()]


def _row(model: str, association: str, sequence: str, videos: Sequence[Scored]) -> Row:
    values = combine(videos)
    first = {column: values.pop(column) for column in ("HOTA", "MOTA", "IDF1")}  # as published tables have them
    return {"model": model, "association": association, "sequence": sequence, **first, **values}


def _show_progress(source: Source) -> Iterator[Frame]:
    return progress(source, source.name, "frames", source.frame_count)


def run(arguments: argparse.Namespace) -> None:
    """Track and score what the command line asks for, print the table and write the JSON file."""
    associations = list(dict.fromkeys(arguments.association or ASSOCIATIONS))
    for association in associations:
        check_association(association)
    size = parse_input_size(arguments.input_size)
    runtime = RuntimeOptions(
        arguments.backend,
        arguments.precision,
        arguments.use_gpu,
        arguments.threads,
        input_size=size,
        device=arguments.device,
    )
    choose_backends(runtime)  # before anything is read or downloaded
    sequences = find_halves(arguments.folder)
    folders = [find_model(model) for model in dict.fromkeys(arguments.model or bundled_models())]
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise OptionError(f"two of the models have the same name, of {', '.join(names)}: rename the folder of one")
    rows, overall = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for name, folder in zip(names, folders):
            model = Model(folder, runtime)
            announce(f"{name}, {model.backend}: {len(sequences)} sequences")
            by_sequence, together = score_model(model, name, sequences, associations, arguments.output or Path(scratch))
            rows += by_sequence
            overall += together
    print(format_table([*rows, *overall]))
    if arguments.json:
        write_json(arguments.json, {"sequences": rows, "overall": overall})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of MOT17, or of its training sequences")
    parser.add_argument("--model", nargs="+", help="inference folders, or compact or full (default: all bundled ones)")
    parser.add_argument("--association", nargs="+", metavar="NAME", help=f"of {', '.join(ASSOCIATIONS)} (default: all)")
    parser.add_argument("--use_gpu", action="store_true", help="run the network on the first GPU")
    parser.add_argument("--threads", type=int, help="processor threads of the network (default: all cores)")
    add_backend_arguments(parser)
    parser.add_argument("--output", type=Path, help="keep the texts here: MODEL/ASSOCIATION/SEQUENCE.txt")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
