"""Decode ahead and encode behind, each in a thread, while the network computes.

FFmpeg and ONNX Runtime let go of Python's lock while they work. One thread each keeps the order;
a bound on how far they run ahead keeps the memory.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(items: Iterator[Item], depth: int) -> Generator[Item, None, None]:
    """The same items, of which up to `depth` are made before they are asked for.

    What `items` raises is raised where its item would have come. Closing waits for the item that is
    being made; `items` can be closed only then.
    """
    done = object()
    pool = ThreadPoolExecutor(1)
    try:
        pending = deque(pool.submit(next, items, done) for _ in range(depth))
        while (item := pending.popleft().result()) is not done:
            pending.append(pool.submit(next, items, done))
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(cancel_futures=True)


def later(
    items: Iterator[Item], begin: Callable[[Item], Callable[[], Made]], lag: int
) -> Iterator[Made]:
    """What becomes of each item, in order: `begin` starts something, and what it returns waits for
    that and gives the result. It is waited for when `lag` more have been started, or when nobody
    wants more: what is under way still uses its memory."""
    waiting: deque[Callable[[], Made]] = deque()
    try:
        for item in items:
            waiting.append(begin(item))
            if len(waiting) > lag:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()
    finally:
        for finish in waiting:
            with contextlib.suppress(Exception):  # there is another one on its way
                finish()


class Behind(Generic[Item]):
    """Does a piece of work for each item, in order, up to `depth` items later.

    Leaving the block waits for what is left; leaving it by an exception drops that.

    Args:
        work: called in another thread, one item at a time. What it raises is raised by a later
            call, or on leaving the block.
        depth: items that may wait; more make the caller wait.
    """

    def __init__(self, work: Callable[[Item], Any], depth: int) -> None:
        self._work, self._depth = work, depth
        self._pool = ThreadPoolExecutor(1)
        self._pending: deque[Future[Any]] = deque()
        self.done = 0

    def __call__(self, item: Item) -> None:
        """Hand over an item."""
        while self._pending and (self._pending[0].done() or len(self._pending) >= self._depth):
            self._settle()
        self._pending.append(self._pool.submit(self._work, item))

    def _settle(self) -> None:
        self._pending.popleft().result()
        self.done += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while kind is None and self._pending:
                self._settle()
        finally:
            self._pool.shutdown(cancel_futures=True)
