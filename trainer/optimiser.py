"""The optimisers: Adam (paper 4.1), and Muon for the hidden convolutions.

Muon replaces each step's direction by the nearest matrix with equal singular values, so that a
deep chain of convolutions without normalisation learns in all directions at once. At 900 steps it
gained 0.2 dB at ×8 over Adam on the same network (mean of four clips, benchmarks/RESULTS.md).
"""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor

from tsr.trainer.network import TsrNetwork

MUON_RATIO = 10.0
"""Muon's learning rate relative to Adam's: 0.01 beside 1e-3."""

MUON_DECAY = 0.3
"""Share of a hidden weight that goes per step, times Muon's learning rate. Without it weights grow
with every step, and what was learned by heart with them: the first pass gains 0.6 dB on one clip,
nothing on another (benchmarks/RESULTS.md); 0.1 gains half of that, with 1 too little is learned."""

# Coefficients of the quintic iteration by K. Jordan (2024): fast to within ±30 % of 1.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def build_optimisers(
    network: TsrNetwork, kind: Literal["adam", "muon"]
) -> list[torch.optim.Optimizer]:
    """Optimisers over all weights; each group's rate is the schedule's times its `ratio`."""
    hidden = [layer.weight for layer in network.layers[1:-1]] if kind == "muon" else []
    chosen = {id(weight) for weight in hidden}
    rest = [weight for weight in network.parameters() if id(weight) not in chosen]
    graphed = rest[0].device.type == "cuda"
    rate = torch.zeros((), device=rest[0].device) if graphed else 0.0
    found: list[torch.optim.Optimizer] = [
        torch.optim.Adam(rest, lr=rate, fused=graphed, capturable=graphed)
    ]
    if hidden:
        found.append(Muon(hidden, rate if isinstance(rate, float) else rate.clone()))
    for optimiser in found:
        for group in optimiser.param_groups:
            group["ratio"] = MUON_RATIO if isinstance(optimiser, Muon) else 1.0
    return found


def moment_shapes(optimiser: torch.optim.Optimizer) -> dict[int, dict[str, torch.Size]]:
    """Of what it keeps of past steps, by a weight's number and by name."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    if isinstance(optimiser, Muon):
        return {n: {"mean": weight.shape} for n, weight in enumerate(weights)}
    return {
        n: {"step": torch.Size(), "exp_avg": weight.shape, "exp_avg_sq": weight.shape}
        for n, weight in enumerate(weights)
    }


def set_rate(optimisers: Iterable[torch.optim.Optimizer], rate: float) -> None:
    """Give all optimisers the schedule's learning rate."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            value = rate * group["ratio"]
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)  # a recorded step reads it from there
            else:
                group["lr"] = value


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised. For convolution weights (out, in, t, h, w), read as (out, rest).

    Args:
        weights: the hidden convolutions' weights.
        lr: learning rate, a tensor if steps are to be recorded.
        momentum: share of the running mean kept per step; Nesterov's form.
        decay: share of each weight that goes per step, times the learning rate.
    """

    def __init__(
        self,
        weights: list[Tensor],
        lr: float | Tensor = 0.0,
        momentum: float = 0.95,
        decay: float = MUON_DECAY,
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["mean"] = torch.zeros_like(weight)
                state["mean"].lerp_(weight.grad, 1 - group["momentum"])
                direction = weight.grad.lerp(state["mean"], group["momentum"])
                flat = orthogonalised(direction.flatten(1))
                tall = max(1.0, flat.shape[0] / flat.shape[1]) ** 0.5
                weight.mul_(1 - group["lr"] * group["decay"])
                weight.sub_(flat.view(weight.shape) * (group["lr"] * tall))


def orthogonalised(matrix: Tensor, iterations: int = 5) -> Tensor:
    """(m, n) → a matrix of the same singular vectors with singular values near 1."""
    a, b, c = NEWTON_SCHULZ
    x: Tensor = matrix.float() / (matrix.norm() + 1e-7)
    transposed = x.shape[0] > x.shape[1]
    if transposed:
        x = x.T
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    if transposed:
        x = x.T
    return x
