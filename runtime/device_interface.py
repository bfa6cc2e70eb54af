"""What is asked of a device: to hold memory, copy, and launch kernels by name."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Memory(Protocol):
    """A piece of device memory, given back when the object goes."""

    @property
    def address(self) -> int:
        """Where it starts; aligned to 256 bytes."""
        ...


class Device(Protocol):
    """What the launches ask of a device. Work is done in order, on one stream; only `staged` and
    `begin_download` copy beside it."""

    name: str
    capability: tuple[int, int]
    """Its generation, as CUDA counts them."""
    multiprocessors: int

    def allocate(self, num_bytes: int) -> Memory:
        """Memory with unspecified content."""
        ...

    def upload(self, array: NDArray[Any]) -> Memory:
        """A copy of a host array."""
        ...

    def staged(self, parts: Sequence[NDArray[Any]]) -> AbstractContextManager[int]:
        """Host arrays of one dtype, each behind the last, where work that is started within the
        block finds them; copied beside the work that was started before."""
        ...

    def download(self, address: int, array: NDArray[Any]) -> None:
        """Fill a contiguous host array from device memory; waits until that is done."""
        ...

    def begin_download(self, address: int, array: NDArray[Any]) -> Callable[[], None]:
        """Fill a contiguous host array, beside the work that is started from now on.

        Both must be kept, and the device memory left alone, until what is returned has been called:
        it waits for the copy, and for all work that was started before.
        """
        ...

    def host_array(self, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
        """A host array that is fast to transfer; content unspecified."""
        ...

    def copy(self, target: int, source: int, num_bytes: int) -> None:
        """Copy within the device."""
        ...

    def launch(self, kernel: str, grid: tuple[int, int, int], *arguments: int) -> None:
        """Start a kernel of `tsr.runtime.kernels`."""
        ...

    def mark(self) -> Any:
        """A point in the order of work, for `seconds_between`."""
        ...

    def seconds_between(self, first: Any, last: Any) -> float:
        """Time the device took from mark to mark; waits for the last."""
        ...
