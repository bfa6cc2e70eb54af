"""One NVIDIA GPU by pycuda: memory, transfers, kernel launches. Nothing else imports pycuda.

The device's primary context is used, which ONNX Runtime, TensorRT and torch share. All work goes to
one stream in order. Copies to the host have a stream of their own, and so have frames on their way
to the device (`upload_ring`), so that both go on beside the work. Tables and whatever else goes up
by `upload` keep their place in the work: they are small or rare, and lie in pooled memory, which
what came before may still be reading. pycuda raises on any call that fails.
"""

import atexit
import importlib.util
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import DeviceError
from tsr.runtime.device_interface import Memory
from tsr.runtime.kernels import SIGNATURES, kernel_module, shared_bytes, threads_of
from tsr.runtime.upload_ring import UploadRing


def missing() -> str | None:
    """Why there is no CUDA device to use, with the remedy; None if there is one."""
    if importlib.util.find_spec("pycuda") is None:
        return "pycuda is not installed; pip install pycuda"
    try:
        import pycuda.driver as driver
    except ImportError as error:  # libcuda.so.1 comes with the driver
        return f"pycuda cannot be loaded ({error}); install the NVIDIA driver"
    try:
        driver.init()
        count = driver.Device.count()
    except driver.Error as error:
        return f"the NVIDIA driver does not answer ({error}); check nvidia-smi"
    return None if count else "the NVIDIA driver shows no GPU; check nvidia-smi"


def capability(ordinal: int = 0) -> tuple[int, int]:
    """Compute capability of a GPU, where `missing` says that there is one."""
    import pycuda.driver as driver

    driver.init()
    found: tuple[int, int] = driver.Device(ordinal).compute_capability()
    return found


class CudaDevice:
    """See `tsr.runtime.device_interface.Device`.

    Args:
        ordinal: which GPU, as CUDA counts them.
        module: the kernels as cubin or fat binary; compiled or taken from the cache when absent.

    Raises:
        DeviceError: there is no GPU, driver or pycuda, or the kernels cannot be had.
    """

    def __init__(self, ordinal: int = 0, module: bytes | None = None) -> None:
        if reason := missing():
            raise DeviceError(f"{reason}, or use --device cpu")
        import pycuda.driver as driver
        from pycuda.tools import DeviceMemoryPool, PageLockedMemoryPool

        if ordinal >= driver.Device.count():
            raise DeviceError(
                f"GPU {ordinal} was asked for; there are {driver.Device.count()}, counted from 0"
            )
        self.ordinal = ordinal
        self._driver = driver
        device = driver.Device(ordinal)
        self.name: str = device.name()
        self.capability: tuple[int, int] = device.compute_capability()
        attributes = driver.device_attribute
        self.multiprocessors: int = device.get_attribute(attributes.MULTIPROCESSOR_COUNT)
        module = kernel_module(self.capability) if module is None else module
        with _told(f"give us {self.name}; another program may have it to itself"):
            self._context = device.retain_primary_context()
            self._context.push()
            atexit.register(self._context.pop)
            self._stream, self._downloads = driver.Stream(), driver.Stream()
            self._uploads = UploadRing(driver, self._stream, self.host_array, self._unpooled)
        self._memory = DeviceMemoryPool()
        self._page_locked = PageLockedMemoryPool()
        self._sending: deque[tuple[Any, Any]] = deque()  # (event, array still being read)
        with _told("load its kernels"):
            self._module = driver.module_from_buffer(module)
            self._kernels = {
                name: self._module.get_function(name).prepare(signature)
                for name, signature in SIGNATURES.items()
            }
            limit = driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
            self._shared = shared_bytes(self.capability)
            for name, num_bytes in self._shared.items():
                self._kernels[name].set_attribute(limit, num_bytes)

    @property
    def stream_handle(self) -> int:
        """The CUDA stream as a number, for ONNX Runtime and TensorRT."""
        return int(self._stream.handle)

    @property
    def free_memory(self) -> int:
        """Bytes that could still be allocated."""
        with _told("say how much memory is free"):
            free, _ = self._driver.mem_get_info()
        return int(free) + int(self._memory.managed_bytes - self._memory.active_bytes)

    @property
    def used_memory(self) -> int:
        """Bytes in use on the device, by whomever; our pool's unused ones are counted."""
        with _told("say how much memory is free"):
            free, total = self._driver.mem_get_info()
        return int(total) - int(free)

    @property
    def driver_version(self) -> str:
        """The CUDA version that the driver supports, as 13.0."""
        version = self._driver.get_driver_version()
        return f"{version // 1000}.{version % 1000 // 10}"

    def allocate(self, num_bytes: int) -> Memory:
        """Memory with unspecified content, given back to a pool when the object goes.

        Raises:
            MemoryError: there is not that much, even after emptying the pool.
        """
        return _Pooled(self._allocation(num_bytes))

    def upload(self, array: NDArray[Any]) -> Memory:
        """A copy of a host array, in order with the work; does not wait for the device."""
        staged = self.host_array(array.shape, array.dtype)
        staged[...] = array
        memory = self._allocation(array.nbytes)
        with _told("take a copy from the host"):
            self._driver.memcpy_htod_async(memory, staged, self._stream)
            while self._sending and self._sending[0][0].query():
                self._sending.popleft()
        self._sending.append((self.mark(), staged))
        return _Pooled(memory)

    @contextmanager
    def staged(self, parts: Sequence[NDArray[Any]]) -> Iterator[int]:
        """Host arrays of one dtype, each behind the last, for the work that the block starts.

        They are copied beside the work that was started before, on a stream of their own.

        Yields:
            Where they lie on the device; what is started after the block may find others there.
        """
        with _told("take a frame from the host"):
            slot = self._uploads.send(parts)
        try:
            yield int(slot.memory)
        finally:
            with _told("mark its work"):
                self._uploads.give_back(slot)

    def download(self, address: int, array: NDArray[Any]) -> None:
        """Fill a contiguous host array from device memory; waits until that is done."""
        self.begin_download(address, array)()

    def begin_download(self, address: int, array: NDArray[Any]) -> Callable[[], None]:
        """Fill a contiguous page-locked array on a stream of its own, beside the work that is
        started from now on; what is returned waits for it."""
        with _told("begin a copy to the host"):
            self._downloads.wait_for_event(self.mark())
            self._driver.memcpy_dtoh_async(array, address, self._downloads)
            done = self._driver.Event()
            done.record(self._downloads)

        def wait() -> None:
            with _told("finish its work"):
                done.synchronize()

        return wait

    def host_array(self, shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
        """A page-locked host array from a pool: transfers then run at full speed."""
        with _told("lock host memory"):
            array: NDArray[Any] = self._page_locked.allocate(shape, np.dtype(dtype))
        return array

    def copy(self, target: int, source: int, num_bytes: int) -> None:
        """Copy within the device."""
        with _told("copy"):
            self._driver.memcpy_dtod_async(target, source, num_bytes, self._stream)

    def launch(self, kernel: str, grid: tuple[int, int, int], *arguments: int) -> None:
        """Start a kernel of `tsr.runtime.kernels`."""
        function = self._kernels[kernel]
        with _told(f"start the kernel {kernel}"):
            function.prepared_async_call(
                grid,
                (threads_of(kernel), 1, 1),
                self._stream,
                *arguments,
                shared_size=self._shared.get(kernel, 0),
            )

    def mark(self) -> Any:
        """A point in the order of work."""
        with _told("mark its work"):
            event = self._driver.Event()
            event.record(self._stream)
        return event

    def seconds_between(self, first: Any, last: Any) -> float:
        """Time the device took from mark to mark; waits for the last."""
        with _told("finish its work"):
            return float(first.time_till(last.synchronize())) / 1000

    def synchronize(self) -> None:
        """Wait until all work is done, and all copies; it has waited for those to the device."""
        with _told("finish its work"):
            self._stream.synchronize()
            self._downloads.synchronize()

    def release(self) -> None:
        """Give memory that lies unused, in the pools and between two frames, back to the driver."""
        self.synchronize()
        self._sending.clear()
        self._uploads.release()
        self._memory.free_held()
        self._page_locked.free_held()

    def _allocation(self, num_bytes: int) -> Any:
        return self._with_room(self._memory.allocate, num_bytes)

    def _unpooled(self, num_bytes: int) -> Any:
        return self._with_room(self._driver.mem_alloc, num_bytes)

    def _with_room(self, allocate: Callable[[int], Any], num_bytes: int) -> Any:
        """Memory, for which what lies unused elsewhere is given up if need be."""
        num_bytes = max(num_bytes, 1)
        try:
            return allocate(num_bytes)
        except self._driver.MemoryError:
            self.release()
        try:
            return allocate(num_bytes)
        except self._driver.MemoryError as error:
            raise MemoryError(f"{self.name} has no {num_bytes / 2**20:.0f} MiB left") from error


class _Pooled:
    """A piece of the pool; returns to it when the last reference goes."""

    def __init__(self, allocation: Any) -> None:
        self._allocation = allocation
        self.address = int(allocation)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say a driver's failure in one line.

    Failures of work on the device come out at whatever is called next.

    Raises:
        DeviceError: of what failed. MemoryError: memory is short.
    """
    import pycuda.driver as driver

    try:
        yield
    except driver.MemoryError as error:
        raise MemoryError(f"the GPU's driver could not {what} ({error})") from error
    except driver.Error as error:
        raise DeviceError(f"the GPU could not {what} ({error}); check nvidia-smi") from error
