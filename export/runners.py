"""Model files as Polygraphy runners: torch, ONNX Runtime and TensorRT behind one interface."""

import ctypes
import importlib.util
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from polygraphy.backend.base import BaseRunner
from polygraphy.common import TensorMetadata

from tsr.core.console import check_installed
from tsr.core.errors import DeviceError, ModelError
from tsr.core.model_card import ModelCard
from tsr.core.tiling import NETWORK_HALO
from tsr.core.volume import Volume
from tsr.runtime.onnx_network import INPUT, OUTPUT, OnnxNetwork, first_line
from tsr.runtime.recording import Network

Shape = tuple[int, int, int]
"""(frames, rows, columns)"""


@dataclass(frozen=True)
class OpenModel:
    """A model file that can be run.

    Args:
        path: the file.
        runner: takes `base` and makes `htr`; to be used as a context.
        card: what the file says about itself; None for an engine.
        sizes: smallest and largest network output that it makes; None for any.
    """

    path: Path
    runner: BaseRunner
    card: ModelCard | None
    sizes: tuple[Shape, Shape] | None = None

    def network(self, window: Volume) -> Volume:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W), while the runner is active."""
        made: Volume = self.runner.infer({INPUT: window[None]})[OUTPUT][0]
        return np.array(made)  # the runner may use its buffer again


def open_model(path: Path, name: str) -> OpenModel:
    """Open a .safetensors, .onnx or .plan file; the first two run on the CPU.

    Args:
        name: of the runner, unlike any other's.

    Raises:
        ModelError: the file is missing, damaged or of another kind.
        DeviceError: an engine, but no TensorRT or no GPU.
    """
    openers = {".safetensors": _open_torch, ".onnx": _open_onnx, ".plan": _open_engine}
    opener = openers.get(path.suffix)
    if opener is None:
        raise ModelError(f"{path} is no model file; a .safetensors, .onnx or .plan file is needed")
    return opener(path, name)


class NetworkRunner(BaseRunner):  # type: ignore[misc]
    """A network in host memory as a runner. (Polygraphy's own for torch wants a GPU.)"""

    def __init__(self, network: Network, name: str) -> None:
        super().__init__(name=name)
        self._network = network

    def get_input_metadata_impl(self) -> TensorMetadata:
        """One window of any size."""
        return TensorMetadata().add(INPUT, dtype=np.float32, shape=(1, 3, None, None, None))

    def infer_impl(self, feed_dict: dict[str, Any]) -> "OrderedDict[str, Any]":
        """One window to the network's output."""
        started = time.perf_counter()
        made = self._network(feed_dict[INPUT][0])
        self.inference_time = time.perf_counter() - started
        return OrderedDict([(OUTPUT, made[None])])


def _open_torch(path: Path, name: str) -> OpenModel:
    check_installed(
        f"a {path.suffix} file", "check", {"torch": "torch", "safetensors": "safetensors"}
    )
    import torch

    from tsr.trainer.network import load_model

    module, card = load_model(path)

    def network(window: Volume) -> Volume:
        with torch.no_grad():
            made: Volume = module(torch.from_numpy(window[None])).numpy()[0]
        return made

    return OpenModel(path, NetworkRunner(network, name), card)


def _open_onnx(path: Path, name: str) -> OpenModel:
    network = OnnxNetwork(path)
    return OpenModel(path, NetworkRunner(network, name), network.card)


def _open_engine(path: Path, name: str) -> OpenModel:
    if not path.is_file():
        raise ModelError(f"{path} does not exist")
    if reason := missing_tensorrt():
        raise DeviceError(f"{path} cannot be run here: {reason}")
    from polygraphy.backend.common import BytesFromPath
    from polygraphy.backend.trt import EngineFromBytes, TrtRunner

    try:
        engine = EngineFromBytes(BytesFromPath(str(path)))()
        least, _, most = (tuple(shape) for shape in engine.get_tensor_profile_shape(INPUT, 0))
    except Exception as error:  # PolygraphyException, and whatever the bindings raise
        raise ModelError(
            f"{path} cannot be loaded by this TensorRT on this GPU ({first_line(error)}); "
            "build it again here"
        ) from error
    return OpenModel(path, TrtRunner(engine, name=name), None, (_output(least), _output(most)))


def missing_tensorrt() -> str | None:
    """Why no engine can be run, with the remedy; None if one can."""
    if not any(importlib.util.find_spec(name) for name in ("tensorrt", "tensorrt_rtx")):
        return "TensorRT is not installed; pip install tensorrt (for RTX cards: tensorrt_rtx)"
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver; install it, or check where there is a GPU"
    return None


def _output(window: tuple[int, ...]) -> Shape:
    t, h, w = window[2:]
    return t - 2 * NETWORK_HALO.t, h - 2 * NETWORK_HALO.h, w - 2 * NETWORK_HALO.w
