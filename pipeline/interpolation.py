"""Frames between frames without a network: for what is too short to learn from."""

from fractions import Fraction

from tsr.core.exposure import FULL
from tsr.core.ladder import ScaleLadder
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.recording import interpolation as adds_nothing


def interpolation(factor: int, exposure: float = FULL) -> tuple[ScaleLadder, CpuBackend]:
    """The loop at full size with a network that adds nothing: cubic interpolation in time, and
    temporal back-projection, so that the invariants of a network's result hold for this one."""
    return ScaleLadder(Fraction(1), factor, exposure), CpuBackend(
        adds_nothing, engine="interpolation"
    )
