"""What the network is given: frames moved along their motion where that suits, and their examples.

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
from tsr.core.ladder import Interpolation
from tsr.core.rect import exposure_after, rect_downsample
from tsr.core.volume import Volume
from tsr.trainer.config import FixedExamples, TrainConfig
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import WITHIN, Source, internal_sources
from tsr.trainer.validation import Validation

MOST_VALUES = 375_000_000
"""That copies of a video and what is given of them may hold: 1.5 GB, and as much again while they
are laid out one after the other."""

CLEARLY = 0.5
"""dB by which moving must foretell the video better than fading. It does by 1.1 to 3.2 on four real
clips, by -0.9 to 0.1 on scenes in which motion is too fast to be told at half the rate. On one of
those a network that was given moved frames lost 2.6 dB at the first pass (RESULTS.md)."""


def interpolation_for(
    video: Volume, device: torch.device, exposures: Sequence[float] = (FULL,)
) -> tuple[Interpolation, str]:
    """What a network for a coarse video (3, T, h, w) should be given, and why.

    Whoever foretells the video better from its own rect_2, where its motion is twice as fast as in
    the passes to come. Motion that cannot be followed there may be followed wrongly in the video:
    a network learns to undo fading more easily than a motion the wrong way.

    Args:
        exposures: of the frames that the ladder's passes are given.
    """
    validation = Validation(video, device, exposures, "motion")
    moved, faded = validation.plain_psnr, validation.cubic_psnr
    return (
        "motion" if moved > faded + CLEARLY else "cubic",
        f"from half its rate the video is foretold at {moved:.2f} dB by moving what moves, at "
        f"{faded:.2f} dB by fading",
    )


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
