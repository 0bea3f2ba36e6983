"""The command line of the tracker, for ``hub run`` and ``python -m tracker``.

The first word is the name of a command, by default ``track``. An entry in `COMMANDS` makes a new one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from .cameras.config import read_cameras
from .cameras.run import run_cameras
from .cameras.status import CamerasResult
from .errors import TrackingError
from .exports.export import FORMATS, ExportResult, export
from .exports.recording import TOLERANCE
from .library.batch.arguments import HELP, USAGE, add_batch_arguments, run_batch
from .library.batch.result import BatchResult
from .library.identities.arguments import (
    FIND_HELP,
    FIND_USAGE,
    JOIN_HELP,
    JOIN_USAGE,
    add_find_arguments,
    add_join_arguments,
    run_find,
    run_join,
)
from .option_groups import add_group, add_group_arguments
from .options import (
    CHOSEN,
    add_config_arguments,
    add_flag,
    add_input_arguments,
    add_language_argument,
    add_private_argument,
    add_threshold_arguments,
    add_time_arguments,
)
from .pipeline.analyse import AnalysisResult, analyse
from .pipeline.interrupts import ending_in_order, result_of
from .pipeline.result import TrackingResult
from .pipeline.standard_streams import safe_streams, use_null_for
from .predictor import Predictor
from .web.commands import scene, serve
from .web.commands.viewing import add_view_arguments, viewing


class UsageError(Exception):
    """The arguments do not go together."""


@dataclass(frozen=True)
class Command:
    """A command of the command line.

    Attributes:
        help: One sentence on what it does.
        usage: Its arguments in short.
        add_arguments: Adds its arguments to a parser; the flag tells whether help shows the rarely needed ones too.
        run: Runs it with the values of the arguments by name. Returns a dataclass whose text is a short summary, or
            raises UsageError.
    """

    help: str
    usage: str
    add_arguments: Callable[[argparse.ArgumentParser, bool], None]
    run: Callable[[Predictor, dict[str, Any]], Any]


@dataclass(frozen=True)
class JsonText:
    """The result of a command; its text is one JSON object.

    Attributes:
        result: A dataclass. Values of types that JSON lacks, such as paths, are converted to text.
    """

    result: Any

    def __str__(self) -> str:
        return json.dumps(dataclasses.asdict(self.result), default=str, ensure_ascii=False)


def _add_track_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_input_arguments(parser.add_argument_group("Input options", "What to track."), everything)
    config = parser.add_argument_group("Config options", "Model, device and results.")
    add_config_arguments(config)
    add_view_arguments(config)
    add_threshold_arguments(parser.add_argument_group("Thresholds", "Of detection and association."), everything)
    add_group_arguments(parser, everything)


def _track(predictor: Predictor, arguments: dict[str, Any]) -> TrackingResult | CamerasResult:
    source, video_stream, sources = (arguments.pop(name) for name in ("source", "video_stream", "sources"))
    if [source, video_stream, sources].count(None) != 2:
        raise UsageError("one SOURCE is required, by itself or as --video_stream SOURCE; or --sources FILE")
    predictor.change_model(*(arguments.pop(name) for name in CHOSEN))
    source = video_stream if source is None else source
    with viewing(source, arguments) as sinks:
        if sources is None:
            return predictor.mot_predict(source, sinks=sinks, **arguments)
    result = run_cameras(predictor, read_cameras(sources), **arguments)
    if result.failed:
        names = ", ".join(one.name for one in result.failed)
        failure = TrackingError(f"{len(result.failed)} of {len(result.cameras)} cameras failed: {names}")
        failure.result = result  # type: ignore[attr-defined]
        raise failure
    return result


def _add_analyse_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    parser.add_argument("text", metavar="TEXT", help="MOT text of a run, such as mot_result/mot_results/street.txt")
    parser.add_argument("--scene", metavar="FILE", help="YAML file of lines, zones and regions")
    parser.add_argument("--video", metavar="VIDEO", help="the video that was tracked, for pictures in the report")
    add_flag(parser, "--visualization", "with --video: also draw scene, tracks and names into it anew")
    parser.add_argument("--frame_rate", type=float, help="frames per second, if neither a run nor a video tells")
    parser.add_argument(
        "--edits", metavar="FILE", help="YAML file of corrections: who is one person, who is two, who swapped numbers"
    )
    parser.add_argument(
        "--plane", choices=("guess",), help="guess the floor by people's height, for metres in a scene without a plane"
    )
    add_time_arguments(parser)
    add_language_argument(parser)
    add_private_argument(parser)
    add_group(parser, "Answer options", True)
    parser.add_argument(
        "--output_dir", help="folder for answers/NAME (default: the one that TEXT's mot_results is in, or mot_result)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")


def _analyse(predictor: Predictor, arguments: dict[str, Any]) -> AnalysisResult:
    return analyse(arguments.pop("text"), **{name: value for name, value in arguments.items() if value is not None})


def _add_export_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    parser.add_argument("text", metavar="TEXT", help="MOT text of a run, such as mot_result/mot_results/street.txt")
    parser.add_argument("--to", required=True, choices=FORMATS, help="the format: of a labelling tool, or a data set")
    parser.add_argument(
        "--video", metavar="VIDEO", help="the video that was tracked; coco and yolo get its pictures, as they are in it"
    )
    parser.add_argument("--frame_rate", type=float, help="frames per second, if neither a run nor a video tells")
    parser.add_argument("--edits", metavar="FILE", help="YAML file of corrections of identities")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="PIXELS",
        help="how far off a box may be between keyframes of cvat and labelstudio (default: %(default)g)",
    )
    parser.add_argument(
        "--output_dir", help="folder for exports/NAME_FORMAT (default: the one that TEXT's mot_results is in)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")


def _export(predictor: Predictor, arguments: dict[str, Any]) -> ExportResult:
    return export(arguments.pop("text"), **arguments)


COMMANDS = {
    "track": Command(
        "Follow the pedestrians in a video: every person gets a number that stays.",
        "SOURCE [options], or --sources FILE [options]",
        _add_track_arguments,
        _track,
    ),
    "analyse": Command(
        "Answer a scene from the text of a run: counts, visits, people, heat, and a report.",
        "TEXT [--scene FILE] [options]",
        _add_analyse_arguments,
        _analyse,
    ),
    "export": Command(
        "Write the tracks of a run for a labelling tool or as a data set.",
        f"TEXT --to {'|'.join(FORMATS)} [--video VIDEO] [options]",
        _add_export_arguments,
        _export,
    ),
    "batch": Command(HELP, USAGE, add_batch_arguments, run_batch),
    "join": Command(JOIN_HELP, JOIN_USAGE, add_join_arguments, run_join),
    "find": Command(FIND_HELP, FIND_USAGE, add_find_arguments, run_find),
    "scene": Command(scene.HELP, scene.USAGE, scene.add_scene_arguments, scene.run_scene),
    "serve": Command(serve.HELP, serve.USAGE, serve.add_serve_arguments, serve.run_serve),
}
DEFAULT = "track"
EVENTS_ALONE = "-"  # as --events: standard output is for events, and the result goes to standard error


def make_parser(prog: str, name: str = DEFAULT, everything: bool = False) -> argparse.ArgumentParser:
    """Return the parser of a command.

    Args:
        prog: Name of the program, for the usage.
        name: Name of the command.
        everything: Whether help shows the rarely needed options too.
    """
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=f"%(prog)s {command.usage}",
        description=command.help,
        epilog=f"The first word may name a command: {', '.join(COMMANDS)}; without one it is {DEFAULT}. Ctrl-C ends a "
        "run in order: the files are complete to the last finished frame.",
    )
    parser.add_argument("--help_all", action="help", help="show all options, also the rarely needed ones, and exit")
    command.add_arguments(parser, everything)
    return parser


def run_command(predictor: Predictor, prog: str, argv: Sequence[str] | None = None) -> object:
    """Run the command that the arguments name.

    Args:
        predictor: The predictor; its model is changed to the one of the arguments.
        prog: Name of the program, for the usage.
        argv: Arguments; None for those of the process.

    Returns:
        The result, to be printed: its text is a summary, or one JSON object with ``--json``.

    Raises:
        SystemExit: 1 after an error or if a video of a batch failed, 2 for wrong arguments, 130 after Ctrl-C, 143 after
            SIGTERM, 129 after SIGHUP; the cause is one line on stderr. With ``--json`` the object of a run that was
            interrupted is printed before.

    With ``--events -`` nothing but events goes to standard output: ``sys.stdout`` is standard error from then on.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    name = DEFAULT
    if words and words[0] in COMMANDS:
        name = words.pop(0)
        prog = f"{prog} {name}"
    parser = make_parser(prog, name, "--help_all" in words)
    arguments = vars(parser.parse_args(words))
    as_json = arguments.pop("json")
    try:
        result = _run_in_order(predictor, parser, name, arguments, as_json)
    finally:
        if arguments.get("events") == EVENTS_ALONE:
            sys.stdout = sys.stderr  # what prints the result, which PaddleHub may be, leaves the events alone
    return JsonText(result) if as_json else result


def _run_in_order(
    predictor: Predictor, parser: argparse.ArgumentParser, name: str, arguments: dict[str, Any], as_json: bool
) -> Any:
    events_alone = arguments.get("events") == EVENTS_ALONE
    with safe_streams(), ending_in_order():
        logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
        logging.getLogger(__package__).setLevel(logging.INFO)
        try:
            return COMMANDS[name].run(predictor, dict(arguments))
        except UsageError as error:
            parser.error(str(error))
        except TrackingError as error:
            result = result_of(error)
            if result is not None:  # what those have made that did not fail
                print_result(JsonText(result) if as_json else result, sys.stderr if events_alone else None)
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(1) from error
        except (KeyboardInterrupt, SystemExit) as stop:
            result = result_of(stop)
            if as_json and result is not None:
                print_result(JsonText(result), sys.stderr if events_alone else None)
            word, code = ("terminated", stop.code) if isinstance(stop, SystemExit) else ("interrupted", 130)
            print(f"{word}{_what_is_left(result)}", file=sys.stderr)
            raise SystemExit(code) from None


def _what_is_left(result: Any) -> str:
    if isinstance(result, BatchResult):
        return f": {len(result.left)} of {len(result.rows)} videos are left; --resume goes on with them"
    if not isinstance(result, (TrackingResult, CamerasResult)):  # the second Ctrl-C, or one before the run
        return ""
    made = isinstance(result, CamerasResult) or result.files
    return ": the files hold all finished frames" if result.frames and made else ": no frame was finished"


def print_result(result: object, stream: TextIO | None = None) -> None:
    """Print the result of a command.

    Args:
        result: its text is printed.
        stream: where to; None for standard output.

    Raises:
        SystemExit: 1 where it cannot be printed; the cause is one line on stderr.
    """
    try:
        print(result, flush=True, file=stream)
    except OSError as error:
        use_null_for(sys.stdout)  # what is still in its buffer is written once more at the end
        print(f"error: cannot print the result: {error.strerror}; the files are complete", file=sys.stderr)
        raise SystemExit(1) from error
