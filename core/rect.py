"""The exposure model: a slow frame is the mean of the fast frames that its shutter was open for.

Frame n of the slow video covers k frames of the fast one. The shutter opens with the first of them
and stays open for a fraction of the group, the *exposure*: 1 is the paper's rect_k (section 1), 0
a single instant. All that blurs or corrects in time is handed the numbers of `opened`.
"""

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL, check_exposure
from tsr.core.volume import Volume


def opened(factor: int, exposure: float = FULL) -> NDArray[np.float32]:
    """How much of each of `factor` fast frames the shutter was open for: (factor,) float32.

    The first counts 1, also when the exposure is shorter than a fast frame: nothing finer is known.
    """
    check_exposure(exposure)
    shares = np.clip(max(exposure * factor, 1.0) - np.arange(factor), 0, 1)
    return np.asarray(shares, np.float32)


def exposure_weights(factor: int, exposure: float = FULL) -> NDArray[np.float32]:
    """`opened`, normalised: (factor,) float32 with sum 1."""
    shares = opened(factor, exposure)
    weights: NDArray[np.float32] = shares / shares.sum()
    return weights


def exposure_after(factor: int, exposure: float) -> float:
    """The exposure of the fast frames, in their own shorter interval: as long, if there is room."""
    return min(FULL, factor * exposure)


def rect_downsample(volume: Volume, factor: int, exposure: float = FULL) -> Volume:
    """(C, T, H, W) → (C, T / factor, H, W): blur by the exposure, and subsampling in time.

    Raises:
        SettingsError: T is not a multiple of `factor`; nothing is dropped silently.
    """
    channels, frames, height, width = volume.shape
    if frames % factor:
        raise SettingsError(f"{frames} frames cannot be averaged in groups of {factor}")
    groups = volume.reshape(channels, frames // factor, factor, height, width)
    shares = opened(factor, exposure)
    means: Volume = (groups * shares[:, None, None]).sum(axis=2) / shares.sum()
    return means


def rect_expand(volume: Volume, factor: int) -> Volume:
    """(C, T, H, W) → (C, T · factor, H, W): each frame repeated.

    For the full exposure this is the adjoint of rect, scaled; for any, rect gives the frames back.
    """
    return np.repeat(volume, factor, axis=1)
