"""Frames in, frames out: what of a video is where while the ladder is climbed.

On a GPU, frames go up as they were decoded and come back as the encoder wants them. While one group
is on its way to the host, the next is computed, and a frame of the segment after goes up.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import ClipInfo, ClipReader, Encoding, stored_colour, stored_layout
from tsr.core.clip_io.pixels import Frame, Plane, to_rgb
from tsr.core.ladder import ScaleLadder
from tsr.core.tiling import Span
from tsr.runtime.backend import Array, Backend
from tsr.runtime.cascade import FramePyramid, run_segment
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.cuda_frames import StoredFrame
from tsr.runtime.overlap import later
from tsr.runtime.plan import plan_segment, plan_segments


def super_resolve(
    frames: Iterator[NDArray[np.float32]],
    info: ClipInfo,
    ladder: ScaleLadder,
    backend: Backend[Array],
    segment: int,
    part: Span | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Frames (3, H, W) in [0, 1] in → `ladder.factor` times as many out, in order.

    Args:
        frames: all of the video's; with `part`, those from `first_read` on.
        info: the video, at whose ends frames repeat.
        segment: input frames computed at a time; never changes the result.
        part: input frames [first, last) whose output is wanted, the same as in the whole.

    Memory is bounded by the segment: about its output at half size, its input frames at every size
    (on a GPU also those of the next segment), and one input frame's worth of output.
    """
    made = groups(frames, info, ladder, backend, segment, part)
    yield from _on_the_host(made, info, backend)


def groups(
    frames: Iterator[Any],
    info: ClipInfo,
    ladder: ScaleLadder,
    backend: Backend[Array],
    segment: int,
    part: Span | None = None,
) -> Iterator[Array]:
    """`super_resolve` up to what is left on the device: one input frame's worth of output at a
    time, (3, factor, H', W'), whose sides may be padded. The frames are what the backend loads.

    Where results may lag, a frame of the next segment is read for each group that is handed over.
    It goes up while that group is computed, the first one during all of the segment's network
    passes; and the next passes are started behind the last group without a wait for the decoder.
    """
    part = part or (0, info.num_frames)
    first, end = plan_segment(ladder, part, info.num_frames).window
    pyramid = FramePyramid(frames, ladder, backend, first)
    for plan in plan_segments(ladder, info.num_frames, segment, part):
        for group in run_segment(plan, pyramid, backend, info.num_frames):
            yield group
            if backend.lag:
                pyramid.read_ahead(end)


def reader_for(backend: Backend[Any], info: ClipInfo) -> ClipReader:
    """A reader whose frames the backend loads: as they are stored, if a GPU converts them."""
    convert = StoredFrame if isinstance(backend, CudaBackend) else to_rgb
    return ClipReader(info.path, info, convert)


def fetched(
    made: Iterator[Any], info: ClipInfo, backend: Backend[Any], encoding: Encoding
) -> Iterator[Frame | list[Plane]]:
    """Frames for a writer with this encoding: planes, if a GPU converts them. There the next group
    is computed while one is on its way to the host."""
    if not isinstance(backend, CudaBackend):
        yield from _on_the_host(made, info, backend)
        return
    begin = partial(
        backend.begin_store_planes,
        height=info.height,
        width=info.width,
        layout=stored_layout(encoding),
        colour=stored_colour(info, encoding),
    )
    for frames in later(made, begin, backend.lag):
        yield from frames


def _on_the_host(
    made: Iterator[Array], info: ClipInfo, backend: Backend[Array]
) -> Iterator[NDArray[np.float32]]:
    for volume in later(made, backend.begin_store, backend.lag):
        for n in range(volume.shape[1]):
            yield np.ascontiguousarray(volume[:, n, : info.height, : info.width])
