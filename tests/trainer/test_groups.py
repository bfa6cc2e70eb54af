"""Groups of crops that cores take: the same step, whoever computes what."""

from collections.abc import Callable
from dataclasses import replace

import clips
import numpy as np
import pytest
import torch
from torch import Tensor

from tsr.trainer import groups
from tsr.trainer.config import TrainConfig
from tsr.trainer.consistency import Consistency
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import internal_sources
from tsr.trainer.state import TrainState, Weights, copied
from tsr.trainer.step import Batch, errors, padded_crops, step_function, with_surroundings

CPU = torch.device("cpu")
CONFIG = TrainConfig(channels=4, steps=10, batch=8, examples="both", precision="fp32")
VIDEO = (0.2 + 0.6 * clips.rotating_spokes(24, 20, 24, turn=0.3)).astype(np.float32)


@pytest.fixture
def sampler() -> CropSampler:
    return CropSampler(internal_sources(VIDEO, CONFIG.crop, "both"), CONFIG.crop, CPU)


@pytest.fixture
def consistency() -> Consistency:
    found = Consistency(VIDEO, CONFIG.crop, CPU)
    found.remake(TrainState.fresh(CONFIG, CPU).network)
    return found


@pytest.mark.parametrize(
    ("crops", "more", "sizes"),
    [
        (8, 0, [(2, 0)] * 4),
        (10, 0, [(2, 0)] * 5),
        (5, 0, [(3, 0), (2, 0)]),
        (1, 0, [(1, 0)]),
        (2, 2, [(1, 1), (1, 1)]),
        (3, 2, [(2, 1), (1, 1)]),
        (4, 1, [(4, 1)]),
    ],
)
def test_groups_have_some_crops_of_each_kind(
    crops: int, more: int, sizes: list[tuple[int, int]]
) -> None:
    numbers, others = torch.arange(crops).view(-1, 1), torch.arange(more).view(-1, 1)
    batch = Batch(numbers, numbers, *((others, others) if more else ()))
    found = batch.groups()
    lengths = [
        (len(group.base), 0 if group.between is None else len(group.between)) for group in found
    ]
    assert lengths == sizes
    assert torch.equal(torch.cat([group.wanted for group in found]), numbers)
    if more:
        known = [group.known for group in found if group.known is not None]
        assert torch.equal(torch.cat(known), others)


@pytest.mark.parametrize("exposures", [(1.0,), (1.0, 0.5, 0.25)])
@pytest.mark.parametrize("batch", [3, 8, 12])
@pytest.mark.parametrize("kind", ["padded", "around", "own rate"])
def test_groups_add_up_to_the_batch(
    sampler: CropSampler,
    consistency: Consistency,
    kind: str,
    batch: int,
    exposures: tuple[float, ...],
) -> None:
    """Errors and gradients are those of all crops at once, also where groups are uneven."""
    config = replace(CONFIG, batch=batch)
    network = TrainState.fresh(config, CPU).network
    generator = torch.Generator().manual_seed(1)
    used = consistency if kind == "own rate" else None
    if kind == "padded":
        drawn = padded_crops(sampler, config, generator, exposures)
        residual: Callable[[Tensor], Tensor] = network.residual_of_crops
    else:
        drawn = with_surroundings(sampler, config, generator, exposures, used)
        residual = network.residual

    def of(group: Batch) -> tuple[Tensor, Tensor]:
        return errors(residual, group, drawn, config, used)

    loss, whole = of(drawn)
    assert (whole > loss) if used else torch.equal(whole, loss)
    parameters = list(network.parameters())
    wanted = torch.autograd.grad(whole, parameters)
    found = groups.gradients_of(of, drawn.groups(), parameters, cores=2)
    torch.testing.assert_close(found, loss.detach())
    for parameter, gradient in zip(parameters, wanted, strict=True):
        assert parameter.grad is not None
        scale = float(gradient.abs().max())
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-5 * scale, rtol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_do_not_depend_on_how_many_cores_there_are(
    sampler: CropSampler,
    consistency: Consistency,
    precision: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def weights(cores: int) -> Weights:
        monkeypatch.setattr(groups, "cores_here", lambda: cores)
        config = replace(CONFIG, precision=precision)
        state = TrainState.fresh(config, CPU)
        for own in (None, consistency):
            step = step_function(
                state, sampler, config, (1.0,), around=own is not None, consistency=own
            )
            for _ in range(4):
                step(1e-3)
        return copied(state.network.state_dict())

    one, two = weights(1), weights(2)
    assert all(torch.equal(weight, two[name]) for name, weight in one.items())


def test_all_threads_are_back_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(torch, "set_num_threads", said.append)
    with pytest.raises(ZeroDivisionError), groups.on_one_core():
        raise ZeroDivisionError
    assert said == [1, 3]


@pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="this CPU cannot take tiny numbers for zero"
)
def test_numbers_too_small_for_full_precision_are_zero_while_training() -> None:
    """And nowhere else."""
    tiny = torch.tensor([1e-39])
    with groups.on_one_core():
        assert float(tiny * 1) == 0
    assert float(tiny * 1) > 0
    weight = torch.ones(1, requires_grad=True)
    found = groups.gradients_of(lambda _: (tiny * 1, (weight * 1).sum()), [0], [weight], cores=1)
    assert float(found) == 0


def test_a_worker_s_error_is_the_step_s() -> None:
    def errors_of(_: int) -> tuple[Tensor, Tensor]:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        groups.gradients_of(errors_of, [1, 2], [torch.zeros(1, requires_grad=True)], cores=2)


def test_cores_are_no_more_than_the_process_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for usable, threads, cores in ((2, 64, 2), (16, 4, 4), (1, 1, 1)):
        monkeypatch.setattr(groups, "usable_cores", lambda usable=usable: usable)
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert groups.cores_here() == cores
