"""Devices to test on: the kernels compiled as host C++ everywhere, a GPU where there is one."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_device import HostDevice

from tsr.runtime.kernels import UNIT


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
