"""Multi-object tracking of pedestrians with JDE: frames in, identities out.

These are the public names. Each is imported when it is first used, so that ``import tracker`` takes no time, and
``from tracker import FusedTracker`` loads neither a network's runtime nor a video library.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .analysis.scene import Scene as Scene
    from .association.base import SequenceTracker as SequenceTracker
    from .association.fused_tracker import FusedTracker as FusedTracker
    from .association.jde_tracker import JDETracker as JDETracker
    from .cameras.config import Camera as Camera
    from .cameras.config import read_cameras as read_cameras
    from .cameras.run import run_cameras as run_cameras
    from .detection.base import Detector as Detector
    from .detection.base import FunctionDetector as FunctionDetector
    from .errors import DataError as DataError
    from .errors import ModelError as ModelError
    from .errors import OptionError as OptionError
    from .errors import OutputError as OutputError
    from .errors import SourceError as SourceError
    from .errors import TrackingError as TrackingError
    from .exports.export import export as export
    from .library.batch.result import BatchResult as BatchResult
    from .library.batch.track import track_batch as track_batch
    from .pipeline.analyse import analyse as analyse
    from .pipeline.result import TrackingResult as TrackingResult
    from .predictor import Predictor as Predictor
    from .settings.tracking import TrackerConfig as TrackerConfig
    from .sinks.base import Sink as Sink
    from .sinks.draw import draw_tracks as draw_tracks
    from .structures import Detections as Detections
    from .structures import Frame as Frame
    from .structures import FrameTracks as FrameTracks
    from .structures import SequenceInfo as SequenceInfo
    from .structures import Tracks as Tracks
else:  # not for type checkers, to which any name would then be one of the package
    _MODULE_OF = {
        "Scene": "analysis.scene",
        "SequenceTracker": "association.base",
        "FusedTracker": "association.fused_tracker",
        "JDETracker": "association.jde_tracker",
        "Camera": "cameras.config",
        "read_cameras": "cameras.config",
        "run_cameras": "cameras.run",
        "Detector": "detection.base",
        "FunctionDetector": "detection.base",
        "DataError": "errors",
        "ModelError": "errors",
        "OptionError": "errors",
        "OutputError": "errors",
        "SourceError": "errors",
        "TrackingError": "errors",
        "export": "exports.export",
        "BatchResult": "library.batch.result",
        "track_batch": "library.batch.track",
        "analyse": "pipeline.analyse",
        "TrackingResult": "pipeline.result",
        "Predictor": "predictor",
        "TrackerConfig": "settings.tracking",
        "Sink": "sinks.base",
        "draw_tracks": "sinks.draw",
        "Detections": "structures",
        "Frame": "structures",
        "FrameTracks": "structures",
        "SequenceInfo": "structures",
        "Tracks": "structures",
    }
    __all__ = sorted(_MODULE_OF)

    def __getattr__(name: str) -> object:
        """Import a public name at its first use (PEP 562)."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
