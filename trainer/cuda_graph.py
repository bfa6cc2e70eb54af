"""A whole training step as one CUDA graph: launching its kernels takes longer than running them."""

from collections.abc import Callable

import torch
from torch import Tensor

from tsr.trainer.optimiser import set_rate
from tsr.trainer.state import TrainState

EAGER_STEPS = 12
"""Steps taken one kernel at a time first: convolutions choose their algorithm, Adam its moments."""

ALGORITHMS = 3
"""That cuDNN tries per convolution. Trying ten, the usual number, takes 8 s per kind of step,
three 4.6 s; a step by the one it would take untried is a fifth slower (on an H200)."""


class GraphedStep:
    """Takes steps: the first ones eagerly, then by replaying a recording of one.

    Random crops stay random, since the generator is registered with the graph; the learning rate
    is read from device memory, where `set_rate` writes it.

    Args:
        eager: takes a step at a learning rate. step: the same without setting the rate.
        state: the run; weights, moments and gradients keep their addresses from now on.
    """

    def __init__(
        self, eager: Callable[[float], Tensor], step: Callable[[], Tensor], state: TrainState
    ) -> None:
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.benchmark_limit = ALGORITHMS
        self._eager, self._step, self._state = eager, step, state
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._taken = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._loss: Tensor | None = None

    def __call__(self, rate: float) -> Tensor:
        """Take one step and return its loss."""
        if self._taken < EAGER_STEPS:
            self._taken += 1
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                loss = self._eager(rate)
            torch.cuda.current_stream().wait_stream(self._stream)
            return loss
        if self._graph is None or self._loss is None:
            self._graph, self._loss = self._record()
        set_rate(self._state.optimisers, rate)
        self._graph.replay()
        return self._loss.clone()

    def _record(self) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._state.generator)
        with torch.cuda.graph(graph):  # records, takes no step
            loss = self._step()
        return graph, loss
