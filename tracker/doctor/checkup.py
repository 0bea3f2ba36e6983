"""All checks, one after the other; what goes wrong in one of them is a finding."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .clip import check_encoder
from .devices import check_camera, check_window
from .disk import check_disk
from .findings import NOTE, PROBLEM, Checkup, Finding
from .packages import check_extras, check_packages, check_versions
from .runtime import check_backend, check_model, check_processor

logger = logging.getLogger(__name__)

SECONDS = 10.0  # of measuring, by default


def examine(output_dir: str = "mot_result", seconds: float = SECONDS, camera: int | None = None) -> Checkup:
    """Check whether tracking works here, and measure how fast.

    Args:
        output_dir: folder of results; it need not exist.
        seconds: about how long to measure, loading models not included.
        camera: number of a camera to try; None for the first one, if there is one.
    """
    logger.info("looking at the packages")
    findings = [*_checked("versions", check_versions), *_checked("packages", check_packages)]
    broken = [one.name for one in findings if one.state == PROBLEM]
    findings += [*_checked("extras", check_extras), *_checked("processor", check_processor)]
    video_bytes = None
    if broken:
        # what needs the packages would fail the same way, or take this process down
        findings.append(Finding("tracking", NOTE, f"not tried: it needs {', '.join(broken)}"))
    else:
        more, video_bytes = _track(seconds)
        findings += [*more, *_checked("camera", partial(check_camera, camera)), *_checked("window", check_window)]
    findings += _checked("disk", partial(check_disk, output_dir, video_bytes))
    return Checkup.of(findings)


def _track(seconds: float) -> tuple[list[Finding], float | None]:
    """Try all that a run needs; return the findings, and the bytes of a second of annotated video where measured."""
    findings, video_bytes = [*_checked("backend", check_backend), *_checked("model", check_model)], None
    with TemporaryDirectory(prefix="doctor-") as folder:
        clip = Path(folder) / "clip.mp4"
        findings += _checked("encoder", partial(check_encoder, clip))
        if any(one.state == PROBLEM for one in findings):
            return [*findings, Finding("speed", NOTE, "not measured: see the problem above")], None
        logger.info("measuring for about %g s", seconds)
        for found in _checked("speed", partial(_speed, clip, seconds)):
            if isinstance(found, Finding):
                findings.append(found)
            else:
                video_bytes = found.video_bytes
    return findings, video_bytes


def _speed(clip: Path, seconds: float) -> Iterator[Any]:
    from ..predictor import Predictor
    from .speed import check_speed

    return check_speed(clip, seconds, lambda size: Predictor("compact", input_size=size))


def _checked(name: str, check: Callable[[], Iterator[Any]]) -> list[Any]:
    """Return what a check yields; if it fails, that is a finding too."""
    found: list[Any] = []
    try:
        found.extend(check())
    except Exception as error:  # noqa: BLE001 (whatever is broken here is what is looked for)
        found.append(Finding(name, PROBLEM, f"cannot be checked ({type(error).__name__}: {error})"))
    return found
