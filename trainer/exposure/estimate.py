"""What a video shows about its exposure, and whether that is worth following."""

import math
from dataclasses import dataclass

import numpy as np

from tsr.core.exposure import DELTA, FULL
from tsr.trainer.exposure.fit import Finding

MIN_PATCHES = 30
"""Fewer show one thing's own pattern rather than blur."""
MIN_EDGES = 20
"""An edge has no pattern, but fewer may all be one thing's, and that out of focus."""
MAX_ERROR = 0.1
"""Standard error up to which an estimate is trusted."""
FAR = 3
"""Standard errors. An estimate that lies further from full is trusted whatever its error: it is
closer to the truth than full is, which would be taken instead."""
MUCH_SURER = 2
"""Times as sure as the other way of telling, that one alone is believed."""
NEARLY_FULL = 0.85
"""From here on the exposure is taken to be full: real motion is never quite even, and what blurs
less than even motion would looks like a shorter exposure."""


@dataclass(frozen=True)
class ExposureEstimate:
    """What a video shows about its exposure.

    Args:
        value: the estimate, in [0, 1]. error: its standard error, or how far it lay outside.
        patches, edges: evenly moving ones that it rests on.
    """

    value: float
    error: float
    patches: int
    edges: int

    @property
    def confident(self) -> bool:
        """Whether the estimate is worth following."""
        clear = self.error <= MAX_ERROR or self.value + FAR * self.error < FULL
        return self._enough and clear

    @property
    def exposure(self) -> float:
        """What to follow: the estimate, or full where it is nearly so or not sure."""
        return self.value if self.confident and self.value < NEARLY_FULL else FULL

    def line(self) -> str:
        """The finding in one line for people."""
        seen = (
            f"{self.patches} patch{'es' * (self.patches != 1)} and "
            f"{self.edges} edge{'s' * (self.edges != 1)} that move evenly"
        )
        if not self._enough:
            wanted = f"{MIN_PATCHES} or {MIN_EDGES} are needed to tell"
            return f"exposure full: the video shows only {seen}; {wanted}"
        found = f"{self.value:.2f} ± {self.error:.2f} by {seen}"
        if not self.confident:
            return f"exposure full: the estimate is not sure enough ({found})"
        name = {FULL: "full", DELTA: "delta"}.get(self.exposure, f"{self.exposure:.3g}")
        return f"exposure {name}: estimated {found}"

    @property
    def _enough(self) -> bool:
        return self.patches >= MIN_PATCHES or self.edges >= MIN_EDGES


def estimated(by_patches: Finding, by_edges: Finding) -> ExposureEstimate:
    """Both findings in one, each for as much as it is sure of, or the one that is much surer.

    Where they differ by more than their errors allow, the error of the whole grows with the
    difference.
    """
    counts = by_patches.witnesses, by_edges.witnesses
    asked = zip((by_patches, by_edges), (MIN_PATCHES, MIN_EDGES), strict=True)
    heard = [_inside(found) for found, enough in asked if found.witnesses >= enough]
    if not heard:
        return ExposureEstimate(FULL, math.inf, *counts)
    surest = min(found.error for found in heard)
    values, errors, _ = np.array([f for f in heard if f.error < MUCH_SURER * surest]).T
    weights = 1 / errors**2
    mean = np.average(values, weights=weights)
    spread = (weights * (values - mean) ** 2).sum()
    error = math.sqrt(max(1, spread) / weights.sum())
    return ExposureEstimate(round(float(mean), 3), error, *counts)


def _inside(found: Finding) -> Finding:
    """An exposure that can be, and as unsure as the one found lay outside."""
    value = min(max(found.value, DELTA), FULL)
    return found._replace(value=value, error=max(found.error, abs(found.value - value)))
