"""What is kept of what people look like."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import check_settings, flag


@dataclass(frozen=True)
class PeopleOptions:
    """What is kept of what people look like.

    Attributes:
        save_embeddings: Whether to write ``mot_results/NAME_people.npz``: up to eight vectors of everybody.

    Raises:
        OptionError: A value is not accepted.
    """

    save_embeddings: bool = flag(
        False, "also write NAME_people.npz: what everybody looks like, for the commands join and find"
    )

    def __post_init__(self) -> None:
        check_settings(self)
