"""Back-projection: add back the error between a degraded guess and the known coarser video.

These are the reference formulas (paper 4.2; order of the steps after the authors' release, see
docs/architecture.md). The runtime's fast versions are tested against them.
"""

import numpy as np

from tsr.core.errors import SettingsError
from tsr.core.rect import rect_downsample, rect_expand
from tsr.core.resize import resize_hw
from tsr.core.volume import Volume


def backproject_t(guess: Volume, ltr: Volume) -> Volume:
    """Shift each group of frames so that its mean is the known frame.

    Args:
        guess: (C, T·k, H, W) at the high frame rate.
        ltr: (C, T, H, W), the same video at the low frame rate.
    """
    factor = _temporal_factor(guess, ltr)
    return guess - rect_expand(rect_downsample(guess, factor) - ltr, factor)


def backproject_hw(guess: Volume, low: Volume) -> Volume:
    """Correct `guess` (C, T, 2h, 2w) so that shrinking it approaches `low` (C, T, h, w)."""
    height, width = guess.shape[2:]
    error = resize_hw(guess, *low.shape[2:]) - low
    return guess - resize_hw(error, height, width)


def backproject(low: Volume, ltr: Volume) -> Volume:
    """One space-time back-projection: the step up a rung of the ladder (paper 4.2, Fig. 8b).

    Args:
        low: (C, T·k, h, w) in [0, 1]: half the size, the frame rate wanted.
        ltr: (C, T, 2h, 2w) in [0, 1]: the size wanted, the input's frame rate.

    Returns:
        (C, T·k, 2h, 2w) in [0, 1]. Groups of k frames average to `ltr` wherever nothing clipped.
    """
    height, width = ltr.shape[2:]
    guess = resize_hw(low, height, width)
    guess = backproject_t(guess, ltr)
    guess = backproject_hw(guess, low)
    guess = backproject_t(guess, ltr)
    return np.clip(guess, 0.0, 1.0)


def _temporal_factor(guess: Volume, ltr: Volume) -> int:
    factor, rest = divmod(int(guess.shape[1]), int(ltr.shape[1]))
    if rest or guess.shape[2:] != ltr.shape[2:]:
        raise SettingsError(
            f"a guess of shape {guess.shape} does not refine a video of shape {ltr.shape}"
        )
    return factor
