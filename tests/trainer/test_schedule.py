"""Learning-rate policies: numbers in, numbers out."""

import numpy as np
import pytest

from tsr.trainer.schedule import Adaptive, Budget

Errors = list[tuple[int, float]]


def test_the_budget_warms_up_then_falls_to_its_floor() -> None:
    """From a tenth of the peak up in a twentieth of the budget, then down to a hundredth."""
    rates = np.array([Budget(1e-3).rate(p, []) for p in np.linspace(0, 1, 1001)])
    peak = rates.argmax()
    assert rates[0] == pytest.approx(1e-4)
    assert rates.max() == pytest.approx(1e-3)
    assert peak == 50
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[-1] == pytest.approx(1e-5)
    assert rates[525] == pytest.approx((1e-3 + 1e-5) / 2)  # a cosine: halfway down in the middle


def test_the_budget_never_ends_the_training_itself() -> None:
    """Past its end the rate stays at the floor; the loop decides."""
    assert Budget(1e-3).rate(1.5, []) == pytest.approx(1e-5)


def history(values: list[float]) -> Errors:
    return [(100 * n, value) for n, value in enumerate(values)]


def test_the_adaptive_rate_stays_while_errors_fall() -> None:
    """A steady fall, even a noisy one, changes nothing."""
    noise = np.random.default_rng(0).normal(0, 0.01, 40)
    falling = history([float(1 / (1 + n) + 0.01 * e) for n, e in enumerate(noise)])
    assert Adaptive(1e-4).rate(0.5, falling[:20]) == 1e-4


def test_the_adaptive_rate_drops_when_errors_stop_falling() -> None:
    """A plateau divides it by ten once, until as many new errors have come in."""
    policy = Adaptive(1e-4)
    flat = history([1.0 + 0.01 * (-1) ** n for n in range(40)])
    rates = [policy.rate(0.5, flat[:n]) for n in range(40)]
    assert rates[:12] == [1e-4] * 12
    assert rates[12:24] == pytest.approx([1e-5] * 12)
    assert rates[24:36] == pytest.approx([1e-6] * 12)


def test_the_adaptive_policy_ends_below_a_millionth() -> None:
    """The third plateau would be at 1e-7: the rate is 0, training is over (paper 4.1)."""
    flat = history([1.0 + 0.01 * (-1) ** n for n in range(48)])
    assert Adaptive(1e-4).rate(0.5, flat[:35]) > 0
    assert Adaptive(1e-4).rate(0.5, flat) == 0


def test_rising_errors_count_as_not_falling() -> None:
    """Divergence is answered by a smaller rate, not by a larger one."""
    assert Adaptive(1e-4).rate(0.5, history(list(np.linspace(1, 2, 12)))) < 1e-4


def test_the_adaptive_policy_keeps_to_its_budget() -> None:
    """Once all steps are used, training ends whatever the errors do."""
    assert Adaptive(1e-4).rate(1.0, []) == 0


def test_the_adaptive_policy_decides_from_the_history_alone() -> None:
    """A resumed run, with a fresh policy, continues where the old one was."""
    errors = history([1.0 + 0.01 * (-1) ** n for n in range(30)])
    kept = Adaptive(1e-4)
    for n in range(30):
        assert kept.rate(0.1, errors[:n]) == Adaptive(1e-4).rate(0.1, errors[:n])
