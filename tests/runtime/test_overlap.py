"""Threads beside the network change when things are done, and nothing else."""

import threading
import time
from collections.abc import Iterator

import pytest

from tsr.runtime.overlap import Behind, ahead


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
    items.close()  # type: ignore[attr-defined]


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
