"""Learning-rate policies, pure: they see numbers, they return numbers."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np


class LearningRate(Protocol):
    """What the training loop asks of a policy."""

    def rate(self, progress: float, errors: Sequence[tuple[int, float]]) -> float:
        """The learning rate for the next step; 0 ends the training.

        Args:
            progress: share of the budget used, 0 to 1.
            errors: (step, reconstruction error) of the validations so far.
        """


class Budget:
    """Warm up, then fall along a cosine so that the last step of the budget ends at the floor.

    Args:
        peak: highest learning rate.
        warm_up: share of the budget over which the rate rises from a tenth of the peak.
        floor: last rate as a share of the peak.
    """

    def __init__(self, peak: float, *, warm_up: float = 0.05, floor: float = 0.01) -> None:
        self.peak, self.warm_up, self.floor = peak, warm_up, floor

    def rate(self, progress: float, errors: Sequence[tuple[int, float]]) -> float:
        """See `LearningRate`; depends on the progress alone."""
        del errors
        if progress < self.warm_up:
            return self.peak * (0.1 + 0.9 * progress / self.warm_up)
        fall = min((progress - self.warm_up) / (1 - self.warm_up), 1.0)
        return self.peak * (self.floor + (1 - self.floor) * (1 + math.cos(math.pi * fall)) / 2)


class Adaptive:
    """Lower the rate whenever the recent error no longer clearly falls (paper 4.1, after ZSSR).

    A line is fitted to the last `window` errors. If its slope is not negative by more than
    `certainty` standard errors of the slope, the rate is divided by `divisor`, and the errors
    before that moment no longer count. Training ends below `stop`.
    """

    def __init__(
        self,
        start: float = 1e-4,
        *,
        stop: float = 1e-6,
        divisor: float = 10.0,
        window: int = 12,
        certainty: float = 1.5,
    ) -> None:
        self.start, self.stop, self.divisor = start, stop, divisor
        self.window, self.certainty = window, certainty
        self._rate, self._since, self._seen = start, 0, 0

    def rate(self, progress: float, errors: Sequence[tuple[int, float]]) -> float:
        """See `LearningRate`; errors not seen yet are gone through one by one, so that a resumed
        run decides as an unbroken one does."""
        if progress >= 1:
            return 0.0
        while self._seen < len(errors):
            self._seen += 1
            recent = errors[max(self._since, self._seen - self.window) : self._seen]
            if len(recent) == self.window and not self._falls(recent):
                self._rate, self._since = self._rate / self.divisor, self._seen
        return self._rate if self._rate >= self.stop * 0.999 else 0.0

    def _falls(self, errors: Sequence[tuple[int, float]]) -> bool:
        steps, values = np.asarray(errors, np.float64).T
        offset = steps - steps.mean()
        slope = float((offset * values).sum() / (offset**2).sum())
        rest = values - values.mean() - slope * offset
        spread = math.sqrt(float((rest**2).sum()) / (len(steps) - 2) / float((offset**2).sum()))
        return -slope > self.certainty * spread
