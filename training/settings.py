"""Settings of a training run: a YAML file, with values replaced from the command line."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tracker.errors import OptionError
from tracker.settings.checks import (
    REQUIRED,
    check_number,
    check_positive,
    check_settings,
    flag,
    from_mapping,
    number,
    setting,
    shown,
    whole,
)
from tracker.settings.files import read_mapping


def _check_path(name: str, value: Any, optional: bool = False) -> None:
    if not isinstance(value, str) and not (optional and value is None):
        raise OptionError(f"{name} must be the path of a file or folder, not {shown(value)}")


def _check_paths(name: str, value: Any) -> None:
    _check_list(name, value)
    for path in value:
        _check_path(name, path)


def _check_detectors(name: str, value: Any) -> None:
    if isinstance(value, (list, tuple)):
        _check_paths(name, value)
    else:
        _check_path(name, value, optional=True)


def _check_list(name: str, value: Any) -> None:
    if not isinstance(value, (list, tuple)):
        raise OptionError(f"{name} must be a list, not {shown(value)}")


def _check_entries(name: str, value: Any, least: int = 0) -> None:
    _check_list(name, value)
    if len(value) < least:
        raise OptionError(f"{name} must name at least {least} dataset")
    for entry in value:
        if not isinstance(entry, Mapping):
            raise OptionError(f"{name} must be a list of mappings with kind and path, not of {shown(entry)}")
        check_number(f"the weight of a dataset in {name}", entry.get("weight", 1), 0)
    if value and not any(entry.get("weight", 1) for entry in value):
        raise OptionError(f"{name} needs a dataset with a weight above 0")


def _check_pair(name: str, value: Any, ascending: bool = True) -> None:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise OptionError(f"{name} must be a pair of numbers, not {shown(value)}")
    for side in value:
        check_positive(name, side)
    if ascending and value[0] > value[1]:
        raise OptionError(f"{name} must have its smaller number first, not {shown(value)}")


def _check_sizes(name: str, value: Any) -> None:
    sizes = value if isinstance(value, (list, tuple)) and value else [value]
    for size in sizes:
        sides = size if isinstance(size, (list, tuple)) and len(size) == 2 else [None]
        if not all(isinstance(side, int) and side > 0 and side % 32 == 0 for side in sides):
            raise OptionError(f"{name} must be heights and widths in multiples of 32, not {shown(size)}")


def _check_mapping(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise OptionError(f"{name} must be a mapping of names to values, not {shown(value)}")


_check_optional_path = partial(_check_path, optional=True)


@dataclass(frozen=True)
class DataSettings:
    """The datasets of a run.

    An entry of ``frames`` or ``crops`` is a mapping for `open_dataset`, and ``weight``: how often the dataset is drawn
    against the others, 1 without it.

    Raises:
        OptionError: A value is of the wrong type, or nothing can be drawn.
    """

    frames: Sequence[Mapping[str, Any]] = setting(
        REQUIRED, "datasets of images with boxes", partial(_check_entries, least=1)
    )
    crops: Sequence[Mapping[str, Any]] = setting((), "datasets of crops of one person each, to paste", _check_entries)
    validation: Sequence[str] = setting((), "MOTChallenge sequence folders", _check_paths)
    root: str = setting(".", "folder that relative paths of the other three start from", _check_path)

    def __post_init__(self) -> None:
        check_settings(self, "data.")

    def entries(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """Return the entries of ``frames`` or ``crops`` for `open_dataset`, paths resolved, and their weights."""
        return [(self._resolved(entry), float(entry.get("weight", 1))) for entry in getattr(self, name)]

    def sequences(self) -> list[Path]:
        """Return the folders to validate on."""
        return [Path(self.root, name) for name in self.validation]

    def _resolved(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: str(Path(self.root, value)) if key in ("path", "root") and isinstance(value, str) else value
            for key, value in entry.items()
            if key != "weight"
        }


@dataclass(frozen=True)
class TeacherSettings:
    """Teacher networks, ``.onnx`` files or OpenVINO's ``.xml``, and how far their boxes are trusted.

    Raises:
        OptionError: A value is of the wrong type or out of its range.
    """

    boxes: str | Sequence[str] | None = setting(
        None,
        "person detectors FILE[:CLASS][@WxH], see `DetectorFile`; of several, a person is whom two find; null for none",
        _check_detectors,
    )
    embeddings: str | None = setting(
        None, "a person re-identification network, see `ReidNetwork`; null for none", _check_optional_path
    )
    tiles: int = whole(
        1, "tiles along each side that detectors look at beside the whole image, if it has 720 rows or more; 1 for none"
    )
    sure: float = number(0.5, "score from which a detection is a person, in images without labels, 0 to 1", high=1)
    doubtful: float = number(
        0.25, "score from which a detection that no label matches is ignored: labels leave people out, 0 to 1", high=1
    )
    complete: bool = flag(False, "whether sure detections that no label matches are people in images with labels too")

    @property
    def detectors(self) -> tuple[str, ...]:
        """The person detectors."""
        return (self.boxes,) if isinstance(self.boxes, str) else tuple(self.boxes or ())

    def __post_init__(self) -> None:
        check_settings(self, "teachers.")


@dataclass(frozen=True)
class AugmentSettings:
    """How training canvases are made.

    Raises:
        OptionError: A value is of the wrong type or out of its range.
    """

    mosaic: float = number(0.4, "probability that a canvas shows parts of four frames", high=1)
    scale: tuple[float, float] = setting(
        (0.5, 1.6), "least and largest factor on the scale that would fit the frame into ``reference``", _check_pair
    )
    reference: tuple[int, int] = setting(
        (608, 1088), "height and width of the network's input in use, pixels", partial(_check_pair, ascending=False)
    )
    rotation: float = number(3.0, "largest angle, degrees")
    flip: float = number(0.5, "probability of mirroring", high=1)
    color: float = number(0.4, "strength of changes in brightness, contrast and saturation; 0 none, 1 extreme")
    hue: float = number(4.0, "largest shift of the hue, of 180 degrees")
    dusk: float = number(0.15, "probability of a darker, noisier image", high=1)
    blur: float = number(0.15, "probability of a blur", high=1)
    paste: float = number(0.6, "probability that crops are pasted", high=1)
    pasted: int = whole(24, "most crops on one canvas")
    pasted_height: tuple[float, float] = setting(
        (36, 320), "least and largest height of a pasted crop, pixels", _check_pair
    )
    hidden: float = number(
        0.15, "share of a person's box that pasted crops may hide; identity and teacher embedding stay", high=1
    )

    def __post_init__(self) -> None:
        check_settings(self, "augment.")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network is trained.

    Raises:
        OptionError: A value is of the wrong type or out of its range.
    """

    steps: int = whole(REQUIRED, "steps of the whole run")
    learning_rate: float = setting(1e-3, "the largest learning rate", check_positive)
    warmup: int = whole(200, "steps of linear increase to it; a cosine decay follows", low=0)
    final: float = number(0.02, "the last learning rate as a part of the largest", high=1)
    weight_decay: float = number(5e-4, "decay of weights; biases and norms have none")
    clip: float = setting(10.0, "largest norm of all gradients together", check_positive)
    average: float = number(0.998, "decay of the moving average of the weights", high=1)
    log_every: int = whole(20, "steps between lines of progress; 0 for never", low=0)
    save_every: int = whole(200, "steps between checkpoints; 0 for only at the end", low=0)
    validate_every: int = whole(0, "steps between validations; 0 for never", low=0)

    def __post_init__(self) -> None:
        check_settings(self, "schedule.")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: linear warm-up, then cosine decay."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.learning_rate * (self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2)


@dataclass(frozen=True)
class TrainSettings:
    """Everything about a run but where its results go.

    Raises:
        OptionError: A value is of the wrong type or out of its range.
    """

    model: str = setting(REQUIRED, "configuration of the network: a path, or a name in ``config/``", _check_path)
    data: DataSettings
    schedule: Schedule
    pretrain_weights: str | None = setting(
        None, "weights to start from, ``.pdparams`` or ``.npz``; null for random ones", _check_optional_path
    )
    task: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={"help": "settings of the network's task: `CompactSettings`, `FullSettings`", "check": _check_mapping},
    )
    teachers: TeacherSettings = field(default_factory=TeacherSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    sizes: Sequence[Sequence[int]] = setting(
        ((608, 1088),), "heights and widths of canvases, multiples of 32 pixels; each step draws one", _check_sizes
    )
    batch: int = whole(4, "images of a step, in each process")
    seed: int = whole(0, "seed of all random numbers", low=0)

    def __post_init__(self) -> None:
        check_settings(self)


def load_settings(path: Path, changes: Sequence[str] = ()) -> TrainSettings:
    """Read the settings of a run.

    Args:
        path: The YAML file.
        changes: Replacements ``name=value``, the name dotted (``schedule.steps=100``), the value as in YAML.

    Raises:
        OptionError: The file cannot be read, a name is unknown or missing, or a value is not accepted.
    """
    values = read_mapping(path)
    for change in changes:
        _replace(values, change)
    return from_mapping(TrainSettings, values)


def _replace(values: dict[str, Any], change: str) -> None:
    """Set one value of nested mappings, in place."""
    name, sign, text = change.partition("=")
    *groups, last = name.split(".")
    if not sign or not all((*groups, last)):
        raise OptionError(f"a change must look like schedule.steps=100, not {change!r}")
    for group in groups:
        values = values.setdefault(group, {})
        if not isinstance(values, dict):
            raise OptionError(f"{name} cannot be set: {group} is not a group of settings")
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise OptionError(f"the value of {change!r} cannot be read: {' '.join(str(error).split())}") from error
    if isinstance(values[last], str):
        with contextlib.suppress(ValueError):
            values[last] = float(text)  # YAML 1.1 reads 1e-4 as text
