"""Every kernel against the formulas of `core`: as host C++ everywhere, and on a GPU."""

import re
from typing import Any

import numpy as np
import pytest

from tsr.core import backproject as reference
from tsr.core.errors import SettingsError
from tsr.core.rect import rect_downsample
from tsr.core.resize import apply_taps, resize_hw
from tsr.core.tiling import NETWORK_HALO
from tsr.core.tiling import gather as cut
from tsr.core.volume import Volume
from tsr.runtime.cuda_kernels import CudaKernels, DeviceVolume
from tsr.runtime.kernels import FOLDER, SIGNATURES
from tsr.runtime.plan import network_taps

ROUNDING = 2e-6
"""A few units in the last place of values near 1, sums of some twenty terms."""

EXPOSURES = [1.0, 0.6, 0.5, 0.25, 0.0]

LOW_SIZES = [(1, 1), (1, 2), (2, 3), (3, 2), (5, 4), (6, 8), (7, 9), (33, 66), (45, 37), (64, 132)]
"""(h, w): smaller than the taps, odd, multiples of four, and across the borders of tiles."""


def volume(*shape: int, seed: int = 0) -> Volume:
    return np.random.default_rng(seed).random(shape, np.float32)


def put(kernels: CudaKernels, array: Volume) -> DeviceVolume:
    """A copy on the device whose channels do not follow each other directly."""
    channels, frames, height, width = array.shape
    around = np.concatenate([array[:, :1] * np.nan, array, array[:, :1] * np.nan], axis=1)
    memory = kernels.device.upload(around)
    shape = (channels, frames + 2, height, width)
    whole = DeviceVolume(memory, memory.address, shape, (frames + 2) * height * width)
    return whole.frames((1, frames + 1))


def fetch(kernels: CudaKernels, array: DeviceVolume) -> Volume:
    made = np.empty(array.shape, np.float32)
    for channel, plane in enumerate(made):
        kernels.device.download(array.address + 4 * channel * array.stride, plane)
    return made


@pytest.fixture
def kernels(device: Any) -> CudaKernels:
    return CudaKernels(device)


def test_signatures_are_those_of_the_sources() -> None:
    """What Python packs is what each kernel takes, parameter by parameter."""
    text = "".join(path.read_text() for path in sorted(FOLDER.glob("*.cu")))
    found = {}
    for name, parameters in re.findall(r"KERNEL\((\w+),[^(]*\(([^)]*)\)", text):
        letters = {"Stride": "q", "int": "i"}
        kinds = [parameter.split() for parameter in parameters.split(",")]
        found[name] = "".join("P" if "*" in kind[-2] else letters[kind[-2]] for kind in kinds)
    assert found == SIGNATURES


@pytest.mark.parametrize(("h", "w"), LOW_SIZES)
def test_halve_agrees_with_core(kernels: CudaKernels, h: int, w: int) -> None:
    """Bicubic halving, borders included."""
    source = volume(3, 2, 2 * h, 2 * w)
    made = fetch(kernels, kernels.halve(put(kernels, source)))
    np.testing.assert_allclose(made, resize_hw(source, h, w), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("h", "w"), LOW_SIZES)
@pytest.mark.parametrize("factor", [1, 2, 8])
def test_climb_agrees_with_core(kernels: CudaKernels, h: int, w: int, factor: int) -> None:
    """The one-pass form equals the four steps of the reference up to rounding."""
    low, ltr = volume(3, 2 * factor, h, w), volume(3, 2, 2 * h, 2 * w, seed=1)
    made = fetch(kernels, kernels.climb(put(kernels, low), put(kernels, ltr)))
    expected = reference.backproject(low, ltr)
    np.testing.assert_allclose(made, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("exposure", EXPOSURES)
def test_climbed_groups_average_to_the_input(kernels: CudaKernels, exposure: float) -> None:
    """Re-blurring the result gives back the frames it was corrected against."""
    low, ltr = 0.4 + 0.2 * volume(3, 8, 17, 22), 0.4 + 0.2 * volume(3, 2, 34, 44, seed=1)
    made = fetch(kernels, kernels.climb(put(kernels, low), put(kernels, ltr), exposure))
    np.testing.assert_allclose(rect_downsample(made, 4, exposure), ltr, rtol=0, atol=1e-5)
    expected = reference.backproject(low, ltr, exposure)
    np.testing.assert_allclose(made, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("exposure", EXPOSURES)
@pytest.mark.parametrize("factor", [1, 2, 8])
def test_shift_agrees_with_core(kernels: CudaKernels, factor: int, exposure: float) -> None:
    """Groups are corrected where they lie, and clipped."""
    guess, known = volume(3, 2 * factor, 19, 23) * 2 - 0.5, volume(3, 2, 19, 23, seed=1)
    made = put(kernels, guess)
    kernels.shift(made, put(kernels, known), exposure)
    expected = np.clip(reference.backproject_t(guess, known, exposure), 0, 1)
    np.testing.assert_allclose(fetch(kernels, made), expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("height", "width"), [(5, 4), (21, 36), (19, 37)])
@pytest.mark.parametrize("made", [(0, 4), (6, 22), (2, 12), (18, 24)])
@pytest.mark.parametrize(("top", "left"), [(0, 0), (12, 16), (8, 32)])
def test_gather_agrees_with_core(
    kernels: CudaKernels, height: int, width: int, made: tuple[int, int], top: int, left: int
) -> None:
    """Interpolated frames with the tile's halo; beyond the video its border repeats."""
    given, taps = volume(3, 12, height, width), network_taps(made, 12)
    first, last = taps.needs()
    frames = made[1] - made[0] + 8  # two more than asked for: they repeat the last one
    window = kernels.volume(3, frames, 8 + 16, 20 + 16)
    source = put(kernels, given).frames((first, last))
    table = kernels.time_table(taps.within(first, last), frames)
    kernels.gather(source, table, top, left, window)
    base = apply_taps(given, taps, 1)
    expected = cut(base, (top, top + 8), (left, left + 20), NETWORK_HALO)
    found = fetch(kernels, window)
    np.testing.assert_allclose(found[:, :-2], expected, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(found[:, -2:], expected[:, [-1, -1]], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("height", "width"), [(9, 24), (10, 23), (3, 5)])
@pytest.mark.parametrize("exposure", EXPOSURES)
def test_place_agrees_with_core(
    kernels: CudaKernels, height: int, width: int, exposure: float
) -> None:
    """Tiles of two sizes cover a volume and leave it corrected in time and clipped."""
    full, known = volume(3, 6, 16, 32) * 2 - 0.5, volume(3, 3, height, width, seed=1)
    guess = full[:, :, :height, :width]
    expected = np.clip(reference.backproject_t(guess, known, exposure), 0, 1)
    for rows, columns in ((16, 32), (4, 8)):
        made = kernels.volume(3, 6, height, width)
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                part = np.zeros((3, 8, rows, columns), np.float32)  # two frames too many
                part[:, :6] = full[:, :, top : top + rows, left : left + columns]
                memory = kernels.device.upload(part)
                tile = DeviceVolume(memory, memory.address, part.shape, 8 * rows * columns)
                kernels.place(tile, put(kernels, known), made, top, left, exposure)
        np.testing.assert_allclose(fetch(kernels, made), expected, rtol=0, atol=ROUNDING)


def test_volumes_that_do_not_fit_are_refused(kernels: CudaKernels) -> None:
    """A wrong shape is an error in words, not a wrong address."""
    odd = put(kernels, volume(3, 2, 5, 4))
    with pytest.raises(SettingsError, match="4×5 cannot be halved"):
        kernels.halve(odd)
    with pytest.raises(SettingsError, match="does not refine"):
        kernels.climb(odd, odd)
    with pytest.raises(SettingsError, match="does not refine"):
        kernels.shift(odd, put(kernels, volume(3, 1, 5, 5)))
    with pytest.raises(SettingsError, match="frames 1 to 3"):
        odd.frames((1, 3))
    with pytest.raises(SettingsError, match="1 frames of 11×4 do not fit"):
        odd.shaped(1, 4, 11)
