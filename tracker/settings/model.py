"""Settings of a model: the contents of ``infer_cfg.yml`` in its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError, OptionError
from .checks import (
    REQUIRED,
    check_number,
    check_settings,
    check_whole,
    choice,
    field_key,
    from_mapping,
    number,
    setting,
    text,
    whole,
)
from .files import read_mapping
from .tracking import SETTINGS

LARGEST_SIDE = 4096  # of the network's input, pixels: for more, memory and time run out rather than with an error
_LARGEST_GRID = 512  # rows or columns of a crop; some hundred crops are held at once
_MOST_CANDIDATES, _MOST_KEPT = 20_000, 2_000  # boxes of an image: time grows with the square of the first


def _check_strides(name: str, strides: Sequence[int]) -> None:
    for stride in strides:
        check_whole(name, stride, high=LARGEST_SIDE)


def _check_grid(name: str, grid: Sequence[int]) -> None:
    for side in grid:
        check_whole(name, side, high=_LARGEST_GRID)


def _check_anchors(name: str, anchors: Sequence[Sequence[float]]) -> None:
    if not anchors:
        raise OptionError(f"{name} must have at least one anchor in each level")
    for width, height in anchors:
        check_number(name, width, 1e-3, 1e5)
        check_number(name, height, 1e-3, 1e5)


@dataclass(frozen=True)
class LetterboxConfig:
    """How an image becomes the network's input.

    Attributes:
        height: Height of the network's input in pixels.
        width: Width of the network's input in pixels.
        color: Channel order, BGR or RGB.
        scale: Factor on pixel values 0 to 255.
        place: Where the resized image lies in the input, ``center`` or ``top_left``.
        pad_value: Pixel value around it, before ``scale``.
        interpolation: How the image is resized, ``linear`` or ``area``.
    """

    height: int = whole(REQUIRED, "height of the network's input, pixels", high=LARGEST_SIDE)
    width: int = whole(REQUIRED, "width of the network's input, pixels", high=LARGEST_SIDE)
    color: str = choice(REQUIRED, "channel order", ("BGR", "RGB"))
    scale: float = number(REQUIRED, "factor on pixel values 0 to 255", 1e-6, 1e6)
    place: str = choice(REQUIRED, "where the resized image lies", ("center", "top_left"))
    pad_value: float = number(REQUIRED, "pixel value around it, 0 to 255", high=255)
    interpolation: str = choice(REQUIRED, "how the image is resized", ("linear", "area"))

    def __post_init__(self) -> None:
        check_settings(self, "input.")


@dataclass(frozen=True)
class LevelConfig:
    """A detection level.

    Attributes:
        stride: Pixels of the network's input from one cell to the next.
        anchors: (width, height) of each anchor, in pixels of the network's input.
    """

    stride: int = whole(REQUIRED, "pixels from one cell to the next", high=LARGEST_SIDE)
    anchors: tuple[tuple[float, float], ...] = setting(REQUIRED, "(width, height) of each, pixels", _check_anchors)

    def __post_init__(self) -> None:
        check_settings(self, "levels.")


@dataclass(frozen=True)
class EmbeddingConfig:
    """What the embedding of a kept box is computed from.

    Attributes:
        dimension: Length of an embedding.
        read: ``cell``: a kernel x kernel patch of a feature map around the box's own cell, at its own level, through
            that level's matrix. ``crop``: the image within the box, resized to ``grid``.
        strides: Strides of the feature maps, which are those of the levels, in the order of the embedding graph's
            inputs; none for ``crop``.
        kernel: Side of the patch in cells.
        grid: Rows and columns of a crop in pixels.
    """

    dimension: int = whole(REQUIRED, "length of an embedding", high=65536)
    read: str = choice(REQUIRED, "what an embedding is computed from", ("cell", "crop"))
    strides: tuple[int, ...] = setting((), "strides of the feature maps", _check_strides)
    kernel: int = whole(1, "side of the patch, cells", high=64)
    grid: tuple[int, int] = setting((1, 1), "rows and columns of a crop", _check_grid)

    def __post_init__(self) -> None:
        check_settings(self, "embedding.")


def _of_tracker(name: str) -> Any:
    """Return a field for a setting of the association that a model may state, or leave to ``config/tracker.yml``."""
    metadata = SETTINGS[name].metadata

    def check(label: str, value: Any) -> None:
        if value is not None:
            metadata["check"](label, value)

    return setting(None, metadata["help"], check)


@dataclass(frozen=True)
class Thresholds:
    """Which boxes are kept, and what their scores are worth to the association.

    Attributes:
        score: Least score of a detection, 0 to 1.
        nms: IoU above which the weaker of two boxes is dropped, 0 to 1.
        nms_top_k: Number of best boxes that take part in NMS.
        keep_top_k: Number of boxes kept after it.
        high_conf_thres: Score above which the association counts a detection as high-confidence, 0 to 1; ``confident``
            in the file.
        vote: IoU from which a dropped box has a part in the kept one, 0 to 1; 1 for none, as in PaddleDetection.
        hide: Least score, 0 to 1, of a detection that ``anonymise`` hides, for a model whose low scores are mostly of
            nobody.
        low_thres, sure_margin, confirm_evidence: Settings of the association that go by the level of the scores, for a
            model whose scores are on another one; None for those of ``config/tracker.yml``.
    """

    score: float = number(REQUIRED, "least score of a detection, 0 to 1; below low_thres it changes nothing", high=1)
    nms: float = number(REQUIRED, "overlap (IoU, 0 to 1) above which the weaker box goes", high=1)
    nms_top_k: int = whole(REQUIRED, "number of best boxes that enter non-maximum suppression", high=_MOST_CANDIDATES)
    keep_top_k: int = whole(REQUIRED, "number of boxes kept after it", high=_MOST_KEPT)
    high_conf_thres: float = number(REQUIRED, "score of a high-confidence detection, 0 to 1", high=1, key="confident")
    vote: float = number(1.0, "IoU from which a dropped box has a part in the kept one, 0 to 1", high=1)
    hide: float = number(0.1, "least score, 0 to 1, of a detection that anonymise hides", high=0.5)
    low_thres: float | None = _of_tracker("low_thres")
    sure_margin: float | None = _of_tracker("sure_margin")
    confirm_evidence: float | None = _of_tracker("confirm_evidence")

    def __post_init__(self) -> None:
        check_settings(self, "thresholds.")

    @property
    def tracker_settings(self) -> dict[str, float]:
        """Settings of the association, by their names in ``config/tracker.yml``, where the model states its own."""
        own = {name: getattr(self, name) for name in ("low_thres", "sure_margin", "confirm_evidence")}
        stated = {name: value for name, value in own.items() if value is not None}
        return {"conf_thres": self.high_conf_thres, **stated}


@dataclass(frozen=True)
class ModelConfig:
    """Everything about a model but its graph: the contents of ``infer_cfg.yml``.

    Attributes:
        letterbox: How an image becomes the network's input; ``input`` in the file.
        levels: The detection levels, in the order of the network's outputs.
        thresholds: Which boxes are kept.
        embedding: What the embeddings are computed from.
        name: Name of the model.
        label: What it detects.
    """

    letterbox: LetterboxConfig = dataclasses.field(metadata={"key": "input"})
    levels: tuple[LevelConfig, ...]
    thresholds: Thresholds
    embedding: EmbeddingConfig
    name: str = text(REQUIRED, "name of the model")
    label: str = text(REQUIRED, "what it detects")

    def __post_init__(self) -> None:
        check_settings(self)
        strides = sorted(level.stride for level in self.levels)
        if not strides:
            raise OptionError("levels must have at least one stride")
        if len(set(strides)) < len(strides):
            raise OptionError(f"levels must be of different strides, not {strides}")
        read, fitting = sorted(self.embedding.strides), strides if self.embedding.read == "cell" else []
        if read != fitting:
            raise OptionError(f"embedding.strides must be {fitting} for {self.embedding.read}, not {read}")

    @property
    def feature_strides(self) -> list[int]:
        """Strides of the network's feature maps in their order, which is that of the levels."""
        return [level.stride for level in self.levels] if self.embedding.read == "cell" else []

    def with_input_size(self, size: tuple[int, int] | None) -> ModelConfig:
        """Return the settings of the same network run at another size: its layers take images of any.

        Args:
            size: Width and height of the input in pixels; None for the model's own.

        Raises:
            OptionError: A side is no multiple of the coarsest stride.
        """
        if size is None:
            return self
        step = max(level.stride for level in self.levels)
        if any(side % step for side in size):
            near = "x".join(str(max(step, round(side / step) * step)) for side in size)
            raise OptionError(
                f"input_size must have sides that are multiples of {step} for model {self.name}, not "
                f"{size[0]}x{size[1]}: take {near}"
            )
        letterbox = dataclasses.replace(self.letterbox, width=size[0], height=size[1])
        return dataclasses.replace(self, letterbox=letterbox)

    @classmethod
    def load(cls, folder: Path) -> ModelConfig:
        """Read ``infer_cfg.yml`` of a model folder.

        Args:
            folder: The model folder.

        Returns:
            The settings. What else the file holds, such as ``sha256``, is left aside.

        Raises:
            ModelError: The file is missing, incomplete, or holds a value that is not accepted.
        """
        path = folder / "infer_cfg.yml"
        try:
            values = read_mapping(path)
            known = {field_key(field) for field in dataclasses.fields(cls)}
            return from_mapping(cls, {key: value for key, value in values.items() if key in known})
        except OptionError as error:
            raise ModelError(f"{path} does not describe a model ({error}); export the model again") from error
