"""``python -m tracker --video_stream FILE``: the same as ``hub run``, without PaddleHub."""

import os
import signal
import sys
from types import FrameType

from .pipeline.standard_streams import safe_streams


def _leave(number: int, frame: FrameType | None) -> None:
    # While modules are imported there is nothing to close, and one of them might swallow an exception
    os._exit(128 + number)


def main() -> None:
    """Run the command line of the process and print its result."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, _leave)
    with safe_streams():
        try:
            from .command import print_result, run_command
            from .predictor import Predictor
        except Exception as error:  # noqa: BLE001 (a package that is broken may fail in any way)
            from .doctor.alone import run_alone

            sys.exit(run_alone(sys.argv[1:], error))
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        print_result(run_command(Predictor(), "python -m tracker"))


if __name__ == "__main__":
    main()
