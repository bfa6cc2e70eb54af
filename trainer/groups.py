"""A step's crops in groups, a core each.

Cores that share every convolution wait for each other hundreds of times a step, and for whatever
else runs on one of them: with one of two cores busy, they took three to six times as long as one
core alone (benchmarks/busy.py). Cores that take a group of crops each, and the next one when they
are done, meet once a step. One core or two make the same step of the same crops and weights. What
all cores share rounds by their number: copies of the video, frames between the input's, and groups
where there are more cores. So it takes as many threads for a training to be the same, bit for bit.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from tsr.core.cores import usable_cores

CROPS = 2
"""Of a group. One crop in FP32 takes four times as long as half of two: torch takes another
algorithm for it."""

Group = TypeVar("Group")


def gradients_of(
    errors: Callable[[Group], tuple[Tensor, Tensor]],
    groups: Sequence[Group],
    parameters: Sequence[Tensor],
    cores: int,
) -> Tensor:
    """Put the gradient of the errors' sum, by `parameters`, where optimisers look for it.

    Args:
        errors: what to report of a group, and what to make small.
        cores: that share the work.

    Returns:
        The sum of what to report.
    """

    def of_group(group: Group) -> tuple[Tensor, tuple[Tensor, ...]]:
        reported, error = errors(group)
        return reported.detach(), torch.autograd.grad(error, parameters)

    workers = min(len(groups), cores)
    found = list(_pool(workers, cores // workers).map(of_group, groups))
    for parameter, *parts in zip(parameters, *(gradients for _, gradients in found), strict=True):
        parameter.grad = functools.reduce(torch.add, parts)
    return functools.reduce(torch.add, [reported for reported, _ in found])


def cores_here() -> int:
    """Cores to train on: those of the process and its container, fewer by OMP_NUM_THREADS."""
    return min(usable_cores(), torch.get_num_threads())


@contextmanager
def on_one_core() -> Iterator[None]:
    """What is too small to share is computed by this thread alone, and numbers below FP32's normal
    range count as zero.

    The momentum of channels that have died fades into that range and stays there, where products
    take CPUs many times as long: after some thousand steps, Muon's took 190 ms instead of 7.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


@functools.cache
def _pool(workers: int, threads: int) -> ThreadPoolExecutor:
    """Workers that share their convolutions among so many threads each."""

    def begin() -> None:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)

    return ThreadPoolExecutor(workers, "crops", begin)
