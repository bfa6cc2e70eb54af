"""`--exposure auto` on rendered scenes whose exposure is known."""

from collections.abc import Callable, Iterator
from pathlib import Path

import clips
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from tsr.evaluation.degrade import degraded
from tsr.evaluation.moving_scenes import Crossing, Drift, Turn
from tsr.evaluation.scenes import Profile, Scene, SpokedDisc, render
from tsr.trainer.cli import main
from tsr.trainer.exposure import ExposureEstimate, ExposureMeter

Frame = NDArray[np.float32]
FACTOR, NUM_FRAMES, SIZE = 16, 6, (144, 192)
SCENES: dict[str, Scene] = {
    "a camera that pans": Drift(speed=6 / FACTOR, direction=0.4),
    "a slow one": Drift(speed=3 / FACTOR, direction=2.0, seed=1),
    "a turning texture": Turn(speed=7 / FACTOR, seed=2),
    "things that cross": Crossing(speed=10 / FACTOR, discs=8, seed=1),
    "plain things that cross": Crossing(speed=7 / FACTOR, plain=True, seed=1),
    "a wheel": SpokedDisc(spokes=4, speed=Profile.constant(0.08 / FACTOR)),
}


def slow(truth: list[Frame], exposure: float, noise: float = 0.0) -> Iterator[Frame]:
    """As a camera would have stored it, in 8 bits."""
    chance = np.random.default_rng(0)
    for frame in degraded(truth, FACTOR, exposure):
        noisy = frame + chance.normal(0, noise, frame.shape) if noise else frame
        yield np.asarray(np.rint(np.clip(noisy, 0, 1) * 255) / 255, np.float32)


def measured(frames: Iterator[Frame], num_frames: int = NUM_FRAMES) -> ExposureEstimate:
    meter = ExposureMeter(num_frames)
    assert sum(1 for _ in meter.watch(frames)) == num_frames  # all are handed on
    return meter.estimate()


@pytest.mark.parametrize("name", SCENES)
def test_the_estimate_lands_within_the_bar(name: str) -> None:
    """Within .15 of each exposure, and sure of it."""
    truth = list(render(SCENES[name], FACTOR * NUM_FRAMES, *SIZE))
    for exposure in (1.0, 0.75, 0.5, 0.25):
        found = measured(slow(truth, exposure))
        assert found.confident, found
        assert found.value == pytest.approx(exposure, abs=0.15), found
        assert found.exposure == pytest.approx(exposure, abs=0.15), found


def test_few_slow_things_are_not_enough() -> None:
    """One disc's own stripes look like blur or its absence: no answer from them is sure."""
    truth = list(render(Crossing(speed=3 / FACTOR, seed=1), FACTOR * NUM_FRAMES, 176, 240))
    for exposure in (1.0, 0.25):
        assert not measured(slow(truth, exposure)).confident


def test_noise_does_not_pass_for_sharpness() -> None:
    """Three of 255 levels of it, about what a phone leaves in dim light."""
    truth = list(render(SCENES["a camera that pans"], FACTOR * NUM_FRAMES, *SIZE))
    for exposure in (1.0, 0.5):
        found = measured(slow(truth, exposure, noise=3 / 255))
        assert found.value == pytest.approx(exposure, abs=0.15), found


@pytest.mark.parametrize(
    "make",
    [
        lambda: clips.numbered(12, 64, 96),
        lambda: clips.rotating_spokes(12, 128, 128, turn=0.5),
        lambda: np.random.default_rng(0).random((3, 12, 128, 128), np.float32),
        lambda: clips.moving_bar(12, 40, 40),
        lambda: clips.moving_bar(12, 4, 64),
    ],
    ids=["nothing moves", "a pattern that repeats", "noise", "too small", "a few rows"],
)
def test_without_evidence_the_exposure_is_full(make: Callable[[], Frame]) -> None:
    """And the line says what is missing."""
    video = make()
    found = measured((np.ascontiguousarray(video[:, n]) for n in range(12)), 12)
    assert not found.confident
    assert found.exposure == 1
    seen = f"{found.patches} patches and {found.edges} edges that move evenly"
    assert found.line().startswith(f"exposure full: the video shows only {seen};")


def test_the_command_says_what_it_follows(tmp_path: Path) -> None:
    """`--exposure auto` prints the estimate with its error, and the result holds it."""
    truth = render(Drift(speed=4 / 4, direction=0.4), 4 * 10, 128, 160)
    video = np.stack(list(degraded(truth, 4, 0.5)), axis=1)
    clip = clips.write_video(tmp_path / "in.mkv", video, codec="ffv1", pixel_format="bgr0")
    options = ["--steps", "1", "--channels", "2", "--batch", "3", "--exposure", "auto", "--json"]
    result = CliRunner().invoke(main, [str(clip), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert "exposure 0." in result.stderr
    assert " ± 0.0" in result.stderr
    assert '"exposure": 0.' in result.stdout
