"""Threads beside the network change when things are done, and nothing else."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tsr.runtime.overlap import Behind, ahead, later


def counted(made: list[int], *, fail_at: int | None = None) -> Iterator[int]:
    for n in range(20):
        if n == fail_at:
            raise ValueError("broken")
        made.append(n)
        yield n


def wait_for(condition: object, *, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.001)


def test_items_come_in_order_and_all_of_them() -> None:
    assert list(ahead(counted([]), 3)) == list(range(20))


def test_as_many_items_as_asked_for_are_made_ahead_and_no_more() -> None:
    made: list[int] = []
    items = ahead(counted(made), 3)
    assert next(items) == 0
    wait_for(lambda: len(made) == 4)
    time.sleep(0.01)
    assert len(made) == 4
    items.close()


def test_a_failure_comes_where_its_item_would_have_come() -> None:
    items = ahead(counted([], fail_at=5), 3)
    assert [next(items) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_work_is_done_in_order_and_finished_on_leaving() -> None:
    done: list[int] = []
    with Behind(done.append, 4) as behind:
        for n in range(50):
            behind(n)
    assert done == list(range(50))
    assert behind.done == 50


def test_the_caller_waits_when_too_much_is_left() -> None:
    """No more than `depth` items are held, however slow the work."""
    release, begun = threading.Event(), []

    def work(n: int) -> None:
        begun.append(n)
        release.wait(10)

    with Behind(work, 2) as behind:
        behind(0)
        behind(1)
        handing_over = threading.Thread(target=behind, args=(2,))
        handing_over.start()
        handing_over.join(0.05)
        assert handing_over.is_alive()
        release.set()
        handing_over.join(10)
        assert not handing_over.is_alive()
    assert begun == [0, 1, 2]


def test_a_failure_of_the_work_reaches_the_caller() -> None:
    def work(n: int) -> None:
        if n == 2:
            raise OSError("disk full")

    def hand_over(items: range, depth: int) -> None:
        with Behind(work, depth) as behind:
            for n in items:
                behind(n)

    with pytest.raises(OSError, match="disk full"):
        hand_over(range(10), depth=1)
    with pytest.raises(OSError, match="disk full"):
        hand_over(range(2, 3), depth=8)


def test_leaving_by_an_exception_drops_what_is_left() -> None:
    release, done = threading.Event(), []

    def work(n: int) -> None:
        release.wait(10)
        done.append(n)

    def hand_over_and_leave() -> None:
        with Behind(work, 8) as behind:
            for n in range(5):
                behind(n)
            threading.Timer(0.05, release.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hand_over_and_leave()
    assert done in ([], [0])


def test_what_is_begun_is_waited_for_so_many_later() -> None:
    """In order, all of it; nothing lies around for longer than asked for."""
    for lag in (0, 1, 3):
        told: list[str] = []

        def begin(n: int, told: list[str] = told) -> Any:
            told.append(f"begin {n}")
            return lambda: told.append(f"end {n}") or n  # type: ignore[func-returns-value]

        assert list(later(iter(range(4)), begin, lag)) == [0, 1, 2, 3]
        for n in range(4):
            between = told[told.index(f"begin {n}") : told.index(f"end {n}")]
            assert len([word for word in between if word.startswith("begin")]) - 1 == min(
                lag, 3 - n
            )


def test_what_is_under_way_is_waited_for_when_nobody_wants_more() -> None:
    """Or when the next item fails: the memory it works in is given away then."""
    ended: list[int] = []

    def begin(n: int) -> Any:
        if n == 2:
            raise ValueError("no third")
        return lambda: ended.append(n)

    made = later(iter(range(4)), begin, 1)
    next(made)
    made.close()
    assert ended == [0, 1]
    ended.clear()
    with pytest.raises(ValueError, match="no third"):
        list(later(iter(range(4)), begin, 1))
    assert ended == [0, 1]
