"""Internal examples for a network that is given frames moved along their motion.

Motion is found in whole frames, not in crops. So each copy of the video carries, beside its frames,
what a pass would be given of them, and crops of both are cut from the same place. A pair of frames
may begin at either of two frames; each of the two copies that this makes is a source of its own.
Frames shifted by a pixel are left out: motion that even is found, and nothing is left to learn.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tsr.core import motion
from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.rect import exposure_after, rect_downsample
from tsr.core.volume import Volume
from tsr.trainer.config import FixedExamples, TrainConfig
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import WITHIN, Source, internal_sources


def crop_sampler(
    video: Volume,
    config: TrainConfig,
    examples: FixedExamples,
    device: torch.device,
    exposures: Sequence[float] = (FULL,),
    *,
    within_alone: bool = False,
) -> CropSampler:
    """Crops of a coarse video (3, T, h, w), with what the network is given where that is not
    interpolated crop by crop.

    Args:
        exposures: of the frames that the ladder's passes are given.
        within_alone: whether those with swapped axes are left out, whatever the kind.

    Raises:
        SettingsError: the video holds none.
    """
    sources = internal_sources(video, config.crop, examples, exposure_after(2, exposures[0]))
    if within_alone:
        sources = [source for source in sources if source.roles == WITHIN]
    moves = config.interpolation == "motion"
    if moves:
        sources = list(moved_sources(sources, config.crop, exposures))
    if not sources:
        raise SettingsError(f"the video holds no crop of {config.crop}; use a longer video")
    # Reversed, a shutter that opens with the frame would close with it.
    reverse_time = not moves or set(exposures) == {FULL}
    return CropSampler(sources, config.crop, device, even_starts=moves, reverse_time=reverse_time)


def moved_sources(
    sources: Sequence[Source], crop: tuple[int, int, int], exposures: Sequence[float]
) -> Iterator[Source]:
    """Sources whose copies are (3 + 3n, T, H, W): frames, time first, and for each of the n
    exposures that differ what a pass is given of them."""
    for source in sources:
        axes = np.abs(np.array(source.roles))
        if (axes.sum(axis=0) != 1).any():
            continue  # a shifted frame
        turned = source.copy.transpose(0, *(1 + axes.argmax(axis=1)))
        for phase in (0, 1):
            frames = turned[:, phase:]
            frames = np.ascontiguousarray(frames[:, : frames.shape[1] // 2 * 2])
            if frames.shape[1] < crop[0]:
                continue
            given = [
                motion.doubled(rect_downsample(frames, 2, exposure), exposure)
                for exposure in dict.fromkeys(exposures)
            ]
            yield Source(np.concatenate([frames, *given]), WITHIN, source.share / 2)
