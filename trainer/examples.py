"""Internal training examples: crops of the video across scales and across dimensions (paper 3).

Every kind of example is an affine view of a rescaled copy of the video. A crop voxel (i, j, k) lies
at `start + i·role_t + j·role_y + k·role_x`, where the roles say which axis of the copy acts as
time, row and column: within the dimension they are t, y, x; across dimensions two are swapped;
for a shifted frame, time moves along y and x. Mirrors, 90° rotations and time reversal change the
roles too. So one gather cuts a whole batch, on any device (`tsr.trainer.crops`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.rect import rect_downsample
from tsr.core.resize import resize_hw
from tsr.core.volume import Volume
from tsr.trainer.config import FixedExamples

# The numbers of the release (method-notes.md, 'Training'), but for coarser time: frames of 3 to 5
# together are too far from what the network is given; without them the first pass gains 0.15 dB.
SPATIAL_SCALES = (1, 0.9, 0.81, 0.73, 0.65, 0.59, 0.53, 0.47, 0.43, 0.38, 0.34, 0.31, 0.28, 0.25)
RECT_WITHIN = (1, 2)
RECT_ACROSS = (1, 2)
SHIFT_ACROSS = 0.3

KIND_SHARES: dict[FixedExamples, dict[str, float]] = {
    "both": {"within": 0.4, "across": 0.4, "shift": 0.2},
    "within": {"within": 0.8, "shift": 0.2},
    "across": {"across": 0.8, "shift across": 0.2},
}

Roles = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]
"""For the crop's time, row and column: the step along the copy's (t, y, x)."""

WITHIN: Roles = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
ACROSS_X: Roles = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
ACROSS_Y: Roles = ((0, 1, 0), (1, 0, 0), (0, 0, 1))
# One frame moving by a pixel per frame; the other directions come from the mirrors.
SHIFTS: tuple[Roles, ...] = tuple(
    ((0, *step), (0, 1, 0), (0, 0, 1)) for step in ((0, 1), (1, 0), (1, 1))
)


@dataclass(frozen=True)
class Source:
    """Crops of one rescaled copy in one reading of its axes.

    Args:
        copy: the rescaled volume (C, T, H, W).
        roles: how the crop's axes run through the copy.
        share: probability of a crop coming from here, beside the other sources' shares.
    """

    copy: Volume
    roles: Roles
    share: float

    def extent(self, crop: tuple[int, int, int]) -> tuple[int, int, int]:
        """How far a crop reaches along the copy's (t, y, x), in voxels."""
        reach = np.abs(np.array(self.roles)).T @ (np.array(crop) - 1) + 1
        return int(reach[0]), int(reach[1]), int(reach[2])

    def fits(self, crop: tuple[int, int, int]) -> bool:
        """Whether the copy holds at least one crop."""
        return all(e <= n for e, n in zip(self.extent(crop), self.copy.shape[1:], strict=True))


def internal_sources(
    video: Volume,
    crop: tuple[int, int, int],
    examples: FixedExamples = "both",
    exposure: float = FULL,
) -> list[Source]:
    """All sources of crops that a coarse video (C, T, H, W) offers.

    Args:
        exposure: that the frames of a crop shall have, as a fraction of their interval: what the
            network is to make.

    Raises:
        SettingsError: the video is too small or too short to hold a single crop.
    """
    shares = KIND_SHARES[examples]
    found: list[Source] = []
    for kind, sources in _by_kind(video, crop, exposure).items():
        fitting = [source for source in sources if source.fits(crop)]
        total = sum(source.share for source in fitting)
        found += [
            Source(source.copy, source.roles, shares[kind] * source.share / total)
            for source in fitting
            if kind in shares
        ]
    if not found:
        raise SettingsError(
            f"a video of {video.shape[1]} frames of {video.shape[3]}×{video.shape[2]} pixels at "
            f"the coarsest rung holds no crop of {crop}; use a longer or larger video"
        )
    total = sum(source.share for source in found)
    return [Source(source.copy, source.roles, source.share / total) for source in found]


def _by_kind(video: Volume, crop: tuple[int, int, int], exposure: float) -> dict[str, list[Source]]:
    kinds: dict[str, list[Source]] = {"within": [], "across": [], "shift": [], "shift across": []}
    for copy in spatial_copies(video, crop, SPATIAL_SCALES):
        area = float(copy.shape[2] * copy.shape[3])
        shortest = max(crop)
        for k in RECT_WITHIN:
            coarse = _rect_along(copy, 1, k, shortest, exposure)
            if coarse is not None:
                kinds["within"].append(Source(coarse, WITHIN, area / k))
        tall = _rect_along(copy, 1, 1, shortest, exposure)
        if tall is None:
            continue
        for k in RECT_ACROSS:
            for axis, roles in ((3, ACROSS_X), (2, ACROSS_Y)):
                coarse = _rect_along(tall, axis, k, shortest, exposure)
                if coarse is not None:
                    kinds["across"].append(Source(coarse, roles, area / k))
        for roles in SHIFTS:
            t, y, x = roles
            share = area * (1 - SHIFT_ACROSS)
            kinds["shift"].append(Source(tall, roles, share))
            for swapped in ((x, y, t), (y, t, x)):
                source = Source(tall, swapped, area * SHIFT_ACROSS / 2)
                kinds["shift"].append(source)
                kinds["shift across"].append(source)
    return kinds


def spatial_copies(
    video: Volume, crop: tuple[int, int, int], scales: Sequence[float]
) -> Iterator[Volume]:
    """A video (C, T, H, W) at some sizes, as shares of its own; none whose shorter side is shorter
    than that of a crop."""
    height, width = video.shape[2:]
    for scale in scales:
        size = round(height * scale), round(width * scale)
        if min(size) >= min(crop[1:]):
            yield video if scale == 1 else resize_hw(video, *size)


def _rect_along(copy: Volume, axis: int, k: int, shortest: int, exposure: float) -> Volume | None:
    """Average groups of k along an axis; a short time axis is continued by its mirror image.

    Mirrored time is what time reversal produces anyway; without it a clip of 27 frames would have
    no coarser temporal copy that holds a crop of 16.
    """
    groups = copy.shape[axis] // k
    if k == 1 and groups >= shortest:
        return copy
    moved = np.moveaxis(copy, axis, 1)[:, : groups * k]
    coarse = moved if k == 1 else rect_downsample(moved, k, exposure)
    if axis == 1 and shortest // 2 <= groups < shortest:
        coarse = np.concatenate([coarse, coarse[:, ::-1]], axis=1)
    elif groups < shortest:
        return None
    return np.ascontiguousarray(np.moveaxis(coarse, 1, axis))
