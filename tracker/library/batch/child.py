"""A child process of a batch: it reads tasks from standard input, a JSON object a line, and answers each with its row.

It ends in order on SIGTERM, and at once when its parent is gone, which closes standard input.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from dataclasses import asdict
from typing import Any, TextIO

from ...pipeline.interrupts import ending_in_order
from ...pipeline.standard_streams import safe_streams


def main() -> None:
    """Track what the parent asks for until it closes standard input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    tasks = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    # and processes that they fork close standard input, which waits for whoever reads it
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    with safe_streams(), ending_in_order():
        logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
        first = json.loads(tasks.readline() or "null")
        if first is not None:
            _work(first, tasks, answers)


def _work(setup: dict[str, Any], asked: TextIO, answers: TextIO) -> None:
    import cv2

    from .work import Task, Worker

    cv2.setNumThreads(setup["cores"])
    worker = Worker(setup["model"])
    tasks: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read, args=(asked, tasks, busy), daemon=True).start()
    while (values := tasks.get()) is not None:
        row = worker.do(Task.from_mapping(values))
        busy.clear()
        print(json.dumps(asdict(row)), file=answers, flush=True)


def _read(asked: TextIO, tasks: queue.SimpleQueue[dict[str, Any] | None], busy: threading.Event) -> None:
    for line in asked:
        busy.set()
        tasks.put(json.loads(line))
    if busy.is_set():
        os._exit(1)  # the parent was killed: what is not finished is begun anew by the next batch
    tasks.put(None)


if __name__ == "__main__":
    main()
