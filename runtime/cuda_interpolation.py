"""What the windows of a network pass are cut from in device memory, interpolated either way."""

from collections.abc import Callable

import numpy as np

from tsr.core.ladder import NetworkPass
from tsr.core.resize import ResampleTaps
from tsr.core.tiling import Span
from tsr.runtime.cuda_kernels import CudaKernels, DeviceVolume, TimeTable
from tsr.runtime.cuda_motion import MovedFrames
from tsr.runtime.plan import network_taps, read_frames

Interpolate = Callable[[Span, int], tuple[DeviceVolume, TimeTable]]
"""The frames to make, and how many a window holds → what it is cut from, and its taps in time."""


def cubic(
    kernels: CudaKernels, step: NetworkPass, given: DeviceVolume, span: Span, num_given: int
) -> Interpolate:
    """Frames that fade into each other, mixed as windows are cut.

    Args:
        step: the pass of the ladder.
        given: frames `span` of a video that has `num_given` in all.
    """

    def interpolate(chunk: Span, frames: int) -> tuple[DeviceVolume, TimeTable]:
        # The frames that a chunk reads, and its taps among them: alike for chunks inside.
        taps = network_taps(chunk, num_given, step.exposure)
        first, last = taps.needs()
        source = given.frames((first - span[0], last - span[0]))
        return source, kernels.time_table(taps.within(first, last), frames)

    return interpolate


def moved(
    kernels: CudaKernels,
    step: NetworkPass,
    given: DeviceVolume,
    span: Span,
    num_given: int,
    made: Span,
) -> Interpolate:
    """Frames moved along their motion, all at once that a pass reads to make `made`; else as
    `cubic`."""
    read = read_frames(made, num_given)
    groups = int(read[0]) // 2, int(read[-1]) // 2 + 1
    source = MovedFrames(kernels).moved(
        given, span, groups, num_given, step.exposure, halved=step.halves_motion
    )

    def interpolate(chunk: Span, frames: int) -> tuple[DeviceVolume, TimeTable]:
        index = (read_frames(chunk, num_given) - 2 * groups[0]).astype(np.int32)[:, None]
        as_they_are = ResampleTaps(index, np.ones(index.shape, np.float32), source.shape[1])
        return source, kernels.time_table(as_they_are, frames)

    return interpolate
