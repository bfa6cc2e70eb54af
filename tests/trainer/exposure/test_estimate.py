"""What is made of two findings, and what is said of it."""

import math

import pytest

from tsr.trainer.exposure import ExposureEstimate
from tsr.trainer.exposure.estimate import MIN_EDGES, MIN_PATCHES, estimated
from tsr.trainer.exposure.fit import NOTHING, Finding


@pytest.mark.parametrize(
    ("estimate", "exposure", "line"),
    [
        (ExposureEstimate(0.5, 0.02, 90, 0), 0.5, "exposure 0.5: estimated 0.50 ± 0.02 by 90"),
        (ExposureEstimate(0.0, 0.02, 90, 0), 0.0, "exposure delta: estimated 0.00"),
        (ExposureEstimate(0.9, 0.02, 90, 0), 1.0, "exposure full: estimated 0.90"),
        (ExposureEstimate(0.5, 0.17, 90, 0), 1.0, "exposure full: the estimate is not sure enough"),
        (ExposureEstimate(0.5, 0.16, 90, 0), 0.5, "exposure 0.5: estimated 0.50 ± 0.16"),
        (ExposureEstimate(0.5, 0.02, 9, 90), 0.5, "by 9 patches and 90 edges that move evenly"),
        (ExposureEstimate(0.5, 0.02, 9, 8), 1.0, f"8 edges that move evenly; {MIN_PATCHES} or"),
        (ExposureEstimate(1.0, math.inf, 0, 0), 1.0, "only 0 patches and 0 edges"),
        (ExposureEstimate(1.0, math.inf, 1, 1), 1.0, "only 1 patch and 1 edge that"),
    ],
)
def test_only_a_sure_estimate_is_followed(
    estimate: ExposureEstimate, exposure: float, line: str
) -> None:
    """In all other cases the paper's assumption stands, and the line says why."""
    assert estimate.exposure == exposure
    assert line in estimate.line()


def test_both_findings_count_for_as_much_as_they_are_sure_of() -> None:
    """Independent errors: squares of their inverses add up."""
    found = estimated(Finding(0.5, 0.03, MIN_PATCHES), Finding(0.525, 0.04, MIN_EDGES))
    assert found.value == pytest.approx(0.509)
    assert found.error == pytest.approx(0.024)


def test_a_contradiction_makes_the_whole_less_sure() -> None:
    found = estimated(Finding(0.4, 0.03, MIN_PATCHES), Finding(0.8, 0.03, MIN_EDGES))
    assert found.value == pytest.approx(0.6)
    assert found.error == pytest.approx(0.2)
    assert not found.confident


@pytest.mark.parametrize(
    ("by_patches", "by_edges", "value"),
    [
        (Finding(0.2, 0.1, 99), Finding(0.6, 0.04, 99), 0.6),
        (Finding(0.2, 0.03, 99), Finding(0.6, 0.07, 99), 0.2),
        (Finding(0.2, 0.03, MIN_PATCHES - 1), Finding(0.6, 0.04, 99), 0.6),
        (Finding(0.2, 0.03, 99), Finding(0.6, 0.02, MIN_EDGES - 1), 0.2),
    ],
    ids=["edges much surer", "patches much surer", "few patches", "few edges"],
)
def test_one_alone_is_believed(by_patches: Finding, by_edges: Finding, value: float) -> None:
    """Its error is that of the whole, and both are counted."""
    found = estimated(by_patches, by_edges)
    assert found.value == value
    assert found.error in (by_patches.error, by_edges.error)
    assert (found.patches, found.edges) == (by_patches.witnesses, by_edges.witnesses)


def test_what_lies_outside_is_taken_back_and_less_sure() -> None:
    outside = Finding(1.2, 0.03, MIN_PATCHES)
    found = estimated(outside, NOTHING)
    assert (found.value, found.error) == (1, pytest.approx(0.2))
    assert estimated(outside, Finding(0.5, 0.05, MIN_EDGES)).value == 0.5
