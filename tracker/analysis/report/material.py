"""What the report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..answers import Answers
from .words import Words


@dataclass(frozen=True)
class Material:
    """What the report is made of.

    Attributes:
        answers: the answers.
        words: of its language.
        summary: the totals of the answers.
        scene: as `Scene.to_mapping` gives it.
        run: what made the tracks; {} where it is not known.
        command: what makes the pictures where they are missing.
        light: how many people were looked at and how many were in the dark; {} where it is not known.
    """

    answers: Answers
    words: Words
    summary: dict[str, Any]
    scene: dict[str, Any]
    run: dict[str, Any]
    command: str
    light: dict[str, int] = field(default_factory=dict)

    def who(self, identity: int) -> str:
        """Return the number of somebody, and their name where they have one."""
        name = self.summary.get("names", {}).get(str(identity))
        return f"{identity} {name}" if name else str(identity)

    def moment(self, seconds: float, tenths: bool = True) -> str:
        """Return a time of the recording: by the clock where its start is known, else from its beginning."""
        start = self.summary["start"]
        if start:
            at = datetime.fromisoformat(start) + timedelta(seconds=seconds)
            dated = self.summary["seconds"] >= 86400
            return at.strftime("%Y-%m-%d %H:%M:%S" if dated else "%H:%M:%S")
        whole, tenth = divmod(round(10 * seconds), 10)
        text = f"{whole // 60 % 60:02d}:{whole % 60:02d}{f'.{tenth}' if tenths else ''}"
        return f"{whole // 3600}:{text}" if whole >= 3600 else text
