"""What a scene counts in the text of a run, without writing a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...analysis.analysis import SceneAnalysis, Step
from ...analysis.recording import Recording
from ...analysis.scene import Scene
from ...errors import OptionError
from ...pipeline.analyse import record_path
from ...sinks.files import run_path, times_path
from ...sinks.mot_text import FRAME, SCORE, read_portions
from ...sinks.records.run_file import read_run
from ...sinks.records.times import Clock, read_times


def count(text: Path, scene: Scene) -> dict[str, Any]:
    """Return the totals of a scene; the numbers are those of `analyse`.

    Args:
        text: MOT text of a run of this package, sorted by frame, with the run's records beside it.
        scene: what is asked.

    Returns:
        ``people``, ``lines`` (line, direction, count, low, high), ``zones`` (zone, visits, dwell in seconds) and
        ``warnings``.

    Raises:
        OptionError: there is no record of the run, or the plane of the scene tells no floor.
        SourceError: the text cannot be read.
    """
    about_path, marks_path = record_path(text, run_path), record_path(text, times_path)
    if not about_path.exists():
        raise OptionError("there is no file of the run beside its text: size and frame rate are not known")
    about = read_run(about_path)
    width, height = about["size"]
    recording = Recording(text.stem, (int(width), int(height)), float(about["frame_rate"]), int(about["skip_frames"]))
    clock = Clock(recording.frame_rate, read_times(marks_path) if marks_path.exists() else ())
    analysis = SceneAnalysis(scene, recording)
    visits: dict[str, list[float]] = {name: [] for name in scene.zones}

    def take(step: Step) -> None:
        for visit in step.visits:
            visits[visit.zone].append(visit.dwell)

    for rows in read_portions(text):
        times = clock.at(rows[:, FRAME])
        take(analysis.update(np.column_stack([times, rows[:, : SCORE + 1]]), float(times[-1])))
    if len(clock.marks):
        take(analysis.update(np.zeros((0, 8)), max(float(clock.marks[-1, 1]), analysis.end)))
    take(analysis.close())
    keys = ("line", "direction", "count", "low", "high")
    return {
        "people": len(analysis.people),
        "lines": [dict(zip(keys, total)) for total in analysis.totals],
        "zones": [
            {"zone": zone, "visits": len(dwells), "dwell": round(float(np.mean(dwells)), 1) if dwells else None}
            for zone, dwells in visits.items()
        ],
        "warnings": analysis.warnings(),
    }
