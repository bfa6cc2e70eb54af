"""The rendered scenes: their motion and their blur are what their formulas say."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tsr.core.clip_io import read_volume
from tsr.core.errors import SettingsError
from tsr.evaluation.demo_scene import FAST, SLOW, demo_scene
from tsr.evaluation.scenes import Grating, Profile, SpokedDisc, render, render_volume, write_scene


def _degraded(volume: np.ndarray, factor: int) -> np.ndarray:
    channels, frames, height, width = volume.shape
    return volume.reshape(channels, frames // factor, factor, height, width).mean(axis=2)


def test_way_is_the_integral_of_the_speed():
    """The exact way agrees with a fine sum of the speed, before, between and after the knots."""
    profile = Profile((2.0, 5.0, 6.0), (1.0, -3.0, 0.5))
    times = np.linspace(0, 9, 90001)
    speeds = np.interp(times, profile.times, profile.values)
    for time in (0.0, 1.5, 3.3, 5.5, 9.0):
        summed = np.trapezoid(speeds[times <= time], times[times <= time])
        assert profile.travelled(time) == pytest.approx(summed, abs=1e-3)
    assert Profile.constant(0.3).travelled(7) == pytest.approx(2.1)


def test_profile_with_disorderly_times_is_refused():
    """Times that do not increase have no meaning."""
    with pytest.raises(SettingsError, match="must increase"):
        Profile((1.0, 1.0), (0.0, 1.0))


def test_degraded_grating_is_its_closed_form():
    """Averaging f instants of a moving sine is the same sine, weaker by the Dirichlet factor."""
    grating = Grating(period=12, speed=Profile.constant(0.7), contrast=0.8)
    truth = render_volume(grating, 16, 3, 24)
    k, v, f = 2 * np.pi / 12, 0.7, 8
    factor = np.sin(k * v * f / 2) / (f * np.sin(k * v / 2))
    for n, frame in enumerate(_degraded(truth, f).transpose(1, 0, 2, 3)):
        way = v * (n * f + (f - 1) / 2)
        expected = 0.5 + 0.4 * factor * np.sin(k * (np.arange(24) - way))
        np.testing.assert_allclose(frame, np.broadcast_to(expected, frame.shape), atol=1e-6)


def test_grating_shows_its_own_speed_and_an_alias_when_sampled_slowly():
    """Measured from pixels: 0.9 px per frame in the truth, 7.2 - 12 px per frame once in eight."""
    grating = Grating(period=12, speed=Profile.constant(0.9))
    truth = render_volume(grating, 16, 2, 30)
    np.testing.assert_allclose(grating.measured_speed(truth), 0.9, atol=1e-4)
    np.testing.assert_allclose(grating.measured_speed(truth[:, ::8]), 7.2 - 12, atol=1e-4)


@pytest.mark.parametrize("speed", [0.09, -0.09])
def test_disc_turns_the_right_way_in_truth_and_the_wrong_way_when_degraded(speed: float):
    """0.09 periods per frame are 0.72 in eight frames, which look like 0.28 backwards."""
    disc = SpokedDisc(spokes=8, speed=Profile.constant(speed))
    truth = render_volume(disc, 24, 64, 80)
    np.testing.assert_allclose(disc.measured_speed(truth), speed, atol=0.005)
    seen = disc.measured_speed(_degraded(truth, 8))
    np.testing.assert_allclose(seen, 8 * speed - np.sign(speed), atol=0.02)


def test_disc_moves_clockwise_for_positive_speed():
    """A quarter period clockwise is a turn of the picture by a quarter period: 4 spokes, 22.5°."""
    disc = SpokedDisc(spokes=4, speed=Profile.constant(1.0), radius=0.4)
    still = disc.frame(0.0, 96, 96)[0]
    turned = disc.frame(0.25, 96, 96)[0]
    # At time 0 a spoke points right; clockwise on the screen (y down) it moves below the axis.
    column = int(48 + 0.3 * 96)
    assert still[48, column] > 0.9
    below = 48 + round(np.tan(np.pi / 8) * 0.3 * 96)
    assert turned[below, column] > 0.9 > turned[96 - below, column]


def test_edges_are_anti_aliased():
    """The disc's covered area is exact to a small part of a pixel row, at a coarse size."""
    white = dict.fromkeys(("face", "spoke", "rim", "hub"), (1.0, 1.0, 1.0))
    disc = SpokedDisc(speed=Profile.constant(0.0), radius=0.4, **white)
    ground = SpokedDisc(speed=Profile.constant(0.0), radius=0.0).frame(0.0, 40, 40)
    frame = disc.frame(0.0, 40, 40)
    alpha = ((frame - ground) / (1 - ground))[0]
    assert alpha.sum() == pytest.approx(np.pi * 16**2, rel=2e-3)


def test_demo_wheel_runs_forward_but_seems_to_turn_back():
    """In the x8-degraded demo the fast phase shows the alias, the slower ones the true turn."""
    scene = demo_scene(128)
    truth = render_volume(scene, 128, 72, 128)
    true_speed = scene.wheel.measured_speed(truth)
    assert true_speed.min() > 0
    assert true_speed.max() == pytest.approx(FAST / 8, abs=0.003)
    seen = scene.wheel.measured_speed(_degraded(truth, 8))
    assert seen[0] == pytest.approx(SLOW, abs=0.06)
    assert seen[8] == pytest.approx(FAST - 1, abs=0.03)
    assert seen[4] == pytest.approx(FAST / 2, abs=0.03)  # the evidence


def test_written_scene_is_the_rendered_one(tmp_path: Path):
    """A lossless file gives the frames back to 8-bit rounding, at the rate asked for."""
    scene = Grating(period=9, speed=Profile.constant(1.3))
    path = tmp_path / "truth.mkv"
    write_scene(scene, path, num_frames=6, height=20, width=30, fps=Fraction(120), encoder="ffv1")
    volume, info = read_volume(path)
    assert info.fps == 120
    np.testing.assert_allclose(volume, render_volume(scene, 6, 20, 30), atol=0.501 / 255)


def test_frames_are_the_same_every_time_and_in_range():
    """Rendering twice gives the same bytes, float32 in [0, 1]."""
    first = list(render(demo_scene(16), 2, 45, 80))
    second = list(render(demo_scene(16), 2, 45, 80))
    assert len(first) == 2
    for a, b in zip(first, second, strict=True):
        assert a.shape == (3, 45, 80)
        assert a.dtype == np.float32
        assert 0 <= a.min() <= a.max() <= 1
        np.testing.assert_array_equal(a, b)
