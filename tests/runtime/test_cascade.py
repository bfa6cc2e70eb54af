"""The coarse-to-fine loop: what must hold whatever the network does, and what must not show."""

import weakref
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.core import backproject as reference
from tsr.core import motion
from tsr.core.clip_io import ClipInfo, probe
from tsr.core.ladder import START_SCALES, NetworkPass, ScaleLadder
from tsr.core.metrics import psnr
from tsr.core.rect import exposure_weights, rect_downsample
from tsr.core.resize import apply_taps, double_taps, resize_hw, resize_t
from tsr.core.tiling import NETWORK_HALO
from tsr.core.volume import Volume, pad_to_multiple
from tsr.runtime.cascade import FramePyramid
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.plan import first_read, plan_segments
from tsr.runtime.recording import Network, interpolation
from tsr.runtime.streaming import super_resolve

HEIGHT, WIDTH, NUM_FRAMES = 47, 85, 7
"""An odd size, the shape of 853×479: every rung is padded, tiles never divide it."""

SIXTEENTH, EIGHTH, QUARTER, HALF, FULL = START_SCALES
WHOLE = (64, 256, 256)
"""A tile larger than any rung here: the untiled result."""


@pytest.fixture(scope="module")
def network(tiny_onnx: Path) -> OnnxNetwork:
    return OnnxNetwork(tiny_onnx)


@pytest.fixture(scope="module")
def video() -> Volume:
    """Moving spokes with noise on them, within black and white and touching both."""
    wheel = clips.rotating_spokes(NUM_FRAMES, HEIGHT, WIDTH, turn=0.05)
    noise = np.random.default_rng(0).random(wheel.shape, np.float32)
    return np.clip(0.8 * wheel + 0.2 * noise, 0, 1)


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory, video: Volume) -> ClipInfo:
    folder = clips.write_pngs(tmp_path_factory.mktemp("clip") / "frames", video)
    return probe(folder, fps=Fraction(30))


def frames_of(video: Volume) -> Iterator[NDArray[np.float32]]:
    return (np.ascontiguousarray(video[:, n]) for n in range(video.shape[1]))


def result(
    network: Network,
    video: Volume,
    info: ClipInfo,
    ladder: ScaleLadder,
    tile: tuple[int, int, int] = WHOLE,
    segment: int = NUM_FRAMES,
) -> Volume:
    backend = CpuBackend(network, tile)
    made = super_resolve(frames_of(video), info, ladder, backend, segment=segment)
    return np.stack(list(made), axis=1)


@pytest.fixture(
    scope="module",
    params=[
        ScaleLadder(EIGHTH, 8),
        ScaleLadder(QUARTER, 8),
        ScaleLadder(EIGHTH, 8, 0.5),
        ScaleLadder(QUARTER, 8, 0.6),
        ScaleLadder(QUARTER, 8, 0.6, HALF),
        ScaleLadder(SIXTEENTH, 8),
        ScaleLadder(QUARTER, 8, 0.6, QUARTER),
        ScaleLadder(EIGHTH, 8, interpolation="motion"),
        ScaleLadder(QUARTER, 8, 0.6, HALF, "motion"),
    ],
    ids=str,
)
def whole(
    request: pytest.FixtureRequest, network: OnnxNetwork, video: Volume, info: ClipInfo
) -> tuple[ScaleLadder, Volume]:
    """A ladder, and its result in one piece."""
    return request.param, result(network, video, info, request.param)


@pytest.mark.parametrize(
    ("tile", "segment"),
    [
        ((16, 96, 160), 3),  # the default tile
        ((4, 16, 16), 7),  # the smallest that is computed as it is
        ((2, 24, 40), 2),
        ((6, 7, 90), 1),  # below the smallest: computed larger, cut
        ((64, 33, 17), 4),
    ],
)
def test_tiles_and_segments_do_not_show(
    network: OnnxNetwork,
    video: Volume,
    info: ClipInfo,
    whole: tuple[ScaleLadder, Volume],
    tile: tuple[int, int, int],
    segment: int,
) -> None:
    """The tiled, segmented result has the very bits of the whole."""
    ladder, expected = whole
    found = result(network, video, info, ladder, tile, segment)
    np.testing.assert_array_equal(found, expected)


def test_the_output_averages_back_to_the_input(
    video: Volume, whole: tuple[ScaleLadder, Volume]
) -> None:
    """Frames 8n … 8n + 7 blur to input frame n wherever none of them is black or white."""
    ladder, made = whole
    assert made.shape == (3, 8 * NUM_FRAMES, HEIGHT, WIDTH)
    groups = made.reshape(3, NUM_FRAMES, 8, HEIGHT, WIDTH)
    unclipped = ((groups > 0) & (groups < 1)).all(axis=2)
    assert unclipped.mean() > 0.2
    error = np.abs(rect_downsample(made, 8, ladder.exposure) - video)[unclipped]
    assert error.max() <= 1 / 255


@pytest.mark.parametrize(
    ("start", "finest"),
    [(EIGHTH, FULL), (QUARTER, FULL), (FULL, FULL), (QUARTER, HALF), (HALF, HALF)],
)
@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("exposure", [0.75, 0.6, 0.3, 0.25, 0.0])
def test_the_output_blurs_back_by_any_exposure(
    video: Volume, info: ClipInfo, start: Fraction, finest: Fraction, factor: int, exposure: float
) -> None:
    """Whether the shutter closes with a frame of each rung or within one."""
    calm, ladder = 0.3 + 0.4 * video, ScaleLadder(start, factor, exposure, finest)
    made = result(interpolation, calm, info, ladder, segment=3)
    groups = made.reshape(3, NUM_FRAMES, factor, HEIGHT, WIDTH)
    unclipped = ((groups > 0) & (groups < 1)).all(axis=2)
    assert unclipped.mean() > 0.9
    found = np.average(groups, axis=2, weights=exposure_weights(factor, exposure))
    assert np.abs(found - calm)[unclipped].max() <= 1 / 255


def test_the_loop_is_the_papers_sequence_of_formulas(
    network: OnnxNetwork, video: Volume, info: ClipInfo, whole: tuple[ScaleLadder, Volume]
) -> None:
    """Written down plainly with core's formulas on whole volumes, the loop gives the same."""
    ladder, made = whole
    sizes = {Fraction(1): pad_to_multiple(video, ladder.multiple)}
    for n in range(ladder.halvings):
        big = sizes[Fraction(1, 2**n)]
        sizes[Fraction(1, 2 ** (n + 1))] = resize_hw(big, big.shape[2] // 2, big.shape[3] // 2)
    volume = sizes[ladder.start]
    halo = [(0, 0), *((m, m) for m in (NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w))]
    for step in ladder.steps:
        if isinstance(step, NetworkPass):
            if step.interpolation == "motion":
                base = motion.doubled(volume, step.exposure, halved=step.halves_motion)
            else:
                base = apply_taps(volume, double_taps(volume.shape[1], step.exposure), 1)
            guess = network(np.pad(base, halo, mode="edge"))
            volume = np.clip(reference.backproject_t(guess, volume, step.exposure), 0, 1)
        else:
            volume = reference.backproject(volume, sizes[step.after.s], ladder.exposure)
    passes_end = isinstance(ladder.steps[-1], NetworkPass)
    if passes_end and ladder.exposure == 0.6:  # the shutter closes within a frame of ×4
        known = sizes[Fraction(1)]
        volume = np.clip(reference.backproject_t(volume, known, ladder.exposure), 0, 1)
    volume = volume[:, :, :HEIGHT, :WIDTH]
    if ladder.interpolation == "motion":  # rounding may make a patch follow something else
        assert psnr(made, volume) > 50
    else:
        np.testing.assert_allclose(made, volume, rtol=0, atol=1e-4)


def test_the_network_matters(
    network: OnnxNetwork, video: Volume, info: ClipInfo, whole: tuple[ScaleLadder, Volume]
) -> None:
    """The invariants above are not those of a network that does nothing."""
    _, made = whole
    assert np.abs(made - resize_t(video, made.shape[1])).mean() > 0.01


@pytest.mark.parametrize("factor", [2, 4])
def test_shorter_ladders_keep_the_invariant(
    network: OnnxNetwork, video: Volume, info: ClipInfo, factor: int
) -> None:
    """×2 and ×4 blur back to the input, too."""
    made = result(network, video, info, ScaleLadder(EIGHTH, factor), segment=3)
    groups = made.reshape(3, NUM_FRAMES, factor, HEIGHT, WIDTH)
    unclipped = ((groups > 0) & (groups < 1)).all(axis=2)
    error = np.abs(groups.mean(axis=2) - video)[unclipped]
    assert error.max() <= 1 / 255


class CountingBackend(CpuBackend):
    """Knows how many of the input frames that it loaded are still alive."""

    def __init__(self, network: OnnxNetwork) -> None:
        super().__init__(network)
        self.loaded: list[weakref.ref[Volume]] = []

    def load(self, volume: Volume) -> Volume:
        loaded = np.array(volume)
        self.loaded.append(weakref.ref(loaded))
        return loaded

    @property
    def alive(self) -> int:
        return sum(reference() is not None for reference in self.loaded)


def test_memory_does_not_grow_with_the_length(network: OnnxNetwork) -> None:
    """However long the video, the input frames at hand are those of one segment's window."""
    ladder, num_frames, backend = ScaleLadder(EIGHTH, 8), 200, CountingBackend(network)
    read = 0

    def endless() -> Iterator[NDArray[np.float32]]:
        nonlocal read
        for n in range(num_frames):
            read += 1
            yield np.full((3, 16, 16), n / num_frames, np.float32)

    pyramid = FramePyramid(endless(), ladder, backend)
    most = 0
    for plan in plan_segments(ladder, num_frames, 4):
        pyramid.move(plan.window)
        assert read == plan.window[1]
        assert backend.alive == plan.window[1] - plan.window[0]
        most = max(most, backend.alive)
        known = pyramid.volume(Fraction(1), plan.frames)
        np.testing.assert_allclose(
            known[0, :, 0, 0] * num_frames, np.arange(*plan.frames), atol=1e-3
        )
    assert read == num_frames
    assert most < 24


def test_frames_leave_one_by_one_before_the_video_is_read(
    network: OnnxNetwork, video: Volume, info: ClipInfo
) -> None:
    """The loop streams: the first output frame needs only the first segment's window."""
    read = 0

    def counted() -> Iterator[NDArray[np.float32]]:
        nonlocal read
        for frame in frames_of(video):
            read += 1
            yield frame

    ladder = ScaleLadder(EIGHTH, 2)
    made = super_resolve(counted(), info, ladder, CpuBackend(network), segment=1)
    assert next(made).shape == (3, HEIGHT, WIDTH)
    assert read < NUM_FRAMES


@pytest.mark.parametrize("part", [(0, 3), (2, 5), (4, NUM_FRAMES), (6, 7)])
def test_a_part_is_the_same_as_in_the_whole(
    network: OnnxNetwork,
    video: Volume,
    info: ClipInfo,
    whole: tuple[ScaleLadder, Volume],
    part: tuple[int, int],
) -> None:
    """Bit for bit, and read from the first frame on that it depends on."""
    ladder, expected = whole
    first = first_read(ladder, part, NUM_FRAMES)
    frames = (frame for n, frame in enumerate(frames_of(video)) if n >= first)
    made = super_resolve(frames, info, ladder, CpuBackend(network, WHOLE), segment=2, part=part)
    np.testing.assert_array_equal(
        np.stack(list(made), axis=1), expected[:, 8 * part[0] : 8 * part[1]]
    )


def test_what_lies_far_before_a_part_is_not_read() -> None:
    """The ladder looks back a few frames, however long the video."""
    assert 0 < 1000 - first_read(ScaleLadder(EIGHTH, 8), (1000, 1004), 2000) < 12
