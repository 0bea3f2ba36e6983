"""A training configuration: YAML, with values replaced from the command line, checked before anything long begins."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from tracker.errors import OptionError
from tracker.settings.checks import check_number, check_whole
from training.data.augment import AugmentSettings
from training.teachers import TeacherSettings
from training.trainer import Schedule


@dataclass(frozen=True)
class DataSettings:
    """What is learnt from.

    Attributes:
        frames: images with boxes: entries for `open_dataset`, and ``weight``, how often each is drawn against the
            others; 1 without it.
        crops: folders of crops of one person each, to paste, likewise.
        validation: MOTChallenge sequence folders.
        root: what relative paths of the three are relative to.
    """

    frames: Sequence[Mapping[str, Any]]
    crops: Sequence[Mapping[str, Any]] = ()
    validation: Sequence[str] = ()
    root: str = "."

    def __post_init__(self) -> None:
        for name in ("frames", "crops", "validation"):
            if not isinstance(getattr(self, name), (list, tuple)):
                raise OptionError(f"data.{name} must be a list, not {getattr(self, name)!r}")
        if not self.frames:
            raise OptionError("data.frames must name at least one dataset")
        for entry in (*self.frames, *self.crops):
            if not isinstance(entry, Mapping):
                raise OptionError(f"an entry of data must be a mapping with kind and path, not {entry!r}")
            check_number("weight of a dataset", entry.get("weight", 1), 0)
        for name in ("frames", "crops"):
            weights = [entry.get("weight", 1) for entry in getattr(self, name)]
            if weights and not any(weights):
                raise OptionError(f"data.{name} has no dataset with a weight above 0")
        for path in (self.root, *self.validation):
            if not isinstance(path, str):
                raise OptionError(f"data.root and data.validation must be of paths, not {path!r}")

    def entries(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """Entries of ``frames`` or ``crops`` for `open_dataset`, paths resolved, and their weights."""
        return [
            (
                {key: str(Path(self.root, value)) if key in ("path", "root") and isinstance(value, str) else value
                 for key, value in entry.items() if key != "weight"},
                float(entry.get("weight", 1)),
            )
            for entry in getattr(self, name)
        ]  # fmt: skip

    def sequences(self) -> list[Path]:
        """The folders to validate on."""
        return [Path(self.root, name) for name in self.validation]


@dataclass(frozen=True)
class TrainSettings:
    """Everything about a run but where its results go.

    Attributes:
        model: configuration of the network, in ``config/``.
        data: what is learnt from.
        schedule: how long and how fast.
        pretrain_weights: file to begin with, ``.pdparams`` or ``.npz``; none to begin with nothing.
        task: settings of the network's task, see `CompactSettings` and `FullSettings`.
        teachers: who tells what the labels do not.
        augment: how canvases are made of the data.
        sizes: heights and widths of the network's input in training, in pixels, multiples of 32; each step draws one.
        batch: images of a step, in each process.
        seed: of all random numbers.
    """

    model: str
    data: DataSettings
    schedule: Schedule
    pretrain_weights: str | None = None
    task: Mapping[str, Any] = field(default_factory=dict)
    teachers: TeacherSettings = field(default_factory=TeacherSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    sizes: Sequence[Sequence[int]] = ((608, 1088),)
    batch: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("batch", self.batch)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise OptionError(f"seed must be a whole number of at least 0, not {self.seed!r}")
        if not isinstance(self.model, str) or not isinstance(self.pretrain_weights, (str, type(None))):
            wrong = self.model if not isinstance(self.model, str) else self.pretrain_weights
            raise OptionError(f"model and pretrain_weights must be names of files, not {wrong!r}")
        if not isinstance(self.task, Mapping):
            raise OptionError(f"task must be a mapping of names to values, not {self.task!r}")
        for size in self.sizes if isinstance(self.sizes, (list, tuple)) and self.sizes else [self.sizes]:
            sides = size if isinstance(size, (list, tuple)) and len(size) == 2 else [None]
            if not all(isinstance(side, int) and side > 0 and side % 32 == 0 for side in sides):
                raise OptionError(f"sizes must be of heights and widths that are multiples of 32, not {size!r}")


def load_settings(path: Path, changes: Sequence[str] = ()) -> TrainSettings:
    """Read a configuration.

    Args:
        path: the YAML file.
        changes: ``name=value`` each, the name dotted (``schedule.steps=100``), the value as in YAML.

    Raises:
        OptionError: it cannot be read, a name is unknown, or a value of no use.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise OptionError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise OptionError(f"{path} must be a mapping of names to values")
    for change in changes:
        _replace(values, change)
    return _make(TrainSettings, values, "")


def _replace(values: dict[str, Any], change: str) -> None:
    name, sign, text = change.partition("=")
    *groups, last = name.split(".")
    if not sign or not all((*groups, last)):
        raise OptionError(f"a change must look like schedule.steps=100, not {change!r}")
    for group in groups:
        values = values.setdefault(group, {})
        if not isinstance(values, dict):
            raise OptionError(f"{name} cannot be set: {group} is no group of settings")
    try:
        values[last] = yaml.safe_load(text)
        if isinstance(values[last], str):
            with contextlib.suppress(ValueError):
                values[last] = float(text)  # YAML takes 1e-4 for a word
    except yaml.YAMLError as error:
        raise OptionError(f"the value of {change!r} cannot be read: {' '.join(str(error).split())}") from error


def _make(kind: type, values: Any, name: str) -> Any:
    """A dataclass of a mapping, groups within groups."""
    if not isinstance(values, Mapping):
        raise OptionError(f"{name} must be a mapping of names to values, not {values!r}")
    known, types = [item.name for item in fields(kind)], get_type_hints(kind)
    prefix = f"{name}." if name else ""
    for key in values:
        if key not in known:
            raise OptionError(f"unknown setting {prefix}{key}; known are {', '.join(known)}")
    made = {key: _make(types[key], value, prefix + key) if is_dataclass(types[key]) else value
            for key, value in values.items()}  # fmt: skip
    try:
        return kind(**made)
    except TypeError as error:
        raise OptionError(f"{name or 'the configuration'} is not complete: {error}") from error
