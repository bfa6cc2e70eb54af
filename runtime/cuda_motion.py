"""Frames moved along their motion in device memory, as `tsr.core.motion` moves them.

The kernels do the same operations in the same order, so that only rounding differs: where it makes
a patch follow something else, a few pixels do.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.motion import aside, times_between
from tsr.core.motion_loops import PATCH, ROUNDS, STRIDE
from tsr.core.rect import exposure_weights
from tsr.core.tiling import MOTION_REACH, Span, spans
from tsr.runtime.cuda_kernels import CudaKernels, DeviceVolume, blocks
from tsr.runtime.device_interface import Memory

GROUPS = 16
"""Frames given that are worked on at once: 0.3 GB of flows and ways at 640×360."""

NOTHING = 0
"""The address of what is not there."""


class MovedFrames:
    """Moves frames on one device."""

    def __init__(self, kernels: CudaKernels) -> None:
        self._kernels, self._device = kernels, kernels.device

    def moved(
        self,
        given: DeviceVolume,
        span: Span,
        groups: Span,
        num_given: int,
        exposure: float = FULL,
        *,
        halved: bool = False,
    ) -> DeviceVolume:
        """Both frames at twice the rate of each frame in `groups`: (3, 2n, H, W).

        Args:
            given: (3, T, H, W), frames `span` of a video that has `num_given` in all; those in
                `groups` and `MOTION_REACH` on each side are among them, but beyond the video's
                ends.
            exposure: of these, as a fraction of their interval.
            halved: as in `tsr.core.motion.moved`.
        """
        channels, _, height, width = given.shape
        if channels != 3:
            raise SettingsError(f"frames of {channels} channels cannot be moved; 3 expected")
        first, last = groups
        made = self._kernels.volume(channels, 2 * (last - first), height, width)
        late = float(exposure_weights(2, exposure)[1])
        times = [x for time in times_between(exposure) for x in (time, 1 - time)]
        sizes = list(_sizes(height, width))
        skipped = int(halved and len(sizes) > 1)
        shares = np.array([*times, late, *(aside(time, exposure) for time in times)], np.float32)
        for low, high in spans(last - first, GROUPS, first):
            pairs = max(low - 1, 0), min(high, num_given - 1)
            table = self._kernels.table(("moved", exposure), shares)
            bent = (
                self._ways(given, span[0], pairs, num_given, sizes, skipped, table)
                if pairs[1] > pairs[0]
                else None
            )
            part = made.frames((2 * (low - first), 2 * (high - first)))
            self._device.launch(
                "move_frames",
                (blocks(height * width), high - low, 1),
                *(given.address, given.stride, span[0], height, width),
                *(bent.address if bent else NOTHING, *sizes[skipped]),
                *(pairs[0], pairs[1] - pairs[0], table),
                *(num_given, part.address, part.stride, low),
            )
        return made

    def _ways(
        self,
        given: DeviceVolume,
        first: int,
        pairs: Span,
        num_given: int,
        sizes: list[Span],
        skipped: int,
        shares: int,
    ) -> Memory:
        """(2, 2, pairs, 2, h, w): by time, forth and back, the straight way that leads where each
        pixel's curve is then."""
        reach = MOTION_REACH - 1
        known = max(pairs[0] - reach, 0), min(pairs[1] + reach, num_given - 1)
        flows = self._flows(given, first, known, sizes, skipped)
        bent = self._floats(2, 2, pairs[1] - pairs[0], 2, *sizes[skipped])
        self._device.launch(
            "bend_motion",
            (blocks(sizes[skipped][0] * sizes[skipped][1]), pairs[1] - pairs[0], 4),
            *(flows.address, known[0], known[1] - known[0], *sizes[skipped]),
            *(pairs[0], pairs[1] - pairs[0], shares, num_given, bent.address),
        )
        return bent

    def _flows(
        self, given: DeviceVolume, first: int, pairs: Span, sizes: list[Span], skipped: int
    ) -> Memory:
        """(2, pairs, 2, h, w): forth and back between each frame and the next, looked for in all
        sizes but the finest ones that are skipped."""
        _, _, height, width = given.shape
        count = pairs[1] - pairs[0]
        source = given.frames((pairs[0] - first, pairs[1] + 1 - first))
        greys = [self._floats(count + 1, height, width)]
        self._device.launch(
            "grey",
            (blocks(height * width), count + 1, 1),
            *(source.address, source.stride, greys[0].address, height * width),
        )
        for (rows, columns), (h, w) in pairwise(sizes):
            greys.append(self._floats(count + 1, h, w))
            self._device.launch(
                "grey_half",
                (blocks(h * w), count + 1, 1),
                *(greys[-2].address, rows, columns, greys[-1].address),
            )
        flows, coarse = None, (0, 0)
        if min(sizes[-1]) < PATCH:  # nothing can be followed
            return self._device.upload(np.zeros((2, count, 2, *sizes[skipped]), np.float32))
        for size, grey in zip(reversed(sizes[skipped:]), reversed(greys[skipped:]), strict=True):
            flows, coarse = self._finer(grey, size, flows, coarse, count), size
        assert flows is not None
        return flows

    def _finer(
        self, grey: Memory, size: tuple[int, int], flows: Memory | None, coarse: Span, count: int
    ) -> Memory:
        """The flows at one size from those at half of it, if there are any."""
        rows, columns = (-(-(side - PATCH) // STRIDE) + 1 for side in size)
        known = NOTHING
        kept = []
        for _ in range(ROUNDS):
            found = self._floats(2, count, 3, rows, columns)
            self._device.launch(
                "follow",
                (blocks(rows * columns), count, 2),
                *(grey.address, *size, flows.address if flows else NOTHING, *coarse),
                *(known, found.address, rows, columns, count),
            )
            known = found.address
            kept.append(found)
        made = self._floats(2, count, 2, *size)
        self._device.launch(
            "spread_motion",
            (blocks(size[0] * size[1]), count, 2),
            *(grey.address, *size, known, rows, columns, count, made.address),
        )
        return made

    def _floats(self, *shape: int) -> Memory:
        return self._device.allocate(4 * int(np.prod(shape)))


def _sizes(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Of a frame and its halves, as `tsr.core.motion` has them."""
    yield height, width
    while min(height, width) // 2 > PATCH:
        height, width = height // 2, width // 2
        yield height, width
