"""What a worker does with one video, in whatever process and on whatever machine it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import SourceError, TrackingError
from ...pipeline.result import TrackingResult
from ...predictor import Predictor
from ...sources import MAX_PIXELS, Source, open_source
from ..parts.cuts import Part, PartSource
from ..places import is_address, local_copy, open_place
from .records import Row, finished_row, identity_of, publish


@dataclass(frozen=True)
class Task:
    """One video to track. Made of plain values, so that any process can be told it.

    Attributes:
        row: name of its results, and the source as messages call it.
        source: path or address.
        folder: output folder, or its address.
        options: of ``Predictor.mot_predict``.
        asked: what the record of the results tells of options and model.
        part: which part of the video, as the values of a `Part`; None for all of it.
    """

    row: Row
    source: str
    folder: str
    options: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    part: Mapping[str, Any] | None = None

    def anywhere(self) -> Task:
        """Return the task with absolute paths, for a process that works in another folder."""
        places = [one if is_address(one) else str(Path(one).absolute()) for one in (self.source, self.folder)]
        return replace(self, source=places[0], folder=places[1])

    def to_mapping(self) -> dict[str, Any]:
        """Return the task as a mapping of plain values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Task:
        """Return the task of which `to_mapping` made these values."""
        return cls(**{**values, "row": Row(**values["row"])})


class Worker:
    """Tracks one video after the other with a model that is loaded once.

    Args:
        model: arguments of `Predictor` by name.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._predictor = Predictor(**model)

    def do(self, task: Task) -> Row:
        """Track a video, and move its files to their place when they are whole.

        Returns:
            What became of it. What a run that failed had made until then is kept, without a record.

        Raises:
            KeyboardInterrupt: Ctrl-C; what was made is kept likewise.
            SystemExit: 143 after SIGTERM, 129 after SIGHUP, likewise.
        """
        row = task.row
        try:
            place = open_place(task.folder)
            identity = identity_of(task.source)
            with place.work(row.name) as work:
                try:
                    with local_copy(task.source) as path, _opened(path, task) as source:
                        result = self._predictor.mot_predict(source, output_dir=work, progress=False, **task.options)
                except (TrackingError, KeyboardInterrupt, SystemExit):
                    publish(work, place, row.name, None)
                    raise
                record = _figures(result, work)
                publish(work, place, row.name, {"asked": task.asked, "input": identity, **record})
        except TrackingError as error:
            return Row(row.name, row.source, "failed", error=str(error))
        return finished_row(row, place, record, "tracked")


def _opened(path: str, task: Task) -> Source:
    if task.part is not None:
        part = PartSource(Path(path), Part(**task.part), task.options.get("max_pixels") or MAX_PIXELS)
        part.name = task.row.name
        return part
    chosen = {name: task.options.get(name) for name in ("frame_rate", "timeout", "max_pixels")}
    source = open_source(
        path,
        frame_rate=chosen["frame_rate"],
        with_audio=task.options.get("visualization", True),
        timeout=chosen["timeout"] or 10.0,
        max_pixels=chosen["max_pixels"] or MAX_PIXELS,
    )
    if source.live:
        source.close()
        raise SourceError(f"{task.row.source} has no end, and a batch would wait for it: track it by itself")
    source.name = task.row.name
    return source


def _figures(result: TrackingResult, work: Path) -> dict[str, Any]:
    files = {kind: path.relative_to(work).as_posix() for kind, path in result.files.items()}
    return {
        "frames": result.frames,
        "seconds": round(result.seconds, 3),
        "people": int(result.people),
        "files": files,
    }
