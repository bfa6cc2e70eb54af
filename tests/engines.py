"""TensorRT without a GPU: doubles of its classes that compute on the host."""

import importlib.machinery
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bindings import double, trt
from host_device import HostDevice, HostMemory

from tsr.core.plan_file import read_plan, with_card
from tsr.core.volume import Volume

TILE = (4, 40, 64)
"""Of the engines that tests build."""


class HostGpu(HostDevice):
    """What a `CudaDevice` has beside memory and kernels; allocates pieces up to `limit` bytes."""

    name, capability, driver_version = "NVIDIA Host 4090", (8, 9), "13.0"
    stream_handle = 7
    limit, used_memory = 2**62, 0

    def allocate(self, num_bytes: int) -> HostMemory:
        if num_bytes > self.limit:
            raise MemoryError
        return super().allocate(num_bytes)

    def synchronize(self) -> None:
        pass

    def release(self) -> None:
        pass


class EngineDouble:
    """An engine that computes `network`, and what the runtime did with it.

    Args:
        network: (3, T + 6, H + 16, W + 16) → (3, T, H, W).
        bytes_per_voxel: of activations that it asks for.
    """

    def __init__(self, network: Callable[[Volume], Volume], bytes_per_voxel: int = 512) -> None:
        self.network, self.bytes_per_voxel = network, bytes_per_voxel
        self.contexts: list[tuple[int, ...]] = []
        self.loaded: list[bytes] = []
        self.trouble: str | None = None
        self.tensors = ["base", "htr"]
        self.kernels = b"compiled kernels"
        self.given_kernels: list[bytes] = []

    def runtime(self, log: Any) -> Any:
        """In the place of `trt.Runtime`."""
        self.log = log
        return double(trt.Runtime, deserialize_cuda_engine=self._load)

    def _says(self, result: Any) -> Any:
        if self.trouble is None:
            return result
        self.log.log(trt.ILogger.Severity.ERROR, f"IRuntime: Error Code 1 ({self.trouble})")
        self.log.log(trt.ILogger.Severity.ERROR, "and another error in consequence")
        return None

    def _load(self, data: bytes) -> Any:
        self.loaded.append(data)
        return self._says(
            double(
                trt.ICudaEngine,
                get_tensor_name=self.tensors.__getitem__,
                num_io_tensors=len(self.tensors),
                create_runtime_config=self._config,
                create_execution_context=self._context,
            )
        )

    def _config(self) -> Any:
        def read(data: bytes) -> bool:
            self.given_kernels.append(data)
            return True

        self.cache = double(trt.IRuntimeCache, deserialize=read, serialize=lambda: self.kernels)
        self.config = double(
            trt.IRuntimeConfig, create_runtime_cache=self.cache, set_runtime_cache=True
        )
        return self.config

    def _context(self, settings: Any) -> Any:
        state: dict[str, Any] = {}

        def set_shape(name: str, shape: tuple[int, ...]) -> bool:
            assert name == "base"
            assert shape[:2] == (1, 3)
            state["shape"] = shape[1:]
            self.contexts.append(shape[1:])
            return True

        def memory_size() -> int:
            return self.bytes_per_voxel * int(np.prod(state["shape"][1:]))

        def give_memory(address: int, size: int) -> None:
            assert address
            state["memory"] = size

        def execute(stream: int) -> bool:
            assert stream == HostGpu.stream_handle
            assert state["memory"] >= memory_size()
            if self._says(True) is None:
                return False
            given = np.empty(state["shape"], np.float32)
            HostDevice().download(state["base"], given)
            made = np.ascontiguousarray(self.network(given))
            HostDevice().copy(state["htr"], made.ctypes.data, made.nbytes)
            return True

        def set_address(name: str, address: int) -> bool:
            assert name in self.tensors
            state[name] = address
            return True

        return double(
            trt.IExecutionContext,
            set_input_shape=set_shape,
            update_device_memory_size_for_shapes=memory_size,
            set_device_memory=give_memory,
            set_tensor_address=set_address,
            execute_async_v3=execute,
        )


def pretend(name: str, version: str) -> types.ModuleType:
    """A module with the bindings' classes that passes for another library of NVIDIA's."""
    module = types.ModuleType(name)
    rtx_only = ("IRuntimeCache", "ComputeCapability", "DynamicShapesKernelSpecializationStrategy")
    vars(module).update({key: value for key, value in vars(trt).items() if key not in rtx_only})
    vars(module).update(
        __name__=name, __version__=version, __spec__=importlib.machinery.ModuleSpec(name, None)
    )
    return module


def changed_plan(plan: Path, copy: Path, **facts: Any) -> Path:
    """A copy of a plan with other facts on its card."""
    data, card = read_plan(plan)
    copy.write_bytes(with_card(data, card, replace(card, **facts)))
    return copy
