"""The errors a user can cause. Each carries one line: what was received and what to do about it."""


class TrackingError(Exception):
    """Base of every error raised on purpose by this package."""


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
