"""A trained model as a function of device memory, by convolutions of our own on tensor cores.

Nothing is built or exported: the weights are read as the trainer wrote them. Values and weights are
16-bit numbers, sums FP32, as in the file that `tsr-export --fp16` writes.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tsr.core.errors import DeviceError
from tsr.core.model_file import read_weights
from tsr.core.network_shape import CENTRE
from tsr.core.tiling import NETWORK_HALO
from tsr.runtime.conv_weights import ConvLayer, conv_layers
from tsr.runtime.cuda_kernels import DeviceVolume, blocks
from tsr.runtime.device_interface import Device, Memory
from tsr.runtime.kernels import HOPPER, TENSOR_CORES

TILE = (48, 184, 640)
"""(frames, rows, columns) to make per call. Margins add 12 % to the work at 720p from 1/8, and 23 %
in tiles of (16, 184, 320). At 128 channels, what layers hand over takes up to 3.3 GiB; twice that
would save 2 % more."""

PIECE = 16
"""Bytes of eight values."""


@dataclass(frozen=True)
class _OnDevice:
    """A layer, and where its weights and biases lie."""

    layer: ConvLayer
    weights: Memory
    bias: Memory


class TensorCoreNetwork:
    """The network of a .safetensors file on a GPU; see `tsr.runtime.cuda_backend.DeviceNetwork`.

    Args:
        path: the file that `tsr-train` wrote.
        device: where.
        hopper: use the kernels that Hopper alone has; None for wherever they are.

    Raises:
        ModelError: the file is missing, damaged, or not a model of ours.
        DeviceError: the GPU is older than these kernels.
    """

    name = "tensor cores"
    any_shape = True

    def __init__(self, path: Path, device: Device, *, hopper: bool | None = None) -> None:
        weights, card = read_weights(path)
        if device.capability < TENSOR_CORES:
            raise DeviceError(
                f"{path} as it was trained runs on GPUs of compute capability 8.0 and newer, "
                f"here is {device.name} with {'.'.join(map(str, device.capability))}; "
                f"tsr-export {path} --fp16 makes an .onnx for it"
            )
        self.card = replace(card, precision="fp16")
        self._device = device
        hopper = device.capability == HOPPER if hopper is None else hopper
        self._layers = [
            _OnDevice(layer, device.upload(layer.weights), device.upload(layer.bias))
            for layer in conv_layers(weights, hopper=hopper)
        ]
        self._centre = device.upload(np.array([CENTRE], np.float32))
        self._scratch: tuple[int, list[Memory]] = 0, []

    def __call__(self, window: DeviceVolume, made: DeviceVolume) -> None:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W), without waiting for the device."""
        frames, height, width = window.shape[1:]
        source, target = (memory.address for memory in self._buffers(window.shape))
        frames -= 2
        self._device.launch(
            "pack_window",
            (blocks(height * width), frames, 1),
            *(window.address, window.stride, height * width),
            *(self._centre.address, source),
        )
        for layer in self._layers:
            frames, height, width = frames - layer.layer.taps + 1, height - 2, width - 2
            self._convolve(layer, source, target, frames, height, width)
            source, target = target, source
        self._device.launch(
            "unpack_sums",
            (blocks(height * width), made.shape[1], 1),
            *(source, window.address, window.stride, self._layers[-1].bias.address),
            *(height, width, NETWORK_HALO.t, NETWORK_HALO.h, made.address, made.stride),
        )

    def _convolve(
        self, on: _OnDevice, source: int, target: int, frames: int, height: int, width: int
    ) -> None:
        layer, grid = on.layer, self._device.multiprocessors
        self._device.launch(
            layer.kernel,
            (grid, 1, 1),
            *(source, on.weights.address, on.bias.address, target),
            *(layer.taps, layer.steps, frames, layer.octets, height, width, grid),
        )

    def _buffers(self, shape: tuple[int, int, int, int]) -> list[Memory]:
        """What layers read from and write to in turn; kept for the next window.

        Raises:
            MemoryError: the device has too little.
        """
        _, frames, height, width = shape
        # Each layer makes fewer frames, rows and columns than the one before. The last one's
        # octets are of 32 bits.
        octets = max(2 * 2, *(on.layer.octets for on in self._layers))
        num_bytes = (frames - 2) * height * width * octets * PIECE
        if self._scratch[0] < num_bytes:
            self._scratch = 0, []
            self._scratch = num_bytes, [self._device.allocate(num_bytes) for _ in range(2)]
        return self._scratch[1]
