"""Frames between frames without a network: for what is too short to learn from."""

from dataclasses import replace
from fractions import Fraction

from tsr.core.exposure import FULL
from tsr.core.ladder import SHORT_SIDE_MIN, ScaleLadder
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.recording import interpolation as adds_nothing


def interpolation(
    height: int, width: int, factor: int, exposure: float = FULL, *, moves: bool = True
) -> tuple[ScaleLadder, CpuBackend]:
    """The loop with a network that adds nothing, so that the invariants of a network's result hold
    for this one.

    What moves is moved along its motion, from the size at which a network would begin: 0.2 to
    1.5 dB better at ×8 than cubic interpolation in time at full size, in shots of 2 to 7 frames of
    four clips; where motion is aliased, 0.8 dB worse to 0.7 better (RESULTS.md). What stands still
    stays as it is, at full size.
    """
    ladder = ScaleLadder(Fraction(1), factor)
    if moves:
        if min(height, width) >= SHORT_SIDE_MIN:
            ladder, _ = ScaleLadder.for_size(height, width, factor)
        ladder = replace(ladder, interpolation="motion")
    return replace(ladder, exposure=exposure), CpuBackend(adds_nothing, engine="interpolation")
