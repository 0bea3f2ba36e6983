"""Settings of the refinement: ``refine_NAME`` in ``config/tracker.yml``."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import check_settings, number


@dataclass(frozen=True)
class RefineSettings:
    """How far the refinement goes; times are in seconds, so that they hold at any frame rate.

    ``relink_seconds`` decides who counts as the same person. In the benchmarks somebody who comes back after a long
    time is a new person, which 2 seconds agrees with. To count people instead, take 10 seconds or more: whoever comes
    back within that time keeps their id.

    Raises:
        OptionError: A value is out of its range.
    """

    relink_seconds: float = number(
        2.0, "longest time out of sight after which a person is known again by appearance, seconds; 0 for never"
    )
    relink_quantile: float = number(
        0.02, "tracks are joined if they look more alike than all but this share of different people, 0 to 1", high=1
    )
    relink_ratio: float = number(
        0.8, "and if they differ by less than this part of what a rival or the median stranger does, 0.1 to 1", 0.1, 1
    )
    relink_speed: float = number(1.0, "body heights per second that a person may move aside while out of sight")
    motion_seconds: float = number(
        0.3, "longest time out of sight after which place and motion alone are enough, seconds; 0 for never"
    )
    ghost_seconds: float = number(0.25, "a track seen for less may be a ghost and be left out, seconds; 0 keeps all")
    ghost_quantile: float = number(0.25, "a ghost's mean score is below this quantile of all scores, 0 to 1", high=1)
    fill_seconds: float = number(
        0.35, "longest time out of sight that is filled with interpolated boxes, seconds; 0 for none"
    )
    fill_support: float = number(
        0.5, "share of frames seen, over as long a time, before and after a gap that is filled, 0 to 1", high=1
    )
    smooth_seconds: float = number(0.1, "standard deviation of the smoothing of boxes, seconds; 0 for none")

    def __post_init__(self) -> None:
        check_settings(self, "refine_")
