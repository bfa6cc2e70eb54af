"""Ramps in lines of brightness, against lines whose ramp is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.trainer.exposure.ramps import best_ramps

FINE = 64


def line(half: int, place: float, width: float, *, slope: float = 0.0) -> NDArray[np.float64]:
    """A line as a camera sees it: each pixel the mean over its width."""
    fine = (np.arange((2 * half + 1) * FINE) + 0.5) / FINE - 0.5 - half - place
    ramp = np.clip(fine / max(width, 1e-6) + 0.5, 0, 1)
    return (0.2 + 0.5 * ramp + slope * fine).reshape(-1, FINE).mean(axis=1)


@pytest.mark.parametrize(("half", "width"), [(8, 0), (8, 1.2), (8, 4), (12, 6), (24, 3), (24, 20)])
def test_a_ramp_is_found_with_its_place_and_width(half: int, width: float) -> None:
    """A slope beside it makes no difference, nor does its direction. How wide it is within a pixel
    a single line does not show, many do."""
    places = np.random.default_rng(0).uniform(-0.3 * half, 0.3 * half, 40)
    lines = np.array([line(half, place, width, slope=0.0005) for place in places])
    for seen, sign in ((lines, 1), (1 - lines, -1)):
        found = best_ramps(seen)
        assert found.seen.all()
        np.testing.assert_allclose(found.places, places, atol=0.1)
        np.testing.assert_allclose(found.spreads, width**2, atol=2.5 + 0.03 * width**2)
        assert np.median(found.spreads) == pytest.approx(width**2, abs=0.2 + 0.01 * width**2)
        np.testing.assert_allclose(sign * found.contrasts, 0.5, atol=0.03)
        assert found.errors.max() < 0.01


def test_what_is_no_ramp_stays_unexplained() -> None:
    """A bar, and a wave."""
    x = np.arange(-12, 13)
    found = best_ramps(np.array([(abs(x) < 3) * 0.5, 0.5 * np.sin(x)]))
    assert found.errors.min() > 0.1


def test_a_ramp_without_plains_is_not_seen() -> None:
    found = best_ramps(np.array([line(8, 0, 30), line(8, 0, 4)]))
    assert found.seen.tolist() == [False, True]


def test_chance_errs_to_either_side() -> None:
    """Sharp edges in noise: their squared widths are 0 in the mean, not more."""
    chance = np.random.default_rng(0)
    lines = np.array([line(8, place, 0) for place in chance.uniform(-2, 2, 300)])
    spreads = best_ramps(lines + chance.normal(0, 0.01, lines.shape)).spreads
    assert abs(np.median(spreads)) < 0.15
    assert (spreads < 0).mean() > 0.25


def test_no_lines_are_no_ramps() -> None:
    assert len(best_ramps(np.empty((0, 17))).places) == 0
