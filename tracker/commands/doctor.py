"""The command ``doctor``: whether tracking works on this machine."""

from __future__ import annotations

from typing import Any

from ..doctor.alone import HELP, USAGE, add_doctor_arguments, summary
from ..doctor.checkup import examine
from ..doctor.findings import Checkup
from ..errors import PartialFailure
from ..predictor import Predictor
from .base import Command


def _run(predictor: Predictor, arguments: dict[str, Any]) -> Checkup:
    result = examine(**arguments)
    if not result.works:
        raise PartialFailure(summary(result.problems), result)
    return result


COMMAND = Command(HELP, USAGE, add_doctor_arguments, _run)
