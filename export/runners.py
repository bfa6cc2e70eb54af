"""Model files as Polygraphy runners: torch, ONNX Runtime and TensorRT behind one interface."""

import ctypes
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from polygraphy import config
from polygraphy.backend.base import BaseRunner
from polygraphy.common import TensorMetadata

from tsr.core.console import check_installed
from tsr.core.errors import DeviceError, ModelError, SettingsError
from tsr.core.model_card import ModelCard
from tsr.core.plan_file import Size, read_plan
from tsr.core.tiling import NETWORK_HALO
from tsr.core.volume import Volume
from tsr.runtime.onnx_network import INPUT, OUTPUT, OnnxNetwork, first_line
from tsr.runtime.recording import Network, interpolation
from tsr.runtime.tensorrt_library import missing


@dataclass(frozen=True)
class OpenModel:
    """A model file that can be run.

    Args:
        path: the file.
        runner: takes `base` and makes `htr`; to be used as a context.
        card: what the file says about the model.
        least, most: smallest and largest network output that it makes; None for any.
    """

    path: Path
    runner: BaseRunner
    card: ModelCard
    least: Size = (1, 1, 1)
    most: Size | None = None

    def network(self, window: Volume) -> Volume:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W), while the runner is active."""
        t, h, w = interpolation(window).shape[1:]
        made: Volume = self.runner.infer({INPUT: padded(window, self.least)[None]})[OUTPUT][0]
        return np.array(made[:, :t, :h, :w])  # the runner may use its buffer again


def padded(window: Volume, least: Size) -> Volume:
    """Repeat the last frame, row and column until the output has at least this size."""
    halo = (NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w)
    missing = [max(0, least[axis] + 2 * halo[axis] - window.shape[1 + axis]) for axis in range(3)]
    return np.pad(window, [(0, 0), *((0, more) for more in missing)], mode="edge")


def open_model(path: Path, name: str) -> OpenModel:
    """Open a .safetensors, .onnx or .plan file; the first two run on the CPU.

    Args:
        name: of the runner, unlike any other's.

    Raises:
        ModelError: the file is missing, damaged or of another kind.
        DeviceError: an engine, but its library or a GPU is not there.
        SettingsError: an engine of the other library than Polygraphy has chosen.
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
    data, card = read_plan(path)
    if (card.library == "tensorrt_rtx") != config.USE_TENSORRT_RTX:
        raise SettingsError(
            f"{path} is an engine of {card.library}, and a run has room for one of NVIDIA's "
            "libraries; compare it with the .onnx (in Python: set POLYGRAPHY_USE_TENSORRT_RTX)"
        )
    if reason := missing(card.library) or missing_driver():
        raise DeviceError(f"{path} cannot be run here: {reason}")
    from polygraphy.backend.trt import EngineFromBytes, TrtRunner

    try:
        engine = EngineFromBytes(data)()
    except Exception as error:  # PolygraphyException, and whatever the bindings raise
        raise DeviceError(
            f"{path} cannot be loaded here ({first_line(error)}); it was built by {card.library} "
            f"{card.version}{f' for {card.gpu}' if card.gpu else ''}: build it again here"
        ) from error
    return OpenModel(path, TrtRunner(engine, name=name), card.model, card.smallest, card.largest)


def missing_driver() -> str | None:
    """Why there is no GPU, with the remedy; None if there is NVIDIA's driver."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver; install it, or check where there is a GPU"
    return None
