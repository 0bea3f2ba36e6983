"""Generators that run in threads of their own, so that the stages of a pipeline overlap.

Decoding, the forward pass, drawing and encoding spend their time in C, outside Python's lock. Each stage is an ordinary
generator over the items of the one before. A bounded buffer lies between two stages, and the faster stage waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

POLL = 0.1  # seconds between two checks, while a stage waits for an item, whether the run has been halted


class Stages:
    """Threads that each run one generator; a context manager that ends them all.

    The first one started reads the source; the others read what earlier ones yield.
    """

    def __init__(self) -> None:
        self._ended = False
        self._stages: list[tuple[Prefetcher, threading.Thread]] = []

    def prefetch(
        self,
        items: Generator[T, None, None],
        size: int = 1,
        merge: Callable[[T, T], T] | None = None,
        halted: Callable[[], bool] | None = None,
    ) -> Prefetcher[T]:
        """Run a generator in a new thread.

        Args:
            items: the generator. The thread closes it when it is exhausted or the stages end.
            size: capacity of the buffer, at least 1. Without merge the generator is resumed only while there is room.
            merge: for a generator that must not wait, such as a camera: it is resumed at once, and where the buffer is
                full this function makes one item of the two oldest, which counts as one item dropped.
            halted: once it returns True, no further item is handed out.

        Returns:
            The items in order, to be iterated once. An error of the generator is raised there, after the items that
            came before it.

        Raises:
            ValueError: size is below 1.
        """
        if size < 1:
            raise ValueError(f"a stage that may hold {size} items would wait forever")
        made = Prefetcher(items, size, merge, halted, lambda: self._ended)
        thread = threading.Thread(target=made.run, name=f"stage {len(self._stages)}", daemon=True)
        self._stages.append((made, thread))
        thread.start()
        return made

    def stop(self) -> None:
        """End all threads after their current item; wait for all but the first, which may be waiting for a camera."""
        self._ended = True
        for buffer, _ in self._stages:
            buffer.wake()
        for _, thread in self._stages[1:]:
            thread.join()

    def __enter__(self) -> Stages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for _, thread in self._stages:
            thread.join()


class Prefetcher(Generic[T]):
    """Iterator over the items of a generator that runs in another thread, see `Stages.prefetch`.

    Attributes:
        dropped: number of items merged with the next one so far.
    """

    def __init__(
        self,
        items: Generator[T, None, None],
        size: int,
        merge: Callable[[T, T], T] | None,
        halted: Callable[[], bool] | None,
        ended: Callable[[], bool],
    ) -> None:
        self.dropped = 0
        self._items = items
        self._size = size
        self._merge = merge
        self._halted = halted or (lambda: False)
        self._ended = ended  # of all stages
        # one for each buffer, so that a change does not wake the threads of all stages
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._done = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """Run the generator and buffer its items, until it ends or the stages do; for the thread of this stage."""
        try:
            while self._room():
                try:
                    item = next(self._items)
                except StopIteration:
                    break
                self._put(item)
            self._items.close()
        except BaseException as error:  # noqa: BLE001 (any error is raised where the items are read)
            self._error = error
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def wake(self) -> None:
        """Wake the threads that wait for this buffer, so that they see that the stages have ended."""
        with self._changed:
            self._changed.notify_all()

    def _room(self) -> bool:
        """Wait until the generator may be resumed; return False if the stages have ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended() or self._merge is not None or len(self._waiting) < self._size)
            return not self._ended()

    def _put(self, item: T) -> None:
        with self._changed:
            self._waiting.append(item)
            if self._merge and len(self._waiting) > self._size:
                oldest = self._waiting.popleft()
                self._waiting[0] = self._merge(oldest, self._waiting[0])
                self.dropped += 1
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            while not self._changed.wait_for(lambda: self._waiting or self._done or self._ended(), POLL):
                if self._halted():
                    raise StopIteration
            if self._ended() or self._halted():
                raise StopIteration
            if self._waiting:
                item = self._waiting.popleft()
                self._changed.notify_all()
                return item
        if self._error:
            raise self._error
        raise StopIteration
