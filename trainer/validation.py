"""The internal validation: predict the video from its own rect_2, beside cubic interpolation."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tsr.core.exposure import FULL
from tsr.core.ladder import Interpolation
from tsr.core.volume import Volume
from tsr.trainer.network import TsrNetwork
from tsr.trainer.torch_ops import backproject_t2, network_input, pad_halo, rect2

VALIDATION_VOXELS = 250_000
"""About this much video is predicted per validation: a second or two on two cores."""


@dataclass(frozen=True)
class Question:
    """What a network pass must answer: the video from its own rect_2 of one exposure.

    Args:
        ltr: (1, 3, T/2, h, w). base: (1, 3, T, h, w), interpolated from it.
        exposure: of `ltr`. share: how many of the ladder's passes ask this.
    """

    ltr: Tensor
    base: Tensor
    exposure: float
    share: float

    def finish(self, guess: Tensor) -> Tensor:
        """The guess as the runtime would hand it on."""
        return backproject_t2(guess, self.ltr, self.exposure).clamp(0, 1)


class Validation:
    """PSNR of the whole ×2 step (network, then temporal back-projection) on the video itself.

    Args:
        video: (3, T, h, w) at the coarsest rung; its liveliest frames are taken.
        device: where to compute.
        exposures: of the frames that each network pass of the ladder is given; the mean squared
            error is over all passes.
        interpolation: what the network is given.

    Attributes:
        plain_psnr: PSNR in dB of what the network is given. cubic_psnr: of cubic interpolation.
    """

    def __init__(
        self,
        video: Volume,
        device: torch.device,
        exposures: Sequence[float] = (FULL,),
        interpolation: Interpolation = "cubic",
    ) -> None:
        counts = Counter(exposures)
        voxels = VALIDATION_VOXELS // len(counts)
        self.truth = torch.from_numpy(lively_part(video, voxels))[None].to(device)
        self.questions = []
        for exposure, count in counts.items():
            ltr = rect2(self.truth, exposure)
            base = network_input(ltr, exposure, interpolation)
            self.questions.append(Question(ltr, base, exposure, count / len(exposures)))
        self.plain_psnr = self._psnr(lambda base: base)
        self.cubic_psnr = self.plain_psnr
        if interpolation != "cubic":
            self.cubic_psnr = Validation(video, device, exposures).plain_psnr

    @torch.no_grad()
    def psnr(self, network: TsrNetwork) -> float:
        """PSNR in dB of the network's prediction."""
        return self._psnr(lambda base: network(pad_halo(base)))

    def _psnr(self, guess: Callable[[Tensor], Tensor]) -> float:
        errors = [
            asked.share * (asked.finish(guess(asked.base)) - self.truth).square().mean().item()
            for asked in self.questions
        ]
        return -10 * math.log10(max(sum(errors), 1e-12))


def lively_part(video: Volume, voxels: int, least: int = 8) -> Volume:
    """As many frames in a row of (3, T, h, w), an even number of `least` or more, as hold about so
    many voxels: those that change most."""
    frames, height, width = video.shape[1:]
    wanted = min(frames, max(least, voxels // (height * width))) // 2 * 2
    change = np.abs(np.diff(video, axis=1)).mean(axis=(0, 2, 3))
    sums = np.concatenate([[0.0], np.cumsum(change)])
    first = int(np.argmax(sums[wanted - 1 :] - sums[: len(sums) - wanted + 1]))
    return np.ascontiguousarray(video[:, first : first + wanted])
