"""Frames on their way to a GPU: a ring of staging buffers, filled on a stream of its own.

A slot is used again and again, and each user must wait for the one before: the host until the copy
has left the page-locked half, the copy until the kernel that read the half on the device is done,
the next kernel until the copy is. The last two wait on the device, so that the host goes on and a
frame travels while kernels that were started before it still run.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SLOTS = 3
"""One that a kernel reads, one that is copied, one that the host fills."""


@dataclass(eq=False)
class Slot:
    """Room for one frame.

    Args:
        host: page-locked bytes. memory: as many on the device.
        copied: the end of the copy to the device. read: of the work that reads it there.
    """

    host: NDArray[np.uint8]
    memory: Any
    copied: Any = None
    read: Any = None


class UploadRing:
    """Copies to one device beside the work on its stream; see `CudaDevice.staged`.

    Slots that somebody works with are not in the ring, so any number of users may take turns or
    nest. A slot too small for its next frame is made anew.

    Args:
        driver: `pycuda.driver`.
        work: the stream whose kernels read the frames.
        lock: gives page-locked host arrays of a shape and dtype.
        allocate: gives device memory that no other stream's work uses. Not a pool's: it hands out
            a block while kernels in the queue still use it, which is right for work that queues
            behind them, and wrong for a copy that overtakes them.
    """

    def __init__(
        self,
        driver: Any,
        work: Any,
        lock: Callable[..., NDArray[Any]],
        allocate: Callable[[int], Any],
    ) -> None:
        self._driver, self._work, self._lock, self._allocate = driver, work, lock, allocate
        self._stream = driver.Stream()
        self._idle: deque[Slot] = deque()  # in the order of use

    def send(self, parts: Sequence[NDArray[Any]]) -> Slot:
        """Begin to copy arrays of one dtype, each behind the last; work that is started from now on
        finds them in the slot's memory. The slot is to be given back when that work is started."""
        num_bytes = sum(part.nbytes for part in parts)
        slot = self._take(num_bytes)
        host = slot.host[:num_bytes].view(parts[0].dtype)
        np.concatenate([part.ravel() for part in parts], out=host)
        if slot.read is not None:
            self._stream.wait_for_event(slot.read)
        self._driver.memcpy_htod_async(slot.memory, host, self._stream)
        slot.copied = self._driver.Event()
        slot.copied.record(self._stream)
        self._work.wait_for_event(slot.copied)
        return slot

    def give_back(self, slot: Slot) -> None:
        """Let the slot be filled again once the work that was started so far is done."""
        slot.read = self._driver.Event()
        slot.read.record(self._work)
        self._idle.append(slot)

    def release(self) -> None:
        """Let go of all memory but that of slots in use; the device must have done its work."""
        self._idle.clear()

    def _take(self, num_bytes: int) -> Slot:
        """A slot of at least this size, whose page-locked half the host may fill."""
        if len(self._idle) >= SLOTS:
            slot = self._idle.popleft()
            if len(slot.host) >= num_bytes:
                slot.copied.synchronize()
                return slot
            slot.read.synchronize()  # else its memory would go while it is in use
            del slot  # before there is another: both need not fit
        return Slot(self._lock((num_bytes,), np.uint8), self._allocate(num_bytes))
