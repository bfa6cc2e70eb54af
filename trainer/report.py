"""How a training is going, for whoever watches it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tsr.core.console import duration, percent
from tsr.trainer.config import TrainConfig

REPORT_SECONDS = 5.0
"""Time between two reports when no validation falls due."""


@dataclass(frozen=True)
class TrainReport:
    """How a training run is going.

    Args:
        step: steps done. loss: mean training loss since the last validation.
        psnr: last validation PSNR in dB, None before the first. best: the best so far.
        cubic: that of cubic interpolation. rate: steps per second.
        remaining: seconds left, None when the policy decides.
    """

    step: int
    loss: float
    psnr: float | None
    best: float | None
    cubic: float
    rate: float
    remaining: float | None

    def line(self, steps: int) -> str:
        """One line for people; `steps` is the length asked for."""
        validated = f"cubic {self.cubic:.2f} dB"
        if self.psnr is not None:
            validated = f"validation {self.psnr:.2f} dB (best {self.best:.2f}, {validated})"
        return (
            f"step {self.step}/{steps}, loss {self.loss:.2e}, {validated}, "
            f"{self.rate:.2g} steps/s{_left(self.remaining)}"
        )


@dataclass(frozen=True)
class ChoiceReport:
    """How the choice of examples is going, before the first step of the training itself.

    Args:
        share: of the rehearsals that is done. rate: steps per second.
        remaining: seconds left, the training included; None when the policy decides.
    """

    share: float
    rate: float
    remaining: float | None
    step: ClassVar[int] = 0

    def line(self, steps: int) -> str:
        """One line for people; `steps` is the length asked for."""
        return (
            f"step 0/{steps}, {percent(self.share)} of choosing the examples, "
            f"{self.rate:.2g} steps/s{_left(self.remaining)}"
        )


Report = Callable[[TrainReport | ChoiceReport], None]
"""What is told of a training from its first moment on."""


class ChoiceWatch:
    """Counts the steps of rehearsals and reports.

    Args:
        config: of the training that follows. steps: of all rehearsals. report: called every
            `REPORT_SECONDS`.
    """

    def __init__(self, config: TrainConfig, steps: int, report: Report) -> None:
        self._config, self._steps, self._report = config, steps, report
        self._done = 0
        self._started = self._reported = time.monotonic()

    def step(self) -> None:
        """A step was taken."""
        self._done += 1
        now = time.monotonic()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            rate = self._done / max(now - self._started, 1e-9)
            left = remaining_seconds(
                self._config, self._done - self._steps, now - self._started, rate
            )
            self._report(ChoiceReport(self._done / self._steps, rate, left))


def remaining_seconds(config: TrainConfig, step: int, seconds: float, rate: float) -> float | None:
    """Seconds until the budget is used at `rate` steps per second; None when a policy decides.

    Args:
        step: steps done; fewer than none while rehearsals are to come.
        seconds: time used of what `config` may allow.
    """
    if config.policy == "adaptive":
        return None
    left = (config.steps - step) / rate
    if config.max_minutes is not None:
        left = min(left, 60 * config.max_minutes - seconds)
    return max(left, 0.0)


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", {duration(seconds)} left"
