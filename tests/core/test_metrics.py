"""PSNR and SSIM against closed forms and a straightforward implementation."""

import numpy as np
import pytest

from tsr.core.errors import SettingsError
from tsr.core.metrics import (
    PSNR_CAP,
    mean_psnr,
    mean_ssim,
    psnr,
    psnr_per_frame,
    ssim,
    ssim_per_frame,
)


def _frames(seed: int, shape: tuple[int, ...] = (3, 24, 37)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(shape, dtype=np.float32)
    return np.clip(truth + rng.normal(0, 0.1, shape), 0, 1).astype(np.float32), truth


def _plain_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004, equation 13, one window at a time in float64."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    scores = []
    for x, y in zip(a.astype(np.float64), b.astype(np.float64), strict=True):
        for i in range(x.shape[0] - 10):
            for j in range(x.shape[1] - 10):
                p, q = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
                mp, mq = (weights * p).sum(), (weights * q).sum()
                vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
                cov = (weights * (p - mp) * (q - mq)).sum()
                top = (2 * mp * mq + 0.01**2) * (2 * cov + 0.03**2)
                scores.append(top / ((mp**2 + mq**2 + 0.01**2) * (vp + vq + 0.03**2)))
    return float(np.mean(scores))


def test_psnr_of_a_constant_offset_is_its_closed_form():
    """An offset of 1/10 everywhere is 20 dB."""
    truth = np.full((3, 8, 9), 0.25, np.float32)
    assert psnr(truth + np.float32(0.1), truth) == pytest.approx(20.0, abs=1e-4)


def test_psnr_of_known_noise():
    """Uniform rounding to 8 bits has variance 1/(12 x 255^2): 58.92 dB."""
    truth = np.random.default_rng(0).random((3, 200, 200))
    expected = 10 * np.log10(12 * 255**2)
    assert psnr(np.round(truth * 255) / 255, truth) == pytest.approx(expected, abs=0.05)


def test_identical_frames_are_capped_and_perfect():
    """A frame against itself scores the finite cap and an SSIM of 1."""
    _, truth = _frames(1)
    assert psnr(truth, truth) == PSNR_CAP
    assert ssim(truth, truth) == pytest.approx(1.0, abs=1e-6)


def test_video_score_is_the_mean_of_frame_scores():
    """A volume's score is the mean of its frames' scores, each computed alone."""
    volume, truth = _frames(2, (3, 4, 16, 16))
    volume[:, 1] = truth[:, 1]
    each = [psnr(volume[:, t], truth[:, t]) for t in range(4)]
    np.testing.assert_allclose(psnr_per_frame(volume, truth), each)
    assert mean_psnr(volume, truth) == pytest.approx(np.mean(each))
    assert mean_ssim(volume, truth) == pytest.approx(ssim_per_frame(volume, truth).mean())


@pytest.mark.parametrize("shape", [(3, 24, 37), (1, 11, 11), (1, 50, 64)])
def test_ssim_is_the_plain_formula(shape: tuple[int, ...]):
    """The blocked float32 computation agrees with one window at a time in float64."""
    frame, truth = _frames(3, shape)
    assert ssim(frame, truth) == pytest.approx(_plain_ssim(frame, truth), abs=2e-6)


def test_ssim_of_two_constants_is_its_luminance_term():
    """Without variance only (2ab + C1) / (a^2 + b^2 + C1) remains, at any brightness."""
    for a, b in ((0.2, 0.6), (1.0, 0.95), (0.0, 0.01)):
        expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
        frames = np.full((2, 1, 16, 16), 0, np.float32)
        frames[0], frames[1] = a, b
        assert ssim(frames[0], frames[1]) == pytest.approx(expected, abs=1e-5)


def test_ssim_keeps_its_digits_on_nearly_flat_bright_frames():
    """Variance far below the mean, where naive float32 fails, still agrees with float64."""
    rng = np.random.default_rng(4)
    truth = 0.98 + 0.002 * rng.random((1, 20, 20))
    frame = truth + 0.001 * rng.random(truth.shape)
    assert ssim(frame, truth) == pytest.approx(_plain_ssim(frame, truth), abs=1e-4)


def test_wrong_shapes_are_refused_with_both_shapes():
    """Comparing frames of two sizes, or smaller than the window, says what was found."""
    with pytest.raises(SettingsError, match=r"\(3, 8, 9\) and \(3, 9, 8\)"):
        psnr(np.zeros((3, 8, 9)), np.zeros((3, 9, 8)))
    with pytest.raises(SettingsError, match="11x11"):
        ssim(np.zeros((3, 10, 30)), np.zeros((3, 10, 30)))
