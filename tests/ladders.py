"""A whole ladder on any backend."""

from typing import Any

import numpy as np

from tsr.core.ladder import ScaleLadder
from tsr.core.volume import Volume
from tsr.runtime.cascade import FramePyramid, run_segment
from tsr.runtime.plan import plan_segments


def clip(frames: int, height: int, width: int) -> Volume:
    """A smooth random video."""
    noise = np.random.default_rng(0).random((3, frames, height, width), np.float32)
    return (noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2) + np.roll(noise, 1, 3)) / 4


def climb_ladder(backend: Any, video: Volume, ladder: ScaleLadder, segment: int) -> Volume:
    """The output of all segments of a volume."""
    frames = (np.ascontiguousarray(video[:, n]) for n in range(video.shape[1]))
    pyramid: FramePyramid[Any] = FramePyramid(frames, ladder, backend)
    made = [
        backend.store(group).copy()  # the next climb may overwrite it
        for plan in plan_segments(ladder, video.shape[1], segment)
        for group in run_segment(plan, pyramid, backend, video.shape[1])
    ]
    return np.concatenate(made, axis=1)
