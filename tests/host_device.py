"""A device that is none: host memory, and the kernels compiled as host C++."""

import ctypes
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.runtime.kernels import SIGNATURES

C_TYPES = {"P": ctypes.c_void_p, "q": ctypes.c_longlong, "i": ctypes.c_int}
ALIGNMENT = 256


class HostMemory:
    """Aligned host memory, filled with what no test expects: as float32 it is NaN."""

    def __init__(self, num_bytes: int) -> None:
        self._bytes = np.empty(num_bytes + ALIGNMENT, np.uint8)
        self.address = -(-self._bytes.ctypes.data // ALIGNMENT) * ALIGNMENT
        self.fill(0xFF)

    def fill(self, byte: int) -> None:
        self._bytes[:] = byte


class HostDevice:
    """`tsr.runtime.device_interface.Device` on the host: runs the kernels, block by block.

    Without the kernels as a library it holds memory and copies, and launches nothing.
    """

    name = "host"
    capability = (9, 0)
    multiprocessors = 3

    def __init__(self, library: Path | None = None) -> None:
        if library is not None:
            self._library = ctypes.CDLL(str(library))
            self._grid = (ctypes.c_int * 3).in_dll(self._library, "grid")

    def allocate(self, num_bytes: int) -> HostMemory:
        return HostMemory(num_bytes)

    def upload(self, array: NDArray[Any]) -> HostMemory:
        memory = self.allocate(array.nbytes)
        whole = np.ascontiguousarray(array)  # held until it has been copied
        ctypes.memmove(memory.address, whole.ctypes.data, array.nbytes)
        return memory

    @contextmanager
    def staged(self, parts: Sequence[NDArray[Any]]) -> Iterator[int]:
        """What is left of it after the block shows as no number."""
        memory = self.upload(np.concatenate([part.ravel() for part in parts]))
        yield memory.address
        memory.fill(0xFF)

    def download(self, address: int, array: NDArray[Any]) -> None:
        assert array.flags.c_contiguous
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def begin_download(self, address: int, array: NDArray[Any]) -> Callable[[], None]:
        """As late as a device may: what is overwritten in between, shows."""
        return lambda: self.download(address, array)

    def host_array(self, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
        return np.empty(shape, dtype)

    def copy(self, target: int, source: int, num_bytes: int) -> None:
        ctypes.memmove(target, source, num_bytes)

    def launch(self, kernel: str, grid: tuple[int, int, int], *arguments: int) -> None:
        types = [C_TYPES[letter] for letter in SIGNATURES[kernel]]
        assert len(types) == len(arguments)
        self._grid[:] = grid
        function = self._library[kernel]
        function.restype = None
        function(*(make(value) for make, value in zip(types, arguments, strict=True)))

    def mark(self) -> float:
        return time.perf_counter()

    def seconds_between(self, first: float, last: float) -> float:
        return last - first
