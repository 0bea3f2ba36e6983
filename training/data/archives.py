"""Unpacking archives that may come from anyone."""

from __future__ import annotations

import errno
import lzma
import tarfile
import zlib
from pathlib import Path

from tracker.errors import DataError

# Images are packed already, and text shrinks to a tenth; what shrinks to less than a hundredth holds next to nothing.
_LARGEST_GROWTH, _SMALL = 100, 64_000_000  # times the file, bytes
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class _TooLarge(tarfile.FilterError):
    """The files of an archive take far more room than the archive."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .tar archive.

    Args:
        archive: The file, optionally compressed.
        folder: To unpack into.

    Raises:
        DataError: The archive is damaged, no .tar, has members that cannot be written or would end up outside of the
            folder, or takes more than 64 MB and a hundred times its own size.
        OSError: The disk is full, or may not be written to.
    """
    room = max(_SMALL, _LARGEST_GROWTH * archive.stat().st_size)

    def checked(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo | None:
        nonlocal room
        room -= member.size
        if room < 0:
            raise _TooLarge("its files take far more room than the archive")
        return tarfile.data_filter(member, destination)

    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter=checked)
    except _TooLarge as error:
        raise DataError(f"{archive}: refused, {error}") from None
    except tarfile.FilterError as error:
        raise DataError(f"{archive}: refused, it has an unsafe member ({error})") from None
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, zlib.error, lzma.LZMAError) as error:
        # without a number, or with that of a name which no folder takes, it is about the archive
        if getattr(error, "errno", None) in _OF_THE_DISK:
            raise
        # after the first line tarfile tells what each way of packing says
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0].rstrip(":") or type(error).__name__
        raise DataError(f"{archive}: cannot be unpacked as .tar ({reason})") from None
