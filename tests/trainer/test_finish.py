"""The last part of a training: crops with their surroundings, as the network meets them later."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
import torch

from tsr.trainer import loop
from tsr.trainer.config import TrainConfig
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import ACROSS_X, WITHIN, Roles, Source
from tsr.trainer.loop import train_on_volume
from tsr.trainer.state import TrainState
from tsr.trainer.step import step_function
from tsr.trainer.validation import Validation

CPU = torch.device("cpu")
CONFIG = TrainConfig(channels=4, steps=10, batch=4, examples="both", precision="fp32")
SIDE, AROUND = 16, 8
VIDEO = (0.2 + 0.6 * clips.rotating_spokes(24, 20, 24, turn=0.3)).astype(np.float32)


def sampler(roles: Roles, copy: np.ndarray) -> CropSampler:
    return CropSampler([Source(copy, roles, 1.0)], (SIDE, SIDE, SIDE), CPU)


def drawn(cutter: CropSampler, around: int) -> torch.Tensor:
    return cutter.draw(6, torch.Generator().manual_seed(3), around)


@pytest.mark.parametrize("roles", [WITHIN, ACROSS_X])
def test_surroundings_lie_around_the_same_crop(roles: Roles) -> None:
    copy = np.random.default_rng(0).random((3, 20, 24, 28), dtype=np.float32)
    cutter = sampler(roles, copy)
    large = drawn(cutter, AROUND)
    assert large.shape == (6, 3, SIDE, SIDE + 2 * AROUND, SIDE + 2 * AROUND)
    inside = large[..., AROUND:-AROUND, AROUND:-AROUND]
    assert torch.equal(inside, drawn(cutter, 0))


def test_the_border_is_repeated_as_at_run_time() -> None:
    """A copy of a crop's size has nothing around it: all that is cut out is its padding."""
    copy = np.random.default_rng(1).random((3, SIDE, SIDE, SIDE), dtype=np.float32)
    padded = np.pad(copy, [(0, 0), (0, 0), (AROUND, AROUND), (AROUND, AROUND)], "edge")
    for crop in drawn(sampler(WITHIN, copy), AROUND):
        sides = [
            turned[:, ::time]
            for time in (1, -1)
            for flipped in (padded, padded[..., ::-1], padded[:, :, ::-1], padded[:, :, ::-1, ::-1])
            for turned in (flipped, flipped.swapaxes(2, 3))
        ]
        assert any(np.array_equal(crop.numpy(), side) for side in sides)


@pytest.mark.parametrize(
    ("frames", "crops"),
    [
        (24, [1, 1]),  # of the examples and of the video's own rate, together half as many
        (8, [2]),  # too short for a crop at its own rate
    ],
)
def test_the_last_part_of_the_budget_sees_them(
    monkeypatch: pytest.MonkeyPatch, frames: int, crops: list[int]
) -> None:
    seen: list[tuple[bool, int]] = []
    draw = CropSampler.draw

    def watched(
        self: CropSampler, count: int, generator: torch.Generator, around: int = 0
    ) -> torch.Tensor:
        seen.append((around > 0, count))
        return draw(self, count, generator, around)

    monkeypatch.setattr(CropSampler, "draw", watched)
    video = (0.2 + 0.6 * clips.rotating_spokes(frames, 20, 24, turn=0.3)).astype(np.float32)
    train_on_volume(video, CONFIG, TrainState.fresh(CONFIG, CPU))
    assert seen == [(False, 4)] * 5 + [(True, count) for _ in range(5) for count in crops]


ADAPTIVE = replace(
    CONFIG, steps=400, policy="adaptive", optimiser="adam", learning_rate=1e-4, validate_every=1
)


def watched_steps(
    monkeypatch: pytest.MonkeyPatch, psnrs: Sequence[float]
) -> list[tuple[bool, float]]:
    """Which steps are taken from now on, (of the last part or not, rate): they learn nothing, and
    the validations say `psnrs`."""
    taken: list[tuple[bool, float]] = []

    def step_function(
        *_: object, around: bool = False, **__: object
    ) -> Callable[[float], torch.Tensor]:
        return lambda rate: taken.append((around, rate)) or torch.zeros(())

    validations = iter(psnrs)
    monkeypatch.setattr(loop, "step_function", step_function)
    monkeypatch.setattr(Validation, "psnr", lambda *_: next(validations))
    return taken


def test_the_last_part_takes_the_place_of_the_adaptive_policy_s_first_lower_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind it the policy begins anew: errors are flat from the first step on."""
    taken = watched_steps(monkeypatch, [30.0] * 400)
    train_on_volume(VIDEO, ADAPTIVE, TrainState.fresh(ADAPTIVE, CPU))
    assert [around for around, _ in taken] == [False] * 12 + [True] * 36
    rates = [rate for _, rate in taken]
    assert rates == pytest.approx([1e-4] * 24 + [1e-5] * 12 + [1e-6] * 12)


def test_the_last_part_begins_by_half_of_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = watched_steps(monkeypatch, np.linspace(20, 30, 40))
    config = replace(ADAPTIVE, steps=40)
    train_on_volume(VIDEO, config, TrainState.fresh(config, CPU))
    assert taken == [(False, 1e-4)] * 20 + [(True, 1e-4)] * 20


def test_a_resumed_run_goes_on_in_its_last_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Broken off and saved anywhere, it decides as an unbroken one does."""
    psnrs = [*np.linspace(20, 22, 15), *[22.0] * 12, *np.linspace(21, 22, 9), *[22.0] * 60]
    unbroken = watched_steps(monkeypatch, psnrs)
    train_on_volume(VIDEO, ADAPTIVE, TrainState.fresh(ADAPTIVE, CPU))
    turn = [around for around, _ in unbroken].index(True)
    assert 15 < turn < 30
    broken = watched_steps(monkeypatch, psnrs)
    state = TrainState.fresh(ADAPTIVE, CPU)
    for steps in (turn, 3, 17, 400):
        left = iter(range(steps - 1, -1, -1))
        train_on_volume(VIDEO, ADAPTIVE, state, stop=lambda left=left: next(left) == 0)
        state.save(tmp_path / "state", {})
        state = TrainState.fresh(ADAPTIVE, CPU)
        state.load(tmp_path / "state", {})
    assert broken == unbroken


def test_a_step_with_surroundings_learns() -> None:
    """Its loss falls on a video that can be learned, with every layer's weights moving."""
    config = replace(CONFIG, channels=16)
    state = TrainState.fresh(config, CPU)
    before = [layer.weight.detach().clone() for layer in state.network.layers]
    cutter = sampler(WITHIN, np.ascontiguousarray(VIDEO))
    step = step_function(state, cutter, config, (1.0,), around=True)
    losses = [float(step(1e-3)) for _ in range(60)]
    assert np.mean(losses[-8:]) < 0.9 * np.mean(losses[:8])
    after = [layer.weight for layer in state.network.layers]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
