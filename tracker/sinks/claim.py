"""The claim of a run on its files, which keeps two runs from writing the same ones."""

from __future__ import annotations

import io
import itertools
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import OutputError
from .files import (
    answers_path,
    final_path,
    fitting_name,
    is_at,
    make_parent,
    part_path,
    people_path,
    refined_path,
    run_path,
    text_path,
    times_path,
    video_path,
)
from .fragments import make_whole
from .video import MAX_SIDE

try:
    import fcntl
except ImportError:  # Windows: two runs of one name are not told apart there
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_LAST_ANSWER = "summary.json"  # of the answers of a run that ended in order


class RunFiles:
    """The claim of a run on its files.

    It is a lock on the MOT text, and one on the growing video, that ends with the process however that ends, and leaves
    nothing behind. So a growing video that nobody holds is that of a run that was killed.

    Args:
        folder: output folder of the run.
        video: whether the run makes a video.
        text: whether it makes a text; if not, the text that it locks is removed again.
    """

    def __init__(self, folder: Path, video: bool, text: bool = True) -> None:
        self._folder = folder
        self._text = text
        self._video = video
        self._held: list[tuple[Path, io.FileIO]] = []  # the text is the first

    def claim(self, name: str, size: tuple[int, int], new: bool = False) -> str:
        """Find the name of the run's files, and keep other runs from them until `release`.

        No older file is touched but those of a run that was killed: they are kept under ``NAME_interrupted``, which is
        told. Where another run is writing ``NAME``, which is told too, it is ``NAME_2`` or the next one without files.

        Args:
            name: name of the sequence.
            size: width and height of its pictures.
            new: whether files of the name that are there already are left alone too.

        Returns:
            The name; it differs from that of the sequence also where that is too long.

        Raises:
            OutputError: text or video cannot be written.
        """
        wanted = fitting_name(name)
        if self._video and max(size) > MAX_SIDE:
            video = video_path(self._folder, wanted)
            raise OutputError(
                f"cannot write the video {video}: its pictures of {size[0]}x{size[1]} exceed the {MAX_SIDE} pixels a "
                "side of H.264 encoders; turn the visualization off"
            )
        if (not new or self._is_free(wanted)) and self._take(wanted, new):
            return wanted
        for number in itertools.count(2):
            other = fitting_name(name, f"_{number}")
            if self._is_free(other) and self._take(other, new=True):
                text = text_path(self._folder, wanted)
                why = "is there already" if new else "is being written by another run"
                logger.log(logging.INFO if new else logging.WARNING, "%s %s: this one is called %s", text, why, other)
                return other
        raise AssertionError("numbers do not end")

    def release(self) -> None:
        """Let other runs have the files. A second call does nothing."""
        while self._held:
            path, file = self._held[-1]
            # a growing video that the run did not come to, or a text that it does not make
            unused = path.suffix == ".mp4" or not self._text
            if unused and is_at(path, file.fileno()) and path.stat().st_size == 0:
                path.unlink()
            self._give_back()

    def _paths(self, name: str) -> tuple[Path, Path, Path]:
        video = video_path(self._folder, name)
        return text_path(self._folder, name), video, part_path(video)

    def _is_free(self, name: str) -> bool:
        refined = refined_path(self._folder, name), answers_path(self._folder, f"{name}_refined")
        return not any(path.exists() for path in (*self._paths(name), *refined, *self._beside(name)))

    def _beside(self, name: str) -> list[Path]:
        """Return what a run keeps beside its text from the first frame on."""
        return [path_of(self._folder, name) for path_of in (run_path, times_path, people_path, answers_path)]

    def _take(self, name: str, new: bool) -> bool:
        """Lock the files of a name; return False if another run has them, or if they shall be new and are not."""
        text, video, part = self._paths(name)
        make_parent(text)
        made = new or not text.exists()
        try:
            while True:
                if not self._lock(text, text, new):
                    return False
                if part.exists():
                    if not self._lock(part, part, False):
                        self._drop(text, made)
                        return False
                    self._keep_interrupted(text, video, part)
                    self.release()
                    made = True
                    continue  # the names are free now, and another run may be quicker
                if self._video:
                    self._check_video(video, part)
                return True
        except OutputError:
            self._drop(text, made)
            raise

    def _check_video(self, video: Path, part: Path) -> None:
        make_parent(video)
        if video.is_dir():
            raise OutputError(f"cannot write the video {video}: a folder has this name")
        self._lock(part, video, False)

    def _lock(self, path: Path, shown: Path, new: bool) -> bool:
        """Open a file without changing it, and lock it; errors tell the path `shown`."""
        flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if new else 0)
        flags |= getattr(os, "O_NONBLOCK", 0)  # so that a pipe without a reader is an error
        while True:
            try:
                file = io.FileIO(os.open(path, flags, 0o666), "w")
            except FileExistsError:
                return False
            except OSError as error:
                raise OutputError(f"cannot write {shown}: {error.strerror}; choose another output_dir") from error
            self._held.append((path, file))
            if fcntl is None or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return True
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._give_back()
                return False
            except OSError:  # a network file system without locks
                return True
            if is_at(path, file.fileno()):
                return True
            self._give_back()  # the run that had it has just removed it

    def _give_back(self) -> None:
        """Unlock the file locked last, as it is."""
        _, file = self._held.pop()
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_UN)  # else a process forked meanwhile would keep it
        file.close()

    def _drop(self, text: Path, made: bool) -> None:
        """Give up what is locked, and remove the text if it was made for this claim."""
        if made and self._held and is_at(text, self._held[0][1].fileno()) and text.stat().st_size == 0:
            text.unlink()
        self.release()

    def _keep_interrupted(self, text: Path, video: Path, part: Path) -> None:
        """Move text and video of a run that was killed, as far as they hold anything, and what is beside them."""
        name = text.stem
        for number in itertools.count(1):
            other = fitting_name(name, "_interrupted" if number == 1 else f"_interrupted_{number}")
            if self._is_free(other):
                break
        kept_text, kept_video, _ = self._paths(other)
        kept = []
        try:
            final_path(video).unlink(missing_ok=True)
            if make_whole(part):
                part.rename(kept_video)
                kept.append(kept_video)
            else:
                part.unlink()
            if text.is_file() and text.stat().st_size:
                text.rename(kept_text)
                kept.insert(0, kept_text)
                for path, kept_path in zip(self._beside(name), self._beside(other)):
                    if path.exists() and not (path / _LAST_ANSWER).exists():
                        path.rename(kept_path)
        except OSError as error:
            raise OutputError(
                f"cannot move what a killed run of {name} has left: {error.strerror} ({error.filename}); choose "
                "another output_dir"
            ) from error
        if kept:
            logger.warning(
                "an earlier run of %s was killed; what it made is kept: %s", name, " and ".join(map(str, kept))
            )
