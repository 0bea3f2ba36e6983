"""The answers to a scene from a MOT text, without the network, and but for pictures without the video."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis.answers import Answers, check_interval
from ..analysis.edits import Edits, EditsLike, load_edits
from ..analysis.files import VIDEO
from ..analysis.floor.guess import guess_plane
from ..analysis.recording import Recording, read_start
from ..analysis.report.page import REPORT
from ..analysis.report.words import check_language
from ..analysis.scene import SceneLike, load_scene, stated_size
from ..errors import OptionError, SourceError
from ..privacy.counts import check_private
from ..settings.checks import check_choice, check_flag, check_positive, check_whole, shown
from ..settings.groups.answers import AnswerOptions
from ..sinks.annotated_video import DRAW_THRESHOLD, VideoSink
from ..sinks.files import answers_path, run_path, times_path
from ..sinks.mot_text import FRAME, HEIGHT, LEFT, SCORE, read_mot, read_portions
from ..sinks.records.run_file import read_run
from ..sinks.records.times import Clock, read_times
from ..sources import open_source
from .answering.film import Film
from .answering.overlay import SceneOverlay
from .answering.private_answers import AnyAnswers, PrivateAnswers
from .answering.scene_answers import Asked, SceneAnswers

logger = logging.getLogger(__name__)

LINES_AT_ONCE = 20_000  # of a text that had to be sorted
LONGEST = 20 * 366 * 86_400_000  # milliseconds: a frame number beyond is a mistake


@dataclass(frozen=True)
class AnalysisResult(Answers):
    """The answers of an analysis: files and totals.

    Attributes:
        name: of the text.
        text: the MOT text.
        folder: of the files.
        seconds: length of the recording.
        people_seen: number of different identities; None where it is too small for a private analysis to tell.
        lines: line, direction, count (None likewise), and the range low to high that it likely lies in, of every line
            and direction.
        warnings: what may be wrong with the scene.
        plane_error: how well the plane fits its points, metres; None without one.
        report: the page to look at; None for a private analysis.
        video: the annotated video; None where none was asked for.
    """

    name: str
    text: Path
    folder: Path
    seconds: float
    people_seen: int | None
    lines: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    plane_error: float | None = None
    report: Path | None = None
    video: Path | None = None

    def __str__(self) -> str:
        seen = "few" if self.people_seen is None else self.people_seen
        made = [f"{self.name}: {seen} people in {self.seconds:.1f} s of {self.text}"]
        by_line: dict[str, list[str]] = {}
        for entry in self.lines:
            count, low, high = ("few" if entry[key] is None else entry[key] for key in ("count", "low", "high"))
            doubt = f" ({low} to {high})" if low != high else ""
            by_line.setdefault(entry["line"], []).append(f"{count} {entry['direction']}{doubt}")
        made += [f"  {line}: {', '.join(words)}" for line, words in by_line.items()]
        if self.plane_error is not None:
            made.append(f"  plane: fits its points to {self.plane_error:.2f} m")
        made += [f"  warning: {warning}" for warning in self.warnings]
        made += [f"  {what}: {path}" for what, path in (("report", self.report), ("video", self.video)) if path]
        made.append(f"  answers: {self.folder}")
        return "\n".join(made)


def analyse(
    text: str | os.PathLike,
    scene: SceneLike = None,
    *,
    output_dir: str | os.PathLike | None = None,
    video: str | os.PathLike | None = None,
    start: str | datetime | None = None,
    interval: float = 60.0,
    frame_rate: float | None = None,
    language: str = "en",
    edits: EditsLike = None,
    private: bool = False,
    visualization: bool = False,
    people_count: int = 1,
    heat_interval: str | float | None = None,
    plane: str | None = None,
) -> AnalysisResult:
    """Answer a scene from a MOT text, as a run with that scene would have.

    The size of the picture and the frame rate are those of ``NAME_run.json`` beside the text; without that file, those
    of the video, of ``size`` in the scene, and frame_rate.

    Args:
        text: MOT text, of this package or of any other tool; sorted by frame it is read as a stream.
        scene: file, mapping, or None for people and heat alone.
        output_dir: the answers go to ``OUTPUT_DIR/answers/NAME``; None for the folder that ``mot_results/NAME.txt``
            is in, else for ``mot_result``.
        video: the video that was tracked, for pictures of people and crossings. It is decoded for that, which takes
            some milliseconds a frame; without it those that the run made are kept as far as they still hold.
        start: clock time of the first frame, ISO 8601.
        interval: length of the intervals that are counted by, seconds.
        frame_rate: frames per second.
        language: of the report, ``en`` or ``zh``.
        edits: corrections of identities, a file or a mapping, see `tracker.analysis.edits`.
        private: write nothing but counts, see `PrivateFiles`: no report and no pictures either.
        visualization: also make the annotated video anew, ``answers/NAME/video.mp4``, with the scene, its counts and
            the names that the edits give; needs the video.
        people_count: pictures of each person at most, see `AnswerOptions`.
        heat_interval: length of the intervals that have a heat map each, likewise.
        plane: ``guess`` to guess the floor by people's height, for a scene that has no plane, see `guess_plane`.

    Returns:
        The answers.

    Raises:
        OptionError: the scene, the edits or an option is not accepted, or size or frame rate are not known.
        SourceError: the text or the video cannot be read.
        OutputError: a file cannot be written.
    """
    path = text_path(text)
    check_interval(interval)
    check_language(language)
    begin = read_start(start)
    loaded = load_scene(scene)
    if check_flag("private", private):
        check_private(loaded if scene is not None else None, interval)
    corrections, on_request = load_edits(edits), AnswerOptions(people_count, heat_interval)
    about_path = record_path(path, run_path)
    about = read_run(about_path) if about_path.exists() else {}
    size, rate = _size_and_rate(about, video, stated_size(scene), frame_rate)
    if begin is None and about.get("start"):
        begin = read_start(about["start"])
    skip_frames = check_whole("skip_frames", about.get("skip_frames", 1))
    if plane is not None:
        check_choice("plane", plane, ("guess",))
        if loaded.plane:
            raise OptionError("the scene has a plane: leave it out there, or leave out plane here")
        boxes = (rows[:, LEFT : HEIGHT + 1] for rows in read_portions(path))
        loaded = replace(loaded, plane=guess_plane(boxes, size))
    recording = Recording(path.stem, size, rate, skip_frames, begin, interval)
    marks_path = record_path(path, times_path)
    marks = read_times(marks_path) if marks_path.exists() else []
    folder = answers_path(results_folder(path, output_dir), path.stem)
    asked = Asked(loaded, language, options=on_request)
    film_of, borrow = None if private else video, _has_pictures(about, path)
    if check_flag("visualization", visualization) and video is None:
        raise OptionError("visualization draws into the video that was tracked: give video too")
    if private and visualization:
        raise OptionError("private keeps no pictures of people: leave visualization out")
    if film_of is not None and about.get("anonymise"):
        film_of = None
        logger.warning("no pictures are taken from the video, for the run hid people in it: only its own are kept")

    def answer(portions: Iterable[np.ndarray]) -> None:
        answers: AnyAnswers
        if private:
            answers = PrivateAnswers(folder, loaded, recording, corrections.staff)
        else:
            answers = SceneAnswers(folder, asked, recording, path, about_path, film_of is not None, corrections, borrow)
        sink = None
        if visualization:
            overlays = [SceneOverlay(loaded, corrections.staff)]
            sink = VideoSink(
                folder, _least_score(about), overlays=overlays, names=corrections.names, path=folder / VIDEO
            )
        with nullcontext() if film_of is None else open_source(film_of, with_audio=visualization) as source:
            film = Film(source, size, skip_frames, about.get("last_frame"), sink) if source else None
            _run(portions, corrections, Clock(rate, marks), answers, film)

    try:
        if corrections:
            corrections = corrections.resolved(read_portions(path))
        answer(read_portions(path))
    except _Unsorted:
        table = read_mot(path)
        answer(_portions(table[np.argsort(table[:, FRAME], kind="stable")]))
    except SourceError as error:
        known = str(path) in str(error) or video is not None
        raise SourceError(str(error) if known else f"{path}: {error}") from error
    summary = Answers(folder).summary()
    return AnalysisResult(
        path.stem,
        path,
        folder,
        summary["seconds"],
        summary["people"],
        summary["lines"],
        summary["warnings"],
        summary["plane_error"],
        None if private else folder / REPORT,
        folder / VIDEO if visualization and film_of is not None else None,
    )


def _has_pictures(about: dict[str, Any], text: Path) -> bool:
    """Return whether pictures beside the answers to a text can be of its run.

    A run that hid people made some only for its own text, and if it had a scene: others may be older, and show them.
    """
    options = about.get("options")
    had_scene = isinstance(options, dict) and bool(options.get("scene"))
    return not about.get("anonymise") or (had_scene and not text.stem.endswith("_refined"))


def _least_score(about: dict[str, Any]) -> float:
    """Return the least score of the tracks that are drawn: as the run drew them, all where it is not known."""
    options = about.get("options")
    known = options.get("conf_thres") if isinstance(options, dict) else None
    return min(DRAW_THRESHOLD, known) if isinstance(known, (int, float)) else -np.inf


class _Unsorted(Exception):
    """A frame comes after one with a higher number."""


def _run(
    portions: Iterable[np.ndarray],
    edits: Edits,
    clock: Clock,
    answers: AnyAnswers,
    film: Film | None,
) -> None:
    """Answer a scene from rows [N, 10] of whole frames, portion by portion, with the frames that they are of."""
    last = 0.0
    try:
        for rows in portions:
            frames = rows[:, FRAME]
            if frames[0] <= last or (frames[1:] < frames[:-1]).any():
                raise _Unsorted
            last = frames[-1]
            now = float(clock.at(frames[-1:])[0])
            if now > LONGEST:
                raise SourceError(f"frame {last:.0f} would be years after the first: is it a number of frames?")
            rows = edits.apply(rows)
            if film is None:
                answers.write(np.column_stack([clock.at(rows[:, FRAME]), rows[:, : SCORE + 1]]), now)
            elif len(rows):  # frames that nobody is left in are shown before the next ones
                film.show(rows, clock, answers)
        if film:
            film.show_rest(clock, answers)
        if len(clock.marks):
            answers.write(np.zeros((0, 8)), max(float(clock.marks[-1, 1]), answers.analysis.end))
    finally:
        try:
            answers.close()
        finally:
            if film:
                film.close()


def _portions(table: np.ndarray) -> Iterator[np.ndarray]:
    """Yield whole frames of a table sorted by frame, some thousand rows at a time."""
    starts = np.flatnonzero(np.diff(table[:, FRAME], prepend=np.nan))
    if not len(starts):
        return
    cuts = starts[np.searchsorted(starts, np.arange(LINES_AT_ONCE, starts[-1], LINES_AT_ONCE))]
    yield from (part for part in np.split(table, np.unique(cuts)) if len(part))


def text_path(text: str | os.PathLike) -> Path:
    """Return the path of a MOT text.

    Raises:
        OptionError: it is no path.
        SourceError: there is no such file.
    """
    if not isinstance(text, (str, os.PathLike)) or "\0" in os.fspath(text):
        raise OptionError(f"text must be the path of a MOT text, not {shown(text)}")
    path = Path(text)
    if not path.is_file():
        raise SourceError(f"{os.fspath(text)!r} is no file: give the MOT text of a run")
    return path


def record_path(text: Path, path_of: Callable[[Path, str], Path]) -> Path:
    """Return the path of a record beside a text; a refined text shares that of its run."""
    beside = [text.with_name(path_of(Path(), name).name) for name in (text.stem, text.stem.removesuffix("_refined"))]
    return next(filter(Path.exists, beside), beside[-1])


def results_folder(text: Path, output_dir: str | os.PathLike | None) -> Path:
    """Return output_dir, or where it is None the folder of the results that a text is one of, else ``mot_result``."""
    if output_dir is not None:
        return Path(output_dir).expanduser()
    parent = text.absolute().parent
    return parent.parent if parent.name == "mot_results" else Path("mot_result")


def _size_and_rate(
    about: dict[str, Any],
    video: str | os.PathLike | None,
    size: tuple[int, int] | None,
    frame_rate: float | None,
) -> tuple[tuple[int, int], float]:
    """Return the size of the picture and the frame rate, from the best source that tells them."""
    rate = None if frame_rate is None else check_positive("frame_rate", frame_rate)
    if about:
        width, height = about["size"]
        return (int(width), int(height)), float(about["frame_rate"])
    if video is not None:
        with open_source(video) as source:
            height, width = next(iter(source)).image.shape[:2]
            return (width, height), source.frame_rate
    missing = [name for name, known in (("size of the picture", size), ("frame rate", rate)) if known is None]
    if size is None or rate is None:
        raise OptionError(
            f"the {' and the '.join(missing)} must be known, and there is no file of the run beside the text: "
            "give video, or size: [width, height] in the scene and frame_rate"
        )
    return size, rate
