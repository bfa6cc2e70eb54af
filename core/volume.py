"""The one form of moving pictures between stages: a volume (C, T, H, W), float32, RGB in [0, 1]."""

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import SettingsError

Volume = NDArray[np.float32]
"""(C, T, H, W) float32 in [0, 1]; C is 3 (RGB, gamma-encoded as in the file)."""


def check_volume(volume: Volume, name: str = "volume") -> None:
    """Raise `SettingsError` unless `volume` is (C, T, H, W) float32 with no empty axis."""
    if volume.ndim != 4 or volume.dtype != np.float32 or 0 in volume.shape:
        raise SettingsError(
            f"{name} has shape {volume.shape} and type {volume.dtype}; "
            "expected a non-empty (C, T, H, W) float32 volume"
        )


def padded_size(height: int, width: int, multiple: int) -> tuple[int, int]:
    """The smallest (height, width) not below the given one whose sides divide by `multiple`."""
    return -(-height // multiple) * multiple, -(-width // multiple) * multiple


def pad_to_multiple(volume: Volume, multiple: int) -> Volume:
    """Repeat the last row and column until both sides divide by `multiple`.

    Every halving of the ladder is then exact, so that one pair of ×2 taps serves each rung; the
    padding is cut off before frames are written.
    """
    height, width = volume.shape[-2:]
    full_height, full_width = padded_size(height, width, multiple)
    if (full_height, full_width) == (height, width):
        return volume
    margins = [(0, 0)] * (volume.ndim - 2) + [(0, full_height - height), (0, full_width - width)]
    return np.pad(volume, margins, mode="edge")
