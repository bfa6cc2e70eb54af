"""Which device runs a model: asked for, or the best there is. Never another one after a failure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsr.core.errors import DeviceError, SettingsError
from tsr.core.model_card import ModelCard
from tsr.runtime.backend import Backend

if TYPE_CHECKING:
    from tsr.runtime.onnx_network import OnnxNetwork
    from tsr.runtime.openvino_network import OpenVinoNetwork

DEVICES = ("auto", "cpu", "cuda")
CPU_ENGINES = ("auto", "onnxruntime", "openvino")


def open_backend(
    model: Path,
    device: str = "auto",
    tile: tuple[int, int, int] | None = None,
    cpu_engine: str = "auto",
) -> tuple[Backend[Any], ModelCard]:
    """Load a model where it shall run.

    Args:
        model: an .onnx or .plan file from `tsr-export`, or a .safetensors from `tsr-train`; but
            for the .onnx they need a GPU.
        device: `auto` takes a GPU if there is one and ONNX Runtime can use it.
        tile: network output per call (frames, rows, columns); the backend's own if None, or what
            a plan was tuned for.
        cpu_engine: what computes the network on the CPU; `auto` takes OpenVINO if it is installed.

    Raises:
        DeviceError: the device asked for is not there or fails. ModelError: the model is unusable.
    """
    if device not in DEVICES:
        raise SettingsError(f"device {device} is unknown; choose {', '.join(DEVICES)}")
    if device == "cuda" and cpu_engine != "auto":
        raise SettingsError(f"the CPU engine {cpu_engine} computes nothing on a GPU; drop one")
    if model.suffix in (".plan", ".safetensors"):
        opened = open_plan if model.suffix == ".plan" else open_trained
        return opened(model, "cpu" if cpu_engine != "auto" else device, tile)
    if device == "cuda" or (device == "auto" and cpu_engine == "auto" and cuda_is_there()):
        from tsr.runtime import cuda_backend
        from tsr.runtime.device import CudaDevice
        from tsr.runtime.onnx_cuda import OnnxCudaNetwork

        gpu = CudaDevice()
        on_gpu = OnnxCudaNetwork(model, gpu)
        return cuda_backend.CudaBackend(gpu, on_gpu, tile or cuda_backend.TILE), on_gpu.card
    from tsr.runtime import cpu_backend

    network = open_on_cpu(model, cpu_engine)
    return cpu_backend.CpuBackend(network, tile or cpu_backend.TILE, network.engine), network.card


def open_on_cpu(model: Path, engine: str) -> "OnnxNetwork | OpenVinoNetwork":
    """Load a model for the CPU; see `open_backend`."""
    from tsr.runtime.onnx_network import OnnxNetwork
    from tsr.runtime.openvino_network import OpenVinoNetwork, available

    if engine not in CPU_ENGINES:
        raise SettingsError(f"CPU engine {engine} is unknown; choose {', '.join(CPU_ENGINES)}")
    if engine == "openvino" or (engine == "auto" and available()):
        return OpenVinoNetwork(model)
    return OnnxNetwork(model)


def open_plan(
    model: Path, device: str, tile: tuple[int, int, int] | None
) -> tuple[Backend[Any], ModelCard]:
    """Load a TensorRT plan; see `open_backend`."""
    from tsr.core.plan_file import read_plan
    from tsr.runtime import cuda_backend
    from tsr.runtime.device import CudaDevice, missing
    from tsr.runtime.tensorrt_network import TensorRtNetwork

    _, card = read_plan(model)
    anywhere = "the .onnx it was made from runs anywhere: tsr-run model.onnx"
    if device == "cpu":
        raise DeviceError(f"{model} is a TensorRT engine, which runs on GPUs only; {anywhere}")
    if reason := missing():
        raise DeviceError(f"{model} needs an NVIDIA GPU: {reason}; {anywhere}")
    tile = cuda_backend.whole_tile(tile or card.tile)
    if not card.accepts(tile):
        raise SettingsError(
            f"{model} computes tiles from {card.smallest} to {card.largest} (frames, rows, "
            f"columns), not {tile}; leave out --tile, or build it again with that --tile"
        )
    gpu = CudaDevice()
    network = TensorRtNetwork(model, gpu)
    return cuda_backend.CudaBackend(gpu, network, tile), network.card


def open_trained(
    model: Path, device: str, tile: tuple[int, int, int] | None
) -> tuple[Backend[Any], ModelCard]:
    """Load a model as it was trained, for our own convolutions; see `open_backend`."""
    from tsr.runtime import cuda_backend
    from tsr.runtime.device import CudaDevice, missing
    from tsr.runtime.tensor_core_network import TILE, TensorCoreNetwork

    anywhere = f"tsr-export {model} makes an .onnx that runs anywhere"
    if device == "cpu":
        raise DeviceError(f"{model} as it was trained runs on GPUs only; {anywhere}")
    if reason := missing():
        raise DeviceError(f"{model} as it was trained needs an NVIDIA GPU: {reason}; {anywhere}")
    gpu = CudaDevice()
    network = TensorCoreNetwork(model, gpu)
    return cuda_backend.CudaBackend(gpu, network, tile or TILE), network.card


def tensor_cores_are_there() -> bool:
    """Whether the driver shows a GPU that our own convolutions run on."""
    from tsr.runtime import device
    from tsr.runtime.kernels import TENSOR_CORES

    return device.missing() is None and device.capability() >= TENSOR_CORES


def cuda_is_there() -> bool:
    """Whether ONNX Runtime was built with CUDA and the driver shows a GPU."""
    from tsr.runtime import device, onnx_cuda

    return onnx_cuda.missing() is None and device.missing() is None
