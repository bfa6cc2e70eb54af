"""Training runs: the same bytes for the same seed, across interruptions too."""

import math
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from short_training import CONFIG, CPU, IDENTITY, stopping_after

from tsr.core.errors import SettingsError
from tsr.trainer import loop
from tsr.trainer.config import HIGHEST_RATE, TrainConfig
from tsr.trainer.loop import stop_on_signal, train_on_volume
from tsr.trainer.state import TrainState


def weights(state: TrainState) -> list[bytes]:
    """Every tensor that the run would go on with, and its best, as bytes."""
    groups = (state.network.state_dict(), state.best)
    return [group[name].detach().numpy().tobytes() for group in groups for name in sorted(group)]


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_the_same_seed_gives_the_same_weights(
    video: NDArray[np.float32], optimiser: Literal["adam", "muon"]
) -> None:
    """Bit for bit on one machine; another seed gives others."""
    found = []
    for seed in (3, 3, 4):
        config = replace(CONFIG, optimiser=optimiser, seed=seed)
        state = TrainState.fresh(config, CPU)
        train_on_volume(video, config, state)
        assert state.step == 6
        found.append(weights(state))
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.parametrize(("optimiser", "stopped"), [("adam", 3), ("muon", 3), ("muon", 4)])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    tmp_path: Path,
    video: NDArray[np.float32],
    optimiser: Literal["adam", "muon"],
    stopped: int,
) -> None:
    """Stopped between or at validations, saved, loaded afresh, finished: the same bits."""
    config = replace(CONFIG, optimiser=optimiser)
    unbroken = TrainState.fresh(config, CPU)
    train_on_volume(video, config, unbroken)

    first = TrainState.fresh(config, CPU)
    path = tmp_path / "m.resume.safetensors"
    train_on_volume(
        video,
        config,
        first,
        stop=stopping_after(stopped),
        checkpoint=lambda: first.save(path, IDENTITY),
    )
    assert first.step == stopped
    second = TrainState.fresh(replace(config, seed=99), CPU)  # all of it comes from the file
    second.load(path, IDENTITY)
    train_on_volume(video, config, second)
    assert second.step == 6
    assert weights(second) == weights(unbroken)
    errors, expected = ([psnr for *_, psnr in run.history] for run in (second, unbroken))
    assert errors == expected


def test_a_wide_network_goes_on_with_the_same_frames_between(
    video: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those of FP32's presets round by the layout of their weights, which a file does not keep."""
    monkeypatch.setattr(loop, "REMAKE_SHARE", 1.0)  # made before the interruption, used behind it
    config = replace(CONFIG, channels=48, precision="fp32", steps=4, validate_every=4)
    unbroken, first, second = (TrainState.fresh(config, CPU) for _ in range(3))
    train_on_volume(video, config, unbroken)
    train_on_volume(video, config, first, stop=stopping_after(3))
    first.save(tmp_path / "state", IDENTITY)
    second.load(tmp_path / "state", IDENTITY)
    train_on_volume(video, config, second)
    assert weights(second) == weights(unbroken)


def test_training_learns(video: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a tiny network soon predicts the video better than at its start, from examples alone:
    the validation sees nothing else (test_consistency)."""
    monkeypatch.setattr(loop, "FINISH", 2.0)
    config = replace(CONFIG, channels=8, steps=60, batch=4, validate_every=20, learning_rate=2e-3)
    every: list[Any] = []
    state = TrainState.fresh(config, CPU)
    train_on_volume(video, config, state, report=every.append)
    reports = [report for report in every if report.step % 20 == 0]  # the rest: every few seconds
    assert [report.step for report in reports] == [20, 40, 60]
    assert all("steps/s" in report.line(60) for report in every)
    assert reports[-1].best > reports[0].psnr
    assert reports[-1].loss < reports[0].loss
    assert reports[0].remaining > 0
    assert reports[-1].cubic == reports[0].cubic


def test_time_bounds_a_run(video: NDArray[np.float32]) -> None:
    """With minutes instead of steps the run ends when they are over."""
    config = replace(CONFIG, steps=10_000_000, max_minutes=0.02)
    state = TrainState.fresh(config, CPU)
    train_on_volume(video, config, state)
    assert 1.2 <= state.seconds < 60
    assert state.history


def test_divergence_is_said_in_one_line(video: NDArray[np.float32]) -> None:
    """A rate that blows the weights up ends with advice, not with a model of NaN."""
    config = replace(CONFIG, optimiser="adam", learning_rate=1e18, steps=50)
    with pytest.raises(SettingsError, match="lower --learning-rate"):
        train_on_volume(video, config, TrainState.fresh(config, CPU))


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_divergence_in_the_last_step_is_said_too(
    video: NDArray[np.float32], optimiser: Literal["adam", "muon"]
) -> None:
    """Its loss is from before the weights moved; the validation behind it is no number."""
    config = replace(CONFIG, optimiser=optimiser, learning_rate=HIGHEST_RATE, steps=1)
    with pytest.raises(SettingsError, match="diverged before step 1; lower --learning-rate"):
        train_on_volume(video, config, TrainState.fresh(config, CPU))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_twice_at_once_is_one(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """As GNU timeout sends it; who presses again later wants the end at once."""
    before = signal.getsignal(number)
    with stop_on_signal() as stop:
        assert not stop()
        for _ in range(2):
            signal.raise_signal(number)
            assert stop()
        monkeypatch.setattr(loop, "ONE_PRESS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": -1}, {"steps": 0}, {"channels": 0}, {"channels": 10**6}, {"batch": -2},
        {"seed": -1}, {"max_minutes": 0.0}, {"max_minutes": math.nan}, {"max_minutes": -1.0},
        {"learning_rate": 0.0}, {"learning_rate": -1.0}, {"learning_rate": math.nan},
        {"learning_rate": math.inf}, {"learning_rate": 1e300}, {"crop": (15, 16, 16)},
        {"crop": (16, 16, 4)},
    ],
)  # fmt: skip
def test_silly_settings_are_refused(changes: dict[str, Any]) -> None:
    """By name and value, before any video is opened."""
    name = next(iter(changes)).replace("_", "[-_]")
    with pytest.raises(SettingsError, match=f"^{name} is "):
        TrainConfig(**changes)
