"""The training loop: examples in, better weights out, until the budget is used."""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import torch
from torch import Tensor

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.volume import Volume
from tsr.trainer.config import TrainConfig
from tsr.trainer.consistency import REMAKE_SHARE, Consistency
from tsr.trainer.moved import crop_sampler
from tsr.trainer.network import TsrNetwork
from tsr.trainer.precision import computes_half
from tsr.trainer.report import REPORT_SECONDS, TrainReport, remaining_seconds
from tsr.trainer.schedule import Adaptive, Budget, LearningRate
from tsr.trainer.state import TrainState, copied
from tsr.trainer.step import step_function
from tsr.trainer.validation import Validation

FINISH = 0.5
"""Share of the budget after which the last part of a training begins, at the latest: crops are seen
with their surroundings, as at run time, instead of zeros, half as many in the same time; and half
of those come from the video's own rate (`tsr.trainer.consistency`), which gains 0.03 to 0.6 dB at
×8, by clip."""

ONE_PRESS = 1.0
"""Seconds in which signals count as one: GNU timeout signals the process and then its group, and to
end at the second would lose all steps since the last validation."""

TAUGHT_LEAST = 1.0
"""dB over cubic interpolation that are taken to have been taught at least, since a validation moves
by some tenths of a dB from chance."""


def train_on_volume(
    video: Volume,
    config: TrainConfig,
    state: TrainState,
    *,
    exposures: Sequence[float] = (FULL,),
    report: Callable[[TrainReport], None] = lambda _: None,
    checkpoint: Callable[[], None] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
) -> Validation:
    """Move `state` along until its budget is used, `stop()` is true, or the policy ends it.

    Args:
        video: (3, T, h, w) float32 in [0, 1], the video at the coarsest rung.
        state: a fresh or a resumed run; `state.best` is the result.
        exposures: of the frames that each network pass of the ladder is given, first the video's
            own, as fractions of their interval.
        report: called at each validation and every few seconds.
        checkpoint: called after each validation, to save the state.
        stop: asked after each step.

    Raises:
        SettingsError: the settings name no kind of examples, or the training diverged.
    """
    if config.examples == "auto" or config.examples == "none":
        raise SettingsError(f"examples is {config.examples}; expected a kind to learn from")
    check_batch(config, exposures)
    device = next(state.network.parameters()).device
    sampler = crop_sampler(video, config, config.examples, device, exposures)
    validation = Validation(video, device, exposures, config.given)
    policy = learning_rate_policy(config)
    consistency = between_frames(video, config, state, exposures[0])
    usual = step_function(state, sampler, config, exposures)
    finishing = step_function(
        state, sampler, config, exposures, around=True, consistency=consistency
    )

    losses: list[Tensor] = []
    started, before = time.monotonic(), (state.step, state.seconds)
    reported = started
    while (used := progress(config, state)) < 1:
        rate = policy.rate(used, state.errors[state.last_part or 0 :])
        if state.last_part is None and last_part_begins(config, used, rate):
            if not state.history or state.history[-1][0] < state.step:  # to know what was learned
                validate(state, validation, config, mean_loss(losses, state.step, config))
                losses.clear()
            state.last_part, state.learned = len(state.history), copied(state.best)
            policy = learning_rate_policy(config)
            rate = policy.rate(used, [])
        if rate == 0:
            break
        finish = state.last_part is not None
        if finish and consistency is not None:
            remake(state, consistency, used)
        losses.append((finishing if finish else usual)(rate))
        state.step += 1
        now = time.monotonic()
        state.seconds = before[1] + now - started
        interrupted = stop()
        due = state.step % config.validate_every == 0 or progress(config, state) >= 1
        if due or now - reported >= REPORT_SECONDS:
            loss = mean_loss(losses, state.step, config)
            if due:  # also when interrupted: the run that goes on starts behind this step
                validate(state, validation, config, loss)
                losses.clear()
                if state.misled and consistency is not None:
                    consistency, policy = None, learning_rate_policy(config)
                    finishing = step_function(state, sampler, config, exposures, around=True)
                checkpoint()
            reported = time.monotonic()
            speed = (state.step - before[0]) / max(reported - started, 1e-9)
            report(describe(state, config, validation, loss, speed))
        if interrupted:
            checkpoint()
            break
    return validation


def check_batch(config: TrainConfig, exposures: Sequence[float]) -> None:
    """Raise `SettingsError` if a ladder's passes differ and a batch has no crop for each."""
    learns = config.examples != "none"
    if learns and len(set(exposures)) > 1 and config.batch < len(exposures):
        raise SettingsError(
            f"batch is {config.batch}; expected {len(exposures)} or more at this exposure, since "
            "the ladder's passes then differ and each needs a crop"
        )


def last_part_begins(config: TrainConfig, used: float, rate: float) -> bool:
    """Half of the budget is used, or the adaptive policy would lower its first rate: what the usual
    crops teach has been learned. It then begins anew, since the last part teaches something else.
    """
    learned = config.policy == "adaptive" and rate < config.learning_rate
    return used >= FINISH or learned


def describe(
    state: TrainState, config: TrainConfig, validation: Validation, loss: float, speed: float
) -> TrainReport:
    """The report of this moment."""
    last = state.history[-1][2] if state.history else None
    best = state.best_psnr if state.history else None
    left = remaining_seconds(config, state.step, state.seconds, speed)
    return TrainReport(state.step, loss, last, best, validation.cubic_psnr, speed, left)


def between_frames(
    video: Volume, config: TrainConfig, state: TrainState, exposure: float
) -> Consistency | None:
    """What the last part of a training learns its own rate from; None if the video is too small, or
    that has misled it."""
    if state.misled or not Consistency.fits(video, config.crop):
        return None
    device = state.generator.device
    half = computes_half(config, device)
    consistency = Consistency(
        video,
        config.crop,
        device,
        exposure=exposure,
        half=half,
        interpolation=config.given,
    )
    if state.maker is not None:  # a resumed run goes on with the frames that it had
        maker = TsrNetwork(config.channels)
        maker.load_state_dict(state.maker)
        maker.place(device)  # as it was: oneDNN rounds otherwise in another layout
        consistency.remake(maker)
    return consistency


def remake(state: TrainState, consistency: Consistency, used: float) -> None:
    """Make the frames between the input's by the weights of now, when it is time."""
    if state.maker is None or used >= state.made + REMAKE_SHARE:
        state.maker, state.made = copied(state.network.state_dict()), used
        consistency.remake(state.network)


def mean_loss(losses: list[Tensor], step: int, config: TrainConfig) -> float:
    """Mean of the losses, 0 of none.

    Raises:
        SettingsError: the training diverged.
    """
    loss = float(torch.stack(losses).mean()) if losses else 0.0
    check_finite(loss, step, config)
    return loss


def check_finite(measured: float, step: int, config: TrainConfig) -> None:
    """Raise `SettingsError` if what was measured of the weights says that they blew up."""
    if not math.isfinite(measured):
        raise SettingsError(
            f"training diverged before step {step}; lower --learning-rate "
            f"(it was {config.learning_rate:g})"
        )


def validate(
    state: TrainState, validation: Validation, config: TrainConfig, loss: float = 0.0
) -> None:
    """Validate the weights; keep them if they are the best so far, or go back if they were misled
    (see `TrainState`). `loss` is entered into the history beside it.

    Raises:
        SettingsError: the training diverged, in its last step maybe, whose loss is from before it.
    """
    psnr = validation.psnr(state.network)
    check_finite(psnr, state.step, config)
    state.history.append((state.step, loss, psnr))
    if psnr > state.best_psnr or state.maker is not None:
        state.best, state.best_psnr = copied(state.network.state_dict()), psnr
    if state.maker is not None and is_misled(state, psnr, validation.plain_psnr):
        go_back(state)


def is_misled(state: TrainState, psnr: float, plain: float) -> bool:
    """Whether the video's own rate has undone all that the examples taught; `psnr` is now's.

    Aliased motion whose direction a network has not learned yet it makes the wrong way, and then
    learns from what it made. On stripes all of 5.8 dB was lost so, where examples alone gained 2.5
    more; what other videos lose for a while, up to two thirds, they win back with interest
    (benchmarks/RESULTS.md).
    """
    taught = max(state.learned_psnr - plain, TAUGHT_LEAST)
    return psnr < state.learned_psnr - taught


def go_back(state: TrainState) -> None:
    """Take the weights from before the last part, which begins anew, from examples alone."""
    assert state.learned is not None  # kept when the last part begins
    state.network.load_state_dict(state.learned)
    state.best, state.best_psnr = copied(state.learned), state.learned_psnr
    state.maker, state.misled, state.last_part = None, True, len(state.history)


def learning_rate_policy(config: TrainConfig) -> LearningRate:
    """The policy that the settings name."""
    if config.policy == "adaptive":
        return Adaptive(config.learning_rate)
    return Budget(config.learning_rate)


def progress(config: TrainConfig, state: TrainState) -> float:
    """Share of the budget used: of the steps or of the minutes, whichever is further."""
    used = state.step / config.steps
    if config.max_minutes is not None:
        used = max(used, state.seconds / (60 * config.max_minutes))
    return used


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Make the first Ctrl-C or SIGTERM a question asked between steps; a later one interrupts, if
    it comes more than `ONE_PRESS` seconds behind."""
    asked: float | None = None

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        now = time.monotonic()
        if asked is None:
            asked = now
        elif now - asked > ONE_PRESS:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked is not None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
