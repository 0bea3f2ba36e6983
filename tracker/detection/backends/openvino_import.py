"""OpenVINO imported without the report that it would send to its makers."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_REPORTER = "openvino_telemetry"


def import_openvino() -> Any:
    """Import OpenVINO and return the module.

    On import it tells Google Analytics that it is used, unasked, by a package of its own. Whoever follows people on a
    camera does not expect that: the package is hidden meanwhile, and OpenVINO takes the stand-in that it brings along.

    Raises:
        ImportError: it is not installed, or cannot be loaded.
    """
    if sys.modules.get("openvino") is not None:
        return sys.modules["openvino"]
    kept = sys.modules.get(_REPORTER)
    sys.modules[_REPORTER] = None  # type: ignore[assignment]  # an import of it fails
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[_REPORTER]
        if kept is not None:
            sys.modules[_REPORTER] = kept
