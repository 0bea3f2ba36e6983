"""The association's settings (``config/tracker.yml``): names, ranges and meanings, each told once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import OptionError
from .checks import check_flag, check_numbers, number
from .refinement import RefineSettings

TRACKER_FILE = Path(__file__).resolve().parents[2] / "config" / "tracker.yml"  # the settings of the project

ASSOCIATIONS = ("fused", "byte", "jde")
JDE, FUSED, BYTE = ("jde",), ("fused",), ("fused", "byte")
REFINE = "refine_"  # names of the refinement's settings begin with it


@dataclass(frozen=True)
class TrackerConfig:
    """Settings of the association.

    Raises:
        OptionError: a value is out of range.
    """

    association: str = dataclasses.field(
        default="fused",
        metadata={
            "help": "how detections become identities: fused (appearance and motion), byte (motion alone) or jde (as "
            "in the JDE paper)",
        },
    )
    conf_thres: float = number(0.0, "score above which a detection counts as sure, 0 to 1", high=1)
    min_box_area: float = number(0.0, "leave out smaller boxes, square pixels; 0 keeps all")
    vertical_ratio: float = number(0.0, "leave out boxes wider than this times their height; 0 keeps all")

    embedding_momentum: float = number(
        0.9, "share of the old appearance that stays at an update, 0 to 1", high=1, used_by=("fused", "jde")
    )

    low_thres: float = number(
        0.15, "score from which a doubtful detection may continue a track, 0 to 1", high=1, used_by=BYTE
    )
    memory: float = number(2.0, "how long a person out of sight is remembered, seconds", used_by=BYTE)
    match_thresh: float = number(0.9, "sure detections: highest cost of a match, 0 to 2", high=2, used_by=BYTE)
    min_overlap: float = number(0.1, "sure detections: least IoU of a match, 0 to 1", high=1, used_by=BYTE)
    low_match_thresh: float = number(0.5, "doubtful ones: highest 1 - IoU of a match, 0 to 1", high=1, used_by=BYTE)
    new_match_thresh: float = number(
        0.7, "second detection of a new track: highest cost of a match, 0 to 1", high=1, used_by=BYTE
    )
    sure_margin: float = number(
        0.05,
        "a detection speaks for a person as far as its score exceeds conf_thres by this, 0 to 1",
        high=1,
        used_by=BYTE,
    )
    confirm_evidence: float = number(
        0.2, "sum of such excess scores that makes a track a person, at least two detections", used_by=BYTE
    )
    max_evidence: float = number(
        2.0, "highest sum; doubtful detections use it up, below 0 nothing is shown", used_by=BYTE
    )
    duplicate_overlap: float = number(
        0.85, "IoU above which a track in sight and a lost one are one person, 0 to 1", high=1, used_by=BYTE
    )
    appearance_weight: float = number(
        0.75, "weight of the appearance in the cost of a match, where 1 - IoU has weight 1", high=10, used_by=FUSED
    )
    max_occlusion: float = number(
        0.3, "appearance is learnt from boxes covered up to this share by others, 0 to 1", high=1, used_by=FUSED
    )
    reid_sigma: float = number(
        3.0, "a lost track is found by appearance this many standard deviations below strangers", used_by=FUSED
    )
    max_speed: float = number(3.0, "and within this many body heights a second of where it is expected", used_by=FUSED)
    camera_motion: bool = dataclasses.field(
        default=True, metadata={"help": "make up for the motion of the camera", "used_by": BYTE}
    )

    det_thresh: float = number(
        0.3, "score that starts a new track, 0 to 1; below conf_thres it changes nothing", high=1, used_by=JDE
    )
    track_buffer: float = number(
        30.0, "memory for people out of sight, frames at 30 frames/s (30 = one second)", used_by=JDE
    )
    tracked_thresh: float = number(
        0.7, "first round: highest cost of a match by appearance and motion, 0 to 2", high=2, used_by=JDE
    )
    r_tracked_thresh: float = number(0.5, "second round: highest 1 - IoU of a match, 0 to 1", high=1, used_by=JDE)
    unconfirmed_thresh: float = number(
        0.7, "second detection of a new track: highest 1 - IoU of a match, 0 to 1", high=1, used_by=JDE
    )

    refine: RefineSettings = dataclasses.field(default_factory=RefineSettings)

    def __post_init__(self) -> None:
        if self.association not in ASSOCIATIONS:
            raise OptionError(f"association must be one of {', '.join(ASSOCIATIONS)}, not {self.association!r}")
        check_numbers(self)
        check_flag("camera_motion", self.camera_motion)

    def override(self, options: Mapping[str, Any]) -> TrackerConfig:
        """A copy with some values replaced; None leaves a value as it is.

        Raises:
            OptionError: an unknown name or a value out of range.
        """
        for name in options:
            if name not in SETTINGS:
                raise OptionError(f"unknown tracker option {name!r}; known are {', '.join(sorted(SETTINGS))}")
        given = {name: value for name, value in options.items() if value is not None}
        refine = {name.removeprefix(REFINE): given.pop(name) for name in list(given) if name.startswith(REFINE)}
        return dataclasses.replace(self, **given, refine=dataclasses.replace(self.refine, **refine))

    def choose(self, options: Mapping[str, Any], refine: bool) -> TrackerConfig:
        """As `override`, for options that somebody asked for: each must have an effect.

        Args:
            options: see `override`.
            refine: whether the tracks are refined.

        Raises:
            OptionError: an option that the association does not use, or one of the refinement without it, and as
                `override`.
        """
        chosen = self.override(options)
        for name, value in options.items():
            if value is None:
                continue
            if name.startswith(REFINE) and not refine:
                raise OptionError(f"{name} has no effect without refine: give that too, or leave it out")
            if not chosen.uses(name):
                raise OptionError(
                    f"{name} has no effect with association {chosen.association}, only with "
                    f"{' and '.join(used_by(name))}: leave it out, or choose another association"
                )
        return chosen

    def uses(self, name: str) -> bool:
        """Whether the chosen association looks at a setting."""
        return self.association in used_by(name)

    @classmethod
    def load(cls, path: Path) -> TrackerConfig:
        """Read a YAML file of these names.

        Raises:
            OptionError: no readable YAML mapping, an unknown name, or a value out of range.
        """
        try:
            values = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise OptionError(f"cannot read tracker settings {path}: {' '.join(str(error).split())}") from error
        if not isinstance(values, dict):
            raise OptionError(f"tracker settings {path} must be a mapping of names to values")
        return cls().override(values)


# all settings by the names that files, Python and the command line have for them
SETTINGS: dict[str, dataclasses.Field] = {
    **{field.name: field for field in dataclasses.fields(TrackerConfig) if field.name != "refine"},
    **{f"{REFINE}{field.name}": field for field in dataclasses.fields(RefineSettings)},
}


def used_by(name: str) -> tuple[str, ...]:
    """The associations that look at a setting."""
    return SETTINGS[name].metadata.get("used_by", ASSOCIATIONS)
