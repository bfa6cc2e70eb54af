"""The exposure model, and the corrections that make a guess agree with what is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tsr.core.backproject import backproject, backproject_hw, backproject_t
from tsr.core.errors import SettingsError
from tsr.core.rect import exposure_after, exposure_weights, opened, rect_downsample, rect_expand
from tsr.core.resize import resize_hw

ROUNDING = 2e-6

EXPOSURES = [1.0, 0.75, 0.6, 0.5, 0.25, 0.0]


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


def test_the_full_exposure_is_the_papers_rect_bit_for_bit() -> None:
    """Weights of one change nothing."""
    volume = noise(3, 16, 5, 7)
    groups = volume.reshape(3, 2, 8, 5, 7)
    np.testing.assert_array_equal(rect_downsample(volume, 8), groups.mean(2, dtype=np.float32))


@pytest.mark.parametrize(
    ("exposure", "shares"),
    [
        (1.0, [1, 1, 1, 1]),
        (0.75, [1, 1, 1, 0]),
        (0.6, [1, 1, 0.4, 0]),
        (0.5, [1, 1, 0, 0]),
        (0.1, [1, 0, 0, 0]),
        (0.0, [1, 0, 0, 0]),
    ],
)
def test_the_shutter_opens_with_the_group(exposure: float, shares: list[float]) -> None:
    """A frame that it covers in part counts in part; the mean is over what is open."""
    np.testing.assert_allclose(opened(4, exposure), shares, atol=1e-6)
    volume = noise(2, 8, 3, 3)
    expected = np.average(volume.reshape(2, 2, 4, 3, 3), axis=2, weights=shares)
    np.testing.assert_allclose(rect_downsample(volume, 4, exposure), expected, atol=ROUNDING)


@pytest.mark.parametrize("exposure", [1.0, 0.75, 0.5, 0.25, 0.0])
def test_exposures_nest(exposure: float) -> None:
    """From ×8 down to ×4 and on: the finer frames are open as long, within their own interval."""
    volume = noise(3, 16, 3, 3)
    finer = rect_downsample(volume, 2, exposure_after(4, exposure))
    nested = rect_downsample(finer, 4, exposure)
    np.testing.assert_allclose(rect_downsample(volume, 8, exposure), nested, atol=ROUNDING)


@pytest.mark.parametrize("exposure", [-0.1, 1.1, float("nan")])
def test_no_other_exposures_exist(exposure: float) -> None:
    """The message says what there is."""
    with pytest.raises(SettingsError, match=r"exposure .*expected 0"):
        opened(2, exposure)


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
@pytest.mark.parametrize("exposure", EXPOSURES)
def test_a_temporal_correction_makes_the_guess_consistent(factor: int, exposure: float) -> None:
    """Re-blurred, the corrected guess is the known video; corrected again, it stays."""
    guess, ltr = noise(3, 2 * factor, 5, 7), noise(3, 2, 5, 7, seed=1)
    corrected = backproject_t(guess, ltr, exposure)
    found = rect_downsample(corrected, factor, exposure)
    np.testing.assert_allclose(found, ltr, rtol=0, atol=ROUNDING)
    again = backproject_t(corrected, ltr, exposure)
    np.testing.assert_allclose(again, corrected, rtol=0, atol=ROUNDING)


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
@pytest.mark.parametrize("exposure", EXPOSURES)
def test_a_climb_reblurs_to_the_known_video(factor: int, exposure: float) -> None:
    """Groups average to the known frames wherever nothing clipped, and all stays in [0, 1]."""
    low, ltr = noise(3, 2 * factor, 8, 12), noise(3, 2, 16, 24, seed=1)
    high = backproject(low, ltr, exposure)
    assert high.min() >= 0
    assert high.max() <= 1
    groups = high.reshape(3, 2, factor, 16, 24)
    unclipped = ((groups > 0) & (groups < 1)).all(axis=2)
    assert unclipped.mean() > 0.05
    found = np.average(groups, axis=2, weights=exposure_weights(factor, exposure))
    np.testing.assert_allclose(found[unclipped], ltr[unclipped], atol=1e-5)


def test_a_guess_of_another_size_is_refused() -> None:
    """The message shows both shapes."""
    with pytest.raises(SettingsError, match="does not refine"):
        backproject_t(noise(3, 4, 5, 5), noise(3, 3, 5, 5))
    with pytest.raises(SettingsError, match="does not refine"):
        backproject_t(noise(3, 4, 5, 5), noise(3, 2, 5, 6))
