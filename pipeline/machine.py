"""What this machine runs a network with."""

from typing import Literal

from tsr.core.errors import DeviceError, TsrError

Target = Literal["cpu", "cuda", "tensor-cores", "tensorrt"]
"""Who runs the network: ONNX Runtime or OpenVINO on the CPU; on a GPU ONNX Runtime, convolutions of
our own, or an engine."""


def best_target(asked: str = "auto") -> Target:
    """The fastest that is installed and can be used here. No engine has been measured beside our
    own convolutions, which need no build.

    Args:
        asked: `auto`, `cpu` or `cuda`.

    Raises:
        DeviceError: `cuda` was asked for, and there is no GPU.
    """
    from tsr.runtime import device

    reason = device.missing()
    if asked == "cuda" and reason:
        raise DeviceError(f"no GPU can be used: {reason}")
    if asked == "cpu" or reason:
        return "cpu"
    from tsr.runtime.open_backend import tensor_cores_are_there

    if tensor_cores_are_there():
        return "tensor-cores"
    try:
        from tsr.export.to_engine import EngineOptions, choose_library

        choose_library(EngineOptions())
    except TsrError:
        return without_engines()
    return "tensorrt"


def without_engines() -> Target:
    """The same, of those that read .onnx files."""
    from tsr.runtime.open_backend import cuda_is_there

    return "cuda" if cuda_is_there() else "cpu"
