"""Consistency: examples at the video's own rate, blur and motion, which no copy of it can offer.

Internal examples are coarser than the video (paper 3): behind rect_2 everything moves twice as far
per frame. But the frames that the network makes of the video, averaged in pairs that begin half an
input frame later, are again a video of the input's rate, exposure and motion. What the network
makes of that one is known too, in pairs: they lie where the input's frames lie. So the network
learns where it will be used, from inputs that carry its own errors, and against what was shot.
"""

import numpy as np
import torch
from torch import Tensor

from tsr.core.exposure import FULL
from tsr.core.ladder import Interpolation
from tsr.core.tiling import NETWORK_HALO
from tsr.core.volume import Volume
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import WITHIN, Source, spatial_copies
from tsr.trainer.network import TsrNetwork
from tsr.trainer.torch_ops import (
    backproject_t2,
    cubic_t2,
    network_input,
    pad_halo,
    rect2,
    resize_hw,
)
from tsr.trainer.validation import lively_part

REMAKE_SHARE = 0.04
"""Of the budget, after which the frames between the input's are made again, by the weights of then.
On turning spokes, making them 8 times instead of 4 in 400 steps gained 0.4 dB, 2 times lost 1.2."""

VOXELS = 1_000_000
"""About this much of the video, its liveliest frames, is made: as long as some twenty steps."""

UNSEEN = 0.025
"""Weight of all that the network adds to moved frames, beside the errors of pairs. What goes to and
fro from frame to frame is in no mean of two frames, and nothing else holds it: in a training of
14,000 steps it grew into stripes on what moved fast, and the first pass lost 4 dB. Frames that fade
into each other lack more than that; held as these are, they lose 0.3 dB (RESULTS.md, "Trials")."""

SIZES = (1, 0.9, 0.81, 0.73, 0.65)
"""At which the frames are offered, as a share of the video's height and width. Shrinking commutes
with averaging, so that pairs are known at every size; and one size alone, few frames of few pixels,
is learned by heart."""

CHUNK = 8
"""Input frames that the network is given at a time, so that memory does not grow with the video."""


class Consistency:
    """Crops of the frames between the input's, and of the input's frames beside them.

    Args:
        video: (3, T, h, w) float32 in [0, 1], the video at the coarsest rung.
        crop: (frames, rows, columns) of what the network makes of a crop.
        device: where frames are kept and crops are cut.
        exposure: of the video's frames, as a fraction of their interval.
        half: whether the network convolves in bf16.
        interpolation: what the network is given.

    Attributes:
        copies: of T' frames of the video, at each of `SIZES` that holds a crop, (3, 2T' - 1, h, w):
            a frame of the video's exposure every half frame, known, made, known, made, …, known.
            Moved along their motion those made are 2T' - 2 frames, three channels more.
    """

    def __init__(
        self,
        video: Volume,
        crop: tuple[int, int, int],
        device: torch.device,
        *,
        exposure: float = FULL,
        half: bool = False,
        interpolation: Interpolation = "cubic",
    ) -> None:
        part = lively_part(video, VOXELS, least_frames(crop))
        self._ltr = torch.from_numpy(part)[None].to(device)
        self._exposure, self._half, self._interpolation = exposure, half, interpolation
        frames = np.repeat(part, 2, axis=1)[:, :-1]
        kinds = 1 if interpolation == "cubic" else 2
        size = crop[0] + 1, *crop[1:]
        sources = [
            Source(np.concatenate([copy] * kinds), WITHIN, float(copy.shape[2] * copy.shape[3]))
            for copy in spatial_copies(frames, crop, SIZES)
        ]
        sources = [source for source in sources if source.fits(size)]
        self._sampler = CropSampler(
            sources,
            size,
            device,
            even_starts=True,
            # Reversed, a shutter that opens with the frame would close with it; and what is moved
            # begins with a frame that is made, where frames begin with one that is known.
            reverse_time=exposure == FULL and interpolation == "cubic",
        )
        self.copies = [self._sampler.values(number) for number in range(len(sources))]

    @staticmethod
    def fits(video: Volume, crop: tuple[int, int, int]) -> bool:
        """Whether the video holds a crop."""
        frames, *sides = video.shape[1:]
        return frames >= least_frames(crop) and all(
            n >= c for n, c in zip(sides, crop[1:], strict=True)
        )

    def remake(self, network: TsrNetwork) -> None:
        """Let the network make the frames between the input's."""
        made = network_pass(
            network, self._ltr, self._exposure, half=self._half, interpolation=self._interpolation
        )
        between = rect2(made[:, :, 1:-1], self._exposure)[0]
        for copy in self.copies:
            frames = resize_hw(between, *copy.shape[2:])
            copy[:3, 1::2] = frames
            if self._interpolation == "motion":
                copy[3:, :-1] = network_input(frames[None], self._exposure, "motion")[0]

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Crops with the network's halo around them.

        Returns:
            The network's input, (count, 3, T, H + 16, W + 16), interpolated from T / 2 frames
            between the input's; and what each frame that it makes of them and the next one shall
            average to, (count, 3, T - 7, H, W): by turns a frame of the input and one of those.
        """
        halo = NETWORK_HALO
        drawn = self._sampler.draw(count, generator, halo.h)  # T + 1 frames
        if self._interpolation == "motion":
            drawn, base = drawn[:, :3], drawn[:, 3:, :-1]
        else:
            base = cubic_t2(drawn[:, :, 1::2], self._exposure)
        inside = slice(halo.h, -halo.h), slice(halo.w, -halo.w)
        # What is made of frames 1, 3, 5 … begins with 1; behind the halo, with the pair of frame 4.
        return base, drawn[:, :, halo.t + 1 : -halo.t - 1, *inside]

    def error(self, base: Tensor, residual: Tensor, known: Tensor) -> Tensor:
        """Mean squared error of the pairs that the network made of the input's frames; and where
        frames are moved, of those under which it was given one, and a little of all that it added.

        Back-projection brings the latter to what was given when it runs. If they were free here,
        they would help to make the input's frames, and what runs would learn less.

        Args:
            base, residual: (B, 3, T - 6, H, W), what it was given of the frames, and adds to them.
            known: as `draw` returns it.
        """
        made = base + residual
        shot = (rect2(made, self._exposure) - known[:, :, 0::2]).square().mean()
        if self._interpolation == "cubic":
            return shot
        given = (rect2(made[:, :, 1:-1], self._exposure) - known[:, :, 1::2]).square().mean()
        return shot + given + UNSEEN * residual.square().mean()


@torch.no_grad()
def network_pass(
    network: TsrNetwork,
    ltr: Tensor,
    exposure: float = FULL,
    *,
    half: bool = False,
    interpolation: Interpolation = "cubic",
) -> Tensor:
    """(1, 3, T, H, W) → (1, 3, 2T, H, W): a pass as the runtime takes it, some frames at a time.

    Args:
        exposure: of `ltr`, as a fraction of its frame interval. half: convolve in bf16.
        interpolation: what the network is given.
    """
    base, halo = pad_halo(network_input(ltr, exposure, interpolation)), NETWORK_HALO
    with torch.autocast(base.device.type, torch.bfloat16, enabled=half):
        parts = [
            network(base[:, :, first : first + 2 * CHUNK + 2 * halo.t])
            for first in range(0, 2 * ltr.shape[2], 2 * CHUNK)
        ]
    return backproject_t2(torch.cat(parts, 2), ltr, exposure).clamp(0, 1)


def least_frames(crop: tuple[int, int, int]) -> int:
    """Frames of a video that hold a crop: it is made from half as many between them; even."""
    return crop[0] // 2 + 2
