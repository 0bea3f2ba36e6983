"""Outputs for tracked frames: MOT text, annotated video, and your own classes that implement `Sink`."""

from .base import Sink

__all__ = ["Sink"]
