"""The network's weights in the form that kernels/convolve.cu reads them in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsr.core.model_file import Weights
from tsr.core.network_shape import KERNELS, bias_name, weight_name

TAPS = 9
"""Of a layer in space. Those in time come one after the other, as more channels would."""

STEP = 16
"""Input channels that one product of matrices takes."""

COLOURS_APART = 4
"""Channels from one tap's colours to the next's in the last layer, as in octets.cu."""

Half = NDArray[np.float16]


@dataclass(frozen=True)
class ConvLayer:
    """One layer, ready for the kernel named.

    Args:
        weights: see `packed`. bias: float32, one per output channel.
        taps: in time. steps: of `STEP` input channels. octets: of output channels.
    """

    kernel: str
    weights: Half
    bias: NDArray[np.float32]
    taps: int
    steps: int
    octets: int


def conv_layers(weights: Weights, *, hopper: bool) -> list[ConvLayer]:
    """Each layer of a network, its channels filled up with zeros to what a kernel makes.

    The first layer's taps in time become input channels, since there are but three colours, and the
    last one's output channels: the kernels of octets.cu lay the ones out and add the others up.

    Args:
        hopper: for the kernels of convolve_hopper.cu, where there are two.
    """
    first, *inner, last = (
        (weights[weight_name(n)], weights[bias_name(n)]) for n in range(len(KERNELS))
    )
    channels = len(first[1])
    wide = 64 if channels <= 64 else -(-channels // 128) * 128
    kernel = f"convolve_{'hopper_' if hopper else ''}{min(wide, 128)}"
    unrolled = first[0].transpose(0, 2, 1, 3, 4).reshape(channels, -1, 1, 3, 3)
    colours = np.zeros((STEP, channels, 1, 3, 3), np.float32)
    for tap in range(KERNELS[-1][0]):
        at = tap * COLOURS_APART
        colours[at : at + 3, :, 0] = last[0][:, :, tap]
    return [
        _layer(kernel, unrolled, first[1], wide, STEP),
        *(_layer(kernel, weight, bias, wide, wide) for weight, bias in inner),
        _layer("convolve_16", colours, last[1], STEP, wide),
    ]


def packed(weight: NDArray[np.float32], block: int) -> Half:
    """(N, C, T, 3, 3) in the order in which the kernel's blocks, stages and lanes take them.

    Args:
        block: output channels of one block; a divisor of N. C is a multiple of `STEP`.

    Returns:
        (N / block, T, C / 16, 9, block / 16, 32 lanes, 8). A lane holds, of two matrices of 16 × 8
        side by side, what the PTX manual's layout of `mma.m16n8k16` gives it of its right operand.
    """
    n, c, taps = weight.shape[:3]
    # Output channels: block, pair of matrices, which of the two, column. Input channels: step,
    # which register, lane within its group, which half of the register.
    parts = weight.reshape(n // block, block // STEP, 2, 8, c // STEP, 2, 4, 2, taps, TAPS)
    ordered = parts.transpose(0, 8, 4, 9, 1, 3, 6, 2, 5, 7)
    shape = (n // block, taps, c // STEP, TAPS, block // STEP, 32, 8)
    return np.ascontiguousarray(ordered).reshape(shape).astype(np.float16)


def packed_for_hopper(weight: NDArray[np.float32], block: int) -> Half:
    """The same for convolve_hopper.cu, whose stages take their weights out of shared memory.

    Returns:
        (N / block, T, C / 16, 9, 2, block / 8, 8, 8): of 16 input channels two halves, each in
        matrices of eight output channels by eight input channels.
    """
    n, c, taps = weight.shape[:3]
    parts = weight.reshape(n // block, block // 8, 8, c // STEP, 2, 8, taps, TAPS)
    ordered = parts.transpose(0, 6, 3, 7, 4, 1, 2, 5)
    return np.ascontiguousarray(ordered, dtype=np.float16)


def _layer(
    kernel: str, weight: NDArray[np.float32], bias: NDArray[np.float32], made: int, given: int
) -> ConvLayer:
    n, c, taps = weight.shape[:3]
    whole = np.zeros((made, given, taps, 3, 3), np.float32)
    whole[:n, :c] = weight
    biases = np.zeros(made, np.float32)
    biases[: len(bias)] = bias
    block, pack = int(kernel.split("_")[-1]), packed_for_hopper if "hopper" in kernel else packed
    return ConvLayer(kernel, pack(whole, block), biases, taps, given // STEP, made // 8)
