"""A batch on Ray: actors, on one machine or many, each with a model that it loads once, share the videos."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import OptionError
from ...models.child import ROOT
from ..batch.records import Row
from ..batch.work import Task
from ..places import WORK, LocalPlace, open_place

logger = logging.getLogger(__name__)

LOCAL = "local"
ATTEMPTS = 3  # at a video whose worker dies, which happens to machines too
WORKER = "tracker.library.batch.work:Worker"  # made in each actor
_WAIT = 0.5  # seconds between two looks for a request to stop
_OBJECTS = 100 * 1024 * 1024  # bytes for what tasks are told; videos do not go through Ray


def track_on_ray(
    tasks: Sequence[Task],
    address: str,
    jobs: int | None,
    threads: int,
    model: Mapping[str, Any],
    stopping: Callable[[], bool],
    gpus: int = 0,
) -> Iterator[Row]:
    """Track videos by the workers of a cluster.

    The project lies in the same folder on all machines, and so do videos, results and model, unless they have
    addresses. A worker that dies is replaced, and its video tried again. Whatever ends this generator ends the workers.

    Args:
        tasks: the videos.
        address: of the cluster; ``auto`` for the one that this machine is in, ``local`` for one of this machine's cores
            that is started now and ends with the batch.
        jobs: number of workers; None for as many as the cluster has room for.
        threads: processor threads of each.
        model: arguments of `Predictor` by name.
        stopping: asked again and again; once it is true, all workers are ended at once.
        gpus: GPUs of each; Ray hides them from workers that have none.

    Yields:
        Row of each video that is finished, in the order in which they end.

    Raises:
        OptionError: Ray is not installed, or the cluster does not answer.
    """
    ray = import_ray()
    with _connected(ray, address, (jobs or 1) * threads):
        resources = ray.cluster_resources()
        room = int(min(resources.get("CPU", 1) // threads, resources.get("GPU", 0) // gpus if gpus else math.inf))
        workers = _Workers(ray, threads, gpus, model)
        try:
            yield from _share(ray, workers, tasks, min(jobs or max(room, 1), len(tasks)), stopping)
        finally:
            workers.end()


def import_ray() -> Any:
    """Return the package Ray.

    Raises:
        OptionError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers of every use
    try:
        import ray
    except ImportError as error:
        raise OptionError("ray is not installed: pip install -r requirements-ray.txt") from error
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str, cores: int) -> Iterator[None]:
    options: dict[str, Any] = {"address": address}
    if address == LOCAL:
        options |= {"num_cpus": cores, "object_store_memory": _OBJECTS, "include_dashboard": False}
        options["_node_ip_address"] = "127.0.0.1"
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    options["runtime_env"] = {"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}}
    with _own_signals():
        try:
            ray.init(logging_level=logging.ERROR, **options)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            reason = (str(error).strip().splitlines() or ["no answer"])[0]
            raise OptionError(f"ray {address!r}: {reason}; give the address of a cluster, auto, or local") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of signals, which Ray replaces."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in kept.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


class _Workers:
    """The actors of a batch."""

    def __init__(self, ray: Any, threads: int, gpus: int, model: Mapping[str, Any]) -> None:
        self._ray = ray
        self._needs = {"num_cpus": threads, "num_gpus": gpus}
        self._arguments = WORKER, {**model, "threads": threads}, threads
        self._all: list[Any] = []
        self.idle: list[Any] = []

    def take(self) -> Any:
        """Return a worker that has nothing to do, a new one if there is none."""
        if self.idle:
            return self.idle.pop()
        actor = self._ray.remote(**self._needs)(_actor_class()).remote(*self._arguments)
        self._all.append(actor)
        return actor

    def end(self) -> None:
        """End all workers at once."""
        for actor in self._all:
            self._ray.kill(actor)


def _actor_class() -> type:
    # A class of a function is sent as it is; one of a module would be looked for there by the name that this package
    # has been imported under, which is another one in PaddleHub.
    class Tracking:
        def __init__(self, worker: str, model: dict[str, Any], threads: int) -> None:
            import cv2

            cv2.setNumThreads(threads)
            module, _, name = worker.partition(":")
            self._worker = getattr(importlib.import_module(module), name)(model)

        def do(self, values: dict[str, Any]) -> dict[str, Any]:
            task = importlib.import_module("tracker.library.batch.work").Task.from_mapping(values)
            return importlib.import_module("dataclasses").asdict(self._worker.do(task))

    return Tracking


def _share(
    ray: Any, workers: _Workers, tasks: Sequence[Task], jobs: int, stopping: Callable[[], bool]
) -> Iterator[Row]:
    waiting = deque((task, 1) for task in tasks)
    running: dict[Any, tuple[Task, int, Any]] = {}
    try:
        while (waiting or running) and not stopping():
            while waiting and len(running) < jobs:
                task, attempt = waiting.popleft()
                actor = workers.take()
                running[actor.do.remote(task.to_mapping())] = task, attempt, actor
            ready, _ = ray.wait([*running], timeout=_WAIT)
            for future in ready:
                task, attempt, actor = running.pop(future)
                try:
                    row = Row(**ray.get(future))
                    workers.idle.append(actor)
                except ray.exceptions.RayActorError as error:
                    reason = _reason(error)
                    if attempt < ATTEMPTS:
                        logger.warning("the worker that had %s died (%s): it is tried again", task.row.name, reason)
                        waiting.appendleft((task, attempt + 1))
                        continue
                    row = replace(task.row, state="failed", error=f"its worker died, {attempt} times: {reason}")
                except ray.exceptions.RayError as error:
                    row = replace(task.row, state="failed", error=f"its worker failed: {_reason(error)}")
                    workers.idle.append(actor)
                yield row
    finally:
        workers.end()
        for task, _, _ in running.values():
            _forget(task)


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


def _forget(task: Task) -> None:
    """Remove what a worker that was ended had begun."""
    place = open_place(task.folder)
    if isinstance(place, LocalPlace):
        with contextlib.suppress(OSError):  # the next batch removes it
            place.remove(f"{WORK}/{task.row.name}")
