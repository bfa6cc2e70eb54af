"""A model file as a function of device memory, by ONNX Runtime's CUDA provider and cuDNN."""

from pathlib import Path
from typing import Any

import numpy as np

from tsr.core.errors import DeviceError, ModelError
from tsr.core.onnx_scan import check_onnx
from tsr.runtime.cuda_kernels import DeviceVolume
from tsr.runtime.device import CudaDevice
from tsr.runtime.onnx_network import INPUT, OUTPUT, card_of, first_line

PROVIDER = "CUDAExecutionProvider"

OUT_OF_MEMORY = ("Failed to allocate memory", "out of memory", "CUDNN_STATUS_ALLOC_FAILED")
"""How ONNX Runtime words it when the device has no memory left."""


def missing() -> str | None:
    """Why ONNX Runtime cannot use a GPU, with the remedy; None if it can."""
    import onnxruntime as ort

    if PROVIDER in ort.get_available_providers():
        return None
    return (
        f"onnxruntime {ort.__version__} is built without CUDA; "
        "pip uninstall onnxruntime, then pip install onnxruntime-gpu, or use --device cpu"
    )


class OnnxCudaNetwork:
    """The network of an .onnx file on a GPU; see `tsr.runtime.cuda_backend.DeviceNetwork`.

    Args:
        path: the file that `tsr-export` wrote; its graph decides the precision.
        device: where; the network joins its stream.
        search: how cuDNN's algorithms are chosen: HEURISTIC or EXHAUSTIVE (both by its heuristics;
            ONNX Runtime's DEFAULT means cuDNN's slow fallbacks).
        tf32: let FP32 convolutions use tensor cores, with 10-bit mantissas.

    Raises:
        DeviceError: ONNX Runtime has no CUDA, or cannot load it.
        ModelError: the file is missing, damaged, or not a model of ours.
    """

    name = "onnxruntime-cuda"
    any_shape = False

    def __init__(
        self, path: Path, device: CudaDevice, *, search: str = "HEURISTIC", tf32: bool = False
    ) -> None:
        if reason := missing():
            raise DeviceError(reason)
        import onnxruntime as ort

        if not path.is_file():
            raise ModelError(f"{path} does not exist; make it with tsr-export MODEL.safetensors")
        check_onnx(path)
        self._path, self._device = path, device
        self._provider = {
            "device_id": str(device.ordinal),
            "user_compute_stream": str(device.stream_handle),
            "prefer_nhwc": "1",
            "fuse_conv_bias": "1",
            "cudnn_conv_algo_search": search,
            "use_tf32": str(int(tf32)),
            "arena_extend_strategy": "kSameAsRequested",
        }
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()  # CUDA and cuDNN from NVIDIA's wheels, where they are installed
        self._session: Any = self._open()
        self.card = card_of(self._session, path)
        # Else every run would end by waiting for the stream, and the device then for the host.
        self._options = ort.RunOptions()
        self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def _open(self) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4
        # cuDNN's attempts at a shape are told to the default logger, an error line for each that
        # comes to nothing. It is the process's; what fails in the end is raised all the same.
        ort.set_default_logger_severity(4)
        # A graph that ran partly on the CPU would copy every activation back and forth.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            session = ort.InferenceSession(
                self._path, options, providers=[(PROVIDER, self._provider)]
            )
        except Exception as error:  # ONNX Runtime raises a class per status, with no common base
            raise ModelError(
                f"ONNX Runtime cannot run {self._path} on {self._device.name} "
                f"({first_line(error)}); make it again with tsr-export, or use --device cpu"
            ) from error
        if PROVIDER not in session.get_providers():
            raise DeviceError(
                "ONNX Runtime could not load its CUDA provider; its CUDA and cuDNN libraries are "
                "missing: pip install 'onnxruntime-gpu[cuda,cudnn]', or use --device cpu"
            )
        return session

    def __call__(self, window: DeviceVolume, made: DeviceVolume) -> None:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W), without waiting for the device."""
        binding = self._session.io_binding()
        for bind, name, volume in (
            (binding.bind_input, INPUT, window),
            (binding.bind_output, OUTPUT, made),
        ):
            shape = (1, *volume.shape)
            bind(name, "cuda", self._device.ordinal, np.float32, shape, volume.address)
        try:
            self._session.run_with_iobinding(binding, self._options)
        except Exception as error:  # as above
            if not any(text in str(error) for text in OUT_OF_MEMORY):
                raise DeviceError(
                    f"the network failed on {self._device.name} ({first_line(error)}); "
                    "use --device cpu"
                ) from error
            self._session = None  # it holds on to the memory it has, and so does the pool
            self._device.release()
            self._session = self._open()
            raise MemoryError(f"{self._device.name} has no memory for this tile") from error
