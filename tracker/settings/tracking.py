"""Settings of the association and the refinement: the contents of ``config/tracker.yml``."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError
from .checks import check_settings, flag, number, shown, text
from .files import read_mapping
from .refinement import RefineSettings

TRACKER_FILE = Path(__file__).resolve().parents[2] / "config" / "tracker.yml"  # the project's own settings

ASSOCIATIONS = ("fused", "byte", "jde")  # whose settings these are
JDE, FUSED, BYTE = ("jde",), ("fused",), ("fused", "byte")
REFINE = "refine_"  # begins the names of the refinement's settings
RETIRED = ("duplicate_overlap", "max_occlusion")  # settings of former releases: taken, and without effect

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackerConfig:
    """Settings of the association, and of the refinement in ``refine``.

    Raises:
        OptionError: A value is out of its range.
    """

    association: str = text(  # which names exist is checked where trackers are made
        "fused",
        "how detections become identities: fused (appearance and motion), byte (motion alone) or jde (as in the JDE "
        "paper)",
    )
    conf_thres: float = number(0.0, "score above which a detection is a high-confidence one, 0 to 1", high=1)
    min_box_area: float = number(0.0, "leave out smaller boxes, square pixels; 0 keeps all")
    vertical_ratio: float = number(0.0, "leave out boxes wider than this times their height; 0 keeps all")

    embedding_momentum: float = number(
        0.9, "share of the old appearance that stays at an update, 0 to 1", high=1, used_by=("fused", "jde")
    )

    low_thres: float = number(
        0.15, "score from which a low-confidence detection may continue a track, 0 to 1", high=1, used_by=BYTE
    )
    memory: float = number(2.0, "how long a person out of sight is remembered, seconds", used_by=BYTE)
    match_thresh: float = number(
        0.9, "high-confidence detections: highest cost of a match, 0 to 2", high=2, used_by=BYTE
    )
    min_overlap: float = number(0.1, "high-confidence detections: least IoU of a match, 0 to 1", high=1, used_by=BYTE)
    low_match_thresh: float = number(
        0.5, "low-confidence detections: highest 1 - IoU of a match, 0 to 1", high=1, used_by=BYTE
    )
    new_match_thresh: float = number(
        0.7, "second detection of a new track: highest cost of a match, 0 to 1", high=1, used_by=BYTE
    )
    sure_margin: float = number(
        0.05,
        "what a detection's score must exceed conf_thres by to add to the score of its track, 0 to 1",
        high=1,
        used_by=BYTE,
    )
    confirm_evidence: float = number(
        0.2,
        "score of a track, the sum of such excesses, from which it is a person; it needs two detections",
        used_by=BYTE,
    )
    max_evidence: float = number(
        2.0, "highest score of a track; low-confidence detections lower it, below 0 a track is not shown", used_by=BYTE
    )
    appearance_weight: float = number(
        0.75, "weight of the appearance in the cost of a match, where 1 - IoU has weight 1", high=10, used_by=FUSED
    )
    reid_sigma: float = number(
        3.0, "a lost person is known again by appearance this many standard deviations below strangers", used_by=FUSED
    )
    max_speed: float = number(3.0, "and within this many body heights a second of where it is expected", used_by=FUSED)
    camera_motion: bool = flag(True, "make up for the motion of the camera", used_by=BYTE)

    remember: float = number(
        0.0,
        "seconds for which somebody who left is known again by appearance, and gets the old number back; 0 for never",
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
        check_settings(self)

    def override(self, options: Mapping[str, Any]) -> TrackerConfig:
        """Return a copy with some values replaced.

        Args:
            options: Values by the names in `SETTINGS`; None leaves a value as it is.

        Raises:
            OptionError: A name is unknown, or a value is out of its range.
        """
        options = drop_retired(options)
        for name in options:
            if name not in SETTINGS:
                raise OptionError(f"unknown tracker option {shown(name)}; known are {', '.join(sorted(SETTINGS))}")
        given = {name: value for name, value in options.items() if value is not None}
        refine = {name.removeprefix(REFINE): given.pop(name) for name in list(given) if name.startswith(REFINE)}
        return dataclasses.replace(self, **given, refine=dataclasses.replace(self.refine, **refine))

    def choose(self, options: Mapping[str, Any], refine: bool) -> TrackerConfig:
        """Return a copy with options that somebody asked for, each of which must have an effect.

        Args:
            options: Values by the names in `SETTINGS`; None leaves a value as it is.
            refine: Whether the tracks are refined.

        Raises:
            OptionError: A name is unknown, a value is out of its range, or an option has no effect: the association
                does not use it, or it belongs to the refinement and refine is off.
        """
        options = drop_retired(options)
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
        """Return whether the chosen association uses a setting."""
        return self.association in SETTINGS[name].metadata.get("used_by", (self.association,))

    @property
    def association_memory(self) -> float:
        """Seconds out of sight after which the association continues no track; one more, for it may be a frame late."""
        return (self.track_buffer / 30 if self.association in JDE else self.memory) + 1

    @property
    def longest_memory(self) -> float:
        """Seconds out of sight after which nobody gets the old number any more."""
        return max(self.association_memory, self.remember)

    @classmethod
    def load(cls, path: Path) -> TrackerConfig:
        """Read a file such as ``config/tracker.yml``; what it does not name keeps its default.

        Args:
            path: The YAML file.

        Raises:
            OptionError: The file cannot be read, a name is unknown, or a value is out of its range.
        """
        return cls().override(read_tracker_file(path))


# all settings by their names in files, Python and on the command line
SETTINGS: dict[str, dataclasses.Field] = {
    **{field.name: field for field in dataclasses.fields(TrackerConfig) if field.name != "refine"},
    **{f"{REFINE}{field.name}": field for field in dataclasses.fields(RefineSettings)},
}


def read_tracker_file(path: str | os.PathLike) -> dict[str, Any]:
    """Read the settings that a file such as ``config/tracker.yml`` names.

    Args:
        path: The YAML file.

    Returns:
        Values by the names in `SETTINGS`, those without a value left out.

    Raises:
        OptionError: The file cannot be read, a name is unknown, or a value is out of its range.
    """
    if not isinstance(path, (str, os.PathLike)) or "\0" in os.fspath(path):
        raise OptionError(f"a file of tracker settings must be a path, not {shown(path)}")
    values = drop_retired(read_mapping(Path(path)))
    try:
        TrackerConfig().override(values)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from error
    return {name: value for name, value in values.items() if value is not None}


def drop_retired(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without those in `RETIRED`, with a warning for each that has a value."""
    for name in RETIRED:
        if options.get(name) is not None:
            logger.warning("%s no longer has an effect: leave it out", name)
    return {name: value for name, value in options.items() if name not in RETIRED}


def used_by(name: str) -> tuple[str, ...]:
    """Return those of `ASSOCIATIONS` that use a setting."""
    return SETTINGS[name].metadata.get("used_by", ASSOCIATIONS)
