"""Options that both Python and the command line take: their help, their checks, their flags."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .analysis.report.words import LANGUAGES
from .detection.backends.choice import BACKENDS
from .errors import OptionError
from .privacy.counts import FEW
from .privacy.hide import HOW
from .settings.checks import shown
from .settings.model import Thresholds
from .settings.runtime import DEVICES, PRECISIONS
from .settings.tracking import ASSOCIATIONS, RETIRED, SETTINGS, drop_retired, used_by

DETECTION_FIELDS = {  # option: field of `Thresholds`
    "score_threshold": "score",
    "nms_threshold": "nms",
    "nms_top_k": "nms_top_k",
    "keep_top_k": "keep_top_k",
}
# what `Predictor.change_model` takes, in order
CHOSEN = ("model", "threads", "backend", "precision", "input_size", "device")
# the thresholds that a short --help shows
COMMON = ("score_threshold", "association", "conf_thres", "min_box_area")


@dataclass(frozen=True)
class Option:
    """An option of detection, association or refinement.

    Attributes:
        kind: Type of its value.
        help: What it does, with its unit, who uses it or where its default comes from.
    """

    kind: type
    help: str


_THRESHOLDS = {field.name: field for field in dataclasses.fields(Thresholds)}
_FIELDS = {**{name: _THRESHOLDS[field] for name, field in DETECTION_FIELDS.items()}, **SETTINGS}
DETECTION = {
    name: Option(_FIELDS[name].metadata["kind"], f"{_FIELDS[name].metadata['help']} (default: the model's)")
    for name in DETECTION_FIELDS
}
TRACKER = {
    name: Option(
        kind=field.metadata["kind"],
        help=field.metadata["help"] + ("" if used_by(name) == ASSOCIATIONS else f" ({', '.join(used_by(name))})"),
    )
    for name, field in SETTINGS.items()
}


def split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check options, and split them into detection thresholds and settings of the association.

    Args:
        options: Values by the names in `DETECTION` and `TRACKER`; those that are None are left out.

    Returns:
        Values by the fields of `Thresholds`, and values by the names in `TRACKER`.

    Raises:
        OptionError: A name is unknown, or a value is of the wrong type or out of its range.
    """
    thresholds, settings = {}, {}
    for name, value in drop_retired(options).items():
        if name not in _FIELDS:
            raise OptionError(f"unknown option {shown(name)}; known are {', '.join(_FIELDS)}")
        if value is None:
            continue
        _FIELDS[name].metadata["check"](name, value)
        if name in DETECTION:
            thresholds[DETECTION_FIELDS[name]] = value
        else:
            settings[name] = value
    return thresholds, settings


def boolean(text: str) -> bool:
    """Return True or False for a word of the command line.

    Raises:
        argparse.ArgumentTypeError: The word is neither a yes nor a no.
    """
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    try:
        return known[text.strip().lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False") from None


def identities(text: str) -> tuple[int, ...]:
    """Return the identities that a word of the command line lists, such as ``7`` or ``7,9``.

    Raises:
        argparse.ArgumentTypeError: It is no such list.
    """
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of identities such as 7 or 7,9") from None


def add_input_arguments(group: argparse._ActionsContainer, everything: bool = True) -> None:
    """Add the flags that say what to track.

    Args:
        group: A parser or a group of arguments.
        everything: Whether help shows the rarely needed ones too.
    """
    group.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="video file, folder of images, glob, MOTChallenge sequence folder, http/rtsp URL, or with --from_device "
        "the number of a camera",
    )
    group.add_argument("--video_stream", metavar="SOURCE", help="another way to give SOURCE")
    group.add_argument(
        "--sources",
        metavar="FILE",
        help="YAML file of several cameras in place of SOURCE, as demo/cameras.yml; the other options are for all of "
        "them, and those in FILE win",
    )
    add_flag(group, "--from_device", "SOURCE is the number of a camera of this machine")
    add_reading_arguments(group, everything)


def add_reading_arguments(group: argparse._ActionsContainer, everything: bool = True) -> None:
    """Add the flags that say how to read a source.

    Args:
        group: A parser or a group of arguments.
        everything: Whether help shows the rarely needed ones too.
    """
    group.add_argument(
        "--frame_rate",
        type=float,
        help="frames per second of a SOURCE without time stamps (images: 30); live ones without go by their arrival, "
        "videos with time stamps by these",
    )
    group.add_argument(
        "--skip_frames",
        type=int,
        default=1,
        metavar="N",
        help="track every N-th frame only, for speed; numbers of frames stay those of SOURCE (default: %(default)s)",
    )
    group.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        help="seconds to wait for a URL (default: %(default)g)" if everything else argparse.SUPPRESS,
    )
    group.add_argument(
        "--max_pixels",
        type=int,
        default=100_000_000,
        help="width times height that a picture may have; larger ones are not decoded (default: %(default)d)"
        if everything
        else argparse.SUPPRESS,
    )


def add_model_arguments(group: argparse._ActionsContainer) -> None:
    """Add the flags that say which model runs, and on what."""
    group.add_argument(
        "--model",
        default="auto",
        help="auto: the full model if it is cached or can be downloaded (293 MB; in a terminal it asks), else the "
        "compact one; full; compact; or the path of a .pdparams file or of an inference folder (default: %(default)s)",
    )
    add_flag(group, "--use_gpu", "run the network on the first GPU")
    group.add_argument("--threads", type=int, help="processor threads of the network (default: all cores)")
    add_backend_arguments(group)


def add_config_arguments(group: argparse._ActionsContainer) -> None:
    """Add the flags that say what to run and what to write."""
    add_model_arguments(group)
    group.add_argument(
        "--output_dir",
        default="mot_result",
        help="folder for mot_results/NAME.txt and mot_outputs/NAME_vis.mp4 (default: %(default)s)",
    )
    group.add_argument(
        "--tracker_config",
        metavar="FILE",
        help="YAML file of tracker settings, which win over those of config/tracker.yml; flags win over both",
    )
    add_flag(group, "--visualization", "make the annotated video", default=True)
    group.add_argument(
        "--draw_threshold",
        type=float,
        default=0.5,
        help="draw tracks with at least this score, 0 to 1; the text always has all (default: %(default)g, or the "
        "model's own conf_thres where that is lower)",
    )
    add_flag(group, "--refine", "also write NAME_refined.txt: tracks joined, completed and smoothed at the end")
    group.add_argument(
        "--scene",
        metavar="FILE",
        help="YAML file of lines to count at, zones and regions; the answers go to OUTPUT_DIR/answers/NAME",
    )
    add_time_arguments(group)
    add_language_argument(group)
    group.add_argument(
        "--trails",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="draw into the video where everybody walked in the last so many seconds (default: %(default)g, none)",
    )
    add_privacy_arguments(group)
    add_flag(group, "--progress", "show a progress bar (default: when in a terminal)", default=None)
    group.add_argument("--json", action="store_true", help="print one JSON object in place of the summary")


def add_time_arguments(group: argparse._ActionsContainer) -> None:
    """Add the flags that say how answers are dated and counted."""
    group.add_argument(
        "--start",
        metavar="TIME",
        help="clock time of the first frame, such as 2026-11-27T09:00:00+01:00 (default: now for a camera)",
    )
    group.add_argument(
        "--interval",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="length of the intervals that crossings are counted by (default: %(default)g)",
    )


def add_privacy_arguments(group: argparse._ActionsContainer) -> None:
    """Add the flags that say what no output may show."""
    group.add_argument(
        "--anonymise",
        metavar="|".join(HOW),
        help="hide people in every picture before anything is made of it: heads or bodies in coarse blocks, or bodies "
        "in one colour",
    )
    group.add_argument(
        "--only",
        type=identities,
        metavar="ID[,ID]",
        help="with anonymise: show these people of an earlier run, hide everybody else",
    )
    group.add_argument(
        "--except",
        type=identities,
        dest="except_",
        metavar="ID[,ID]",
        help="with anonymise: hide these people of an earlier run, show everybody else",
    )
    add_private_argument(group)


def add_private_argument(group: argparse._ActionsContainer) -> None:
    """Add the flag that keeps counts only."""
    add_flag(
        group,
        "--private",
        "keep nothing but counts of the scene: no video, no text, no pictures, no report, no identities, intervals of "
        f"a minute or more, numbers below {FEW} left out",
    )


def add_language_argument(group: argparse._ActionsContainer) -> None:
    """Add the flag that says in which language a report is."""
    group.add_argument(
        "--language", choices=LANGUAGES, default="en", help="of the report on the scene (default: %(default)s)"
    )


def add_backend_arguments(group: argparse._ActionsContainer) -> None:
    """Add the flags that say what runs the network; their values are checked where it is opened."""
    group.add_argument(
        "--backend",
        default="auto",
        metavar="|".join(["auto", *BACKENDS]),
        help="what runs the network; auto: openvino if it is installed and --use_gpu is off, else paddle; onnxruntime "
        "(an extra, see requirements-onnx.txt) runs on further devices",
    )
    group.add_argument(
        "--device",
        default="auto",
        metavar="|".join(DEVICES),
        help="what the network runs on; auto: the processor, or the GPU with --use_gpu; paddle has cuda, onnxruntime "
        "what its build has",
    )
    group.add_argument(
        "--precision",
        default="auto",
        metavar="|".join(PRECISIONS),
        help="of the network's numbers; auto: int8 with openvino if the model has a valid int8 form, else fp32; int8 "
        "(made by tools/quantize.py) and bf16 need openvino and round more; bf16 is faster on some processors",
    )
    group.add_argument(
        "--input_size",
        default="auto",
        metavar="auto|WxH",
        help="width and height of the network's input, to which images are scaled, multiples of 32; larger ones find "
        "smaller people and take longer (default: the model's own)",
    )


def add_threshold_arguments(group: argparse._ActionsContainer, everything: bool = True) -> None:
    """Add the flags of detection, association and refinement; none has a default, see ``config/tracker.yml``.

    Args:
        group: A parser or a group of arguments.
        everything: Whether help shows all of them, or those in `COMMON`.
    """
    for name, option in {**TRACKER, **DETECTION}.items():
        help = option.help if everything or name in COMMON else argparse.SUPPRESS
        if option.kind is bool:
            add_flag(group, f"--{name}", help, default=None)
        else:
            group.add_argument(f"--{name}", type=option.kind, help=help, metavar=option.kind.__name__.upper())
    for name in RETIRED:
        group.add_argument(f"--{name}", action=_RetiredOption, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


class _RetiredOption(argparse.Action):
    """Takes an option that has no effect any more, with a warning."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, *_: Any) -> None:
        drop_retired({self.dest: value})


def add_flag(group: argparse._ActionsContainer, name: str, text: str, default: bool | None = False) -> None:
    """Add a flag that is True by itself, or has True or False behind it; a default of None is told by the text."""
    if default is not None:
        text += f" (default: {default})"
    group.add_argument(name, type=boolean, nargs="?", const=True, default=default, metavar="True|False", help=text)
