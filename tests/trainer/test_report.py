"""What is told of a training while it runs, from the choice of examples on."""

from dataclasses import replace

import clips
import numpy as np
import pytest
import torch

from tsr.trainer import choose, report
from tsr.trainer.choose import choose_examples
from tsr.trainer.config import TrainConfig
from tsr.trainer.report import ChoiceReport, TrainReport, remaining_seconds

CPU = torch.device("cpu")
CONFIG = TrainConfig(channels=4, steps=60, batch=4, precision="fp32")


def test_the_choice_of_examples_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step through the rehearsals of all kinds, each second of the clock a step."""
    monkeypatch.setattr(choose, "SHARE", 0.5)
    monkeypatch.setattr(choose, "MIN_STEPS", 10)
    clock = iter(range(1000))
    monkeypatch.setattr(report.time, "monotonic", lambda: float(next(clock)))
    video = (0.2 + 0.6 * clips.rotating_spokes(32, 20, 24, turn=0.3)).astype(np.float32)
    told: list[TrainReport | ChoiceReport] = []
    choose_examples(video, CONFIG, CPU, report=told.append)
    # Three kinds of 10 steps, then 60 of the training.
    assert told == [ChoiceReport(n / 30, 1.0, 90.0 - n) for n in (5, 10, 15, 20, 25, 30)]
    assert told[0].line(60) == "step 0/60, 17 % of choosing the examples, 1 steps/s, 1:25 min left"


def test_the_time_left_is_the_budget_s() -> None:
    """Of steps or of minutes, whichever ends it first; a policy that decides has none to tell."""
    assert remaining_seconds(CONFIG, 20, 7.0, 2.0) == 20.0
    bounded = replace(CONFIG, max_minutes=0.25)
    assert remaining_seconds(bounded, 20, 7.0, 2.0) == 8.0
    assert remaining_seconds(bounded, 50, 7.0, 2.0) == 5.0
    assert remaining_seconds(bounded, 50, 20.0, 2.0) == 0.0
    assert remaining_seconds(replace(CONFIG, policy="adaptive"), 20, 7.0, 2.0) is None
