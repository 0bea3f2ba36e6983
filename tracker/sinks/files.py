"""What the files of a run are called."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ..errors import OptionError, OutputError

_MOST_BYTES = 240  # of a run's name, so that NAME with the longest ending has the 255 that file systems take


def checked_folder(output_dir: str | os.PathLike) -> Path:
    """Return the path of the folder of results.

    Raises:
        OptionError: it is no path, or names the home of an unknown user.
    """
    if not isinstance(output_dir, (str, os.PathLike)) or "\0" in os.fspath(output_dir):
        raise OptionError(f"output_dir must be a path, not {output_dir!r}")
    try:
        return Path(output_dir).expanduser()
    except RuntimeError as error:
        raise OptionError(f"output_dir {os.fspath(output_dir)!r} names the home of an unknown user") from error


def text_path(folder: Path, name: str) -> Path:
    """Return the path of a run's MOT text."""
    return folder / "mot_results" / f"{name}.txt"


def refined_path(folder: Path, name: str) -> Path:
    """Return the path of a run's refined MOT text."""
    return folder / "mot_results" / f"{name}_refined.txt"


def video_path(folder: Path, name: str) -> Path:
    """Return the path of a run's annotated video."""
    return folder / "mot_outputs" / f"{name}_vis.mp4"


def run_path(folder: Path, name: str) -> Path:
    """Return the path of the file that tells what made a run's texts."""
    return folder / "mot_results" / f"{name}_run.json"


def times_path(folder: Path, name: str) -> Path:
    """Return the path of the times of a run's frames."""
    return folder / "mot_results" / f"{name}_times.csv"


def status_path(folder: Path, name: str) -> Path:
    """Return the path of the file that tells how a live run is doing."""
    return folder / "mot_results" / f"{name}_status.json"


def people_path(folder: Path, name: str) -> Path:
    """Return the path of what the people of a run look like."""
    return folder / "mot_results" / f"{name}_people.npz"


def answers_path(folder: Path, name: str) -> Path:
    """Return the folder of the answers to a run's scene, or to the one that is asked of a text ``NAME.txt``."""
    return folder / "answers" / name


def part_path(video: Path) -> Path:
    """Return the path of a video while it grows."""
    return video.with_name(f".{video.stem}.part.mp4")


def final_path(video: Path) -> Path:
    """Return the path at which a video is brought into its final form, which takes seconds at most."""
    return video.with_name(f".{video.stem}.final.mp4")


def fitting_name(name: str, ending: str = "") -> str:
    """Return a name with an ending, as the names of files that are made of it can have.

    Args:
        name: any file name.
        ending: what is to follow it.

    Returns:
        Both, with the last characters of a name that is too long replaced by a digest of the whole.
    """
    room = _MOST_BYTES - len(os.fsencode(ending))
    whole = os.fsencode(name)
    if len(whole) > room:
        digest = hashlib.sha256(whole).hexdigest()[:8]
        name = f"{whole[: room - 9].decode(errors='ignore')}_{digest}"
    return name + ending


def is_at(path: Path, file: int) -> bool:
    """Return whether a path still leads to an open file, given by its descriptor."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except OSError:
        return False


def make_parent(path: Path) -> None:
    """Make the folder of a result.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {path.parent}: {error.strerror}; choose another output_dir"
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or as it was before.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
