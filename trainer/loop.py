"""The training loop: examples in, better weights out, until the budget is used."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import torch
from torch import Tensor

from tsr.core.errors import SettingsError
from tsr.core.volume import Volume
from tsr.trainer.config import TrainConfig
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import internal_sources
from tsr.trainer.network import TsrNetwork
from tsr.trainer.optimiser import set_rate
from tsr.trainer.schedule import Adaptive, Budget, LearningRate
from tsr.trainer.state import TrainState, copied
from tsr.trainer.torch_ops import cubic_t2, rect2
from tsr.trainer.validation import Validation

EDGE_FRAMES = 2
"""Frames at each temporal end of a crop that the loss ignores (release): the cubic interpolation
sees less there than it will inside a video."""


@dataclass(frozen=True)
class TrainReport:
    """What a training run reports at each validation.

    Args:
        step: steps done. loss: mean training loss since the last report.
        psnr: validation PSNR in dB. best: the best so far. cubic: that of cubic interpolation.
        rate: steps per second. remaining: seconds left, None when the policy decides.
    """

    step: int
    loss: float
    psnr: float
    best: float
    cubic: float
    rate: float
    remaining: float | None


def train_on_volume(
    video: Volume,
    config: TrainConfig,
    state: TrainState,
    *,
    report: Callable[[TrainReport], None] = lambda _: None,
    checkpoint: Callable[[], None] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
) -> Validation:
    """Move `state` along until its budget is used, `stop()` is true, or the policy ends it.

    Args:
        video: (3, T, h, w) float32 in [0, 1], the video at the coarsest rung.
        state: a fresh or a resumed run; `state.best` is the result.
        report: called at each validation.
        checkpoint: called after each validation, to save the state.
        stop: asked after each step.
    """
    device = next(state.network.parameters()).device
    sampler = CropSampler(
        internal_sources(video, config.crop, config.examples), config.crop, device
    )
    validation = Validation(video, device)
    policy = learning_rate_policy(config)

    losses: list[Tensor] = []
    started, seconds_before = time.monotonic(), state.seconds
    validated = time.monotonic(), state.step
    while True:
        errors = [(step, 10 ** (-psnr / 10)) for step, _, psnr in state.history]
        rate = policy.rate(progress(config, state), errors)
        if rate == 0 or progress(config, state) >= 1:
            break
        losses.append(train_step(state, sampler, config, rate))
        state.seconds = seconds_before + time.monotonic() - started
        interrupted = stop()
        done = progress(config, state) >= 1
        if state.step % config.validate_every == 0 or done:
            psnr = validate(state, validation, config)
            loss = float(torch.stack(losses).mean())
            if not loss < float("inf"):
                raise SettingsError(
                    f"training diverged at step {state.step}; lower --learning-rate "
                    f"(it was {config.learning_rate:g})"
                )
            state.history.append((state.step, loss, psnr))
            now = time.monotonic()
            speed = (state.step - validated[1]) / max(now - validated[0], 1e-9)
            validated, losses = (now, state.step), []
            left = remaining_seconds(config, state, speed)
            report(
                TrainReport(
                    state.step, loss, psnr, state.best_psnr, validation.cubic_psnr, speed, left
                )
            )
            checkpoint()
        if interrupted:
            checkpoint()
            break
    return validation


def train_step(state: TrainState, sampler: CropSampler, config: TrainConfig, rate: float) -> Tensor:
    """One step: crops, their LTR side, the residual's squared error, a move. Returns the loss."""
    htr = sampler.draw(config.batch, state.generator)  # (B, 3, T, H, W)
    base = cubic_t2(rect2(htr))
    target = (htr - base)[:, :, EDGE_FRAMES:-EDGE_FRAMES]
    network = state.network
    with torch.autocast(htr.device.type, torch.bfloat16, enabled=htr.device.type == "cuda"):
        residual = network.residual(
            base.contiguous(memory_format=torch.channels_last_3d), same=True
        )
    loss = (residual.float()[:, :, EDGE_FRAMES:-EDGE_FRAMES] - target).square().mean()
    state.network.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    set_rate(state.optimisers, rate)
    for optimiser in state.optimisers:
        optimiser.step()
    state.step += 1
    update_average(state, config.average)
    return loss.detach()


def update_average(state: TrainState, decay: float) -> None:
    """Move the running mean of the weights; early steps count more, so the start is forgotten."""
    decay = min(decay, (1 + state.step) / (10 + state.step))
    weights = state.network.state_dict()
    names = list(state.average)
    torch._foreach_lerp_(  # one launch for all tensors
        [state.average[name] for name in names], [weights[name] for name in names], 1 - decay
    )


def validate(state: TrainState, validation: Validation, config: TrainConfig) -> float:
    """Validate the weights that would be kept, and keep them if they are the best so far."""
    candidate = TsrNetwork(config.channels)
    candidate.load_state_dict(state.average if config.average else state.network.state_dict())
    candidate.place(validation.truth.device)
    psnr = validation.psnr(candidate)
    if psnr > state.best_psnr:
        state.best = copied(candidate.state_dict())
    return psnr


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


def remaining_seconds(config: TrainConfig, state: TrainState, speed: float) -> float | None:
    """Seconds until the budget is used at `speed` steps per second; None when a policy decides."""
    if config.policy == "adaptive":
        return None
    left = (config.steps - state.step) / speed
    if config.max_minutes is not None:
        left = min(left, 60 * config.max_minutes - state.seconds)
    return max(left, 0.0)


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Make the first Ctrl-C a question asked between steps; a second one interrupts."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
