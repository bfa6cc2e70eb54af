"""The measuring of aliased motion, on the exact truth."""

import numpy as np
import pytest

from tsr.evaluation.aliasing import (
    FACTOR,
    SIDE,
    Motion,
    apparent,
    measure,
    scenes,
    verdict,
)
from tsr.evaluation.baselines import linear
from tsr.evaluation.degrade import degraded

SCENES = scenes()


def _truth(name: str) -> np.ndarray:
    """The truth at full speed, small: (3, T, H, W)."""
    scene, part = SCENES[name].scene, SCENES[name].full_speed
    times = range(part.start * FACTOR, part.stop * FACTOR)
    return np.stack([scene.frame(float(time), SIDE, SIDE) for time in times], axis=1)


def _slow(truth: np.ndarray) -> np.ndarray:
    return np.stack(list(degraded(truth.transpose(1, 0, 2, 3), FACTOR)), axis=1)


@pytest.mark.parametrize("name", SCENES)
def test_the_truths_own_speed_is_measured_right(name: str) -> None:
    truth = _truth(name)
    found = measure(SCENES[name].scene, truth, truth, FACTOR)
    assert found.speed == pytest.approx(SCENES[name].true_speed, abs=0.02)
    assert found.right_way == 1.0
    assert found.contrast == pytest.approx(1.0)
    assert verdict(found, SCENES[name].true_speed) == "right"


@pytest.mark.parametrize("name", SCENES)
def test_the_slow_video_shows_the_predicted_alias_with_the_predicted_contrast(name: str) -> None:
    """A mean of f instants weakens a wave of v periods per exposure by the Dirichlet factor."""
    scene = SCENES[name]
    truth = _truth(name)
    found = measure(scene.scene, _slow(truth), truth, 1)
    assert found.speed == pytest.approx(scene.apparent_speed, abs=0.03)
    v = scene.true_speed
    weaker = abs(np.sin(np.pi * v) / (FACTOR * np.sin(np.pi * v / FACTOR)))
    assert found.contrast == pytest.approx(weaker, rel=0.1)


def test_a_video_that_stands_still_and_jumps_goes_nowhere_between() -> None:
    """Each frame repeated: the alias on the whole, and no step the right way."""
    truth = _truth("stripes_slower")
    repeated = np.repeat(_slow(truth), FACTOR, axis=1)[:, : -FACTOR + 1]
    found = measure(SCENES["stripes_slower"].scene, repeated, truth, FACTOR)
    assert found.speed == pytest.approx(-0.4, abs=1e-3)
    assert found.right_way == 0.0


def test_linear_interpolation_keeps_the_alias() -> None:
    truth = _truth("stripes_slower")
    found = measure(SCENES["stripes_slower"].scene, linear(_slow(truth), FACTOR), truth, FACTOR)
    assert verdict(found, 0.6) == "wrong way"
    assert found.right_way < 0.2


@pytest.mark.parametrize(
    ("speed", "seen"), [(0.3, 0.3), (0.6, -0.4), (1.3, 0.3), (-0.7, 0.3), (2.0, 0.0)]
)
def test_apparent_speed(speed: float, seen: float) -> None:
    assert apparent(speed) == pytest.approx(seen)


def test_evidence_is_what_the_slow_video_shows_somewhere() -> None:
    """Where evidence is claimed, each halving of the speed lasts for whole input frames; the
    slowest of them is seen rightly. Where none is, the slow video never shows but the alias."""
    claimed = {name for name, scene in SCENES.items() if scene.holds_evidence}
    assert claimed == {
        "wheel_slower",
        "stripes_slower",
        "wheel_twice",
        "stripes_longer",
        "wheel_twice_longer",
        "wheel_in_pan",
        "wheel_calm",
        "stripes_calm",
    }
    for name, scene in SCENES.items():
        period = 1.0 if name.startswith("wheel") else SIDE / 8
        frames, part = scene.input_frames, scene.full_speed
        at = [scene.scene.speed.at(t * FACTOR) * FACTOR / period for t in range(frames + 1)]
        speeds = np.round(at, 9)
        assert speeds[part.start : part.stop + 1] == pytest.approx(scene.true_speed)
        for slower in scene.slower:
            assert (np.abs(speeds - slower) < 1e-6).sum() >= frames // 4
        if not scene.slower:
            assert np.ptp(speeds) < 1e-6


def test_verdicts() -> None:
    def said(speed: float, right_way: float = 1.0, contrast: float = 0.5) -> str:
        return verdict(Motion(speed=speed, right_way=right_way, contrast=contrast), 0.6)

    assert said(0.55) == "right"
    assert said(0.55, right_way=0.6) == "uneven"
    assert said(0.4) == "wrong speed"
    assert said(-0.4) == "wrong way"
    assert said(0.6, contrast=0.05) == "nothing visible"
