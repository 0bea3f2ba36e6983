"""The lock on a folder of results, which keeps two batches from working in it at once."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from ...errors import OutputError
from ...sinks.files import is_at
from ..places import WORK, LocalPlace, Place

try:
    import fcntl
except ImportError:  # Windows: two batches are not told apart there
    fcntl = None  # type: ignore[assignment]

PATIENCE = 15.0  # seconds for the children of a batch that was killed to end


@contextlib.contextmanager
def working_folder(place: Place) -> Iterator[list[int]]:
    """Make the folder of unfinished results, and keep other batches from it until the end of the block.

    Children that inherit the descriptor hold it too, so that nobody begins before those of a killed batch have ended.

    Args:
        place: of the results; one that is not on this machine has no lock.

    Yields:
        Descriptors of the locks.

    Raises:
        OutputError: another batch works there, or it cannot be made.
    """
    if not isinstance(place, LocalPlace):
        yield []
        return
    folder, work = place.folder, place.folder / WORK
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            work.mkdir(parents=True, exist_ok=True)
            lock = os.open(work, os.O_RDONLY)
        except OSError as error:
            raise OutputError(f"cannot make the folder {work}: {error.strerror}; choose another output_dir") from error
        if _locked(lock) and is_at(work, lock):
            break
        os.close(lock)
        if time.monotonic() > deadline:
            raise OutputError(f"another batch works in {folder}: wait for it, or choose another output_dir")
        time.sleep(0.1)
    try:
        yield [lock]
    finally:
        with contextlib.suppress(OSError):  # it holds what was not finished
            work.rmdir()
        os.close(lock)


def _locked(lock: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system without locks
        return True
    return True
