"""Where frames come from: video files, streams, cameras and folders of images."""

from .base import Source
from .opening import open_source

__all__ = ["Source", "open_source"]
