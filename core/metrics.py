"""How close a frame is to the truth: PSNR and SSIM.

Both conventions are the field's usual ones, so that numbers can be compared with published tables:
each frame is scored over all its pixels and channels, and a video's score is the mean of its
frames' scores (not the score of the mean error).
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import SettingsError

PSNR_CAP = 100.0
"""dB given to identical frames, so that a mean stays finite. 8-bit rounding alone is 59 dB."""

SSIM_WINDOW = 11
"""Side of the Gaussian window in pixels (Wang et al. 2004, section III.B)."""
SSIM_SIGMA = 1.5
SSIM_C1 = 0.01**2
SSIM_C2 = 0.03**2

_BLOCK = 32
"""Outputs made by one matrix product: wide enough for BLAS, narrow enough to waste little on the
zeros of the band."""
_STRIP = 128
"""Length of the other side of a product. Beyond 2^18 multiplications OpenBLAS starts threads, whose
waiting costs more than so small a product, by far so on a busy machine."""

Array = NDArray[Any]


def psnr(frame: Array, truth: Array) -> float:
    """Peak signal-to-noise ratio of one frame in dB, for values in [0, 1].

    Args:
        frame, truth: the same shape, any float type; normally (C, H, W).

    Returns:
        -10 log10 of the mean squared error over all values, at most `PSNR_CAP`.

    Raises:
        SettingsError: the shapes differ.
    """
    _check_pair(frame, truth)
    difference = np.subtract(frame, truth, dtype=np.float64)
    error = float(np.vdot(difference, difference)) / difference.size
    return -10.0 * float(np.log10(max(error, 10.0 ** (-PSNR_CAP / 10.0))))


def ssim(frame: Array, truth: Array) -> float:
    """Structural similarity of one frame (Wang et al., 2004): the mean of its `ssim_map`.

    Returns:
        1 for identical frames, less for any other.
    """
    return float(ssim_map(frame, truth).mean(dtype=np.float64))


def ssim_map(frame: Array, truth: Array) -> NDArray[np.float32]:
    """Structural similarity (Wang et al., 2004) around each pixel of one frame.

    Gaussian window 11×11, sigma 1.5, K1 = 0.01, K2 = 0.03, data range 1, only windows that lie
    wholly inside the frame, no subsampling beforehand: the paper's reference implementation.

    Args:
        frame, truth: (C, H, W) of any float type in [0, 1], H and W at least 11.

    Returns:
        (C, H - 10, W - 10) float32, at most 1: the windows' values at their centres.

    Raises:
        SettingsError: the shapes differ or a side is shorter than the window.
    """
    _check_pair(frame, truth)
    if frame.ndim != 3 or min(frame.shape[1:]) < SSIM_WINDOW:
        raise SettingsError(
            f"SSIM needs (C, H, W) frames of at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, "
            f"found shape {frame.shape}"
        )
    return np.stack([_ssim_channel(a, b) for a, b in zip(frame, truth, strict=True)])


def psnr_per_frame(volume: Array, truth: Array) -> NDArray[np.float64]:
    """`psnr` of each frame of two (C, T, H, W) volumes: (T,) float64; its mean is the score."""
    return _per_frame(psnr, volume, truth)


def ssim_per_frame(volume: Array, truth: Array) -> NDArray[np.float64]:
    """`ssim` of each frame of two (C, T, H, W) volumes: (T,) float64; its mean is the score."""
    return _per_frame(ssim, volume, truth)


def mean_psnr(volume: Array, truth: Array) -> float:
    """The mean over frames of `psnr`, in dB, of two (C, T, H, W) volumes."""
    return float(psnr_per_frame(volume, truth).mean())


def mean_ssim(volume: Array, truth: Array) -> float:
    """The mean over frames of `ssim` of two (C, T, H, W) volumes."""
    return float(ssim_per_frame(volume, truth).mean())


def _per_frame(score: Any, volume: Array, truth: Array) -> NDArray[np.float64]:
    _check_pair(volume, truth)
    if volume.ndim != 4:
        raise SettingsError(f"expected (C, T, H, W) volumes, found shape {volume.shape}")
    return np.array([score(volume[:, t], truth[:, t]) for t in range(volume.shape[1])])


def _check_pair(frame: Array, truth: Array) -> None:
    if frame.shape != truth.shape or frame.size == 0:
        raise SettingsError(
            f"frames to compare must be of one shape and not empty, "
            f"found {frame.shape} and {truth.shape}"
        )


def _ssim_channel(a: Array, b: Array) -> NDArray[np.float32]:
    """The map of one (H, W) channel: (H-10, W-10)."""
    # Variances do not depend on the mean, but E[a²] - E[a]² loses digits far from zero: centred
    # first, float32 is as good as float64 at half the cost.
    centre = np.float32((a.mean(dtype=np.float64) + b.mean(dtype=np.float64)) / 2)
    a = a.astype(np.float32) - centre  # (H, W)
    b = b.astype(np.float32) - centre
    mean_a, mean_b, squares, product = _blur(np.stack((a, b, a * a + b * b, a * b)))
    covariance = product - mean_a * mean_b
    variances = squares - mean_a * mean_a - mean_b * mean_b
    mean_a += centre
    mean_b += centre
    luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a**2 + mean_b**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variances + SSIM_C2)
    return np.asarray(luminance * structure, np.float32)


def _blur(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaussian window over the last two axes of (N, H, W): (N, H-10, W-10), 'valid' only."""
    num_maps, height, width = maps.shape
    columns = width - SSIM_WINDOW + 1
    across = np.empty((num_maps, height, columns), np.float32)
    for start in range(0, columns, _BLOCK):
        band = _band(min(_BLOCK, columns - start))  # (block + 10, block)
        source = maps[:, :, start : start + len(band)]
        for top in range(0, height, _STRIP):
            rows = slice(top, top + _STRIP)
            across[:, rows, start : start + band.shape[1]] = source[:, rows] @ band
    blurred = np.empty((num_maps, height - SSIM_WINDOW + 1, columns), np.float32)
    for start in range(0, blurred.shape[1], _BLOCK):
        band = _band(min(_BLOCK, blurred.shape[1] - start))
        source = across[:, start : start + len(band)]
        for left in range(0, columns, _STRIP):
            part = slice(left, left + _STRIP)
            blurred[:, start : start + band.shape[1], part] = band.T @ source[..., part]
    return blurred


@functools.cache
def _band(outputs: int) -> NDArray[np.float32]:
    """The window as a matrix (outputs + 10, outputs) with the taps along its diagonal band."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    taps = np.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    taps /= taps.sum()
    band = np.zeros((outputs + SSIM_WINDOW - 1, outputs), np.float32)
    for output in range(outputs):
        band[output : output + SSIM_WINDOW, output] = taps
    return band
