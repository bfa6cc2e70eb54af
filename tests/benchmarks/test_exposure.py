"""What the exposure benchmarks say of estimates and of their worth."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("benchmarks.exposure", reason="benchmarks are not part of the wheel")

from benchmarks.exposure import KINDS, entry, scene_of, treated
from benchmarks.exposure_md import exposure, exposure_worth
from tsr.evaluation.scenes import render
from tsr.trainer.exposure import ExposureEstimate

HALF, UNSURE = ExposureEstimate(0.45, 0.02, 90, 0), ExposureEstimate(1.0, float("inf"), 0, 0)


def _scene(truth: float, found: ExposureEstimate) -> dict[str, Any]:
    return {"kind": "drift", "speed": 3.0, "seed": 0, "treatment": "clean", **entry(truth, found)}


def test_estimates_are_told_with_their_largest_error_and_whether_they_are_sure() -> None:
    """A wrong one that would be followed counts against the bar; one that would not does not."""
    wrong = ExposureEstimate(0.7, 0.02, 90, 0)
    scenes = [_scene(0.5, HALF), _scene(0.5, wrong), _scene(0.5, UNSURE)]
    text = exposure({"scenes": scenes, "clips": {"cup": [entry(0.5, UNSURE), entry(0.5, HALF)]}})
    assert "| drift | clean | 0.72 (+0.50) | 2 of 3 |" in text
    assert "Of 2 sure estimates 1 are within 0.15; the largest error is 0.20." in text
    assert "With full in place of the others 1 of 3 are." in text
    assert "| cup | – (1) | 0.45 ± 0.02 (0.45) |" in text


def test_the_worth_is_a_row_per_clip() -> None:
    report = {"training": {"steps": 5}, "clips": {"cup": {"linear": 20.0, "half": 21.234}}}
    text = exposure_worth(report)
    assert "Short trainings: 5 steps." in text
    assert "| cup | 20.00 | 21.23 |" in text


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_are_stored_in_three_ways(kind: str) -> None:
    """All close to what was rendered, none the same."""
    frames = list(render(scene_of(kind, 6.0, 0), 3, 64, 96))
    found = treated(frames, 0)
    assert list(found) == ["clean", "noise of 3/255", "H.264"]
    for stored, most in zip(found.values(), (0.5 / 255, 4 / 255, 0.1), strict=True):
        error = np.abs(np.stack(stored) - np.stack(frames)).mean()
        assert 0 < error < most
