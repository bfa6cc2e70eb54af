"""Half precision where the machine has it: bf16 convolutions, and the longer training they pay for.

bf16 learns as well as FP32 (benchmarks/RESULTS.md) and takes a fraction of the time per step on a
CPU with bf16 instructions. On one without, it is emulated and takes four times as long.
"""

from typing import Any

import torch

from tsr.trainer.config import Preset, TrainConfig

HALF_STEPS: dict[Preset, int] = {"fast": 6000, "balanced": 20_000}
"""Steps of a preset in bf16 on a GPU and on CPUs that multiply tiles of it (AMX)."""

VECTOR_STEPS: dict[Preset, int] = {"fast": 4200, "balanced": 14_000}
"""The same on CPUs that multiply vectors of bf16, which takes two cores twice as long per step:
as many as keep `fast` under 8 minutes and `balanced` under 25 there."""

TILES, VECTORS = "amx_bf16", "avx512_bf16"
"""x86 instructions for bf16 products, as torch names them."""


def native_half(device: torch.device) -> bool:
    """Whether bf16 is faster than FP32 there: on a GPU, and on CPUs with instructions for it."""
    return device.type != "cpu" or _has(TILES) or _has(VECTORS)


def _has(feature: str) -> bool:
    # Newer than the oldest torch that we take.
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get(feature))


def computes_half(config: TrainConfig, device: torch.device) -> bool:
    """Whether a training of these settings convolves in bf16 on this device."""
    return config.precision == "bf16" or (config.precision == "auto" and native_half(device))


def preset_here(name: Preset, device: torch.device, **changes: Any) -> TrainConfig:
    """A preset at the length that suits the device, with single settings replaced.

    Args:
        changes: those that are not None replace the preset's.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    config = TrainConfig.preset(name, **given)
    if not computes_half(config, device):
        return config
    steps = HALF_STEPS if device.type != "cpu" or _has(TILES) else VECTOR_STEPS
    if name in steps:
        return TrainConfig.preset(name, **{"steps": steps[name]} | given)
    return config
