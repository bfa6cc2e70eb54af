"""What the network is, for all who train, export or run it (paper 4.1, Fig. 8a)."""

from itertools import pairwise

KERNELS = ((3, 3, 3), *[(1, 3, 3)] * 2, (3, 3, 3), *[(1, 3, 3)] * 3, (3, 3, 3))
"""(t, h, w) extent of the eight convolutions; sharper in space than in time (method-notes.md). The
release has its second 3×3×3 in the second place; behind two more layers that see the frames one by
one, it compares what they hold instead of their pixels: 0.15 to 0.4 dB in the first pass on three
clips, for 0 to 3 % more work by the size of tiles (benchmarks/RESULTS.md, "Trials")."""

CENTRE = 0.5
"""Taken off the input: with values around zero no layer dies early on (+0.15 dB at 900 steps)."""


def widths(channels: int) -> list[int]:
    """Channels before the first layer and behind each, `channels` of them in the hidden ones."""
    return [3, *[channels] * (len(KERNELS) - 1), 3]


def weight_shapes(channels: int) -> dict[str, tuple[int, ...]]:
    """Shapes of all weights by their names in a model file.

    Args:
        channels: width of the seven hidden layers.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for n, (before, after) in enumerate(pairwise(widths(channels))):
        kernel = KERNELS[n]
        shapes |= {weight_name(n): (after, before, *kernel), bias_name(n): (after,)}
    return shapes


def weight_name(layer: int) -> str:
    """Of a layer's weights, (out, in, t, h, w)."""
    return f"body.{layer}.weight"


def bias_name(layer: int) -> str:
    """Of a layer's biases, (out,)."""
    return f"body.{layer}.bias"
