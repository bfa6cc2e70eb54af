"""A double of pycuda that keeps a log: what was asked of the device, in order, and of which stream.

As much as `tsr.runtime.device` uses, with the names and parameters of pycuda 2026.1.
"""

import importlib.machinery
import sys
import types
from typing import Any

import numpy as np
import pytest

STREAMS = ("work", "downloads", "uploads")
"""In the order in which a `CudaDevice` makes them."""


class Driver(types.ModuleType):
    """`pycuda.driver`. `log` holds what was asked of the device; the call named by `fails`
    raises."""

    class Error(Exception): ...

    class LogicError(Error): ...

    class MemoryError(Error): ...

    def __init__(self) -> None:
        super().__init__("pycuda.driver")
        self.log: list[tuple[Any, ...]] = []
        self.fails: dict[str, Exception] = {}
        self.count, self.streams = 1, 0

    def ask(self, call: str, *facts: Any) -> None:
        if call in self.fails:
            raise self.fails[call]
        self.log.append((call, *facts))

    def memcpy_htod_async(self, dest: Any, src: Any, stream: Any) -> None:
        self.ask("memcpy_htod_async", stream.name)

    def memcpy_dtoh_async(self, dest: Any, src: Any, stream: Any) -> None:
        self.ask("memcpy_dtoh_async", stream.name)

    def memcpy_dtod_async(self, dest: Any, src: Any, size: int, stream: Any) -> None:
        self.ask("memcpy_dtod_async", stream.name)

    def mem_alloc(self, bytes: int) -> Any:
        self.ask("mem_alloc", bytes)
        return 8192

    def init(self) -> None:
        self.ask("init")

    def mem_get_info(self) -> tuple[int, int]:
        self.ask("mem_get_info")
        return 3 << 30, 4 << 30

    def get_driver_version(self) -> int:
        return 13010

    @property
    def Device(self) -> Any:  # noqa: N802
        driver = self

        class Device:
            count = staticmethod(lambda: driver.count)

            def __init__(self, ordinal: int) -> None:
                self.ordinal = ordinal

            def name(self) -> str:
                return "NVIDIA Double"

            def compute_capability(self) -> tuple[int, int]:
                return 9, 0

            def get_attribute(self, attribute: str) -> int:
                return {"multiprocessors": 3}[attribute]

            def retain_primary_context(self) -> Any:
                driver.ask("retain")
                return types.SimpleNamespace(push=lambda: driver.ask("push"), pop=lambda: None)

        return Device

    def Stream(self) -> Any:  # noqa: N802
        name = STREAMS[self.streams % len(STREAMS)]
        self.streams += 1
        return types.SimpleNamespace(
            name=name,
            handle=self.streams,
            synchronize=lambda: self.ask("synchronize", name),
            wait_for_event=lambda event: self.ask("wait", name, event.at),
        )

    def Event(self) -> Any:  # noqa: N802
        event = types.SimpleNamespace(at=None, query=lambda: True)

        def record(stream: Any) -> None:
            event.at = (stream.name, len(self.log))
            self.ask("record", stream.name)

        def synchronize() -> Any:
            self.ask("wait for", event.at[0])
            return event

        event.record, event.synchronize = record, synchronize
        event.time_till = lambda other: 250.0
        return event

    device_attribute = types.SimpleNamespace(MULTIPROCESSOR_COUNT="multiprocessors")
    function_attribute = types.SimpleNamespace(MAX_DYNAMIC_SHARED_SIZE_BYTES="shared")

    def start(self, kernel: str, grid: Any, block: Any, stream: Any, *arguments: int) -> None:
        """What a kernel's launch comes to."""
        self.ask("launch", kernel, grid, block, stream.name, arguments)

    def module_from_buffer(self, data: bytes) -> Any:
        self.ask("module", data)

        def function(kernel: str) -> Any:
            shared = [48 << 10]

            def set_attribute(attribute: str, value: int) -> None:
                assert attribute == "shared"
                shared[0] = value

            def prepared_async_call(
                grid: Any, block: Any, stream: Any, *arguments: Any, shared_size: int = 0
            ) -> None:
                assert shared_size <= shared[0]
                self.start(kernel, grid, block, stream, *arguments)

            prepared = types.SimpleNamespace(
                prepared_async_call=prepared_async_call, set_attribute=set_attribute
            )
            return types.SimpleNamespace(prepare=lambda signature: prepared)

        return types.SimpleNamespace(get_function=function)


class Pool:
    """Of device memory."""

    managed_bytes, active_bytes = 1 << 20, 1 << 19

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def allocate(self, *size: Any) -> Any:
        self.driver.ask("allocate", *size)
        return 4096

    def free_held(self) -> None:
        self.driver.ask("free held")


class PageLocked(Pool):
    """Of host memory."""

    def allocate(self, *size: Any) -> Any:
        self.driver.ask("lock")
        return np.empty(*size)


def install(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, pool: type = Pool, locked: type = PageLocked
) -> None:
    """Let it be what `import pycuda` finds."""
    tools, package = types.ModuleType("pycuda.tools"), types.ModuleType("pycuda")
    vars(tools).update(
        DeviceMemoryPool=lambda: pool(driver), PageLockedMemoryPool=lambda: locked(driver)
    )
    package.__spec__ = importlib.machinery.ModuleSpec("pycuda", None)
    vars(package).update(driver=driver, tools=tools)
    for name, module in (("pycuda", package), ("pycuda.driver", driver), ("pycuda.tools", tools)):
        monkeypatch.setitem(sys.modules, name, module)
