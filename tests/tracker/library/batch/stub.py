"""``batch`` with made-up walkers in place of the network, in this process and, started with ``child``, in its children.

A video whose name has ``deadly`` kills the process that tracks it, in the middle; ``mortal`` does so at the first
attempt only. ``forking`` forks others. Seconds a forward pass takes are the environment variable STUB_SECONDS.
"""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

from tests.attacks.stub_command import Walkers
from tracker.library.batch import children, work

PROGRAM = ("-m", "tests.tracker.library.batch.stub", "child")


class Deadly(Walkers):
    def __init__(self, marker, every_time):
        super().__init__()
        self.marker, self.every_time = marker, every_time

    def start(self, preprocessed):
        if self.count == 3 and (self.every_time or not self.marker.exists()):
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().start(preprocessed)


class Forking(Walkers):
    """Forks a process, as OpenVINO does, that would close standard input."""

    def start(self, preprocessed):
        multiprocessing.get_context("fork").Process(target=int).start()
        return super().start(preprocessed)


class StubWorker(work.Worker):
    def do(self, task):
        name, detector = task.row.name, Walkers()  # a new one, for it counts its frames
        if "deadly" in name or "mortal" in name:
            detector = Deadly(Path(task.folder).parent / f"{name}.died", "deadly" in name)
        if "forking" in name:
            detector = Forking()
        self._predictor = work.Predictor(detector=detector)
        return super().do(task)


if __name__ == "__main__":
    work.Worker, children.PROGRAM = StubWorker, PROGRAM
    if sys.argv[1:] == ["child"]:
        from tracker.library.batch import child

        child.main()
    else:
        from tracker import __main__

        __main__.main()
