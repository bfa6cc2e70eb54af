"""A model file as a function, by OpenVINO's CPU plugin: up to three times as fast in INT8.

Optional (extra `openvino`). It reads the same files as ONNX Runtime, but not their model card.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from tsr.core.cores import usable_cores
from tsr.core.errors import DeviceError, ModelError
from tsr.core.volume import Volume
from tsr.runtime.onnx_network import first_line, read_card

INSTALL = "pip install openvino"


def available() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


class OpenVinoNetwork:
    """The network of an .onnx file on the CPU; see `tsr.runtime.onnx_network.OnnxNetwork`.

    Args:
        path: the file that `tsr-export` wrote.
        threads: threads per convolution; all usable cores if None.

    Raises:
        DeviceError: OpenVINO is not installed.
        ModelError: the file is missing, damaged, or not a model of ours.
    """

    engine = "openvino"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        if not available():
            raise DeviceError(f"OpenVINO is not installed; {INSTALL}, or use onnxruntime")
        # On import it tells its makers by way of Google, unasked, from a process that it forks, and
        # numbers the user by a file in the home folder; not so if the package for that is missing.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        import openvino

        self._path = path
        self.card = read_card(path)
        settings = {
            # Where the processor knows bf16, OpenVINO would otherwise compute FP32 files in that:
            # the residual's sum, too, which is then off by up to half a step of 8 bits.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads or usable_cores(),
            "ENABLE_CPU_PINNING": False,
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            core = openvino.Core()
            self._request = core.compile_model(
                core.read_model(path), "CPU", settings
            ).create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot run {path} ({first_line(error)}); use --cpu-engine onnxruntime"
            ) from error

    def __call__(self, window: Volume) -> Volume:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W)."""
        try:
            made: Volume = self._request.infer({0: window[None]})[0][0]
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot compute {self._path} ({first_line(error)}); "
                "use --cpu-engine onnxruntime"
            ) from error
        return made
