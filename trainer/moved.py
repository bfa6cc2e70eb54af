"""What the network is given: frames moved along their motion where that suits, and their examples.

Motion is found in whole frames, not in crops. So each copy of the video carries, beside its frames,
what a pass would be given of them, and crops of both are cut from the same place. A pair of frames
may begin at either of two frames; each of the two copies that this makes is a source of its own.
Frames shifted by a pixel are left out: motion that even is found, and nothing is left to learn.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from tsr.core import motion
from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.ladder import INTERPOLATIONS, Interpolation
from tsr.core.rect import exposure_after, rect_downsample
from tsr.core.volume import Volume
from tsr.trainer.config import FixedExamples, TrainConfig
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import WITHIN, Source, internal_sources
from tsr.trainer.torch_ops import backproject_t2, network_input, rect2
from tsr.trainer.validation import Validation

MOST_VALUES = 375_000_000
"""That copies of a video and what is given of them may hold: 1.5 GB, and as much again while they
are laid out one after the other."""

CLEARLY = 0.5
"""dB by which moving must foretell the video better than fading. It does by 1.1 to 3.2 on four real
clips, by -0.9 to 0.1 on scenes in which motion is too fast to be told at half the rate. On one of
those a network that was given moved frames lost 2.6 dB at the first pass (RESULTS.md)."""

EASIER = 0.2
"""dB by which moving must be better still at the video's own rate, where motion is half as large:
it is by 0.6 to 2.5 on four clips at three rates. Where things shake within two frames or three,
half the rate shows them as blur, and looks better than it is: -0.1 on a vibration where a network
from moved frames lost 0.9 dB of its result. What moves by less than a pixel per frame fades as well
as it moves, or better by up to 1.2 dB (RESULTS.md)."""

ENOUGH = 2.0
"""dB that suffice there in any case."""


def interpolation_for(
    video: Volume, device: torch.device, exposures: Sequence[float] = (FULL,)
) -> tuple[Interpolation, str]:
    """What a network for a coarse video (3, T, h, w) should be given, and why.

    Whoever foretells the video better from its own rect_2, where its motion is twice as fast as in
    the passes to come. Motion that cannot be followed there may be followed wrongly in the video:
    a network learns to undo fading more easily than a motion the wrong way. And moving must be even
    better at the video's own rate, by what comes back of its frames from those between them.

    Args:
        exposures: of the frames that the ladder's passes are given.
    """
    validation = Validation(video, device, exposures, "motion")
    moved, faded = validation.plain_psnr, validation.cubic_psnr
    told = (
        f"from half its rate the video is foretold at {moved:.2f} dB by moving what moves, at "
        f"{faded:.2f} dB by fading"
    )
    if moved <= faded + CLEARLY:
        return "cubic", told
    back = {given: psnr_back(validation.truth, exposures[0], given) for given in INTERPOLATIONS}
    if back["motion"] - back["cubic"] >= min(moved - faded + EASIER, ENOUGH):
        return "motion", told
    return "cubic", (
        f"{told}, but at its own rate its frames come back at {back['motion']:.2f} and "
        f"{back['cubic']:.2f} dB"
    )


def psnr_back(video: Tensor, exposure: float, interpolation: Interpolation) -> float:
    """PSNR in dB of what comes back of frames (1, 3, T, h, w), T of 6 or more, from those half a
    frame later that are made of them; without any network.

    Args:
        exposure: of the frames, as a fraction of their interval.
    """

    def half_a_frame_later(ltr: Tensor) -> Tensor:
        made = backproject_t2(network_input(ltr, exposure, interpolation), ltr, exposure)
        return rect2(made[:, :, 1:-1], exposure)

    back = half_a_frame_later(half_a_frame_later(video))
    error = (back - video[:, :, 1:-1])[:, :, 1:-1].square().mean().item()
    return -10 * math.log10(max(error, 1e-12))


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
    moves = config.given == "motion"
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
    kinds = list(dict.fromkeys(exposures))
    chosen, phases = _affordable([s for s in sources if _has_time(s)], 1 + len(kinds))
    for source in chosen:
        axes = np.abs(np.array(source.roles)).argmax(axis=1)
        turned = source.copy.transpose(0, *(1 + axes))
        for phase in phases:
            frames = turned[:, phase:]
            frames = np.ascontiguousarray(frames[:, : frames.shape[1] // 2 * 2])
            if frames.shape[1] < crop[0]:
                continue
            given = [
                motion.doubled(rect_downsample(frames, 2, exposure), exposure) for exposure in kinds
            ]
            yield Source(np.concatenate([frames, *given]), WITHIN, source.share)


def _has_time(source: Source) -> bool:
    """Whether one axis of the copy acts as time alone: not so where a frame is shifted."""
    return bool((np.abs(np.array(source.roles)).sum(axis=0) == 1).all())


def _affordable(sources: list[Source], kinds: int) -> tuple[list[Source], tuple[int, ...]]:
    """As many sources, and of the two phases, as memory allows: large videos hold enough."""
    within = [source for source in sources if source.roles == WITHIN]
    for some, phases in ((sources, (0, 1)), (sources, (0,))):
        if len(phases) * kinds * sum(source.copy.size for source in some) <= MOST_VALUES:
            return some, phases
    return within or sources, (0,)
