"""The internal validation: predict the video from its own rect_2, beside cubic interpolation."""

import math

import numpy as np
import torch
from torch import Tensor

from tsr.core.volume import Volume
from tsr.trainer.network import TsrNetwork
from tsr.trainer.torch_ops import backproject_t2, cubic_t2, pad_halo, rect2

VALIDATION_VOXELS = 250_000
"""About this much video is predicted per validation: a second or two on two cores."""


class Validation:
    """PSNR of the whole ×2 step (network, then temporal back-projection) on the video itself.

    Args:
        video: (3, T, h, w) at the coarsest rung; its liveliest frames are taken.
        device: where to compute.
    """

    def __init__(self, video: Volume, device: torch.device) -> None:
        truth = torch.from_numpy(_lively_part(video))[None].to(device)
        self.truth = truth  # (1, 3, T, h, w)
        self.ltr = rect2(truth)
        self.base = cubic_t2(self.ltr)
        self.cubic_psnr = _psnr(self._finish(self.base), truth)

    @torch.no_grad()
    def psnr(self, network: TsrNetwork) -> float:
        """PSNR in dB of the network's prediction."""
        return _psnr(self._finish(network(pad_halo(self.base))), self.truth)

    def _finish(self, guess: Tensor) -> Tensor:
        return backproject_t2(guess, self.ltr).clamp(0, 1)


def _lively_part(video: Volume) -> Volume:
    frames, height, width = video.shape[1:]
    wanted = min(frames, max(8, VALIDATION_VOXELS // (height * width))) // 2 * 2
    change = np.abs(np.diff(video, axis=1)).mean(axis=(0, 2, 3))
    sums = np.concatenate([[0.0], np.cumsum(change)])
    first = int(np.argmax(sums[wanted - 1 :] - sums[: len(sums) - wanted + 1]))
    return np.ascontiguousarray(video[:, first : first + wanted])


def _psnr(guess: Tensor, truth: Tensor) -> float:
    return -10 * math.log10(max((guess - truth).square().mean().item(), 1e-12))
