"""The benchmark of training: each preset can be timed."""

import clips
import numpy as np
import pytest
import torch

pytest.importorskip("benchmarks.training", reason="benchmarks are not part of the wheel")

from benchmarks.training import timed
from tsr.trainer.config import PRESETS, Preset, TrainConfig


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_timed(name: Preset) -> None:
    """As it is, but tiny: also its choice of examples, which is nobody's here."""
    video = (0.2 + 0.6 * clips.rotating_spokes(24, 20, 24, turn=0.3)).astype(np.float32)
    config = TrainConfig.preset(name, channels=4, steps=4, batch=2, validate_every=1)
    found = timed(video, config, torch.device("cpu"))
    assert found["steps"] == 4
    assert found["steps_per_second"] > 0
    assert found["validation_psnr"] > 5
