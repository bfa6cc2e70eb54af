"""The CUDA backend against the CPU backend: same ladder, same frames, whatever the tiles."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from ladders import climb_ladder, clip

from tsr.core.ladder import ScaleLadder
from tsr.core.metrics import psnr
from tsr.core.volume import Volume, padded_size
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.cuda_kernels import DeviceVolume
from tsr.runtime.plan import plan_segments

ROUNDING = 1e-5
"""Three back-projections and network passes, each exact to a few units in the last place."""


def stencil(window: Volume) -> Volume:
    """A stand-in for the network with its whole receptive field, T + 6 frames in and T out."""
    near = window[:, 3:-3, 8:-8, 8:-8]
    far = window[:, :-6, :-16, 16:] - window[:, 6:, 16:, :-16]
    made: Volume = near + np.float32(0.2) * far
    return made


class StencilNetwork:
    """`stencil` where the volumes are; refuses windows of more than `limit` voxels."""

    name = "stencil"

    def __init__(self, device: Any, limit: int = 10**9, any_shape: bool = False) -> None:
        self.device, self.limit, self.any_shape = device, limit, any_shape
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, window: DeviceVolume, made: DeviceVolume) -> None:
        if np.prod(window.shape) > self.limit:
            raise MemoryError
        self.shapes.append(window.shape)
        given = np.empty(window.shape, np.float32)
        self.device.download(window.address, given)
        result = self.device.upload(np.ascontiguousarray(stencil(given)))
        self.device.copy(made.address, result.address, 4 * int(np.prod(made.shape)))


@pytest.mark.parametrize(
    "ladder",
    [
        ("1/4", 8), ("1/8", 8), ("1/2", 4), ("1", 2), ("1/4", 8, 0.6), ("1/8", 8, 0.25),
        ("1/4", 8, 0.6, Fraction(1, 2)),
    ],
)  # fmt: skip
def test_the_ladder_gives_the_frames_of_the_cpu(device: Any, ladder: tuple[Any, ...]) -> None:
    """Network passes and climbs in device memory, segment by segment, at odd sizes."""
    steps = ScaleLadder(Fraction(ladder[0]), *ladder[1:])
    video = clip(5, 90, 123)
    cpu = CpuBackend(stencil, (16, 96, 160))  # type: ignore[arg-type]
    cuda = CudaBackend(device, StencilNetwork(device), (8, 40, 64))
    expected = climb_ladder(cpu, video, steps, segment=5)
    found = climb_ladder(cuda, video, steps, segment=2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)
    assert set(cuda.network.shapes) == {(3, 14, 56, 80)}  # one shape, so one search for algorithms
    assert set(cuda.seconds) == {"back-projection", "network"}


def test_frames_moved_on_the_host_are_those_of_the_cpu(device: Any) -> None:
    """But for places where rounding made a patch follow something else."""
    steps = ScaleLadder(Fraction(1, 4), 8, interpolation="motion")
    video = clip(5, 90, 123)
    cpu = CpuBackend(stencil, (16, 96, 160))  # type: ignore[arg-type]
    cuda = CudaBackend(device, StencilNetwork(device), (8, 40, 64))
    expected = climb_ladder(cpu, video, steps, segment=5)
    assert psnr(climb_ladder(cuda, video, steps, segment=2), expected) > 45
    assert set(cuda.seconds) == {"back-projection", "motion", "network"}
    again = climb_ladder(CudaBackend(device, StencilNetwork(device), (4, 20, 24)), video, steps, 3)
    found = climb_ladder(cuda, video, steps, segment=2)
    np.testing.assert_array_equal(again, found)


def test_tiles_and_segments_do_not_show(device: Any) -> None:
    """Any cut of space and time gives the same bits, in tiles of one shape and of any."""
    steps, video = ScaleLadder(Fraction(1, 4), 8), clip(6, 64, 104)
    cuts = [((32, 64, 104), 6), ((8, 24, 36), 6), ((2, 17, 12), 1), ((6, 40, 200), 4)]
    results = [
        climb_ladder(CudaBackend(device, network, tile), video, steps, segment)
        for network in (StencilNetwork(device), StencilNetwork(device, any_shape=True))
        for tile, segment in cuts
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_where_any_shape_is_as_good_the_network_makes_what_is_there(device: Any) -> None:
    """On coarse rungs, at the end of a segment and at the border: its voxels are the plan's, but
    for pairs of frames and fours of columns."""
    steps, video = ScaleLadder(Fraction(1, 2), 4), clip(5, 90, 146)
    asked = {}
    for any_shape in (False, True):
        network = StencilNetwork(device, any_shape=any_shape)
        climb_ladder(CudaBackend(device, network, (8, 64, 64)), video, steps, segment=3)
        asked[any_shape] = [(t - 6, h - 16, w - 16) for _, t, h, w in network.shapes]
    voxels = {way: sum(math.prod(shape) for shape in shapes) for way, shapes in asked.items()}
    plans = plan_segments(steps, 5, 3)
    wanted = sum(plan.network_voxels(*padded_size(90, 146, steps.multiple)) for plan in plans)
    assert wanted <= voxels[True] < 1.04 * wanted
    assert voxels[False] > 1.8 * wanted
    assert len(asked[True]) == len(asked[False])
    # 146 columns in three tiles of 64 at most, 74 in two; none is a narrow one.
    assert {w for _, _, w in asked[True]} == {40, 36, 52, 44}


def test_a_tile_too_large_for_the_device_is_halved(device: Any) -> None:
    """Running out of memory costs a retry with smaller tiles; the frames are the same."""
    steps, video = ScaleLadder(Fraction(1, 2), 4), clip(3, 64, 104)
    roomy = CudaBackend(device, StencilNetwork(device), (8, 64, 104))
    tight = CudaBackend(device, StencilNetwork(device, limit=140_000), (8, 64, 104))
    expected = climb_ladder(roomy, video, steps, segment=3)
    np.testing.assert_array_equal(climb_ladder(tight, video, steps, segment=3), expected)
    assert roomy.tile == (8, 64, 104)
    assert tight.tile == (8, 32, 52)
    assert roomy.notes == []
    (note,) = tight.notes
    assert "too little free memory for --tile 8 64 104; went on with --tile 8 32 52" in note
    hopeless = CudaBackend(device, StencilNetwork(device, limit=1), (8, 64, 104))
    with pytest.raises(MemoryError, match="no room even for tiles of 8 frames of 28×32"):
        climb_ladder(hopeless, video, steps, segment=3)
