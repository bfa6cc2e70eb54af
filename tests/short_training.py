"""Trainings of a few steps, for tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tsr.core.ladder import ScaleLadder
from tsr.trainer.config import TrainConfig
from tsr.trainer.train import train

CPU = torch.device("cpu")
CONFIG = TrainConfig(channels=4, steps=6, batch=2, validate_every=2, examples="both", seed=3)
IDENTITY = {"channels": 4, "video": "abc"}


def stopping_after(steps: int) -> Callable[[], bool]:
    left = iter([False] * (steps - 1) + [True])
    return lambda: next(left)


def whole_run(clip: Path, model: Path, **options: Any) -> Any:
    return train(clip, model, CONFIG, ladder=ScaleLadder.for_size(64, 80)[0], **options)
