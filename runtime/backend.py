"""What the coarse-to-fine loop asks of a device: a handful of operations on whole volumes."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from tsr.core.exposure import FULL
from tsr.core.ladder import NetworkPass
from tsr.core.tiling import Span
from tsr.core.volume import Volume

Array = TypeVar("Array")
"""A (C, T, H, W) float32 volume where the backend keeps it: host memory or device memory."""


class Backend(Protocol[Array]):
    """Operations of the ladder on one device."""

    name: str
    """What computes, for reports: `onnxruntime-cpu` and the like."""

    seconds: dict[str, float]
    """Time spent so far by stage; a device's own time, which may overlap the host's."""

    worked: Callable[[int], None]
    """Called with the voxels that the network has just made; set by whoever shows progress."""

    notes: list[str]
    """What happened on the device that the user should know, each in one line."""

    lag: int
    """Results that may be made before an earlier one is fetched: 0 where they share memory."""

    segment_voxels: int
    """That a segment's last network pass should make at most, so that memory does not grow with
    the frame size."""

    def load(self, volume: Volume) -> Array:
        """Bring a host volume (C, T, H, W) to the device."""
        ...

    def load_frame(self, frame: Any, multiple: int) -> Array:
        """(3, H, W) in [0, 1] → (3, 1, H', W'), its sides padded up to a multiple; also
        of what else the backend's reader hands it."""
        ...

    def store(self, array: Array) -> Volume:
        """Bring a device volume back to the host."""
        ...

    def begin_store(self, array: Array) -> Callable[[], Volume]:
        """Begin to bring a device volume back; what is returned waits for it."""
        ...

    def halve(self, array: Array) -> Array:
        """(C, T, 2h, 2w) → (C, T, h, w), bicubic with antialiasing."""
        ...

    def take(self, array: Array, frames: Span) -> Array:
        """Frames [first, last) of a volume."""
        ...

    def join(self, arrays: list[Array]) -> Array:
        """Volumes one after the other in time."""
        ...

    def network_pass(
        self, step: NetworkPass, given: Array, span: Span, made: Span, num_given: int
    ) -> Array:
        """Double the frame rate: interpolation, network residual, temporal back-projection.

        Args:
            step: which pass of the ladder.
            given: frames `span` of a video that has `num_given` in all.
            made: the frames to make, at twice the rate.
        """
        ...

    def climb(self, low: Array, known: Array, exposure: float = FULL) -> Array:
        """Space-time back-projection of `low` (C, T·k, h, w) against `known` (C, T, 2h, 2w).

        The result stays valid until the next climb to the same shape.
        """
        ...

    def correct(self, guess: Array, known: Array, exposure: float = FULL) -> Array:
        """Temporal back-projection of `guess` (C, T·k, H, W), which may be changed, against
        `known` (C, T, H, W); held in [0, 1]."""
        ...
