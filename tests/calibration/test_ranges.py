"""Where the estimators put the end of a type's range."""

import numpy as np
import pytest

from tsr.calibration.ranges import BINS, ESTIMATORS, Histogram


def histogram(values: np.ndarray) -> Histogram:
    made = Histogram.empty(float(values.max()))
    made.add(values.astype(np.float32))
    return made


def squared_error(values: np.ndarray, reach: float, steps: int) -> float:
    """Of rounding to whole steps of `reach / steps`, and cutting off above `reach`."""
    step = reach / steps
    return float(((np.minimum(np.rint(values / step), steps) * step - values) ** 2).mean())


def test_every_value_is_counted_once_where_it_lies() -> None:
    """Counts add up, in the bins that hold the values; the largest value has the last bin."""
    values = np.array([0.0, 0.1, 0.5, 1.0, 2.0])
    made = histogram(values)
    assert made.counts.sum() == 5
    (places,) = np.nonzero(made.counts)
    np.testing.assert_array_equal(places, np.minimum(values * BINS / 2, BINS - 1).astype(int))


def test_the_absolute_maximum_cuts_nothing_off() -> None:
    values = np.random.default_rng(0).exponential(1.0, 10_000)
    assert ESTIMATORS["absmax"](histogram(values), 255) == values.max()


def test_the_percentile_leaves_out_the_share_it_names() -> None:
    """One of a million values far away does not widen the range."""
    values = np.append(np.random.default_rng(0).random(1_000_000), 50.0)
    reach = ESTIMATORS["percentile"](histogram(values), 255)
    assert 1.0 <= reach <= 1.0 + 2 * 50 / BINS


@pytest.mark.parametrize("steps", [127, 255])
def test_the_least_error_is_the_least(steps: int) -> None:
    """No other range tried rounds these values with less error, measured on the values."""
    values = np.random.default_rng(0).exponential(1.0, 200_000)
    reach = ESTIMATORS["least-error"](histogram(values), steps)
    found = squared_error(values, reach, steps)
    others = [squared_error(values, values.max() * share, steps) for share in (0.3, 0.5, 0.75, 1)]
    assert found <= 1.02 * min(others)
    assert found < 0.9 * squared_error(values, values.max(), steps)


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_a_silent_layer_has_a_range_of_zero(name: str) -> None:
    made = Histogram.empty(0.0)
    made.add(np.zeros(100, np.float32))
    assert ESTIMATORS[name](made, 255) == 0.0
