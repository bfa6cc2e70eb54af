"""What a step takes here."""

import time

import pytest
import torch

from tsr.trainer import pace
from tsr.trainer.config import TrainConfig

CPU = torch.device("cpu")
CONFIG = TrainConfig(channels=4, batch=2, precision="fp32")


def test_a_step_is_timed_on_noise_as_on_a_video() -> None:
    assert 0 < pace.seconds_per_step_here(CONFIG, CPU) < 60


def test_the_first_steps_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """They choose algorithms and make buffers."""
    slow = iter([0.5, 0.5, *[0.01] * 4])

    def step_function(*_: object, **__: object) -> object:
        return lambda rate: time.sleep(next(slow)) or torch.zeros(())

    monkeypatch.setattr(pace, "step_function", step_function)
    assert 0.01 <= pace.seconds_per_step_here(CONFIG, CPU) < 0.2
