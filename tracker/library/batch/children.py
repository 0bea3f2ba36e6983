"""Child processes that share the videos of a batch and the cores of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import printable
from ...models.child import ROOT
from ...settings.children import PYTHON
from .records import Row
from .work import Task

PROGRAM = ("-m", "tracker.library.batch.child")
ATTEMPTS = 2  # at a video whose process dies; more would let one video kill processes for ever
_WAIT = 0.2  # seconds between two looks for a request to stop
_PATIENCE = 30.0  # seconds that a child has to end in order
# numerical libraries would each take all cores
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def track_in_children(
    tasks: Sequence[Task],
    jobs: int,
    cores: int,
    model: Mapping[str, Any],
    stopping: Callable[[], bool],
    held: Sequence[int] = (),
) -> Iterator[Row]:
    """Track videos in child processes.

    A child that dies is replaced, and its video tried once more. Whatever ends this generator ends the children.

    Args:
        tasks: the videos.
        jobs: number of children.
        cores: threads of each.
        model: arguments of `Predictor` by name.
        stopping: asked again and again; once it is true no further video is begun, and those under way end in order.
        held: file descriptors, such as locks, that the children keep open as long as they live.

    Yields:
        Row of each video that was begun, in the order in which they end.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()  # None when a child has nothing left to do
    children = [_Child(cores, model, held) for _ in range(min(jobs, len(tasks)))]
    threads = [threading.Thread(target=child.serve, args=(waiting, rows), daemon=True) for child in children]
    try:
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:
            try:
                row = rows.get(timeout=_WAIT)
            except queue.Empty:
                if stopping():
                    for child in children:
                        child.stop()
                continue
            if row is None:
                running -= 1
            else:
                yield row
    finally:
        for child in children:
            child.stop()
        for thread in threads:
            thread.join(_PATIENCE)
        for child in children:
            child.kill()


class _Child:
    """A child process, started when it is needed, and again when it has died.

    Args:
        cores: threads that it may use.
        model: arguments of `Predictor`.
        held: file descriptors that it keeps open.
    """

    def __init__(self, cores: int, model: Mapping[str, Any], held: Sequence[int]) -> None:
        self._setup = {"cores": cores, "model": dict(model)}
        self._cores = cores
        self._held = tuple(held)
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._lock = threading.Lock()  # of the two above

    def serve(self, waiting: queue.SimpleQueue[Task], rows: queue.SimpleQueue[Row | None]) -> None:
        """Have tasks done, one after the other, until none is left."""
        try:
            while not self._stopped:
                task = waiting.get_nowait()
                for attempt in range(1, ATTEMPTS + 1):
                    row = self._ask(task)
                    if row or self._stopped:
                        break
                    reason = f"its process {self._end()}, {attempt} times"
                    row = replace(task.row, state="failed", error=reason)
                rows.put(row or task.row)
        except queue.Empty:
            pass
        finally:
            self._end()
            rows.put(None)

    def _ask(self, task: Task) -> Row | None:
        """Have a task done; return None if the child dies."""
        try:
            with self._lock:
                if self._stopped:
                    return None
                process = self._process = self._process or self._start()
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(task.to_mapping()) + "\n")
            process.stdin.flush()
            # not for the end of the pipe, which a process that a library has forked may keep open
            while not select.select([process.stdout], [], [], _WAIT)[0]:
                if process.poll() is not None:
                    return None
            answer = process.stdout.readline()
            return Row(**json.loads(answer)) if answer.endswith("\n") else None
        except OSError:  # a pipe that nobody reads any more
            return None

    def _start(self) -> subprocess.Popen[str]:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = dict.fromkeys(_THREADS, str(self._cores))
        process = subprocess.Popen(
            [*PYTHON, *PROGRAM],
            env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            pass_fds=self._held,
            start_new_session=True,  # Ctrl-C comes to the parent alone, which tells the children
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(self._setup) + "\n")
        return process

    def stop(self) -> None:
        """Ask the child to end in order; a second call does nothing."""
        with self._lock:
            if not self._stopped and self._process:
                with contextlib.suppress(OSError):
                    self._process.send_signal(signal.SIGTERM)
            self._stopped = True

    def kill(self) -> None:
        """End the child at once, if it has not ended."""
        with self._lock:
            if self._process:
                self._process.kill()

    def _end(self) -> str:
        """Let the child end, and return how it did."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return "did not start"
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            code = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return printable(f"ended with exit code {code}")
