"""The baselines at the true phases, on volumes and frame by frame."""

import numpy as np
import pytest

from tsr.core.backproject import backproject_t
from tsr.core.errors import SettingsError
from tsr.core.rect import rect_downsample, rect_expand
from tsr.core.resize import resize_t
from tsr.evaluation.baselines import METHODS, cubic_bp, linear, nearest, upsampled


def _volume(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((3, frames, 5, 6), dtype=np.float32)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7])
def test_linear_is_numpy_interpolation_at_the_true_phases(factor: int, frames: int):
    """Output f·n + j is np.interp at n + (j + 0.5) / f - 0.5, with the ends held."""
    ltr = _volume(frames)
    at = (np.arange(frames * factor) + 0.5) / factor - 0.5
    expected = np.empty((3, frames * factor, 5, 6))
    for c, y, x in np.ndindex(3, 5, 6):
        expected[c, :, y, x] = np.interp(at, np.arange(frames), ltr[c, :, y, x])
    np.testing.assert_allclose(linear(ltr, factor), expected, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("frames", [1, 2, 3, 5, 9])
def test_cubic_bp_is_the_reference_operators_in_turn(factor: int, frames: int):
    """Frame by frame gives what the volume operators of `core` give: cubic, back-project, clip."""
    ltr = _volume(frames, 1)
    guess = resize_t(ltr, frames * factor)
    expected = np.clip(backproject_t(guess, ltr), 0, 1)
    np.testing.assert_allclose(cubic_bp(ltr, factor), expected, atol=2e-6)


def test_cubic_bp_keeps_the_input():
    """Re-blurring gives the input back where nothing clips."""
    ltr = 0.3 + 0.4 * _volume(6, 2)
    np.testing.assert_allclose(rect_downsample(cubic_bp(ltr, 8), 8), ltr, atol=1e-6)


def test_nearest_repeats():
    """Each frame stands for its whole exposure, bit for bit."""
    ltr = _volume(4)
    np.testing.assert_array_equal(nearest(ltr, 8), rect_expand(ltr, 8))


@pytest.mark.parametrize("method", METHODS)
def test_a_ramp_in_time_stays_a_ramp(method: str):
    """Away from the ends interpolation keeps a steady change; repeating makes steps of it."""
    ramp = np.linspace(0.1, 0.9, 9, dtype=np.float32)
    ltr = np.broadcast_to(ramp[None, :, None, None], (3, 9, 2, 2)).copy()
    steps = np.diff(np.stack(list(upsampled(ltr.transpose(1, 0, 2, 3), 4, method)))[:, 0, 0, 0])
    if method == "nearest":
        np.testing.assert_allclose(steps, np.where(np.arange(35) % 4 == 3, 0.1, 0.0), atol=1e-6)
    else:
        np.testing.assert_allclose(steps[8:-8], 0.1 / 4, atol=1e-6)


def test_few_frames_are_held_at_a_time():
    """The generator asks for no more than two frames beyond the one it writes."""
    taken = 0

    def source():
        nonlocal taken
        for frame in _volume(20).transpose(1, 0, 2, 3):
            taken += 1
            yield frame

    for count, _ in enumerate(upsampled(source(), 4, "cubic_bp")):
        assert taken <= count // 4 + 3
    assert count == 79


@pytest.mark.parametrize("exposure", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("method", ["linear", "cubic_bp"])
def test_a_ramp_under_any_exposure_stays_a_ramp(method: str, exposure: float):
    """Frames lie at the middle of what the shutter saw."""
    fast = np.broadcast_to(np.arange(48, dtype=np.float32)[:, None, None] / 100, (3, 48, 2, 2))
    slow = rect_downsample(fast, 8, exposure)
    frames = (slow[:, t] for t in range(6))
    made = np.stack(list(upsampled(frames, 8, method, exposure)), axis=1)
    np.testing.assert_allclose(made[:, 16:32], fast[:, 16:32], atol=1e-6)


def test_unknown_method_is_refused():
    """A misspelt baseline names the ones there are."""
    with pytest.raises(SettingsError, match="nearest, linear, cubic_bp"):
        list(upsampled([], 8, "quadratic"))
