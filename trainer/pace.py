"""What a step of training takes on this machine, where time bounds it."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from tsr.core.exposure import FULL
from tsr.trainer.config import TrainConfig
from tsr.trainer.crops import CropSampler
from tsr.trainer.moved import crop_sampler
from tsr.trainer.state import TrainState
from tsr.trainer.step import step_function

WARM_UP, TIMED = 2, 4
"""Steps taken to know how long one takes; the first ones are slower."""


def seconds_per_step(
    sampler: CropSampler, config: TrainConfig, exposures: Sequence[float]
) -> float:
    """Seconds that a step of these settings takes on crops of `sampler`."""
    state = TrainState.fresh(config, sampler.device)
    take_step = step_function(state, sampler, config, exposures)
    for _ in range(WARM_UP):
        float(take_step(config.learning_rate))
    started = time.monotonic()
    for _ in range(TIMED):
        float(take_step(config.learning_rate))
    return (time.monotonic() - started) / TIMED


def seconds_per_step_here(config: TrainConfig, device: torch.device) -> float:
    """The same before there is a video: of noise."""
    noise = np.random.default_rng(0).random((3, *(2 * n for n in config.crop)), dtype=np.float32)
    config = replace(config, interpolation="cubic")  # the other costs a step as much
    sampler = crop_sampler(noise, config, "both", device)
    return seconds_per_step(sampler, config, (FULL,))
