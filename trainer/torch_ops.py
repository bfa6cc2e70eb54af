"""The operators of `core` on torch tensors: the same taps, as matrices along time."""

import functools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tsr.core import motion
from tsr.core.exposure import FULL
from tsr.core.ladder import Interpolation
from tsr.core.rect import opened
from tsr.core.resize import cubic_taps, double_taps
from tsr.core.tiling import NETWORK_HALO


def rect2(htr: Tensor, exposure: float = FULL) -> Tensor:
    """(B, C, T, H, W) → (B, C, T/2, H, W): rect_2, the LTR side of an example.

    Args:
        exposure: of the result, as a fraction of its frame interval (`tsr.core.rect`).
    """
    odd = float(opened(2, exposure)[1])
    return (htr[:, :, 0::2] + odd * htr[:, :, 1::2]) / (1 + odd)


def cubic_t2(ltr: Tensor, exposure: float = FULL) -> Tensor:
    """(B, C, T, H, W) → (B, C, 2T, H, W): cubic interpolation in time, the network's input."""
    matrix = _cubic_matrix(ltr.shape[2], exposure, ltr.device)
    return torch.einsum("st,bcthw->bcshw", matrix, ltr)


@functools.lru_cache(maxsize=16)
def _cubic_matrix(frames: int, exposure: float, device: torch.device) -> Tensor:
    """(2T, T) on the device, kept there: a recorded step cannot copy from the host."""
    return torch.from_numpy(double_taps(frames, exposure).matrix()).to(device)


def network_input(
    ltr: Tensor, exposure: float = FULL, interpolation: Interpolation = "cubic"
) -> Tensor:
    """(B, C, T, H, W) → (B, C, 2T, H, W): what a pass gives the network of whole frames."""
    if interpolation == "cubic":
        return cubic_t2(ltr, exposure)
    videos = [motion.doubled(video, exposure) for video in ltr.float().cpu().numpy()]
    return torch.from_numpy(np.stack(videos)).to(ltr.device)


def examples(drawn: Tensor, exposures: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Crops as they are drawn → their frames (B, 3, T, H, W), and what the network is given.

    Args:
        drawn: (B, 3, T, H, W), or with what the network is given (`tsr.trainer.moved`).
        exposures: as for `interpolated`.
    """
    if drawn.shape[1] == 3:
        return drawn, interpolated(drawn, exposures)
    frames, *given = (drawn[:, first : first + 3] for first in range(0, drawn.shape[1], 3))
    if len(given) == 1:
        return frames, given[0]
    kinds = list(dict.fromkeys(exposures))
    rows = torch.arange(len(drawn), device=drawn.device).tensor_split(len(exposures))
    parts = [given[kinds.index(e)][some] for some, e in zip(rows, exposures, strict=True)]
    return frames, torch.cat(parts)


def interpolated(htr: Tensor, exposures: Sequence[float]) -> Tensor:
    """The network's input for crops (B, C, T, H, W): rect_2, then cubic interpolation.

    Args:
        exposures: of the frames that the ladder's passes are given. Each pass is stood for by an
            equal share of the batch, so that one network learns them all.
    """
    if len(set(exposures)) == 1:
        return cubic_t2(rect2(htr, exposures[0]), exposures[0])
    parts = zip(htr.tensor_split(len(exposures)), exposures, strict=True)
    return torch.cat([cubic_t2(rect2(part, exposure), exposure) for part, exposure in parts])


def backproject_t2(guess: Tensor, ltr: Tensor, exposure: float = FULL) -> Tensor:
    """Shift each pair of frames so that its mean over the exposure is the known frame (see
    `core.backproject`)."""
    return guess - (rect2(guess, exposure) - ltr).repeat_interleave(2, dim=2)


def resize_hw(volume: Tensor, height: int, width: int) -> Tensor:
    """(…, H, W) → (…, height, width), cubic, as `core.resize` does it."""
    rows, columns = (
        torch.from_numpy(cubic_taps(before, after).matrix()).to(volume.device)
        for before, after in zip(volume.shape[-2:], (height, width), strict=True)
    )
    return rows @ volume @ columns.T


def pad_halo(base: Tensor) -> Tensor:
    """Repeat the border by the network's halo, as the runtime's tiles do."""
    t, h, w = NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w
    return torch.nn.functional.pad(base, (w, w, h, h, t, t), mode="replicate")
