"""Muon: a step of one size in every direction, and weights that do not grow for ever."""

import torch

from tsr.trainer.network import TsrNetwork
from tsr.trainer.optimiser import MUON_DECAY, Muon, build_optimisers, set_rate

SHAPE = (8, 6, 1, 3, 3)


def weight_with(gradient: torch.Tensor) -> torch.Tensor:
    weight = torch.nn.Parameter(torch.full(SHAPE, 2.0))
    weight.grad = gradient
    return weight


def test_a_step_has_the_same_size_in_every_direction() -> None:
    """However uneven the gradient is."""
    gradient = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    gradient[0] *= 100
    weight = weight_with(gradient)
    Muon([weight], lr=0.1, decay=0.0).step()
    moved = torch.linalg.svdvals((weight.detach() - 2).flatten(1))
    assert moved.min() > 0.05
    assert moved.max() < 0.13


def test_a_weight_that_nothing_asks_for_fades() -> None:
    """By the rate times the decay per step, so that it ends with the learning rate."""
    weight = weight_with(torch.zeros(SHAPE))
    muon = Muon([weight], lr=0.1, decay=0.3)
    for _ in range(2):
        muon.step()
    assert torch.allclose(weight, torch.full(SHAPE, 2 * 0.97**2))
    muon.param_groups[0]["lr"] = 0.0
    muon.step()
    assert torch.allclose(weight, torch.full(SHAPE, 2 * 0.97**2))


def test_only_hidden_weights_fade() -> None:
    """The first and the last layer, and all biases, are Adam's; the paper's optimiser has none."""
    for kind, fade in (("muon", 1 - 0.01 * MUON_DECAY), ("adam", 1.0)):
        network = TsrNetwork(4)
        for weight in network.parameters():
            torch.nn.init.ones_(weight)
            weight.grad = torch.zeros_like(weight)
        optimisers = build_optimisers(network, kind)
        set_rate(optimisers, 1e-3)
        for optimiser in optimisers:
            optimiser.step()
        hidden = {id(layer.weight) for layer in network.layers[1:-1]}
        for weight in network.parameters():
            expected = fade if id(weight) in hidden else 1.0
            assert torch.allclose(weight, torch.full_like(weight, expected))
