"""One step of training: crops in, a move of the weights out."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tsr.core.tiling import NETWORK_HALO
from tsr.trainer import groups
from tsr.trainer.config import TrainConfig
from tsr.trainer.consistency import Consistency
from tsr.trainer.crops import CropSampler
from tsr.trainer.cuda_graph import GraphedStep
from tsr.trainer.network import EDGE_FRAMES
from tsr.trainer.optimiser import set_rate
from tsr.trainer.precision import computes_half
from tsr.trainer.state import TrainState
from tsr.trainer.torch_ops import examples

CONSISTENCY_WEIGHT = 4.0
"""Of the consistency's squared error beside the examples': a mean of two frames errs less than a
frame. With 1 the first pass gains 0.5 dB on a clip where it gains 0.7 with 4."""


INSIDE = tuple(slice(n, -n) for n in (NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w))
"""What the network makes of crops with surroundings, in time, rows and columns."""


class Batch(NamedTuple):
    """Crops that a step learns from, or some of them.

    Args:
        base: (B, 3, T, H, W), what the network is given.
        wanted: (B, 3, T', H', W'), the residual that it shall make of it.
        between: (C, 3, T, H, W), what it is given besides, of the video's own rate.
        known: what each frame that it makes of that and the next one shall average to.
    """

    base: Tensor
    wanted: Tensor
    between: Tensor | None = None
    known: Tensor | None = None

    def groups(self) -> list["Batch"]:
        """Some crops of each kind in each."""
        kinds = [crops for crops in self if crops is not None]
        most = min(len(crops) for crops in kinds)
        count = min(max(sum(map(len, kinds[::2])) // groups.CROPS, 1), most)
        parts = [crops.tensor_split(count) for crops in kinds]
        return [Batch(*some) for some in zip(*parts, strict=True)]


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
    network = state.network
    residual = network.residual if around else network.residual_of_crops

    def draw() -> Batch:
        if around:
            return with_surroundings(sampler, config, state.generator, exposures, consistency)
        return padded_crops(sampler, config, state.generator, exposures)

    def at_once(batch: Batch) -> Tensor:
        network.zero_grad(set_to_none=True)
        loss, whole = errors(residual, batch, batch, config, consistency)
        whole.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def in_groups(batch: Batch) -> Tensor:
        def of_group(group: Batch) -> tuple[Tensor, Tensor]:
            return errors(residual, group, batch, config, consistency)

        return groups.gradients_of(of_group, batch.groups(), parameters, cores)

    on_gpu = state.generator.device.type == "cuda"
    parameters, cores = list(network.parameters()), groups.cores_here()

    def step() -> Tensor:
        batch = draw()
        loss = at_once(batch) if on_gpu else in_groups(batch)
        for optimiser in state.optimisers:
            optimiser.step()
        return loss

    def eager(rate: float) -> Tensor:
        set_rate(state.optimisers, rate)
        with groups.on_one_core():
            return step()

    return GraphedStep(eager, step, state) if on_gpu else eager


def padded_crops(
    sampler: CropSampler,
    config: TrainConfig,
    generator: torch.Generator,
    exposures: Sequence[float],
) -> Batch:
    """Crops that are padded with zeros inside the network."""
    htr, base = examples(sampler.draw(config.batch, generator), exposures)  # (B, 3, T, H, W)
    return Batch(base, (htr - base)[:, :, EDGE_FRAMES:-EDGE_FRAMES])


def with_surroundings(
    sampler: CropSampler,
    config: TrainConfig,
    generator: torch.Generator,
    exposures: Sequence[float],
    consistency: Consistency | None = None,
) -> Batch:
    """Half as many crops, which take as long: they are seen with what surrounds them.

    With `consistency`, half of them are its own.
    """
    least = len(exposures) if len(set(exposures)) > 1 else 1
    count = max(config.batch // (2 if consistency is None else 4), least)
    # (B, 3, T, H + 16, W + 16)
    htr, base = examples(sampler.draw(count, generator, NETWORK_HALO.h), exposures)
    wanted = (htr - base)[:, :, *INSIDE]
    if consistency is None:
        return Batch(base, wanted)
    return Batch(base, wanted, *consistency.draw(max(config.batch // 4, 1), generator))


def errors(
    residual: Callable[[Tensor], Tensor],
    group: Batch,
    batch: Batch,
    config: TrainConfig,
    consistency: Consistency | None,
) -> tuple[Tensor, Tensor]:
    """Mean squared error of the residual on the examples, and all that is to be made small.

    Args:
        residual: the network's.
        group: the crops asked about; the errors are what they add to those of the `batch`.
    """
    count, share = len(group.base), len(group.base) / len(batch.base)
    given, half = group.base, computes_half(config, group.base.device)
    if group.between is not None:
        given = torch.cat([given, group.between])
    # A cache of converted weights would be shared by all threads.
    with torch.autocast(given.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
        made = residual(given.contiguous(memory_format=torch.channels_last_3d)).float()
    loss = share * (made[:count] - group.wanted).square().mean()
    if consistency is None or group.between is None or batch.between is None:
        return loss, loss
    assert group.known is not None  # drawn together
    share = len(group.between) / len(batch.between)
    error = consistency.error(group.between[:, :, *INSIDE], made[count:], group.known)
    return loss, loss + share * CONSISTENCY_WEIGHT * error
