"""The options that both Python and the command line take, each told once."""

from __future__ import annotations

import argparse
import dataclasses
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .detection.backends.choice import BACKENDS
from .errors import OptionError
from .settings.model import Thresholds
from .settings.runtime import PRECISIONS
from .settings.tracking import ASSOCIATIONS, SETTINGS, TrackerConfig, used_by


@dataclass(frozen=True)
class Option:
    """A named setting.

    Attributes:
        kind: type of its value.
        help: what it does, with its unit and where its default comes from.
    """

    kind: type
    help: str


# to the fields of config.Thresholds
DETECTION_FIELDS = {
    "score_threshold": "score",
    "nms_threshold": "nms",
    "nms_top_k": "nms_top_k",
    "keep_top_k": "keep_top_k",
}
DETECTION = {
    "score_threshold": Option(
        float, "least score of a detection, 0 to 1; below low_thres it changes nothing (default: the model's)"
    ),
    "nms_threshold": Option(float, "overlap (IoU, 0 to 1) above which the weaker box goes (default: the model's)"),
    "nms_top_k": Option(int, "so many best boxes enter non-maximum suppression (default: the model's)"),
    "keep_top_k": Option(int, "so many boxes are kept after it (default: the model's)"),
}
TRACKER = {
    name: Option(
        kind=type(field.default),
        help=field.metadata["help"] + ("" if used_by(name) == ASSOCIATIONS else f" ({', '.join(used_by(name))})"),
    )
    for name, field in SETTINGS.items()
}


def split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options by name into detection thresholds and settings of the association, those that are None left out.

    Raises:
        OptionError: an unknown name, or a value of the wrong type or out of its range.
    """
    thresholds, settings = {}, {}
    for name, value in options.items():
        option = DETECTION.get(name) or TRACKER.get(name)
        if option is None:
            raise OptionError(f"unknown option {name!r}; known are {', '.join([*DETECTION, *TRACKER])}")
        if value is None:
            continue
        if option.kind is int and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
            raise OptionError(f"{name} must be a whole number, not {value!r}")
        if name in DETECTION:
            thresholds[DETECTION_FIELDS[name]] = value
        else:
            settings[name] = value
    # ranges are checked here already, before a source is opened or a model loaded
    TrackerConfig().override(settings)
    dataclasses.replace(Thresholds(score=0, nms=0, nms_top_k=1, keep_top_k=1, confident=0), **thresholds)
    return thresholds, settings


def boolean(text: str) -> bool:
    """A command line value that means what it says.

    Raises:
        argparse.ArgumentTypeError: it is neither yes nor no.
    """
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    try:
        return known[text.strip().lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False") from None


def add_input_arguments(group: argparse._ArgumentGroup) -> None:
    """What to track."""
    group.add_argument(
        "--video_stream",
        required=True,
        metavar="SOURCE",
        help="video file, folder of images, glob, MOTChallenge sequence folder, http/rtsp URL, or with --from_device "
        "the number of a camera",
    )
    _add_flag(group, "--from_device", "SOURCE is the number of a camera of this machine")
    group.add_argument("--frame_rate", type=float, help="frames per second, in place of what SOURCE says (images: 30)")
    group.add_argument(
        "--skip_frames",
        type=int,
        default=1,
        metavar="N",
        help="track every N-th frame only, for speed; numbers of frames stay those of SOURCE (default: %(default)s)",
    )
    group.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for a URL (default: %(default)g)")


def add_config_arguments(group: argparse._ArgumentGroup) -> None:
    """Where to run and what to write."""
    group.add_argument(
        "--model",
        default="auto",
        help="auto: the full model if it is cached or can be downloaded, else the compact one; full; compact; or the "
        "path of a .pdparams file or of an inference folder (default: %(default)s)",
    )
    _add_flag(group, "--use_gpu", "run the network on the first GPU")
    group.add_argument("--threads", type=int, help="processor threads of the network (default: all cores)")
    add_backend_arguments(group)
    group.add_argument(
        "--output_dir",
        default="mot_result",
        help="folder for mot_results/NAME.txt and mot_outputs/NAME_vis.mp4 (default: %(default)s)",
    )
    _add_flag(group, "--visualization", "make the annotated video", default=True)
    group.add_argument(
        "--draw_threshold",
        type=float,
        default=0.5,
        help="draw tracks with at least this score, 0 to 1; the text always has all (default: %(default)g)",
    )
    _add_flag(group, "--refine", "also write NAME_refined.txt: tracks joined, completed and smoothed at the end")
    _add_flag(group, "--progress", "show a progress bar (default: when in a terminal)", default=None)


def add_backend_arguments(group: argparse._ActionsContainer) -> None:
    """What the network runs on; the names are checked where it is opened."""
    group.add_argument(
        "--backend",
        default="auto",
        metavar="|".join(["auto", *BACKENDS]),
        help="what runs the network; auto: openvino if it is installed and --use_gpu is off, else paddle",
    )
    group.add_argument(
        "--precision",
        default="auto",
        metavar="|".join(PRECISIONS),
        help="of the network's numbers; auto: int8 with openvino if the model has a valid int8 form, else fp32; int8 "
        "(made by tools/quantize.py) and bf16 need openvino and round more; bf16 is faster on some processors",
    )


def add_threshold_arguments(group: argparse._ArgumentGroup) -> None:
    """Detection and association, see ``config/tracker.yml``."""
    for name, option in {**DETECTION, **TRACKER}.items():
        if option.kind is bool:
            _add_flag(group, f"--{name}", option.help, default=None)
        else:
            group.add_argument(f"--{name}", type=option.kind, help=option.help, metavar=option.kind.__name__.upper())


def _add_flag(group: argparse._ArgumentGroup, name: str, text: str, default: bool | None = False) -> None:
    if default is not None:
        text += f" (default: {default})"
    group.add_argument(name, type=boolean, nargs="?", const=True, default=default, metavar="True|False", help=text)
