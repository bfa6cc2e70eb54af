"""The one cubic formula, against Pillow, torch and its own algebra."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tsr.core.rect import rect_downsample
from tsr.core.resize import (
    apply_taps,
    cubic_taps,
    double_taps,
    halving_matrix,
    resize_hw,
    resize_t,
)

ROUNDING = 2e-6
"""A few units in the last place of values near 1."""

SIZES = [(8, 16), (16, 8), (9, 18), (18, 9), (30, 7), (7, 30), (13, 13), (5, 4), (41, 12), (1, 2)]
lengths = st.integers(1, 60)


def noise(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_agrees_with_pillow(n_in: int, n_out: int) -> None:
    """A float image, both axes resized by Pillow's BICUBIC: the same up to rounding."""
    from PIL import Image

    picture = noise(n_in, n_in + 3)
    size = (2 * n_out, n_out)  # Pillow names the width first
    expected = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    found = resize_hw(picture[None, None], n_out, 2 * n_out)[0, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_agrees_with_torch(n_in: int, n_out: int) -> None:
    """`interpolate` with antialiasing uses the same kernel, centres and renormalisation."""
    import torch

    picture = noise(3, 2, n_in, n_in + 5)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(picture), (n_out, n_out + 2), mode="bicubic", antialias=True
    )
    found = resize_hw(picture, n_out, n_out + 2)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)


@given(n_in=lengths, n_out=lengths, level=st.floats(0, 1, width=32))
def test_constant_volumes_stay_constant(n_in: int, n_out: int, level: float) -> None:
    """Weights of every output sample sum to one, at the borders too."""
    flat = np.full((1, n_in, 1, 1), level, np.float32)
    np.testing.assert_allclose(resize_t(flat, n_out), level, rtol=0, atol=1e-6)


@given(n=lengths)
def test_the_same_length_is_the_identity(n: int) -> None:
    """Nothing is interpolated where nothing lies between samples."""
    np.testing.assert_array_equal(cubic_taps(n, n).matrix(), np.eye(n, dtype=np.float32))


@given(n_in=lengths, n_out=lengths)
def test_a_mirrored_axis_gives_the_mirrored_result(n_in: int, n_out: int) -> None:
    """Half-pixel centres favour neither end."""
    matrix = cubic_taps(n_in, n_out).matrix()
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], rtol=0, atol=1e-6)


@given(n_in=lengths, n_out=lengths, axis=st.integers(0, 3), seed=st.integers(0, 99))
def test_the_matrix_is_the_operator(n_in: int, n_out: int, axis: int, seed: int) -> None:
    """`matrix()` and `apply_taps` are two forms of one operator, along any axis."""
    shape = [2, 2, 2, 2]
    shape[axis] = n_in
    volume, taps = noise(*shape, seed=seed), cubic_taps(n_in, n_out)
    expected = np.moveaxis(np.tensordot(taps.matrix(), volume, (1, axis)), 0, axis)
    np.testing.assert_allclose(apply_taps(volume, taps, axis), expected, rtol=0, atol=ROUNDING)


def test_the_transposed_matrix_is_the_adjoint() -> None:
    """<A x, y> = <x, Aᵀ y>: what back-projection in a gradient sense relies on."""
    taps = cubic_taps(24, 12)
    x, y = noise(24), noise(12, seed=1)
    forward = apply_taps(x, taps, 0) @ y
    np.testing.assert_allclose(forward, x @ (taps.matrix().T @ y), rtol=1e-5)


def test_enlarging_a_ramp_keeps_it_straight_inside() -> None:
    """Keys' kernel reproduces straight lines away from the borders."""
    ramp = np.arange(16, dtype=np.float32)[None, :, None, None] / 16
    found = resize_t(ramp, 32)[0, 4:-4, 0, 0]
    expected = ((np.arange(32) + 0.5) / 2 - 0.5)[4:-4] / 16
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("halvings", [0, 1, 2, 3])
def test_halving_matrix_equals_repeated_halving(halvings: int) -> None:
    """The trainer's single matrix is the runtime's pyramid, level by level."""
    size = 48
    picture = noise(1, 1, size, size)
    expected = picture
    for _ in range(halvings):
        expected = resize_hw(expected, expected.shape[2] // 2, expected.shape[3] // 2)
    matrix = halving_matrix(size, halvings)
    found = matrix @ picture @ matrix.T
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_rows_within_a_needed_range_give_the_same_samples() -> None:
    """Chosen output samples, computed from the input range they name, are those of the whole."""
    volume, taps = noise(1, 20, 2, 2), cubic_taps(20, 40)
    whole = apply_taps(volume, taps, 1)
    for first, last in [(0, 3), (11, 12), (17, 40)]:
        part = taps.rows(np.arange(first, last))
        needed = part.needs()
        assert 0 <= needed[0] < needed[1] <= 20
        cut = volume[:, slice(*needed)]
        np.testing.assert_array_equal(
            apply_taps(cut, part.within(*needed), 1), whole[:, first:last]
        )


def test_doubling_after_a_full_exposure_is_the_resize_in_time() -> None:
    """The same table, bit for bit."""
    found, expected = double_taps(9), cubic_taps(9, 18)
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.weight, expected.weight)


@pytest.mark.parametrize("exposure", [1.0, 0.75, 0.6, 0.5, 0.25, 0.0])
def test_doubling_finds_the_instants_again(exposure: float) -> None:
    """Brightness that rises evenly is blurred by rect_2 and found again inside the video."""
    ramp = np.linspace(0, 1, 24, dtype=np.float32).reshape(1, 24, 1, 1)
    ltr = rect_downsample(ramp, 2, exposure)
    found = apply_taps(ltr, double_taps(12, exposure), 1)
    np.testing.assert_allclose(found[:, 4:-4], ramp[:, 4:-4], rtol=0, atol=ROUNDING)


def test_doubling_keeps_frames_that_were_open_for_half_the_interval() -> None:
    """They are the first of their pair; the second lies between two of them."""
    slow = noise(1, 8, 2, 2)
    found = apply_taps(slow, double_taps(8, 0.5), 1)
    np.testing.assert_array_equal(found[:, ::2], slow)
    middle = (9 * (slow[:, 2:-3] + slow[:, 3:-2]) - slow[:, 1:-4] - slow[:, 4:-1]) / 16
    np.testing.assert_allclose(found[:, 5:-5:2], middle, rtol=0, atol=ROUNDING)
