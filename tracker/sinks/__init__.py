"""What becomes of tracked frames: text, annotated video, and whatever else implements `Sink`."""

from .base import Sink

__all__ = ["Sink"]
