"""Size and effort of the demo, by what the machine can do in the time."""

import math
from dataclasses import dataclass
from fractions import Fraction

from tsr.core.console import duration
from tsr.pipeline.told import Told

WIDE, NARROW = 48, 24
"""Channels of the network: a narrow one takes a quarter of the time, and 0.4 to 0.8 dB
off the result."""

WHOLE = 1.3
"""A whole training beside as many of its first steps: a rehearsal, validations and the frames made
again take time, too."""


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """Size and effort of the demo.

    Args:
        input_frames: of the slow video. height, width: of its frames, in pixels.
        channels: width of the network; None for `WIDE`, or `NARROW` where the machine is too slow
            to train that one in `minutes`.
        steps: length of the training; a number of steps and not a time, so that the demo repeats
            itself.
        minutes: the training ends after this time at the latest, for slow machines.
    """

    input_frames: int = 32
    height: int = 272
    width: int = 480
    channels: int | None = None
    steps: int = 1500
    minutes: float = 8.0
    fps: Fraction = Fraction(240)

    def affordable_channels(self) -> int:
        """Width of the network that this machine trains in the time."""
        import torch

        from tsr.trainer.config import TrainConfig
        from tsr.trainer.pace import seconds_per_step_here

        wide = TrainConfig.preset("fast", channels=WIDE)
        expected = WHOLE * self.steps * seconds_per_step_here(wide, torch.device("cpu"))
        if expected <= 60 * self.minutes:
            return WIDE
        Told().note(
            f"a network of {WIDE} channels would train for {duration(expected)} on this machine, "
            f"so that it has {NARROW}; for a better picture give --channels {WIDE} --minutes "
            f"{math.ceil(expected / 60)}"
        )
        return NARROW
