"""The benchmark of training: each preset can be timed."""

from types import SimpleNamespace

import clips
import numpy as np
import pytest
import torch

pytest.importorskip("benchmarks.training", reason="benchmarks are not part of the wheel")

from benchmarks import busy, training
from benchmarks.training import pace, timed
from benchmarks.training_md import busy as rendered
from tsr.trainer.config import PRESETS, Preset, TrainConfig


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_timed(name: Preset) -> None:
    """As it is, but tiny: also its choice of examples, which is nobody's here."""
    video = (0.2 + 0.6 * clips.rotating_spokes(24, 20, 24, turn=0.3)).astype(np.float32)
    config = TrainConfig.preset(name, channels=4, steps=4, batch=2, validate_every=1)
    found = timed(video, config, torch.device("cpu"))
    assert found["steps"] == 4
    assert found["validation_psnr"] > 5
    found = pace(video, config, torch.device("cpu"), seconds=0.01)
    assert found["schedule_steps"] == 4
    assert len(found["steps_per_second_by_half"]) == 2
    assert min(found["steps_per_second_by_half"]) <= found["steps_per_second"]


def test_the_pace_is_that_of_the_steps_after_start_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of 8 seconds in the first steps makes no later step slower, nor is it forgotten."""
    clock = iter([0.0, *(8 + 0.5 * step for step in range(1, 100) for _ in range(2))])
    monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    watch = training.Watch(torch.device("cpu"), seconds=4)
    steps = next(step for step in range(1, 100) if watch())
    assert steps == training.WARM_UP + 8
    assert watch.rate == 2
    assert watch.start_up == 8


def test_steps_are_timed_beside_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """By each way."""
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)  # other tests have theirs
    config = TrainConfig(channels=4, batch=2, precision="fp32")
    found = busy.measure(config, cores=1, rounds=1, seconds=0.01)
    assert [rates["busy"] for rates in found] == [0, 1]
    assert all(rates[way] > 0 for rates in found for way in ("groups", "all cores", "one core"))
    text = rendered(
        {"rounds": 1, "settings": [{"channels": 4, "precision": "FP32", "rates": found}]}
    )
    assert f"| 4, FP32 | 1 | **{found[1]['groups']:.1f}** |" in text
