"""``batch`` with made-up walkers in place of the network, in this process and, started with ``child``, in its children.

A video whose name has ``deadly`` kills the process that tracks it; ``mortal`` does so at the first attempt only.
Seconds a forward pass takes are the environment variable STUB_SECONDS.
"""

import os
import signal
import sys
from pathlib import Path

from tests.attacks.stub_command import Walkers
from tracker.library.batch import children, work

PROGRAM = ("-m", "tests.tracker.library.batch.stub", "child")


class StubWorker(work.Worker):
    def do(self, task):
        died = Path(task.folder).parent / f"{task.row.name}.died"
        if "deadly" in task.row.name or ("mortal" in task.row.name and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self._predictor = work.Predictor(detector=Walkers())  # which counts its frames
        return super().do(task)


if __name__ == "__main__":
    work.Worker, children.PROGRAM = StubWorker, PROGRAM
    if sys.argv[1:] == ["child"]:
        from tracker.library.batch import child

        child.main()
    else:
        from tracker import __main__

        __main__.main()
