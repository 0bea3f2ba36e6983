"""The errors a user can cause. Each carries one line: what was received and what to do about it."""

import unicodedata

LONGEST = 1500  # characters of a message


def printable(text: str) -> str:
    """Return a text as one line that a terminal shows as it is: escape sequences and the like in it are spelt out."""
    if text.isprintable():
        return text
    # the spaces that Python does not call printable are: U+3000 stands in Chinese and Japanese file names
    shows = (c.isprintable() or unicodedata.category(c) == "Zs" for c in text)
    return "".join(c if as_it_is else c.encode("unicode_escape").decode() for c, as_it_is in zip(text, shows))


class TrackingError(Exception):
    """Base of every error raised on purpose by this package.

    Args:
        message: what was received and what to do about it. File names in it may be a stranger's.
    """

    def __init__(self, message: object = "") -> None:
        line = printable(str(message))
        if len(line) > LONGEST:  # a file may have lines of any length, of which a message quotes the beginning
            line = f"{line[: LONGEST // 2]}...{line[-LONGEST // 2 + 3 :]}"
        super().__init__(line)


class OptionError(TrackingError, ValueError):
    """An option has a value of the wrong type or out of its range."""


class SourceError(TrackingError):
    """The video, camera, URL, image folder or array cannot be read."""


class ModelError(TrackingError):
    """Weights are missing, damaged, or belong to another network; or the wanted device cannot run them."""


class OutputError(TrackingError):
    """A result file cannot be written."""


class DataError(TrackingError):
    """Training data is missing, damaged, or of a layout that is not read."""


class PartialFailure(TrackingError):
    """Some of several videos or cameras failed.

    Args:
        message: which of them.
        result: what became of all.
    """

    def __init__(self, message: object, result: object) -> None:
        super().__init__(message)
        self.result = result
