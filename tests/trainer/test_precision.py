"""bf16 is used where it is at home; without it the presets are narrower."""

import pytest
import torch

from tsr.trainer.config import TrainConfig
from tsr.trainer.precision import (
    IN_FP32,
    ON_SHORT_VECTORS,
    ON_VECTORS,
    TILES,
    VECTORS,
    Changes,
    computes_half,
    native_half,
    preset_here,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def with_cpu(monkeypatch: pytest.MonkeyPatch, **features: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)


@pytest.mark.parametrize(
    ("features", "here"),
    [({TILES: True, VECTORS: True}, {}), ({TILES: True}, {}), ({VECTORS: True}, ON_VECTORS)],
)
def test_a_cpu_with_bf16_trains_in_it(
    features: dict[str, bool], here: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it has time for, by how fast it is at it."""
    with_cpu(monkeypatch, **features)
    assert native_half(CPU)
    assert computes_half(TrainConfig(), CPU)
    assert preset_here("fast", CPU) == TrainConfig.preset("fast", **here.get("fast", {}))
    assert preset_here("balanced", CPU).steps > preset_here("fast", CPU).steps


def test_a_cpu_without_trains_a_narrow_network(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cpu(monkeypatch, avx2=True, avx512_f=True, avx512_bf16=False)
    assert not native_half(CPU)
    assert not computes_half(TrainConfig(), CPU)
    assert preset_here("fast", CPU) == TrainConfig.preset("fast", **IN_FP32["fast"])
    assert preset_here("fast", CPU).channels < TrainConfig.preset("fast").channels
    assert preset_here("paper", CPU) == TrainConfig.preset("paper")


def test_a_cpu_without_avx_512_trains_for_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs longer for each, and has no more minutes."""
    with_cpu(monkeypatch, avx2=True)
    short = ON_SHORT_VECTORS["fast"]["steps"]
    assert short < IN_FP32["fast"]["steps"]
    assert preset_here("fast", CPU) == TrainConfig.preset("fast", channels=32, steps=short)
    assert preset_here("balanced", CPU) == TrainConfig.preset("balanced", **IN_FP32["balanced"])
    assert preset_here("fast", CPU, steps=50).steps == 50


def test_what_the_user_asks_for_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cpu(monkeypatch, amx_bf16=True, avx512_f=True)
    assert preset_here("fast", CPU, steps=50, seed=None).steps == 50
    fp32 = preset_here("fast", CPU, precision="fp32", channels=24)
    assert (fp32.steps, fp32.channels) == (IN_FP32["fast"]["steps"], 24)
    assert not computes_half(TrainConfig(precision="fp32"), GPU)


def test_a_gpu_has_it_and_the_paper_s_schedule_stays_as_it_is() -> None:
    assert native_half(GPU)
    assert preset_here("paper", GPU) == TrainConfig.preset("paper")
    assert preset_here("fast", GPU, precision="fp32").steps == TrainConfig.preset("fast").steps


def test_a_torch_that_does_not_tell_means_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not native_half(CPU)
