"""One step of training: crops in, a move of the weights out."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tsr.core.tiling import NETWORK_HALO
from tsr.trainer.config import TrainConfig
from tsr.trainer.consistency import Consistency
from tsr.trainer.crops import CropSampler
from tsr.trainer.cuda_graph import GraphedStep
from tsr.trainer.network import EDGE_FRAMES
from tsr.trainer.optimiser import set_rate
from tsr.trainer.precision import computes_half
from tsr.trainer.state import TrainState
from tsr.trainer.torch_ops import interpolated

CONSISTENCY_WEIGHT = 4.0
"""Of the consistency's squared error beside the examples': a mean of two frames errs less than a
frame. With 1 the first pass gains 0.5 dB on a clip where it gains 0.7 with 4."""


def step_function(
    state: TrainState,
    sampler: CropSampler,
    config: TrainConfig,
    exposures: Sequence[float],
    *,
    around: bool = False,
    consistency: Consistency | None = None,
) -> Callable[[float], Tensor]:
    """What takes one step at a given learning rate and returns its error on the examples.

    Args:
        exposures: of the frames that the ladder's network passes are given.
        around: whether crops are seen with their surroundings.
        consistency: where half of those crops come from.
    """

    def step() -> Tensor:
        if around:
            loss, rest = loss_with_surroundings(state, sampler, config, exposures, consistency)
        else:
            loss, rest = loss_of_crops(state, sampler, config, exposures), 0.0
        state.network.zero_grad(set_to_none=True)
        (loss + rest).backward()  # type: ignore[no-untyped-call]
        for optimiser in state.optimisers:
            optimiser.step()
        return loss.detach()

    def eager(rate: float) -> Tensor:
        set_rate(state.optimisers, rate)
        return step()

    if state.generator.device.type == "cuda":
        return GraphedStep(eager, step, state)
    return eager


def loss_of_crops(
    state: TrainState, sampler: CropSampler, config: TrainConfig, exposures: Sequence[float]
) -> Tensor:
    """Mean squared error of the residual on crops that are padded with zeros inside the network."""
    htr = sampler.draw(config.batch, state.generator)  # (B, 3, T, H, W)
    base = interpolated(htr, exposures)
    residual = _predict(state.network.residual_of_crops, base, config)
    return (residual - (htr - base)[:, :, EDGE_FRAMES:-EDGE_FRAMES]).square().mean()


def loss_with_surroundings(
    state: TrainState,
    sampler: CropSampler,
    config: TrainConfig,
    exposures: Sequence[float],
    consistency: Consistency | None = None,
) -> tuple[Tensor, Tensor | float]:
    """The same on half as many crops, which take as long: they are seen with what surrounds them.

    Returns:
        The error on the examples, and what else is to be made small: with `consistency`, half of
        the crops are its own.
    """
    halo = NETWORK_HALO
    inside = slice(halo.t, -halo.t), slice(halo.h, -halo.h), slice(halo.w, -halo.w)
    least = len(exposures) if len(set(exposures)) > 1 else 1
    count = max(config.batch // (2 if consistency is None else 4), least)
    htr = sampler.draw(count, state.generator, halo.h)  # (B, 3, T, H + 16, W + 16)
    base = interpolated(htr, exposures)
    target = (htr - base)[:, :, *inside]
    if consistency is None:
        return (_predict(state.network.residual, base, config) - target).square().mean(), 0.0
    between, known = consistency.draw(max(config.batch // 4, 1), state.generator)
    residual = _predict(state.network.residual, torch.cat([base, between]), config)
    made = between[:, :, *inside] + residual[count:]
    loss = (residual[:count] - target).square().mean()
    return loss, CONSISTENCY_WEIGHT * consistency.error(made, known)


def _predict(residual: Callable[[Tensor], Tensor], base: Tensor, config: TrainConfig) -> Tensor:
    half = computes_half(config, base.device)
    with torch.autocast(base.device.type, torch.bfloat16, enabled=half):
        return residual(base.contiguous(memory_format=torch.channels_last_3d)).float()
