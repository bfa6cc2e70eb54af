"""What a video shows about its exposure, and whether that is worth following."""

import math
from dataclasses import dataclass

from tsr.core.exposure import DELTA, FULL
from tsr.trainer.exposure.fit import Finding

MIN_PATCHES = 30
"""Fewer show one thing's own pattern rather than blur."""
MIN_EDGES = 15
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
        seen = f"{self.patches} patches and {self.edges} edges that move evenly"
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
    asked = (by_patches, MIN_PATCHES), (by_edges, MIN_EDGES)
    heard = [found for found, least in asked if found.witnesses >= least]
    if not heard:
        return ExposureEstimate(FULL, math.inf, by_patches.witnesses, by_edges.witnesses)
    surest = min(found.error for found in heard)
    heard = [found for found in heard if found.error < MUCH_SURER * surest]
    weights = [1 / found.error**2 for found in heard]
    mean = sum(w * found.value for w, found in zip(weights, heard, strict=True)) / sum(weights)
    spread = sum(w * (found.value - mean) ** 2 for w, found in zip(weights, heard, strict=True))
    error = math.sqrt(max(1, spread) / sum(weights))
    value = round(min(max(mean, DELTA), FULL), 3)
    return ExposureEstimate(
        value, max(error, abs(mean - value)), by_patches.witnesses, by_edges.witnesses
    )
