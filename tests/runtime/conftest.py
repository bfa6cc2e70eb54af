"""Devices to test on: the kernels compiled as host C++ everywhere, a GPU where there is one."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_device import HostDevice

from tsr.runtime.onnx_network import OnnxNetwork


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


@pytest.fixture
def reference(tiny_onnx: Path) -> OnnxNetwork:
    """What the engine was built from, by ONNX Runtime."""
    return OnnxNetwork(tiny_onnx)


@pytest.fixture(scope="session")
def rtx_plan(tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real plan of TensorRT for RTX, for the double's GPU and another."""
    from engines import TILE

    from tsr.export.to_engine import EngineOptions, to_engine

    path = tmp_path_factory.mktemp("plan") / "tiny.plan"
    options = EngineOptions(target="tensorrt-rtx", capabilities=("8.9", "12.0"), tile=TILE)
    to_engine(tiny_onnx, path, options)
    return path


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is left in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def engine(reference: OnnxNetwork, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A double that computes the model, in the place of `Runtime`."""
    from bindings import trt
    from engines import EngineDouble

    made = EngineDouble(reference)
    monkeypatch.setattr(trt, "Runtime", made.runtime)
    return made


@pytest.fixture
def gpu(host_library: Path) -> Any:
    """The double's GPU."""
    from engines import HostGpu

    return HostGpu(host_library)


@pytest.fixture
def changed(rtx_plan: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copies of the plan with other facts on their cards."""
    from engines import changed_plan

    return partial(changed_plan, rtx_plan, tmp_path / "changed.plan")
