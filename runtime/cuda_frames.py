"""Frames as files hold them, planes of samples, to volumes in device memory and back."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import Colour
from tsr.core.clip_io.pixels import Layout, Plane, gains
from tsr.core.errors import DeviceError
from tsr.core.volume import padded_size
from tsr.runtime.cuda_kernels import CudaKernels, DeviceVolume, blocks

KINDS = {"yuv": 0, "rgb": 1, "grey": 2}
"""Of `Layout`, as in frames.cu."""

LOAD_ROWS = 4
"""Rows of a loaded frame that one thread makes, four columns wide, as in frames.cu."""


@dataclass(frozen=True, eq=False)
class StoredFrame:
    """A decoded frame, not converted yet.

    Args:
        planes: its samples. layout: how they are stored. colour: what they mean.
    """

    planes: Sequence[Plane]
    layout: Layout
    colour: Colour


def load_planes(kernels: CudaKernels, frame: StoredFrame, multiple: int = 1) -> DeviceVolume:
    """A stored frame → (3, 1, H', W') RGB in [0, 1], as `core.clip_io.pixels.to_rgb`; its sides are
    padded up to a multiple. The frame travels beside the work that was started before."""
    size = frame.planes[0].shape
    with kernels.device.staged(frame.planes) as source:
        return convert(kernels, source, size, frame.layout, frame.colour, multiple)


def convert(
    kernels: CudaKernels,
    source: int,
    size: tuple[int, int],
    layout: Layout,
    colour: Colour,
    multiple: int = 1,
) -> DeviceVolume:
    """`load_planes` of planes that lie on the device, one behind the other, at `source`.

    Args:
        size: (rows, columns) of the frame.
    """
    made = kernels.volume(3, 1, *padded_size(*size, multiple))
    rows, columns = made.shape[2:]
    kernels.device.launch(
        "load_planes",
        (blocks(-(-rows // LOAD_ROWS) * -(-columns // 4)), 1, 1),
        *(source, *size, *_how(layout), _gains(kernels, layout, colour)),
        *(made.address, made.stride, rows, columns),
    )
    return made


def begin_store_planes(
    kernels: CudaKernels,
    volume: DeviceVolume,
    height: int,
    width: int,
    layout: Layout,
    colour: Colour,
) -> Callable[[], list[list[Plane]]]:
    """Convert the first rows and columns of (3, T, H', W') as `core.clip_io.pixels.from_rgb` does,
    and begin to bring them to the host.

    Returns:
        What waits for that and gives the planes of each frame. It raises `DeviceError` if a value
        was not a number.
    """
    _, frames, rows, columns = volume.shape
    shapes = plane_shapes(layout, height, width)
    samples = kernels.device.host_array((frames, sum(map(math.prod, shapes))), layout.dtype)
    made = kernels.device.allocate(samples.nbytes)
    trouble = kernels.device.upload(np.zeros(1, np.int32))
    kernels.device.launch(
        "store_planes",
        (blocks(shapes[-1][0] * -(-width // 4)), frames, 1),
        *(volume.address, volume.stride, rows, columns, made.address, height, width),
        *(*_how(layout), _gains(kernels, layout, colour), trouble.address),
    )
    found = kernels.device.host_array((1,), np.int32)
    waits = [
        kernels.device.begin_download(made.address, samples),
        kernels.device.begin_download(trouble.address, found),
    ]

    def finish(keep: object = (made, trouble)) -> list[list[Plane]]:
        for wait in waits:
            wait()
        if found[0]:
            raise DeviceError(
                f"the network made values on {kernels.device.name} that are not finite numbers; "
                "export it again with --fp16 --video VIDEO, which checks for overflow, or without "
                "--fp16"
            )
        return [_cut(frame, shapes) for frame in samples]

    return finish


def plane_shapes(layout: Layout, height: int, width: int) -> list[tuple[int, int]]:
    """(rows, columns) of each plane of a frame."""
    rows = -(-height // 2) if layout.halve_rows else height
    columns = -(-width // 2) if layout.halve_columns else width
    return [(height, width)] + ([] if layout.kind == "grey" else [(rows, columns)] * 2)


def _cut(frame: NDArray[np.generic], shapes: list[tuple[int, int]]) -> list[Plane]:
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(frame, ends), shapes, strict=True)]


def _how(layout: Layout) -> tuple[int, int, int, int]:
    """Kind, whether samples are two bytes, whether chroma has half the columns, half the rows."""
    halves = int(layout.halve_columns), int(layout.halve_rows)
    return KINDS[layout.kind], int(layout.depth > 8), *halves


def _gains(kernels: CudaKernels, layout: Layout, colour: Colour) -> int:
    return kernels.table(("gains", layout, colour), gains(layout, colour))
