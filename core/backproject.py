"""Back-projection: add back the error between a degraded guess and the known coarser video.

These are the reference formulas (paper 4.2; order of the steps after the authors' release, see
docs/architecture.md). The runtime's fast versions are tested against them.
"""

import numpy as np

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.rect import rect_downsample, rect_expand
from tsr.core.resize import resize_hw
from tsr.core.volume import Volume


def backproject_t(guess: Volume, ltr: Volume, exposure: float = FULL) -> Volume:
    """Shift each group of frames so that its mean over the exposure is the known frame.

    Frames outside the exposure move along: what a group lacks, mostly detail, all of it lacks.

    Args:
        guess: (C, T·k, H, W) at the high frame rate.
        ltr: (C, T, H, W), the same video at the low frame rate.
        exposure: of `ltr`, as a fraction of its frame interval.
    """
    factor = _temporal_factor(guess, ltr)
    return guess - rect_expand(rect_downsample(guess, factor, exposure) - ltr, factor)


def backproject_hw(guess: Volume, low: Volume) -> Volume:
    """Correct `guess` (C, T, 2h, 2w) so that shrinking it approaches `low` (C, T, h, w)."""
    height, width = guess.shape[2:]
    error = resize_hw(guess, *low.shape[2:]) - low
    return guess - resize_hw(error, height, width)


def backproject(low: Volume, ltr: Volume, exposure: float = FULL) -> Volume:
    """One space-time back-projection: the step up a rung of the ladder (paper 4.2, Fig. 8b).

    Args:
        low: (C, T·k, h, w) in [0, 1]: half the size, the frame rate wanted.
        ltr: (C, T, 2h, 2w) in [0, 1]: the size wanted, the input's frame rate.
        exposure: of `ltr`, as a fraction of its frame interval.

    Returns:
        (C, T·k, 2h, 2w) in [0, 1]. Groups of k frames average over the exposure to `ltr` wherever
        nothing clipped.
    """
    height, width = ltr.shape[2:]
    guess = resize_hw(low, height, width)
    guess = backproject_t(guess, ltr, exposure)
    guess = backproject_hw(guess, low)
    guess = backproject_t(guess, ltr, exposure)
    return np.clip(guess, 0.0, 1.0)


def _temporal_factor(guess: Volume, ltr: Volume) -> int:
    factor, rest = divmod(int(guess.shape[1]), int(ltr.shape[1]))
    if rest or guess.shape[2:] != ltr.shape[2:]:
        raise SettingsError(
            f"a guess of shape {guess.shape} does not refine a video of shape {ltr.shape}"
        )
    return factor
