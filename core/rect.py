"""The exposure model: rect_k is the mean of k consecutive frames, then one frame in k (paper 1)."""

import numpy as np

from tsr.core.errors import SettingsError
from tsr.core.volume import Volume


def rect_downsample(volume: Volume, factor: int) -> Volume:
    """(C, T, H, W) → (C, T / factor, H, W): full-exposure blur and subsampling in time.

    Raises:
        SettingsError: T is not a multiple of `factor`; nothing is dropped silently.
    """
    channels, frames, height, width = volume.shape
    if frames % factor:
        raise SettingsError(f"{frames} frames cannot be averaged in groups of {factor}")
    groups = volume.reshape(channels, frames // factor, factor, height, width)
    means: Volume = groups.mean(axis=2, dtype=np.float32)
    return means


def rect_expand(volume: Volume, factor: int) -> Volume:
    """(C, T, H, W) → (C, T · factor, H, W): each frame repeated; the adjoint of rect, scaled."""
    return np.repeat(volume, factor, axis=1)
