"""The report as one HTML file, which loads nothing from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from ...errors import OutputError
from ..answers import Answers
from ..files import SCENE
from .material import Material
from .sections import PARTS
from .style import SCRIPT, STYLE
from .words import Words

REPORT = "report.html"
# even a name in a scene that got past all escaping could not load or send anything
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_report(folder: Path, run: Mapping[str, Any], text: str, language: str = "en") -> Path:
    """Write ``report.html`` of the answers in a folder.

    Args:
        folder: of the answers, whose other files are all there.
        run: what ``NAME_run.json`` tells; {} where it is not known.
        text: name of the MOT text, as a command is to name it.
        language: ``en`` or ``zh``.

    Returns:
        The path of the report.

    Raises:
        OptionError: the language is not known.
        OutputError: a file cannot be read or written.
    """
    words, answers = Words(language), Answers(folder)
    summary = answers.summary()
    try:
        scene = json.loads((folder / SCENE).read_text(encoding="utf-8"))
        light = json.loads((folder / "light.json").read_text()) if (folder / "light.json").is_file() else {}
        command = f"python -m tracker analyse {text} --scene SCENE --video VIDEO"
        material = Material(answers, words, summary, scene, dict(run), command, light)
        body = "\n".join(part(material) for part in PARTS)
        page = (
            f'<!DOCTYPE html>\n<html lang="{"zh-CN" if language == "zh" else language}">\n'
            '<head>\n<meta charset="utf-8"/>\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
            f"<title>{escape(words('title', name=summary['name']))}</title>\n<style>{STYLE}</style>\n</head>\n"
            f"<body>\n<main>\n{body}\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
        )
        path = folder / REPORT
        part_path = path.with_name(f".{REPORT}.part")
        part_path.write_text(page, encoding="utf-8")
        part_path.replace(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot write the report in {folder}: {reason}") from error
    return path
