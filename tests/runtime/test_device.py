"""`CudaDevice` on a double of pycuda: what is asked of which stream, and failures in words."""

import importlib.machinery
import sys
import types
from typing import Any

import needs
import numpy as np
import pytest

from tsr.core.errors import DeviceError
from tsr.runtime import device as device_module
from tsr.runtime.device import CudaDevice
from tsr.runtime.kernels import SIGNATURES


class Driver(types.ModuleType):
    """As much of `pycuda.driver` as is used. `log` holds what was asked of the device, in order;
    the call named by `fails` raises."""

    class Error(Exception): ...

    class LogicError(Error): ...

    class MemoryError(Error): ...

    def __init__(self) -> None:
        super().__init__("pycuda.driver")
        self.log: list[tuple[Any, ...]] = []
        self.fails: dict[str, Exception] = {}
        self.count, self.streams = 1, 0
        for name in ("memcpy_htod_async", "memcpy_dtoh_async", "memcpy_dtod_async"):
            setattr(self, name, self._copy(name))

    def ask(self, call: str, *facts: Any) -> None:
        if call in self.fails:
            raise self.fails[call]
        self.log.append((call, *facts))

    def _copy(self, name: str) -> Any:
        return lambda *arguments: self.ask(name, arguments[-1].name)

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

            def retain_primary_context(self) -> Any:
                driver.ask("retain")
                return types.SimpleNamespace(push=lambda: driver.ask("push"), pop=lambda: None)

        return Device

    def Stream(self) -> Any:  # noqa: N802
        name = ("work", "downloads")[self.streams % 2]
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

    def module_from_buffer(self, data: bytes) -> Any:
        self.ask("module", data)

        def kernel(name: str) -> Any:
            def call(grid: Any, block: Any, stream: Any, *arguments: Any) -> None:
                self.ask("launch", name, grid, block, stream.name, arguments)

            return types.SimpleNamespace(
                prepare=lambda signature: types.SimpleNamespace(prepared_async_call=call)
            )

        return types.SimpleNamespace(get_function=kernel)


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


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """pycuda, and a GPU."""
    made, tools = Driver(), types.ModuleType("pycuda.tools")
    vars(tools).update(
        DeviceMemoryPool=lambda: Pool(made), PageLockedMemoryPool=lambda: PageLocked(made)
    )
    package = types.ModuleType("pycuda")
    package.__spec__ = importlib.machinery.ModuleSpec("pycuda", None)
    vars(package).update(driver=made, tools=tools)
    for name, module in (("pycuda", package), ("pycuda.driver", made), ("pycuda.tools", tools)):
        monkeypatch.setitem(sys.modules, name, module)
    return made


@pytest.fixture
def gpu(driver: Driver) -> CudaDevice:
    made = CudaDevice(module=b"kernels")
    driver.log.clear()
    return made


def test_copies_to_the_host_go_beside_the_work_that_comes_after(
    gpu: CudaDevice, driver: Driver
) -> None:
    """They wait for the work before, on the device; the host waits for the copy alone."""
    wait = gpu.begin_download(4096, gpu.host_array((4,)))
    assert driver.log[-4:] == [
        ("record", "work"),
        ("wait", "downloads", ("work", 1)),
        ("memcpy_dtoh_async", "downloads"),
        ("record", "downloads"),
    ]
    gpu.launch("halve", (1, 2, 3), 7)
    assert driver.log[-1] == ("launch", "halve", (1, 2, 3), (256, 1, 1), "work", (7,))
    wait()
    assert driver.log[-1] == ("wait for", "downloads")


def test_copies_to_the_device_keep_their_place_in_the_work(gpu: CudaDevice, driver: Driver) -> None:
    """Memory from the pool may still be read by kernels that were started before."""
    memory = gpu.upload(np.arange(3, dtype=np.float32))
    assert memory.address == 4096
    assert ("memcpy_htod_async", "work") in driver.log
    gpu.copy(1, 2, 3)
    assert driver.log[-1] == ("memcpy_dtod_async", "work")


def test_what_lies_unused_is_given_back_when_all_is_done(gpu: CudaDevice, driver: Driver) -> None:
    """Both streams, then both pools."""
    gpu.release()
    assert driver.log == [
        ("synchronize", "work"), ("synchronize", "downloads"), ("free held",), ("free held",)
    ]  # fmt: skip


def test_facts_of_the_device(gpu: CudaDevice) -> None:
    """As reports and cached files name them."""
    assert (gpu.name, gpu.capability, gpu.driver_version) == ("NVIDIA Double", (9, 0), "13.1")
    assert (gpu.free_memory, gpu.used_memory) == ((3 << 30) + (1 << 19), 1 << 30)
    assert gpu.seconds_between(gpu.mark(), gpu.mark()) == 0.25
    assert gpu.stream_handle > 0


def test_every_kernel_is_loaded(driver: Driver) -> None:
    """From the module that was handed over."""
    assert set(CudaDevice(module=b"kernels")._kernels) == set(SIGNATURES)
    assert ("module", b"kernels") in driver.log


@pytest.mark.parametrize(
    ("call", "use"),
    [
        ("launch", lambda gpu: gpu.launch("halve", (1, 1, 1))),
        ("memcpy_htod_async", lambda gpu: gpu.upload(np.zeros(1))),
        ("memcpy_dtoh_async", lambda gpu: gpu.download(1, np.zeros(1))),
        ("memcpy_dtod_async", lambda gpu: gpu.copy(1, 2, 3)),
        ("record", lambda gpu: gpu.mark()),
        ("synchronize", lambda gpu: gpu.synchronize()),
        ("wait for", lambda gpu: gpu.begin_download(1, np.zeros(1))()),
        ("wait for", lambda gpu: gpu.seconds_between(gpu.mark(), gpu.mark())),
        ("mem_get_info", lambda gpu: gpu.free_memory),
        ("mem_get_info", lambda gpu: gpu.used_memory),
        ("lock", lambda gpu: gpu.host_array((1,))),
    ],
)
def test_whatever_the_driver_refuses_is_one_line(
    gpu: CudaDevice, driver: Driver, call: str, use: Any
) -> None:
    """A failure on the device comes out at whatever is called next; memory is told apart."""
    driver.fails = {call: driver.LogicError("an illegal memory access was encountered")}
    with pytest.raises(DeviceError, match=r"the GPU could not .* illegal memory .*nvidia-smi"):
        use(gpu)
    driver.fails = {call: driver.MemoryError("out of memory")}
    with pytest.raises(MemoryError, match="out of memory"):
        use(gpu)


def test_memory_that_is_not_there_is_said(gpu: CudaDevice, driver: Driver) -> None:
    """How much was asked for, and of whom."""
    driver.fails = {"allocate": driver.MemoryError("cuMemAlloc failed")}
    with pytest.raises(MemoryError, match="NVIDIA Double has no 64 MiB left"):
        gpu.allocate(64 << 20)


def test_a_device_that_cannot_be_had_is_said(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such GPU; one that another program has; no GPU; no driver; no pycuda."""
    with pytest.raises(DeviceError, match="GPU 3 was asked for; there are 1, counted from 0"):
        CudaDevice(3, module=b"")
    driver.fails = {"retain": driver.LogicError("all CUDA-capable devices are busy")}
    with pytest.raises(DeviceError, match=r"devices are busy.*nvidia-smi"):
        CudaDevice(module=b"")
    driver.count = 0
    with pytest.raises(DeviceError, match="shows no GPU; check nvidia-smi, or use --device cpu"):
        CudaDevice(module=b"")
    driver.fails = {"init": driver.LogicError("no CUDA-capable device")}
    assert "does not answer (no CUDA-capable device)" in str(device_module.missing())
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    monkeypatch.delattr(sys.modules["pycuda"], "driver")
    assert "install the NVIDIA driver" in str(device_module.missing())


def test_on_a_gpu_machine_a_skip_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """TSR_REQUIRE_CUDA=1: nothing that needs a GPU is passed over in silence."""
    monkeypatch.delenv("TSR_REQUIRE_CUDA", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs nothing_of_that_name"):
        needs.module("nothing_of_that_name", "pip install it")
    monkeypatch.setenv("TSR_REQUIRE_CUDA", "1")
    with pytest.raises(pytest.fail.Exception, match="TSR_REQUIRE_CUDA=1, but needs"):
        needs.module("nothing_of_that_name", "pip install it")
