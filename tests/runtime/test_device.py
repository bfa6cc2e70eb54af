"""`CudaDevice` on a double of pycuda: what is asked of which stream, and failures in words."""

import sys
from typing import Any

import needs
import numpy as np
import pytest
from driver_double import Driver, install

from tsr.core.errors import DeviceError
from tsr.runtime import device as device_module
from tsr.runtime.device import CudaDevice
from tsr.runtime.kernels import SIGNATURES
from tsr.runtime.upload_ring import SLOTS


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """pycuda, and a GPU."""
    made = Driver()
    install(monkeypatch, made)
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


def test_frames_go_to_the_device_beside_the_work_that_came_before(
    gpu: CudaDevice, driver: Driver
) -> None:
    """The work that reads them waits for the copy, and a later copy for that work; the host waits
    for the copy before it fills the same buffer."""
    frame = [np.zeros((2, 3), np.uint8), np.zeros((1, 2), np.uint8)]
    for n in range(SLOTS + 1):
        driver.log.clear()
        with gpu.staged(frame) as address:
            assert address == 8192
            assert driver.log[-3:] == [
                ("memcpy_htod_async", "uploads"),
                ("record", "uploads"),
                ("wait", "work", ("uploads", len(driver.log) - 2)),
            ]
            gpu.launch("halve", (1, 2, 3), address)
        assert [line[:2] for line in driver.log[-2:]] == [("launch", "halve"), ("record", "work")]
        before = [line[:2] for line in driver.log[:-5]]
        fresh = [("lock",), ("mem_alloc", 8)]
        assert before == (fresh if n < SLOTS else [("wait for", "uploads"), ("wait", "uploads")])


def test_copies_to_the_device_keep_their_place_in_the_work(gpu: CudaDevice, driver: Driver) -> None:
    """Memory from the pool may still be read by kernels that were started before."""
    memory = gpu.upload(np.arange(3, dtype=np.float32))
    assert memory.address == 4096
    assert ("memcpy_htod_async", "work") in driver.log
    gpu.copy(1, 2, 3)
    assert driver.log[-1] == ("memcpy_dtod_async", "work")


def test_what_lies_unused_is_given_back_when_all_is_done(gpu: CudaDevice, driver: Driver) -> None:
    """Uploads are done with the work that reads them; then both pools."""
    gpu.release()
    assert driver.log == [
        *(("synchronize", name) for name in ("work", "downloads")),
        *[("free held",)] * 2,
    ]


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
        ("memcpy_htod_async", lambda gpu: gpu.staged([np.zeros(1)]).__enter__()),
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
    driver.fails = {"mem_alloc": driver.MemoryError("cuMemAlloc failed")}
    with (
        pytest.raises(MemoryError, match="NVIDIA Double has no 2 MiB left"),
        gpu.staged([np.zeros(2 << 20, np.uint8)]),
    ):
        pass


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
