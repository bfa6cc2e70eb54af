"""Devices to test on: the kernels compiled as host C++ everywhere, a GPU where there is one."""

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.runtime.kernels import SIGNATURES, UNIT

C_TYPES = {"P": ctypes.c_void_p, "q": ctypes.c_longlong, "i": ctypes.c_int}
ALIGNMENT = 256


class HostMemory:
    """Aligned host memory, filled with what no test expects: as float32 it is NaN."""

    def __init__(self, num_bytes: int) -> None:
        self._bytes = np.full(num_bytes + ALIGNMENT, 0xFF, np.uint8)
        self.address = -(-self._bytes.ctypes.data // ALIGNMENT) * ALIGNMENT


class HostDevice:
    """`tsr.runtime.cuda_kernels.Device` on the host: runs the kernels, block by block."""

    name = "host"

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._grid = (ctypes.c_int * 3).in_dll(self._library, "grid")

    def allocate(self, num_bytes: int) -> HostMemory:
        return HostMemory(num_bytes)

    def upload(self, array: NDArray[Any]) -> HostMemory:
        memory = self.allocate(array.nbytes)
        ctypes.memmove(memory.address, np.ascontiguousarray(array).ctypes.data, array.nbytes)
        return memory

    def download(self, address: int, array: NDArray[Any]) -> None:
        assert array.flags.c_contiguous
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

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


@pytest.fixture(scope="session")
def host_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kernels as a host library; a read or write outside a volume stops the tests."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    library = tmp_path_factory.mktemp("kernels") / "kernels.so"
    flags = ["-x", "c++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(UNIT)], check=True)
    return library


@pytest.fixture(scope="session")
def cuda_device() -> Any:
    """The first GPU; without one the test is skipped, or fails if TSR_REQUIRE_CUDA=1."""
    from tsr.runtime import device

    if reason := device.missing():
        if os.environ.get("TSR_REQUIRE_CUDA") == "1":
            pytest.fail(f"TSR_REQUIRE_CUDA=1, but {reason}")
        pytest.skip(reason)
    return device.CudaDevice()


@pytest.fixture
def poisoned_cuda_device(cuda_device: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The first GPU, whose fresh memory is NaN: what a kernel forgets to write shows."""
    allocate = cuda_device.allocate

    def allocate_poisoned(num_bytes: int) -> Any:
        memory = allocate(num_bytes)
        poison = cuda_device.upload(np.full(num_bytes, 0xFF, np.uint8))
        cuda_device.copy(memory.address, poison.address, num_bytes)
        return memory

    monkeypatch.setattr(cuda_device, "allocate", allocate_poisoned)
    return cuda_device


@pytest.fixture(params=["host", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The kernels as host C++, and on a GPU."""
    if request.param == "host":
        yield HostDevice(request.getfixturevalue("host_library"))
    else:
        yield request.getfixturevalue("poisoned_cuda_device")
