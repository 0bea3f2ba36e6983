"""Dockerfile and compose.yaml as tests read them."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

import yaml

from tests.helpers.paths import ROOT


@dataclass(frozen=True)
class Step:
    """An instruction of a Dockerfile, such as ``COPY``, and what follows it as one line."""

    instruction: str
    rest: str

    @property
    def words(self) -> list[str]:
        """What follows, as words: of a JSON list, or as a shell splits it, without options in front."""
        text = self.rest
        if "[" in text and self.instruction in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
            return json.loads(text[text.index("[") :])
        words = shlex.split(text)
        while words and words[0].startswith("--"):
            del words[0]
        return words


def stages() -> list[list[Step]]:
    """The stages of the Dockerfile, each from its FROM on."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    found: list[list[Step]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            instruction, _, rest = line.strip().partition(" ")
            if instruction == "FROM":
                found.append([])
            found[-1].append(Step(instruction, " ".join(rest.split())))
    return found


def steps(stage: list[Step], instruction: str) -> list[Step]:
    """The instructions of one kind, in order."""
    return [step for step in stage if step.instruction == instruction]


def the(stage: list[Step], instruction: str) -> Step:
    """The only instruction of its kind."""
    (step,) = steps(stage, instruction)
    return step


def compose() -> dict[str, Any]:
    """The compose file, with variables that nobody has set."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text().replace("${TZ:-UTC}", "UTC"))
