"""The operators of `core` on torch tensors: the same taps, as matrices along time."""

import functools

import torch
from torch import Tensor

from tsr.core.resize import cubic_taps
from tsr.core.tiling import NETWORK_HALO


def rect2(htr: Tensor) -> Tensor:
    """(B, C, T, H, W) → (B, C, T/2, H, W): rect_2, the LTR side of an example."""
    return (htr[:, :, 0::2] + htr[:, :, 1::2]) / 2


def cubic_t2(ltr: Tensor) -> Tensor:
    """(B, C, T, H, W) → (B, C, 2T, H, W): cubic interpolation in time, the network's input."""
    return torch.einsum("st,bcthw->bcshw", _cubic_matrix(ltr.shape[2], ltr.device), ltr)


@functools.lru_cache(maxsize=16)
def _cubic_matrix(frames: int, device: torch.device) -> Tensor:
    """(2T, T) on the device, kept there: a recorded step cannot copy from the host."""
    return torch.from_numpy(cubic_taps(frames, 2 * frames).matrix()).to(device)


def backproject_t2(guess: Tensor, ltr: Tensor) -> Tensor:
    """Shift each pair of frames so that its mean is the known frame (see `core.backproject`)."""
    return guess - (rect2(guess) - ltr).repeat_interleave(2, dim=2)


def pad_halo(base: Tensor) -> Tensor:
    """Repeat the border by the network's halo, as the runtime's tiles do."""
    t, h, w = NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w
    return torch.nn.functional.pad(base, (w, w, h, h, t, t), mode="replicate")
