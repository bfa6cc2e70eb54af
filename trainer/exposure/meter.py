"""Looks at a few moments of a video for what moves evenly, and says how long the shutter was open.

Two things tell, each where the other does not: a texture loses in spectrum what its motion smears
(`patch_blur`), and an edge between plain areas becomes a ramp as wide as it moved while the
shutter was open (`edge_blur`).
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tsr.core.resize import halving_matrix
from tsr.trainer.exposure.edge_blur import exposure_by_edges
from tsr.trainer.exposure.edges import LEAST_SIDE, Edges, moving_edges
from tsr.trainer.exposure.estimate import ExposureEstimate, estimated
from tsr.trainer.exposure.fit import NOTHING
from tsr.trainer.exposure.patch_blur import exposure_by_patches
from tsr.trainer.exposure.patches import Grey, Patches, moving_patches

SHORT_SIDE = 540
"""Pixels above which frames are halved first."""
SIZES = 3
"""Each frame is looked at in so many sizes, each half the one before: fast motion fits one."""
MOMENTS = 28
"""Frames looked at, spread over the video."""


class ExposureMeter:
    """Watches the frames of a video go by, and then says how long the shutter was open.

    Args:
        num_frames: frames of the video; a few moments of it are looked at.
    """

    def __init__(self, num_frames: int) -> None:
        inner = np.linspace(1, max(num_frames - 2, 1), min(MOMENTS, max(num_frames - 2, 1)))
        self._middles = {int(middle) for middle in inner}
        self._patches: list[Patches] = []
        self._edges: list[Edges] = []

    def watch(self, frames: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Hand on frames (3, H, W), having looked at them."""
        last: list[Grey] = []
        for number, frame in enumerate(frames):
            if self._middles & {number - 1, number, number + 1}:
                last = [*last[-2:], _shrunk(frame.mean(axis=0))]
            if number - 1 in self._middles:
                self._look(*last)
            yield frame

    def _look(self, before: Grey, now: Grey, after: Grey) -> None:
        for size in range(SIZES):
            if size:
                before, now, after = _half(before), _half(now), _half(after)
            if min(now.shape) < LEAST_SIDE:
                break
            patches, edges = moving_patches(before, now, after), moving_edges(before, now, after)
            self._patches.append(patches._replace(places=patches.places * 2**size))
            self._edges.append(edges._replace(places=edges.places * 2**size))

    def estimate(self) -> ExposureEstimate:
        """The exposure by all that was seen."""
        if not self._patches:
            return estimated(NOTHING, NOTHING)
        patches = Patches(*(np.concatenate(parts) for parts in zip(*self._patches, strict=True)))
        edges = Edges(*(np.concatenate(parts) for parts in zip(*self._edges, strict=True)))
        return estimated(exposure_by_patches(patches), exposure_by_edges(edges))


def _half(grey: Grey) -> Grey:
    height, width = (size // 2 * 2 for size in grey.shape)
    rows, columns = halving_matrix(height, 1), halving_matrix(width, 1)
    return np.asarray(rows @ grey[:height, :width] @ columns.T, np.float32)


def _shrunk(grey: Grey) -> Grey:
    while min(grey.shape) > SHORT_SIDE:
        grey = _half(grey)
    return grey
