"""Where frames come from: video files, streams, cameras and folders of images."""

from .base import MAX_PIXELS, Source
from .opening import open_source

__all__ = ["MAX_PIXELS", "Source", "open_source"]
