"""The derived tap tables against the resizes they stand for."""

import numpy as np
import pytest

from tsr.core.resize import ResampleTaps, apply_taps, cubic_taps
from tsr.runtime.tap_plan import axis_plan, halving_plan


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 45, 90, 641])
def test_again_is_enlarging_then_halving(n: int) -> None:
    """The seven-tap table equals the two resizes it replaces, borders included."""
    plan = axis_plan(n)
    line = np.random.default_rng(n).random((1, 1, 1, n), np.float32)
    up_and_down = apply_taps(apply_taps(line, cubic_taps(n, 2 * n), 3), cubic_taps(2 * n, n), 3)
    again = apply_taps(line, ResampleTaps(plan.again_index, plan.again_weight, n), 3)
    np.testing.assert_allclose(again, up_and_down, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 90])
def test_up_is_the_table_of_core(n: int) -> None:
    """Rearranging the enlarging taps changes no weight."""
    plan = axis_plan(n)
    line = np.random.default_rng(n).random((1, 1, 1, n), np.float32)
    up = apply_taps(line, ResampleTaps(plan.up_index, plan.up_weight, n), 3)
    np.testing.assert_array_equal(up, apply_taps(line, cubic_taps(n, 2 * n), 3))


@pytest.mark.parametrize("n", [1, 4, 5, 6, 7, 8, 90, 1920])
def test_only_few_samples_at_each_border_are_special(n: int) -> None:
    """All others share their weights, so that the fast loop covers nearly the whole row."""
    plan = axis_plan(n)
    assert (plan.inner_first, plan.inner_last) == ((3, n - 3) if n > 6 else (0, 0))
    halving = halving_plan(n)
    assert (halving.inner_first, halving.inner_last) == ((2, n - 2) if n > 4 else (0, 0))
