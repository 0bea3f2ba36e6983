"""Settings of a model (``infer_cfg.yml`` in its folder), and the checks of single values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from ..errors import ModelError
from .checks import check_number, check_whole


@dataclass(frozen=True)
class LetterboxConfig:
    """How an image becomes the network's input.

    Attributes:
        height, width: of the network's input in pixels.
        color: channel order, BGR or RGB.
        scale: factor on pixel values 0 to 255.
        place: where the scaled image lies, ``center`` or ``top_left``.
        pad_value: pixel value around it, before ``scale``.
        interpolation: ``linear`` or ``area``.
    """

    height: int
    width: int
    color: str
    scale: float
    place: str
    pad_value: float
    interpolation: str

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            check_whole(name, getattr(self, name))
        check_number("scale", self.scale, 0)
        check_number("pad_value", self.pad_value, 0, 255)
        choices = {"color": ("BGR", "RGB"), "place": ("center", "top_left"), "interpolation": ("linear", "area")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")


@dataclass(frozen=True)
class LevelConfig:
    """A detection level: stride in pixels and anchors [(width, height), ...] in pixels of the network's input."""

    stride: int
    anchors: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        check_whole("stride", self.stride)
        if not self.anchors:
            raise ValueError(f"the level of stride {self.stride} has no anchors")
        if not all(side > 0 for anchor in self.anchors for side in anchor):
            raise ValueError(f"the anchors of stride {self.stride} must have positive sides")


@dataclass(frozen=True)
class EmbeddingConfig:
    """What the embedding of a kept box is computed from.

    Attributes:
        dimension: length of an embedding.
        read: ``cell``: a kernel x kernel patch of a feature map around the box's own cell, at its own level, through
            that level's matrix. ``crop``: the image within the box, see `crops.read_crops`.
        strides: of the feature maps, which are those of the levels, in the order of the embedding graph's inputs; none
            for ``crop``.
        kernel: side of the patch.
        grid: rows and columns of a crop.
    """

    dimension: int
    read: str
    strides: tuple[int, ...] = ()
    kernel: int = 1
    grid: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        for name, value in (("dimension", self.dimension), ("kernel", self.kernel)):
            check_whole(f"embedding.{name}", value)
        if self.read not in ("cell", "crop"):
            raise ValueError(f"embedding.read must be cell or crop, not {self.read!r}")
        if not isinstance(self.grid, tuple) or len(self.grid) != 2:
            raise ValueError(f"embedding.grid must be of rows and columns, not {self.grid!r}")
        for value in self.grid:
            check_whole("embedding.grid", value)
        for value in self.strides:
            check_whole("embedding.strides", value)


@dataclass(frozen=True)
class Thresholds:
    """Which boxes are kept.

    Attributes:
        score: least score of a detection, 0 to 1.
        nms: IoU above which the weaker of two boxes is dropped, 0 to 1.
        nms_top_k: so many best boxes take part in NMS.
        keep_top_k: so many are kept after it.
        confident: score above which the association counts a detection as sure.
        vote: IoU from which a dropped box has a part in the kept one, see `decode.vote`; 1 for none, as in
            PaddleDetection.
    """

    score: float
    nms: float
    nms_top_k: int
    keep_top_k: int
    confident: float
    vote: float = 1.0

    def __post_init__(self) -> None:
        for name in ("score", "nms", "confident", "vote"):
            check_number(f"{name} threshold", getattr(self, name), 0, 1)
        for name in ("nms_top_k", "keep_top_k"):
            check_whole(name, getattr(self, name))


@dataclass(frozen=True)
class ModelConfig:
    """Everything about a model but its graph: the contents of ``infer_cfg.yml``."""

    name: str
    label: str
    letterbox: LetterboxConfig
    levels: tuple[LevelConfig, ...]
    thresholds: Thresholds
    embedding: EmbeddingConfig

    def __post_init__(self) -> None:
        strides = sorted(level.stride for level in self.levels)
        if not strides:
            raise ValueError("levels must have at least one stride")
        if len(set(strides)) < len(strides):
            raise ValueError(f"levels must be of different strides, not {strides}")
        read, fitting = sorted(self.embedding.strides), strides if self.embedding.read == "cell" else []
        if read != fitting:
            raise ValueError(f"embedding.strides must be {fitting} for {self.embedding.read}, not {read}")

    @property
    def feature_strides(self) -> list[int]:
        """Strides of the network's feature maps in their order, which is that of the levels."""
        return [level.stride for level in self.levels] if self.embedding.read == "cell" else []

    @classmethod
    def load(cls, folder: Path) -> ModelConfig:
        """Read ``infer_cfg.yml`` of a model folder.

        Raises:
            ModelError: it is missing or incomplete.
        """
        path = folder / "infer_cfg.yml"
        try:
            values = yaml.safe_load(path.read_text())
            embedding = dict(values["embedding"])
            return cls(
                name=values["name"],
                label=values["label"],
                letterbox=LetterboxConfig(**values["input"]),
                levels=tuple(
                    LevelConfig(level["stride"], tuple((float(w), float(h)) for w, h in level["anchors"]))
                    for level in values["levels"]
                ),
                thresholds=Thresholds(**values["thresholds"]),
                embedding=EmbeddingConfig(
                    **{name: tuple(value) if isinstance(value, list) else value for name, value in embedding.items()}
                ),
            )
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ModelError(f"{path} does not describe a model ({reason}); export the model again") from error
