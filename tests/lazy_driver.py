"""A double of pycuda that computes, as late or as early as a device may.

Memory is the host's, kernels are compiled as host C++, and a stream keeps what it is handed until
it must be done: when the host waits for it, or a stream does that the host waits for. Streams named
as eager do theirs as soon as no event holds them back. Wherever an order is not asked for by an
event, some choice of eager streams gives the wrong one, and that shows in the pixels.
"""

import ctypes
import math
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
from driver_double import STREAMS, Driver
from host_device import HostDevice, HostMemory
from numpy.typing import NDArray

CHOICES = [*chain.from_iterable(combinations(STREAMS, n) for n in range(len(STREAMS) + 1))]
"""Which streams may be eager: all sets of them."""


class Point:
    """A place in the order of a stream, that an event marks."""

    def __init__(self, stream: "LazyStream") -> None:
        self.stream, self.passed = stream, False

    def __call__(self) -> None:
        self.passed = True


class LazyEvent:
    """`pycuda.driver.Event`. What has not been recorded is waited for by nobody, as in CUDA."""

    def __init__(self, driver: "LazyDriver") -> None:
        self._driver = driver
        self.point: Point | None = None

    def record(self, stream: "LazyStream") -> "LazyEvent":
        self.point = Point(stream)
        stream.put(self.point)
        return self

    def synchronize(self) -> "LazyEvent":
        if self.point:
            self._driver.reach(self.point)
        return self

    def query(self) -> bool:
        return self.point is None or self.point.passed

    def time_till(self, other: "LazyEvent") -> float:
        assert self.query()
        assert other.query()
        return 1.0


class LazyStream:
    """`pycuda.driver.Stream`: a queue of things to do and of points elsewhere to wait for."""

    handle = 7

    def __init__(self, driver: "LazyDriver", name: str) -> None:
        self.name, self._driver = name, driver
        self.queue: deque[tuple[str, Callable[[], Any] | None, Point | None]] = deque()

    def put(self, task: Callable[[], Any], what: str = "") -> None:
        self.queue.append((what, task, None))
        self._driver.settle()

    def wait_for_event(self, event: LazyEvent) -> None:
        self.queue.append(("", None, event.point))

    def synchronize(self) -> None:
        event = LazyEvent(self._driver)
        event.record(self).synchronize()

    def held_by(self) -> Point | None:
        """What must be passed before it can go on."""
        _, _, point = self.queue[0]
        return point if point and not point.passed else None

    def step(self) -> None:
        _, task, _ = self.queue.popleft()
        if task:
            task()


class LazyDriver(Driver):
    """`pycuda.driver`.

    Args:
        library: the kernels.
        eager: names of streams. `limit`: bytes that may be allocated; `used`: that are.
    """

    def __init__(self, library: Path, eager: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._host, self.eager = HostDevice(library), eager
        self.made: list[LazyStream] = []
        self.limit, self.used = 1 << 40, 0
        self.blocks: list[tuple[int, int]] = []
        self.locked: list[NDArray[np.uint8]] = []
        self.under_way: list[list[str]] = []
        """For each copy of a frame to the device: the kernels started before and not done yet."""

    def Stream(self) -> LazyStream:  # noqa: N802
        self.made.append(LazyStream(self, STREAMS[len(self.made)]))
        return self.made[-1]

    def Event(self) -> LazyEvent:  # noqa: N802
        return LazyEvent(self)

    def reach(self, point: Point) -> None:
        """Do what must be done for it, and nothing else but what eager streams do."""
        while not point.passed:
            if before := point.stream.held_by():
                self.reach(before)
            else:
                point.stream.step()
                self.settle()

    def settle(self) -> None:
        """Let the eager streams do what they may."""
        eager = [stream for stream in self.made if stream.name in self.eager]
        while ready := [s for s in eager if s.queue and not s.held_by()]:
            ready[0].step()

    def start(
        self, kernel: str, grid: Any, block: Any, stream: LazyStream, *arguments: int
    ) -> None:
        stream.put(partial(self._host.launch, kernel, grid, *arguments), kernel)

    def memcpy_htod_async(self, dest: Any, src: NDArray[Any], stream: LazyStream) -> None:
        if stream.name == "uploads":
            self.under_way.append([what for what, _, _ in self.made[0].queue if what])
        stream.put(self._copy(self._device(dest, src.nbytes), self._lock(src), src.nbytes))

    def memcpy_dtoh_async(self, dest: NDArray[Any], src: Any, stream: LazyStream) -> None:
        stream.put(self._copy(self._lock(dest), self._device(src, dest.nbytes), dest.nbytes))

    def memcpy_dtod_async(self, dest: Any, src: Any, size: int, stream: LazyStream) -> None:
        stream.put(self._copy(self._device(dest, size), self._device(src, size), size))

    def _copy(self, *addresses_and_size: int) -> Callable[[], Any]:
        # Of addresses alone, as on a device: nothing is kept alive by a copy in the queue.
        return partial(ctypes.memmove, *addresses_and_size)

    def _device(self, address: Any, num_bytes: int) -> int:
        first = int(address)
        assert any(start <= first and first + num_bytes <= end for start, end in self.blocks)
        return first

    def _lock(self, array: NDArray[Any]) -> int:
        assert array.flags.c_contiguous
        assert any(np.shares_memory(array, block) for block in self.locked)  # else it would wait
        return int(array.ctypes.data)

    def mem_alloc(self, bytes: int) -> "Allocation":
        if self.used + bytes > self.limit:
            raise self.MemoryError("cuMemAlloc failed")
        return Allocation(self, bytes)


class Allocation:
    """`pycuda.driver.DeviceAllocation`. What is freed is spoilt at once: a driver may wait for the
    work that uses it, but nobody should count on that."""

    def __init__(self, driver: LazyDriver, num_bytes: int) -> None:
        memory = HostMemory(num_bytes)
        self._address = memory.address
        block = (memory.address, memory.address + num_bytes)
        driver.blocks.append(block)
        driver.used += num_bytes

        def free() -> None:
            memory.fill(0xFF)
            driver.blocks.remove(block)
            driver.used -= num_bytes
            graveyard.append(memory)

        weakref.finalize(self, free)

    def __int__(self) -> int:
        return self._address


graveyard: list[HostMemory] = []
"""Freed memory, which work in the queue may still touch."""


class LazyPool:
    """`pycuda.tools.DeviceMemoryPool`: what nobody refers to any more goes to the next who asks,
    whatever is in the queue."""

    def __init__(self, driver: LazyDriver) -> None:
        self._driver = driver
        self._held: dict[int, list[Allocation]] = {}

    def allocate(self, size: int) -> "Pooled":
        held = self._held.setdefault(size, [])
        return Pooled(held.pop() if held else self._driver.mem_alloc(size), held)

    def free_held(self) -> None:
        for held in self._held.values():
            held.clear()


class Pooled:
    """`pycuda.tools.PooledDeviceAllocation`."""

    def __init__(self, allocation: Allocation, held: list[Allocation]) -> None:
        self._address = int(allocation)
        weakref.finalize(self, held.append, allocation)

    def __int__(self) -> int:
        return self._address


class LazyPageLocked:
    """`pycuda.tools.PageLockedMemoryPool`: likewise, of host memory."""

    def __init__(self, driver: LazyDriver) -> None:
        self._driver = driver
        self._held: dict[int, list[NDArray[np.uint8]]] = {}

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        num_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        held = self._held.setdefault(num_bytes, [])
        if held:
            block = held.pop()
        else:
            block = np.full(num_bytes, 0xFF, np.uint8)
            self._driver.locked.append(block)
        # The arrays of a block keep `lent` alive, and the pool has the block back when it goes.
        lent = (ctypes.c_ubyte * num_bytes).from_buffer(block.data)
        weakref.finalize(lent, held.append, block)
        return np.frombuffer(lent, dtype).reshape(shape)

    def free_held(self) -> None:
        for held in self._held.values():
            held.clear()
