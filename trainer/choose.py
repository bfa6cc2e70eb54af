"""Which internal examples suit a video (paper, Table 2), found by short trainings one octave down.

At run time the network makes frames at a rate that nobody has seen. The same step into the unknown
can be rehearsed: learn from rect_2 of the video alone, then predict the video from it. Whoever does
that best is taken, `within` in a tie. When nobody beats cubic interpolation, and a network has not
even learned to on the pieces of video that it was shown (noise, tiny vibrations), the whole
training would not do it either, and plain interpolation with back-projection is the better result.
Who has learned, but fails one octave up, lacked time or evidence in the half of the frames; the
whole may hold it. So may that of a video which interpolation predicts so badly that much is to be
won: fast stripes take hundreds of steps until anything is learned.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.ladder import Interpolation
from tsr.core.volume import Volume
from tsr.trainer.config import FixedExamples, TrainConfig
from tsr.trainer.crops import CropSampler
from tsr.trainer.loop import learning_rate_policy
from tsr.trainer.moved import crop_sampler
from tsr.trainer.network import EDGE_FRAMES, TsrNetwork
from tsr.trainer.pace import seconds_per_step
from tsr.trainer.report import ChoiceWatch, Report
from tsr.trainer.state import TrainState
from tsr.trainer.step import step_function
from tsr.trainer.torch_ops import examples, rect2
from tsr.trainer.validation import Validation

SHARE = 0.13
"""Of the training's budget that the choice may take."""

MIN_STEPS = 90
"""Fewer tell nothing: after 40, a clip that gains 1.3 dB in the end was still below cubic."""

MAX_STEPS = 300
"""More tell no more."""

TIE = 0.1
"""dB by which another kind must beat `within`. On three clips so close, whole trainings from
`within` were 0.03 to 0.17 dB better than from `both`; on two videos where `both` was 0.4 dB ahead,
it was 0.2 and 1.1 dB better. It does not always hold: another seed moves a rehearsal by 0.1 to
0.6 dB, and whom short trainings favour, even by the truth, whole ones may not (RESULTS.md)."""

LEARNED = 0.1
"""dB over cubic interpolation on crops of the video itself from which a network has learned: noise
gives -0.2, vibrations -0.05, stripes whose way half the frames cannot tell 0.2 to 8."""

MISSES = 25.0
"""PSNR in dB of the video, predicted by cubic interpolation, below which it is never given up: to
train in vain costs time, to give up may cost more than any clip gains. 16 to 20 dB on fast
stripes and wheels, 25 to 36 on real clips; noise, which nobody can predict, 37 at 5/255 and 25 at
20/255."""

LOOKS = 6
"""Batches of crops that this is measured on."""


@dataclass(frozen=True)
class Choice:
    """What to learn from, and why.

    Args:
        examples: the kind of examples; `none` when plain interpolation is better.
        reason: in words. gains: dB over plain interpolation of what each kind learned.
    """

    examples: FixedExamples | Literal["none"]
    reason: str
    gains: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the model card and the state of an unfinished training."""
        return asdict(self)


def choose_examples(
    video: Volume,
    config: TrainConfig,
    device: torch.device,
    *,
    exposures: Sequence[float] = (FULL,),
    stop: Callable[[], bool] = lambda: False,
    report: Report = lambda _: None,
) -> Choice | None:
    """Rehearse the kinds of examples on a coarse video (3, T, h, w) and choose.

    Args:
        config: the training that will follow; its length bounds that of the rehearsals.
        exposures: as for `tsr.trainer.loop.train_on_volume`.
        stop: asked after each step.
        report: called every few seconds.

    Returns:
        The choice, None when `stop` said so.
    """
    kinds = _affordable(config.steps, config.given)
    if not kinds:
        return Choice("both", f"{config.steps} steps are too few to compare kinds in", {})
    frames = video.shape[1] // 2 * 2
    video = np.ascontiguousarray(video[:, :frames])
    low = rect2(torch.from_numpy(video)[None], exposures[0])[0].numpy()
    usual = _sampler(low, config, "both", device, exposures)
    if usual is None:  # then none of the kinds has crops
        return _best({})
    validation = Validation(video, device, exposures, config.given)
    budget = config.steps
    if config.max_minutes is not None:
        pace = seconds_per_step(usual, config, exposures)
        budget = min(budget, int(60 * config.max_minutes / pace))
        kinds = _affordable(budget, config.given)
        if not kinds:
            return Choice(
                "both", f"{config.max_minutes:g} minutes are too few to compare kinds", {}
            )
    gains: dict[str, float] = {}
    learned: float | None = None
    steps = _steps(budget, kinds)
    watch = ChoiceWatch(config, steps * len(kinds), report)

    def counted_stop() -> bool:
        watch.step()
        return stop()

    for kind in kinds:
        sampler = usual if kind == "both" else _sampler(low, config, kind, device, exposures)
        if sampler is None:
            continue
        short = replace(config, examples=kind, steps=steps, max_minutes=None)
        network = _rehearse(short, sampler, exposures, counted_stop)
        if network is None:
            return None
        gains[kind] = round(validation.psnr(network) - validation.plain_psnr, 3)
        if kind == "both" and gains[kind] <= 0:
            learned = _learned(network, low, config, device, exposures)
    return _best(gains, learned, validation.cubic_psnr, config.given)


def _affordable(budget: int, given: Interpolation) -> list[FixedExamples]:
    """The kinds that a training of so many steps allows to compare; the default kind first.

    Not across alone where frames are moved: it may win a rehearsal, but teaches nothing of what
    moving leaves wrong from frame to frame (RESULTS.md, "Trials").
    """
    kinds: list[FixedExamples] = ["both", "within"]
    if given == "cubic":
        kinds.append("across")
    for some in (kinds, kinds[:1]):
        if budget * SHARE >= MIN_STEPS * len(some):
            return some
    return []


def _steps(budget: int, kinds: list[FixedExamples]) -> int:
    return min(MAX_STEPS, int(budget * SHARE / len(kinds)))


def _sampler(
    low: Volume,
    config: TrainConfig,
    kind: FixedExamples,
    device: torch.device,
    exposures: Sequence[float],
) -> CropSampler | None:
    """Crops of one kind; None if half the frames hold none."""
    try:
        return crop_sampler(low, config, kind, device, exposures)
    except SettingsError:
        return None


def _rehearse(
    config: TrainConfig,
    sampler: CropSampler,
    exposures: Sequence[float],
    stop: Callable[[], bool],
) -> TsrNetwork | None:
    """What a short training gives; None when `stop` said so."""
    state = TrainState.fresh(config, sampler.device)
    policy = learning_rate_policy(replace(config, policy="budget"))
    take_step = step_function(state, sampler, config, exposures)
    for step in range(config.steps):
        take_step(policy.rate(step / config.steps, []))
        if stop():
            return None
    return state.network


@torch.no_grad()
def _learned(
    network: TsrNetwork,
    low: Volume,
    config: TrainConfig,
    device: torch.device,
    exposures: Sequence[float],
) -> float | None:
    """Gain in dB on crops of the video with its axes as they are; None if it holds none."""
    try:
        sampler = crop_sampler(low, config, "within", device, exposures, within_alone=True)
    except SettingsError:
        return None
    generator = torch.Generator(device).manual_seed(config.seed)
    cubic = made = 0.0
    for _ in range(LOOKS):
        drawn = sampler.draw(max(config.batch, len(exposures)), generator)
        htr, base = examples(drawn, exposures)
        missing = (htr - base)[:, :, EDGE_FRAMES:-EDGE_FRAMES]
        cubic += missing.square().mean().item()
        made += (missing - network.residual_of_crops(base)).square().mean().item()
    return 10 * math.log10(max(cubic, 1e-12) / max(made, 1e-12))


def _best(
    gains: dict[str, float],
    learned: float | None = None,
    cubic: float = math.inf,
    interpolation: str = "cubic",
) -> Choice:
    if not gains:
        return Choice("both", "the video is too short to compare kinds", gains)
    told = ", ".join(f"{kind} {gain:+.2f} dB" for kind, gain in gains.items())
    if max(gains.values()) <= 0:
        if learned is not None and learned > LEARNED:
            return Choice(
                "both",
                f"{told} against plain interpolation, one octave down, but {learned:+.2f} dB on "
                "what it was shown",
                gains,
            )
        if cubic < MISSES:
            return Choice(
                "both",
                f"{told} against plain interpolation, one octave down, but that is at {cubic:.1f} "
                "dB only",
                gains,
            )
        return Choice("none", f"plain interpolation is better here: {told} against it", gains)
    best = max(gains, key=lambda kind: gains[kind])
    if gains.get("within", 0) > 0 and gains[best] < gains["within"] + TIE:
        best = "within"
    named: dict[str, FixedExamples] = {kind: kind for kind in get_args(FixedExamples)}
    return Choice(named[best], f"{told} over {interpolation} interpolation, one octave down", gains)
