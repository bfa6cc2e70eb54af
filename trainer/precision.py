"""Half precision where the machine has it, and presets that fit into their time where it has not.

bf16 learns as well as FP32 (benchmarks/RESULTS.md) and takes a fraction of the time per step on a
CPU with bf16 instructions. On one without, it is emulated and takes four times as long.
"""

from dataclasses import replace
from typing import Any

import torch

from tsr.trainer.config import Preset, TrainConfig

Changes = dict[Preset, dict[str, Any]]
"""Settings of some presets that replace the usual ones."""

ON_VECTORS: Changes = {"fast": {"steps": 4200}, "balanced": {"steps": 14_000}}
"""On CPUs that multiply vectors of bf16 instead of tiles, which takes two cores twice as long per
step: as many as keep `fast` under 8 minutes and `balanced` under 25 there."""

IN_FP32: Changes = {
    "fast": {"channels": 32, "steps": 4200},
    "balanced": {"channels": 48, "steps": 6000},
}
"""On CPUs without bf16. A narrow network learns more in the same time there, since it takes a
quarter of it per step (benchmarks/RESULTS.md), and does a quarter of the work per output frame. In
25 minutes it learns all it can: 48 channels then reach more in 6000 steps than 32 in 10,000."""

ON_SHORT_VECTORS: Changes = {"fast": {"steps": 2000}}
"""What of that is otherwise on CPUs without AVX-512: a step takes 1.5 times as long without it on
the same machine, and most such machines are old."""

TILES, VECTORS = "amx_bf16", "avx512_bf16"
"""x86 instructions for bf16 products, as torch names them."""
LONG_VECTORS = "avx512_f"
"""Those for 16 numbers of FP32 at a time."""


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
    """A preset at the length and width that suit the device, with single settings replaced.

    Args:
        changes: those that are not None replace the preset's.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    usual = TrainConfig.preset(name, **given)
    if device.type != "cpu":
        return usual
    if computes_half(usual, device):
        here = [] if _has(TILES) else [ON_VECTORS]
    else:
        here = [IN_FP32] if _has(LONG_VECTORS) else [IN_FP32, ON_SHORT_VECTORS]
    for changed in here:
        usual = replace(usual, **changed.get(name, {}))
    return replace(usual, **given)
