"""bf16 is used where it is at home, and the presets are longer there."""

import pytest
import torch

from tsr.trainer.config import Preset, TrainConfig
from tsr.trainer.precision import (
    HALF_STEPS,
    TILES,
    VECTOR_STEPS,
    VECTORS,
    computes_half,
    native_half,
    preset_here,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def with_cpu(monkeypatch: pytest.MonkeyPatch, **features: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)


@pytest.mark.parametrize(
    ("features", "steps"),
    [
        ({TILES: True, VECTORS: True}, HALF_STEPS),
        ({TILES: True}, HALF_STEPS),
        ({VECTORS: True}, VECTOR_STEPS),
    ],
)
def test_a_cpu_with_bf16_trains_longer_in_it(
    features: dict[str, bool], steps: dict[Preset, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By how fast it is at it."""
    with_cpu(monkeypatch, **features)
    assert native_half(CPU)
    assert computes_half(TrainConfig(), CPU)
    assert preset_here("fast", CPU).steps == steps["fast"]
    assert preset_here("balanced", CPU).steps == steps["balanced"]
    assert preset_here("fast", CPU).steps > TrainConfig.preset("fast").steps


def test_a_cpu_without_keeps_to_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cpu(monkeypatch, avx2=True, avx512_bf16=False)
    assert not native_half(CPU)
    assert not computes_half(TrainConfig(), CPU)
    assert preset_here("fast", CPU) == TrainConfig.preset("fast")


def test_what_the_user_asks_for_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cpu(monkeypatch, amx_bf16=True)
    assert preset_here("fast", CPU, steps=50, seed=None).steps == 50
    assert preset_here("fast", CPU, precision="fp32").steps == TrainConfig.preset("fast").steps
    assert not computes_half(TrainConfig(precision="fp32"), GPU)


def test_a_gpu_has_it_and_the_paper_s_schedule_stays_as_it_is() -> None:
    assert native_half(GPU)
    assert preset_here("paper", GPU) == TrainConfig.preset("paper")


def test_a_torch_that_does_not_tell_means_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not native_half(CPU)
