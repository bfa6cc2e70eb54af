"""A plan as a function of device memory, by TensorRT, its lean runtime, or TensorRT for RTX."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsr.core.cache import cache_folder, file_name, keep_if_possible
from tsr.core.errors import ModelError
from tsr.core.plan_file import read_plan
from tsr.runtime.cuda_kernels import DeviceVolume
from tsr.runtime.device import CudaDevice
from tsr.runtime.device_interface import Memory
from tsr.runtime.onnx_network import INPUT, OUTPUT
from tsr.runtime.tensorrt_library import OpenEngine, explained, failure, open_engine


@dataclass(frozen=True)
class _Prepared:
    """An execution context for one shape, with the scratch memory it works in."""

    context: Any
    scratch: Memory


class TensorRtNetwork:
    """The network of a plan on a GPU; see `tsr.runtime.cuda_backend.DeviceNetwork`.

    Activations live in memory of the device's pool, as much as the shape at hand needs. There is
    one context per shape, since a change of shape makes the next call slow.

    Args:
        path: the file that `tsr-export` wrote. A plan can hold code for the host: load only what
            you trust.
        device: where; the network joins its stream.

    Raises:
        ModelError: the file is missing, damaged, or not an engine of ours.
        DeviceError: it is for another GPU, its library is not there, or that refuses it.
    """

    any_shape = False

    def __init__(self, path: Path, device: CudaDevice) -> None:
        data, self.engine_card = read_plan(path)
        self.card = self.engine_card.model
        self._path, self._device = path, device
        self._prepared: dict[tuple[int, ...], _Prepared] = {}
        self._opened = open_engine(data, self.engine_card, path, device)
        self.name, self._log = self._opened.name, self._opened.log
        self._check_tensors()
        self._kernels = _KernelCache(self._opened, device)

    def __call__(self, window: DeviceVolume, made: DeviceVolume) -> None:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W), without waiting for the device."""
        prepared = self._prepared.get(window.shape)
        if fresh := prepared is None:
            prepared = self._prepare(window.shape)
        context = prepared.context
        context.set_tensor_address(INPUT, window.address)
        context.set_tensor_address(OUTPUT, made.address)
        with explained(self._log) as why:
            if not context.execute_async_v3(self._device.stream_handle):
                raise self._failure("run", why())
        if fresh:
            self._prepared[window.shape] = prepared
            self._kernels.save()

    def _prepare(self, shape: tuple[int, ...]) -> _Prepared:
        """A context for windows of this shape.

        Raises:
            MemoryError: the device has too little for its activations.
        """
        with explained(self._log) as why:
            context = self._opened.engine.create_execution_context(self._kernels.context_settings())
            if context is None:
                raise self._failure("prepare", why())
            if not context.set_input_shape(INPUT, (1, *shape)):
                raise ModelError(
                    f"{self._path} does not accept windows of {shape[1:]} frames, rows, columns "
                    f"({why()}); use a --tile up to {self.engine_card.largest}"
                )
            num_bytes = context.update_device_memory_size_for_shapes()
        try:
            scratch = self._device.allocate(num_bytes)
        except MemoryError:
            self._let_go()
            raise
        context.set_device_memory(scratch.address, num_bytes)
        return _Prepared(context, scratch)

    def _check_tensors(self) -> None:
        names = [
            self._opened.engine.get_tensor_name(i)
            for i in range(self._opened.engine.num_io_tensors)
        ]
        if names != [INPUT, OUTPUT]:
            raise ModelError(
                f"{self._path} has the tensors {', '.join(names)}; expected {INPUT}, {OUTPUT}. "
                "Build it again with tsr-export"
            )

    def _let_go(self) -> None:
        """Give up the contexts of other shapes, so that a smaller tile has room."""
        self._device.synchronize()  # they may still be at work
        self._prepared.clear()
        self._device.release()

    def _failure(self, what: str, why: str) -> Exception:
        error = failure(f"{self.name} cannot {what} {self._path} on {self._device.name}", why)
        if isinstance(error, MemoryError):
            self._let_go()
        return error


class _KernelCache:
    """Kernels that TensorRT for RTX compiles on the user's GPU, kept from run to run.

    The other libraries have theirs inside the plan; there this keeps nothing.
    """

    def __init__(self, opened: OpenEngine, device: CudaDevice) -> None:
        trt = self._trt = opened.trt
        self._config: Any = None
        self._cache: Any = None
        if not hasattr(trt, "IRuntimeCache"):
            return
        facts = (device.name, trt.__version__, f"cuda{device.driver_version}")
        self._path = cache_folder("rtx") / f"{file_name(*facts)}.cache"
        self._config = opened.engine.create_runtime_config()
        self._config.set_execution_context_allocation_strategy(
            trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        # Compiled before a shape's first run: thousands of runs of one shape follow.
        strategies = trt.DynamicShapesKernelSpecializationStrategy
        self._config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
        self._cache = self._config.create_runtime_cache()
        if self._path.is_file():
            self._cache.deserialize(self._path.read_bytes())  # of another driver: ignored
        self._config.set_runtime_cache(self._cache)

    def context_settings(self) -> Any:
        """What `create_execution_context` takes: memory is ours to give in either case."""
        if self._config is None:
            return self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        return self._config

    def save(self) -> None:
        """Write down what has been compiled so far; where nothing can be kept, it is compiled again
        the next time."""
        compiled = self._cache and self._cache.serialize()
        if compiled is not None:
            keep_if_possible(self._path, bytes(compiled))
