"""Devices to test on: the kernels compiled as host C++ everywhere, a GPU where there is one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from host_device import HostDevice


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
