"""A source read to its end, or the message with which it fails."""

import pytest

from tracker.errors import SourceError
from tracker.sources import open_source

JPEG = {"codec": "mjpeg"}


def read(path, **options):
    with open_source(path, **options) as source:
        return source, list(source)


def message_of(*arguments, error=SourceError, **options):
    """The one line that opening or reading fails with."""
    with pytest.raises(error) as caught, open_source(*arguments, **options) as source:
        list(source)
    assert "\n" not in str(caught.value), str(caught.value)
    return str(caught.value)
