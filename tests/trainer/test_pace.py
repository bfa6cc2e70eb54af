"""What a step takes here."""

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
    took = iter([50.0, 20.0, 1.0, 2.0, 3.0, 4.0])
    clock = [0.0]

    def step(rate: float) -> torch.Tensor:
        clock[0] += next(took)
        return torch.zeros(())

    monkeypatch.setattr(pace, "step_function", lambda *_: step)
    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    assert pace.seconds_per_step_here(CONFIG, CPU) == 2.5
