"""The exposure model, and the corrections that make a guess agree with what is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tsr.core.backproject import backproject, backproject_hw, backproject_t
from tsr.core.errors import SettingsError
from tsr.core.rect import rect_downsample, rect_expand
from tsr.core.resize import resize_hw

ROUNDING = 2e-6


def noise(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random(shape, np.float32)


def test_rect_is_the_mean_of_each_group() -> None:
    """Frame n is the mean of frames k·n … k·n + k − 1."""
    volume = noise(3, 6, 2, 2)
    found = rect_downsample(volume, 3)
    np.testing.assert_allclose(found[:, 0], volume[:, :3].mean(1), rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(found[:, 1], volume[:, 3:].mean(1), rtol=0, atol=ROUNDING)
    assert found.dtype == np.float32


def test_rect_drops_no_frame_silently() -> None:
    """A length that does not divide is refused."""
    with pytest.raises(SettingsError, match="7 frames cannot be averaged in groups of 2"):
        rect_downsample(noise(1, 7, 1, 1), 2)


@given(groups=st.integers(1, 5), factor=st.integers(1, 8), seed=st.integers(0, 99))
def test_expanding_is_the_adjoint_of_rect_scaled(groups: int, factor: int, seed: int) -> None:
    """<rect x, y> = <x, expand y> / k, and rect of the expansion gives the frames back."""
    x, y = noise(1, groups * factor, 2, 2, seed=seed), noise(1, groups, 2, 2, seed=seed + 1)
    forward = float((rect_downsample(x, factor) * y).sum())
    backward = float((x * rect_expand(y, factor)).sum()) / factor
    assert forward == pytest.approx(backward, rel=1e-4)
    again = rect_downsample(rect_expand(y, factor), factor)
    np.testing.assert_allclose(again, y, rtol=0, atol=ROUNDING)


def test_two_rects_are_one() -> None:
    """Averaging by 2 and then by 4 is averaging by 8: the ladder's rungs nest."""
    volume = noise(3, 16, 3, 3)
    nested = rect_downsample(rect_downsample(volume, 2), 4)
    np.testing.assert_allclose(rect_downsample(volume, 8), nested, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_a_temporal_correction_makes_the_guess_consistent(factor: int) -> None:
    """Re-blurred, the corrected guess is the known video; corrected again, it stays."""
    guess, ltr = noise(3, 2 * factor, 5, 7), noise(3, 2, 5, 7, seed=1)
    corrected = backproject_t(guess, ltr)
    np.testing.assert_allclose(rect_downsample(corrected, factor), ltr, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(backproject_t(corrected, ltr), corrected, rtol=0, atol=ROUNDING)


def test_a_temporal_correction_changes_no_detail_in_time() -> None:
    """Differences between the frames of a group are the guess's own."""
    guess, ltr = noise(3, 8, 4, 4), noise(3, 2, 4, 4, seed=1)
    corrected = backproject_t(guess, ltr)
    within = [0, 1, 2, 4, 5, 6]
    np.testing.assert_allclose(
        np.diff(corrected, axis=1)[:, within], np.diff(guess, axis=1)[:, within], atol=ROUNDING
    )


def test_a_spatial_correction_brings_the_guess_closer() -> None:
    """Shrunk, the corrected guess is nearer to the small video than before."""
    guess, low = noise(3, 2, 16, 24), noise(3, 2, 8, 12, seed=1)
    before = np.abs(resize_hw(guess, 8, 12) - low).mean()
    after = np.abs(resize_hw(backproject_hw(guess, low), 8, 12) - low).mean()
    assert after < 0.5 * before


def test_a_guess_that_already_agrees_is_left_alone() -> None:
    """No error, no correction."""
    guess = noise(3, 4, 8, 8)
    low, ltr = resize_hw(guess, 4, 4), rect_downsample(guess, 4)
    np.testing.assert_allclose(backproject_hw(guess, low), guess, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(backproject_t(guess, ltr), guess, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_climb_reblurs_to_the_known_video(factor: int) -> None:
    """Groups average to the known frames wherever nothing clipped, and all stays in [0, 1]."""
    low, ltr = noise(3, 2 * factor, 8, 12), noise(3, 2, 16, 24, seed=1)
    high = backproject(low, ltr)
    assert high.min() >= 0
    assert high.max() <= 1
    groups = high.reshape(3, 2, factor, 16, 24)
    unclipped = ((groups > 0) & (groups < 1)).all(axis=2)
    assert unclipped.mean() > 0.05
    np.testing.assert_allclose(groups.mean(axis=2)[unclipped], ltr[unclipped], atol=1e-5)


def test_a_guess_of_another_size_is_refused() -> None:
    """The message shows both shapes."""
    with pytest.raises(SettingsError, match="does not refine"):
        backproject_t(noise(3, 4, 5, 5), noise(3, 3, 5, 5))
    with pytest.raises(SettingsError, match="does not refine"):
        backproject_t(noise(3, 4, 5, 5), noise(3, 2, 5, 6))
